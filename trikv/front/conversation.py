"""One client's conversation: bytes in, submissions to the node, replies out in request order.

Pure and synchronous: it never sees a socket, a task or a clock. One turn goes like this::

    received -> ClientWire -> requests -> Turn -> Work ... answered -> replies -> one wire.send

All requests that have arrived by the time the connection is free form one `Turn`: its commands for the
machine travel as one `Work`, everything else holds a slot, so replies leave in order. While a turn is in
flight, bytes wait in the ClientWire, and past a limit the peer is paused. Three things cut a turn: its size;
a command whose answer decides how the next is read, or shows how the connection stands (HELLO, AUTH, RESET,
WATCH, CLIENT INFO, an EXEC with such inside); and a command that this node carries out (SAVE, WAIT, ...).

The conversation and its `Connection` know each other; `closed` breaks that cycle, because the cyclic garbage
collector is off in a node.
"""

from collections.abc import Callable
from typing import Final

from trikv.front.caller import Caller
from trikv.front.commands import TABLE
from trikv.front.commands.hints import explain
from trikv.front.connections import MAXCLIENTS_ERROR, Connection, Connections, InputMemory
from trikv.front.dispatch import Route, Routes
from trikv.front.inputs import CLOSED, REFUSED, SMALL_BYTES
from trikv.front.intake import ConversationLimits, Intake
from trikv.front.seam import Asked, Operation, Service, Work
from trikv.front.slots import Args
from trikv.front.transaction import Transactions
from trikv.front.turn import SINGLE_READ, SINGLE_WRITE, Turn
from trikv.host.wire import Wire
from trikv.machine.replies import CommandError, Reply, SimpleString, weight
from trikv.protocol.render import render
from trikv.protocol.resp import encode, encode_many, encode_push

_LOST_READ: Final = CommandError("CLUSTERDOWN the connection is being closed; nothing was read or written")
_LOST_WRITE: Final = CommandError("INDETERMINATE the write may or may not have happened")
_TOO_MUCH_OUTPUT: Final = CommandError("ERR replies exceed the output limit; the commands were carried out")


ROUTES: Final = Routes(TABLE)
"""Every command of a node."""
_DEFAULT_LIMITS: Final = ConversationLimits()


