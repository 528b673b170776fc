"""One client's conversation: bytes in, submissions to the node, replies out in request order.

Pure and synchronous: it never sees a socket, a task or a clock. One turn goes like this::

    received -> ClientWire -> requests -> Unit -> Work ... answered -> replies -> one wire.send

All requests that have arrived by the time the connection is free form one `Unit`: its commands for the
machine travel as one `Work`, everything else holds a slot, so replies leave in order. While a unit is in
flight, bytes wait in the ClientWire, and past a limit the peer is paused. Three things cut a unit: its size;
a command whose answer decides how the next is read, or shows how the connection stands (HELLO, AUTH, RESET,
WATCH, CLIENT INFO, an EXEC with such inside); and a command that this node carries out (SAVE, WAIT, ...).

The conversation and its `Connection` know each other; `closed` breaks that cycle, because the cyclic garbage
collector is off in a node.
"""

from collections.abc import Callable
from typing import Final

from trikv.host.seam import Wire
from trikv.machine.commands import TABLE
from trikv.machine.replies import CommandError, Reply, Status, weight
from trikv.node.connections import MAXCLIENTS_ERROR, Connection, Connections, InputMemory
from trikv.node.inputs import CLOSED, REFUSED, SMALL_BYTES
from trikv.node.intake import ConversationLimits, Intake
from trikv.node.local import LOCAL
from trikv.node.local.forgiving import explain
from trikv.node.plans import Plan, Plans
from trikv.node.service import Action, Service, Work
from trikv.node.transactions import Transactions
from trikv.node.units import SINGLE_READ, SINGLE_WRITE, Args, Caller, Unit
from trikv.protocol.render import render
from trikv.protocol.resp import encode, encode_many, encode_push

_LOST_READ: Final = CommandError("CLUSTERDOWN the connection is being closed; nothing was read or written")
_LOST_WRITE: Final = CommandError("INDETERMINATE the write may or may not have happened")
_TOO_MUCH_OUTPUT: Final = CommandError("ERR replies exceed the output limit; the commands were carried out")


PLANS: Final = Plans(TABLE.merged_with(LOCAL))
"""Every command of a node."""
_DEFAULT_LIMITS: Final = ConversationLimits()