class Conversation:
    """The logic of one client connection (`trikv.host.wire.Conversation`)."""

    __slots__ = (
        "_callbacks",
        "_ended",
        "_in_flight_bytes",
        "_intake",
        "_is_counted",
        "_last_write",
        "_leaving",
        "_limits",
        "_operation",
        "_out",
        "_over",
        "_paused",
        "_refusal",
        "_slow",
        "_tally",
        "_turn",
        "_wire",
        "caller",
        "connection",
    )

    def __init__(
        self,
        wire: Wire,
        service: Service,
        connections: Connections,
        routes: Routes = ROUTES,
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
        self.caller = Caller(self.connection, Transactions(), connections, service, routes.table)
        self._wire = wire
        self._tally = service.statistics.tally
        self._limits = limits
        self._intake = Intake(wire, self.caller, routes, limits)
        self._out: list[bytes] = []
        self._callbacks: tuple[Callable[[list[Reply]], None], Callable[[CommandError], None]]
        self._callbacks = (self._answered, self._failed)
        """What every work carries, made once: two objects less for each command."""
        self._turn: Turn | None = None
        """In flight."""
        self._operation: Operation | None = None
        """An operation is being carried out for this connection."""
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
        if self._turn is None and self._operation is None:
            single = self._intake.single(data)
            if single is None:
                self._proceed()
            else:
                args, route = single
                self._submit_single(args, route, len(data))
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
        if self._operation is not None:
            self._operation.abandoned = True  # a WAIT without a limit would outlive its client
        if self._turn is None and self._operation is None and not self._over:
            self._close()

    def closed(self) -> None:
        """The connection is gone; an answer still on its way is dropped."""
        self._over = True
        self._callbacks = (_drop, _drop)
        self._turn = None
        if self._operation is not None:
            self._operation.abandoned = True
            self._operation = None
        self._out.clear()
        self.caller.transactions.reset()
        self.caller.connections.forget(self.connection)

    # What the register calls (`trikv.front.connections.Control`).

    def typed(self) -> bool | None:
        """Whether a person is at the other end; None while nobody has said anything."""
        return self._intake.typed

    def is_busy(self) -> bool:
        """True while something is in flight."""
        return self._turn is not None or self._operation is not None

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
        turn, self._turn = self._turn, None
        if turn is not None:
            self._refuse(turn, _LOST_WRITE if turn.writes else _LOST_READ)
        elif self._operation is not None:
            self._tally.failed(self._operation.name, _LOST_WRITE)
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
        turn, self._turn = self._turn, None
        if self._in_flight_bytes:
            self._came_back()
        if turn is not None:
            if turn.writes:
                self._last_write = self.caller.service.write_token()
            self._emit(turn, replies)
            self._go_on()
        # Counted down last: who waits for none in flight finds every answer sent.
        self.caller.connections.finished()

    def _failed(self, error: CommandError) -> None:
        turn, self._turn = self._turn, None
        if self._in_flight_bytes:
            self._came_back()
        if turn is not None:
            self._refuse(turn, error)
            self._go_on()
        self.caller.connections.finished()

    def _refuse(self, turn: Turn, error: CommandError) -> None:
        """The machine will not answer `turn`: this stands in for each of its replies."""
        for name in [self.connection.last_command] if turn.is_single else turn.step_names(self.caller.table):
            self._tally.failed(name.upper(), error)
        self._emit(turn, turn.refusal(error))

    def _acted(self, reply: Reply) -> None:
        if not self._over and self._operation is not None:
            self._tally.answered(self._operation.name, reply)
            self._operation = None
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
            turn = Turn(connection.database)
            self._intake.gather(turn)
            if turn.commands:
                at_once = self._submit(turn)
                if at_once is None:
                    break
                self._emit(turn, at_once)
                self._flush()
                # One turn, then others have theirs: as if it had been waited for.
                goes_round = self._intake.has_more()
            elif turn.operation is not None:
                self._act(*turn.operation)
                break
            else:
                self._emit(turn, [])
                spent_us += turn.cost_us
                goes_round = spent_us >= self._limits.turn_cost_us_max
            if goes_round and not self._is_done():
                # Others first: a submission without commands comes back when the node has gone round.
                self._submit(Turn(connection.database))
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

    def _submit_single(self, args: Args, route: Route, size: int) -> None:
        """The hot path: one plain command of `size` bytes came alone."""
        turn = SINGLE_WRITE if route.writes else SINGLE_READ
        answered, failed = self._callbacks
        work = Work(self.connection.database, (args,), (), route.writes, answered, failed, size)
        at_once = self._hand_over(turn, work)
        if at_once is not None:
            self._emit(turn, at_once)
            self._flush()

    def _submit(self, turn: Turn) -> list[Reply] | None:
        """Hand `turn` to the node; its replies where they are there at once, otherwise it is in flight."""
        commands, transactions = tuple(turn.commands), tuple(turn.transactions)
        held = turn.memory_bytes() if commands else 0
        if held > SMALL_BYTES:
            if not self.caller.connections.admits_input(held):
                for name in turn.step_names(self.caller.table):
                    self._tally.rejected(name, REFUSED)
                return turn.refusal(REFUSED)
            self._in_flight_bytes = held
            self.caller.connections.input.in_flight += held
        answered, failed = self._callbacks
        join_bytes = turn.join_bytes
        work = Work(turn.database, commands, transactions, turn.writes, answered, failed, join_bytes)
        return self._hand_over(turn, work)

    def _hand_over(self, turn: Turn, work: Work) -> list[Reply] | None:
        caller = self.caller
        replies = caller.service.submit(work)
        if replies is None:
            self._turn = turn
            caller.connections.began()
            if self._in_flight_bytes:  # last: it may give up what waits for this client, too
                caller.connections.hold_input()
        elif self._in_flight_bytes:
            self._came_back()
        return replies

    def _act(self, name: str, asked: Asked) -> None:
        self._operation = Operation(name, asked, self._acted, self._last_write)
        self.caller.connections.began()
        self.caller.service.act(self._operation)

    # Output.

    def _emit(self, turn: Turn, replies: list[Reply]) -> None:
        """Turn the replies of `turn` into bytes."""
        if len(replies) == 1 and not turn.mixed and type(replies[0]) is not list:
            # Nearly always. One value need not be weighed: the longest is an eighth of what may wait.
            self._out.append(encode(replies[0], self.connection.resp_version))
            return
        bytes_max = self.caller.connections.output_bytes_max
        if weight(replies) > bytes_max:
            self._end_for_size()
        elif not turn.mixed:
            if replies:
                self._out.append(encode_many(replies, self.connection.resp_version))
        else:
            held_bytes = 0
            for item in turn.replies(self.caller, replies):
                if isinstance(item, bytes):
                    self._out.append(item)
                else:
                    self._put(*item)
                held_bytes += len(self._out[-1])
                if held_bytes > bytes_max:
                    self._end_for_size()
                    return

    def _put(self, reply: Reply, typed: bool, args: Args) -> None:  # noqa: FBT001 - unpacked from a slot
        if not typed or (isinstance(reply, SimpleString) and self._is_checked(args)):
            self._out.append(encode(reply, self.connection.resp_version))
        elif isinstance(reply, CommandError):
            self._out.append(render(explain(self.caller.table, args, reply)))
        else:
            self._out.append(render(reply))

    def _is_checked(self, args: Args) -> bool:
        command = self.caller.table.find(args)
        return not isinstance(command, CommandError) and command.is_checked

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