class Conversation:
    """The logic of one client connection (`trikv.host.seam.Conversation`)."""

    __slots__ = (
        "_action",
        "_callbacks",
        "_ended",
        "_in_flight_bytes",
        "_intake",
        "_is_counted",
        "_last_write",
        "_leaving",
        "_limits",
        "_out",
        "_over",
        "_paused",
        "_refusal",
        "_slow",
        "_tally",
        "_unit",
        "_wire",
        "caller",
        "connection",
    )

    def __init__(
        self,
        wire: Wire,
        service: Service,
        connections: Connections,
        plans: Plans = PLANS,
        limits: ConversationLimits = _DEFAULT_LIMITS,
    ) -> None:
        now_ms = service.boot_ms()
        self.connection = Connection(
            id=service.next_connection_id(),
            remote=wire.remote,
            local=wire.local,
            created_ms=now_ms,
            active_ms=now_ms,
            authenticated=connections.serves_anybody(),
            control=self,
        )
        self.caller = Caller(self.connection, Transactions(), connections, service, plans)
        self._wire = wire
        self._tally = service.statistics.tally
        self._limits = limits
        self._intake = Intake(wire, self.caller, limits)
        self._out: list[bytes] = []
        self._callbacks: tuple[Callable[[list[Reply]], None], Callable[[CommandError], None]]
        self._callbacks = (self._answered, self._failed)
        """What every work carries, made once: two objects less for each command."""
        self._unit: Unit | None = None
        """In flight."""
        self._action: Action | None = None
        """An action is being carried out for this connection."""
        self._in_flight_bytes = 0
        """What of it the register counts: nothing where it is small."""
        self._is_counted = False
        """The register counts something that waits for this client."""
        self._refusal: CommandError | None = None
        """Said last: the rest of the input was given up, and the connection closes."""
        self._last_write: object = None
        self._paused = False
        self._slow = False
        """The peer had not taken everything when something was last sent."""
        self._ended = False
        """The peer sends no more."""
        self._leaving = False
        """Its last words are being sent. They may be too many for this client: that does not end it again."""
        self._over = False
        """Closing: nothing is read or sent any more."""
        if not connections.admit(self.connection):
            wire.send(MAXCLIENTS_ERROR)
            self._close()

    # What the host calls.

    def received(self, data: bytes) -> None:
        """The peer sent `data`."""
        if self._over:
            return
        self.connection.heard = True
        if self._unit is None and self._action is None:
            single = self._intake.single(data)
            if single is None:
                self._proceed()
            else:
                args, plan = single
                self._submit_single(args, plan, len(data))
            return
        self._intake.receive(data)
        buffered_bytes = self._intake.buffered_bytes
        if not self._paused and buffered_bytes > self._limits.backlog_bytes_max:
            self._paused = True
            self._wire.pause()
        if buffered_bytes > SMALL_BYTES:
            self._note_input()

    def ended(self) -> None:
        """The peer will send no more; what is in flight is still answered."""
        self._ended = True
        if self._action is not None:
            self._action.abandoned = True  # a WAIT without a limit would outlive its client
        if self._unit is None and self._action is None and not self._over:
            self._close()

    def closed(self) -> None:
        """The connection is gone; an answer still on its way is dropped."""
        self._over = True
        self._callbacks = (_drop, _drop)
        self._unit = None
        if self._action is not None:
            self._action.abandoned = True
            self._action = None
        self._out.clear()
        self.caller.transactions.reset()
        self.caller.connections.forget(self.connection)

    # What the register calls (`trikv.node.connections.Control`).

    def typed(self) -> bool | None:
        """Whether a person is at the other end; None while nobody has said anything."""
        return self._intake.typed

    def is_busy(self) -> bool:
        """True while something is in flight."""
        return self._unit is not None or self._action is not None

    def is_leaving(self) -> bool:
        """True for one that closes already, now or behind its answers."""
        return self._over or self._leaving or self.connection.closing

    def queued_count(self) -> int:
        """Commands queued since MULTI; -1 outside of one."""
        return self.caller.transactions.queued_count()

    def is_watching(self) -> bool:
        """True after a WATCH."""
        return bool(self.caller.transactions.watched)

    def unsent_bytes(self) -> int:
        """Output that the client has not taken."""
        return self._wire.unsent_bytes()

    def buffered_bytes(self) -> int:
        """Input that has not been looked at."""
        return self._intake.buffered_bytes

    def memory(self) -> InputMemory:
        """What is held of this client's requests."""
        intake, transactions = self._intake, self.caller.transactions
        return InputMemory(intake.memory_bytes, self._in_flight_bytes, transactions.memory_bytes)

    def waiting_bytes(self) -> int:
        """What of that waits for the client, and not for the node."""
        return self._intake.memory_bytes + self.caller.transactions.memory_bytes

    def give_up_input(self) -> bool:
        """Free what waits for the client: a transaction, as EXEC will tell, or all that is not looked at.

        In the latter case what is in flight is still answered, then the client is told and closed: True. Of
        one that is leaving nothing more would have been looked at: there is nothing to tell.
        """
        transactions, was_leaving = self.caller.transactions, self.is_leaving()
        if not was_leaving and transactions.memory_bytes >= self._intake.memory_bytes:
            transactions.give_up()
            return False
        self._intake.drop()
        transactions.give_up()
        if was_leaving:
            return False
        self._refusal = CLOSED
        self.connection.closing = True
        if not self.is_busy():
            self._close()
        return True

    def warn(self, reason: str) -> None:
        """Say `reason` out of turn, where the dialect has a way to."""
        if self._over:
            return
        if self.connection.is_typed():
            self._wire.send(f"# {reason}\r\n".encode())
        elif self.connection.resp_version == 3:
            self._wire.send(encode_push("trikv.shutdown", [reason.encode()]))

    def end(self, reason: str) -> None:
        """Answer what is in flight with an error, say `reason`, close.

        A client that never reads its answer must still have been sent one: a bare close makes redis-py send
        a command again that may have happened (PROTOCOL 3).
        """
        if self._over or self._leaving:
            return
        self._leaving = True
        unit, self._unit = self._unit, None
        if unit is not None:
            self._refuse(unit, _LOST_WRITE if unit.writes else _LOST_READ)
        elif self._action is not None:
            self._tally.failed(self._action.name, _LOST_WRITE)
            self._put(_LOST_WRITE, self.connection.is_typed(), ())
        self._flush()
        if not self._over:
            self.warn(f"closing: {reason}")
            self._close()

    def abort(self) -> None:
        """Close now, and drop what was to be sent."""
        self._over = True
        self._wire.abort()

    # What the node calls back.

    def _answered(self, replies: list[Reply]) -> None:
        unit, self._unit = self._unit, None
        if self._in_flight_bytes:
            self._came_back()
        if unit is not None:
            if unit.writes:
                self._last_write = self.caller.service.write_token()
            self._emit(unit, replies)
            self._go_on()
        # Counted down last: who waits for none in flight finds every answer sent.
        self.caller.connections.finished()

    def _failed(self, error: CommandError) -> None:
        unit, self._unit = self._unit, None
        if self._in_flight_bytes:
            self._came_back()
        if unit is not None:
            self._refuse(unit, error)
            self._go_on()
        self.caller.connections.finished()

    def _refuse(self, unit: Unit, error: CommandError) -> None:
        """The machine will not answer `unit`: this stands in for each of its replies."""
        for name in [self.connection.last_command] if unit.is_single else unit.step_names(self.caller.plans):
            self._tally.failed(name.upper(), error)
        self._emit(unit, unit.refusal(error))

    def _acted(self, reply: Reply) -> None:
        if not self._over and self._action is not None:
            self._tally.answered(self._action.name, reply)
            self._action = None
            self._put(reply, self.connection.is_typed(), ())
            self._go_on()
        self.caller.connections.finished()

    # One turn.

    def _go_on(self) -> None:
        """Something was answered: send it, and look at what has come meanwhile."""
        if self._intake.has_more():
            self._proceed()
        else:
            self._flush()
            if (self._ended or self.connection.closing) and not self._over:
                self._close()
            elif self._is_counted or self.caller.transactions.watched_count:
                self._note_input()
        if self._paused and not self._over and self._may_resume():
            self._paused = False
            self._wire.resume()

    def _may_resume(self) -> bool:
        """Little waits; or nothing is in flight: the beginning of a request waits, and its rest must come."""
        return not self.is_busy() or self._intake.buffered_bytes <= self._limits.backlog_bytes_max

    def _proceed(self) -> None:
        """Gather and answer until something is in flight or no whole request is left; then send."""
        connection = self.connection
        spent_us = 0
        while self._intake.has_more() and not self._is_done():
            unit = Unit(connection.database)
            self._intake.gather(unit)
            if unit.commands:
                at_once = self._submit(unit)
                if at_once is None:
                    break
                self._emit(unit, at_once)
                self._flush()
                goes_round = self._intake.has_more()  # one unit a turn, like those that are waited for
            elif unit.action is not None:
                self._act(*unit.action)
                break
            else:
                self._emit(unit, [])
                spent_us += unit.cost_us
                goes_round = spent_us >= self._limits.turn_cost_us_max
            if goes_round and not self._is_done():
                # Others first: a submission without commands comes back when the node has gone round.
                self._submit(Unit(connection.database))
                break
        self._flush()
        if (connection.closing or self._ended) and not (self._over or self.is_busy()):
            self._close()
        else:
            self._note_input()

    def _note_input(self) -> None:
        """Tell the register what waits for this client, if it is worth counting. It may be given up then."""
        waiting_bytes = self._intake.memory_bytes + self.caller.transactions.memory_bytes
        if (waiting_bytes > SMALL_BYTES or self._is_counted) and not self._over:
            self._is_counted = waiting_bytes > SMALL_BYTES
            self.caller.connections.note_waiting(self.connection, waiting_bytes)

    def _came_back(self) -> None:
        """The register counts what was in flight no longer."""
        self.caller.connections.input.in_flight -= self._in_flight_bytes
        self._in_flight_bytes = 0

    def _is_done(self) -> bool:
        """Nothing more is to be read."""
        return self._over or self.connection.closing

    def _submit_single(self, args: Args, plan: Plan, size: int) -> None:
        """The hot path: one plain command of `size` bytes came alone."""
        unit = SINGLE_WRITE if plan.writes else SINGLE_READ
        answered, failed = self._callbacks
        work = Work(self.connection.database, (args,), (), plan.writes, answered, failed, size)
        at_once = self._hand_over(unit, work)
        if at_once is not None:
            self._emit(unit, at_once)
            self._flush()

    def _submit(self, unit: Unit) -> list[Reply] | None:
        """Hand `unit` to the node; its replies where they are there at once, otherwise it is in flight."""
        commands, transactions = tuple(unit.commands), tuple(unit.transactions)
        held = unit.memory_bytes() if commands else 0
        if held > SMALL_BYTES:
            if not self.caller.connections.admits_input(held):
                for name in unit.step_names(self.caller.plans):
                    self._tally.rejected(name, REFUSED)
                return unit.refusal(REFUSED)
            self._in_flight_bytes = held
            self.caller.connections.input.in_flight += held
        answered, failed = self._callbacks
        join_bytes = unit.join_bytes
        work = Work(unit.database, commands, transactions, unit.writes, answered, failed, join_bytes)
        return self._hand_over(unit, work)

    def _hand_over(self, unit: Unit, work: Work) -> list[Reply] | None:
        caller = self.caller
        replies = caller.service.submit(work)
        if replies is None:
            self._unit = unit
            caller.connections.began()
            if self._in_flight_bytes:  # last: it may give up what waits for this client, too
                caller.connections.hold_input()
        elif self._in_flight_bytes:
            self._came_back()
        return replies

    def _act(self, name: str, args: Args) -> None:
        self._action = Action(name, args, self._acted, self._last_write)
        self.caller.connections.began()
        self.caller.service.act(self._action)

    # Output.

    def _emit(self, unit: Unit, replies: list[Reply]) -> None:
        """Turn the replies of `unit` into bytes."""
        if len(replies) == 1 and not unit.mixed and type(replies[0]) is not list:
            # Nearly always. One value need not be weighed: the longest is an eighth of what may wait.
            self._out.append(encode(replies[0], self.connection.resp_version))
            return
        bytes_max = self.caller.connections.output_bytes_max
        if weight(replies) > bytes_max:
            self._end_for_size()
        elif not unit.mixed:
            if replies:
                self._out.append(encode_many(replies, self.connection.resp_version))
        else:
            held_bytes = 0
            for item in unit.replies(self.caller, replies):
                if isinstance(item, bytes):
                    self._out.append(item)
                else:
                    self._put(*item)
                held_bytes += len(self._out[-1])
                if held_bytes > bytes_max:
                    self._end_for_size()
                    return

    def _put(self, reply: Reply, typed: bool, args: Args) -> None:  # noqa: FBT001 - unpacked from a slot
        if not typed or (isinstance(reply, Status) and self._is_checked(args)):
            self._out.append(encode(reply, self.connection.resp_version))
        elif isinstance(reply, CommandError):
            self._out.append(render(explain(self.caller.plans, args, reply)))
        else:
            self._out.append(render(reply))

    def _is_checked(self, args: Args) -> bool:
        plan = self.caller.plans.find(args)
        return isinstance(plan, Plan) and plan.is_checked

    def _end_for_size(self) -> None:
        self._out.clear()
        self._tally.note_error(_TOO_MUCH_OUTPUT)
        self._put(_TOO_MUCH_OUTPUT, self.connection.is_typed(), ())
        self._flush()
        self.end("output limit exceeded")

    def _flush(self) -> None:
        out = self._out
        if not out:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        unsent_bytes = self._wire.send(data)
        if unsent_bytes or self._slow:
            self._slow = unsent_bytes > 0
            self.caller.connections.note_unsent(self.connection, unsent_bytes)

    def _close(self) -> None:
        self._leaving = True
        if self._refusal is not None:
            self._put(self._refusal, self.connection.is_typed(), ())
            self._flush()
        self._over = True
        self._wire.close()


def _drop(_: object) -> None:
    """Takes the place of a closed conversation's callbacks, which would be a cycle with it."""
