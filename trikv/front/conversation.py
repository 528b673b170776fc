"""One client's conversation: bytes in, submissions to the node, replies out in request order.

Pure and synchronous: it never sees a socket, a task or a clock. One turn goes like this::

    received -> ClientWire -> requests -> Turn -> Work ... answered -> replies -> one wire.send

All requests that have arrived by the time the connection is free form one `Turn`: its commands for the
machine travel as one `Work`. Every other request holds a slot, so that replies leave in order. While a turn
is in flight, bytes wait in the ClientWire, and beyond a limit the peer is paused. Three things cut a turn:
its size; a command whose answer decides how the next is read, or shows the connection's state (HELLO, AUTH,
RESET, WATCH, CLIENT INFO, an EXEC with one of them inside); and a command that this node carries out (SAVE,
WAIT, ...).

The conversation and its `Connection` refer to each other. `closed` breaks that cycle, because the cyclic
garbage collector is off in a node.
"""

from collections.abc import Callable, Iterator
from typing import Final

from trikv.front.answers import parts
from trikv.front.caller import Caller
from trikv.front.commands import TABLE
from trikv.front.connections import MAXCLIENTS_ERROR, Connection, Connections
from trikv.front.conversation_figures import Figures
from trikv.front.dispatch import Routes
from trikv.front.inputs import CLOSED, REFUSED, SMALL_BYTES
from trikv.front.intake import ConversationLimits, Intake
from trikv.front.outflow import AHEAD_BYTES, Outflow, Part
from trikv.front.output import Output
from trikv.front.pausing import HELD
from trikv.front.seam import Asked, Operation, Service, Work
from trikv.front.transaction import Transactions
from trikv.front.turn import SINGLE_READ, SINGLE_WRITE, Turn
from trikv.host.wire import Wire
from trikv.machine.replies import CommandError, Pairs, Reply, Streamed, drop, weight
from trikv.protocol.resp import encode, encode_many, encode_push

_OF_MANY: Final = frozenset({list, tuple, dict, Pairs, Streamed})
"""The types of replies that may be long."""
_LOST_READ: Final = CommandError("CLUSTERDOWN the connection is being closed; nothing was read or written")
_LOST_WRITE: Final = CommandError("INDETERMINATE the write may or may not have happened")
_LOST_REPLIES: Final = CommandError(
    "ERR the connection is being closed before all replies; the commands were carried out"
)


ROUTES: Final = Routes(TABLE)
"""Every command of a node."""
_DEFAULT_LIMITS: Final = ConversationLimits()


class Conversation(Figures):
    """The logic of one client connection (`trikv.host.wire.Conversation`)."""

    __slots__ = (
        "_callbacks",
        "_ended",
        "_is_counted",
        "_last_write",
        "_limits",
        "_out",
        "_outflow",
        "_paused",
        "_refusal",
        "_rest",
        "_tally",
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
        self._tally = service.counters.tally
        self._limits = limits
        self._intake = Intake(wire, self.caller, routes, limits)
        self._out = Output(self.caller, wire)
        self._callbacks: tuple[Callable[[list[Reply]], None], Callable[[CommandError], None]]
        self._callbacks = (self._answered, self._failed)
        """The callbacks of every work, made once: this saves two objects for each command."""
        self._turn: Turn | None = None
        """The turn in flight. There is one at most: this bounds what a client can make the node hold."""
        self._operation: Operation | None = None
        """The operation that the node is carrying out for this connection."""
        self._outflow: Outflow | None = None
        """The replies that are being sent as the client takes them. Their turn counts as in flight until
        then."""
        self._rest: Turn | None = None
        """What the machine has left of that turn: it is asked again when the outflow has ended."""
        self._in_flight_bytes = 0
        """How much of the turn in flight the register counts: 0 if it is small."""
        self._is_counted = False
        """Whether the register counts input that waits for this client."""
        self._refusal: CommandError | None = None
        """The last reply before the connection closes: the rest of the input was given up."""
        self._last_write: object = None
        self._paused = False
        self._ended = False
        """Whether the peer has said that it sends no more."""
        self._leaving = False
        """Its last replies are being sent. If they exceed the output limit, that does not end it again."""
        self._over = False
        """Closed, or about to be: nothing is read or sent any more."""
        if not connections.admit(self.connection):
            wire.send(MAXCLIENTS_ERROR)
            self._close()

    # What the host calls.

    def received(self, data: bytes) -> None:
        """Take bytes from the peer; answer at once unless a turn is in flight."""
        if self._over:
            return
        self.connection.heard = True
        if self._turn is not None or self._operation is not None:
            self._hold_back(data)
            return
        single = self._intake.single(data)
        if single is None:
            self._proceed()
            return
        # The hot path: one plain command that came alone. It is small, so the register need not count it.
        args, route = single
        turn = SINGLE_WRITE if route.writes else SINGLE_READ
        answered, failed = self._callbacks
        work = Work(self.connection.database, (args,), (), route.writes, answered, failed, len(data))
        at_once = self.caller.service.submit(work)
        if at_once is None:
            self._turn = turn
            self.caller.connections.began()
        else:
            self._emit(turn, at_once)
            self._out.flush()

    def _hold_back(self, data: bytes) -> None:
        """Keep `data` until what is in flight has been answered; pause the peer beyond the limit."""
        self._intake.receive(data)
        buffered_bytes = self._intake.buffered_bytes
        if not self._paused and buffered_bytes > self._limits.backlog_bytes_max:
            self._paused = True
            self._wire.pause()
        if buffered_bytes > SMALL_BYTES:
            self._note_input()

    def ended(self) -> None:
        """The peer will send no more. Commands in flight are still answered."""
        self._ended = True
        if self._operation is not None:
            self._operation.abandoned = True  # otherwise a WAIT without a limit would outlive its client
        if self._turn is None and self._operation is None and not self._over:
            self._close()

    def drained(self) -> None:
        """The peer has taken all output."""
        if self._outflow is not None:
            self.caller.service.pour(self._outflow)

    def closed(self) -> None:
        """The connection is gone. An answer that still comes is dropped."""
        self._over = True
        self._callbacks = (drop, _drop)
        self._stop_outflow()
        self._turn = None
        if self._operation is not None:
            operation, self._operation = self._operation, None
            operation.abandoned = True
            self.caller.connections.pause.forget(operation)
        self._out.pieces.clear()
        self.caller.transactions.reset()
        self.caller.connections.forget(self.connection)

    # What the register calls (`trikv.front.connections.Control`).

    def give_up_input(self) -> bool:
        """Free what waits for the client: its transaction, which EXEC will then refuse, or all unread input.

        If it is the input, commands in flight are still answered, then the client is told and closed, and
        this returns True. A client that is leaving is not told: its input would not have been read anyway.
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
        """Say `reason` out of turn, if the dialect has a way to, and not in the middle of a reply."""
        if self._over or (self._outflow is not None and not self._outflow.ends_reply):
            return
        if self.connection.is_typed():
            self._wire.send(f"# {reason}\r\n".encode())
        elif self.connection.resp_version == 3:
            self._wire.send(encode_push("trikv.shutdown", [reason.encode()]))

    def end(self, reason: str) -> None:
        """Answer commands in flight with an error, say `reason`, close.

        An answer is sent even if the client never reads it: after a bare close redis-py would send again a
        command that may have happened (PROTOCOL 3).
        """
        if self._over or self._leaving:
            return
        self._leaving = True
        turn, self._turn, outflow = self._turn, None, self._outflow
        if outflow is not None:
            self._stop_outflow()
            if not outflow.ends_reply:
                self._refusal = None  # whatever is sent now would be taken for a part of that reply
                self._close()
                return
            if turn is not None and len(turn):
                lost = _LOST_READ if outflow.streams else _LOST_REPLIES
                self._tally.note_error(lost)
                self._out.put(lost)
        elif turn is not None:
            self._refuse(turn, _LOST_WRITE if turn.writes else _LOST_READ)
        elif self._operation is not None:
            lost = _LOST_WRITE if self._operation.asked.writes else _LOST_READ
            self._tally.failed(self._operation.name, lost)
            self._out.put(lost)
        self._out.flush()
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
            if self._turn is None:
                self._go_on()
        else:
            drop(replies)
        # Counted down last: the stop waits until none is in flight, and must then find every answer sent.
        self.caller.connections.finished()

    def _failed(self, error: CommandError) -> None:
        turn, self._turn = self._turn, None
        if self._in_flight_bytes:
            self._came_back()
        if turn is not None:
            self._refuse(turn, error)
            if self._turn is None:
                self._go_on()
        self.caller.connections.finished()

    def _refuse(self, turn: Turn, error: CommandError) -> None:
        """The machine will not answer `turn`: `error` takes the place of each of its replies."""
        for name in [self.connection.last_command] if turn.is_single else turn.step_names(self.caller.table):
            self._tally.failed(name.upper(), error)
        self._emit(turn, turn.refusal(error))

    def _acted(self, reply: Reply) -> None:
        if not self._over and self._operation is not None:
            operation, self._operation = self._operation, None
            if operation.asked is not HELD:
                self._tally.answered(operation.name, reply)
                self._out.put(reply)
            self._go_on()
        self.caller.connections.finished()

    # One turn.

    def _go_on(self) -> None:
        """After an answer: send it, and read what has come meanwhile."""
        if self._intake.has_more():
            self._proceed()
        else:
            self._out.flush()
            if (self._ended or self.connection.closing) and not self._over:
                self._close()
            elif self._is_counted or self.caller.transactions.watched_count:
                self._note_input()
        if self._paused and not self._over and self._may_resume():
            self._paused = False
            self._wire.resume()

    def _may_resume(self) -> bool:
        """Whether the peer may send again: little waits, or only the rest of a request can bring us on."""
        return not self.is_busy() or self._intake.buffered_bytes <= self._limits.backlog_bytes_max

    def _proceed(self) -> None:
        """Gather and answer until something is in flight or no whole request is left; then send."""
        connection, transactions = self.connection, self.caller.transactions
        spent_us = 0
        while self._intake.has_more() and not self._is_done():
            if self._out.is_behind():  # what it asks next may be long
                self._begin_outflow(Turn(connection.database), iter(()), [])
                break
            turn = Turn(connection.database)
            self._intake.gather(turn)
            if turn.commands:
                at_once = self._submit(turn)
                if at_once is None:
                    break
                self._emit(turn, at_once)
                if self._turn is not None:
                    break
                self._out.flush()
                # One turn, then others have theirs: as if it had been waited for.
                goes_round = self._intake.has_more()
            elif turn.operation is not None:
                self._act(*turn.operation)
                break
            else:
                self._emit(turn, [])
                if self._turn is not None:
                    break
                spent_us += turn.cost_us
                goes_round = spent_us >= self._limits.turn_cost_us_max
            if goes_round and not self._is_done():
                # Other clients first: a submission without commands comes back after the node's next round.
                self._submit(Turn(connection.database))
                break
        self._out.flush()
        if (connection.closing or self._ended) and not (self._over or self.is_busy()):
            self._close()
        elif self._is_counted or self._intake.holds_any() or transactions.open or transactions.watched_count:
            self._note_input()

    def _note_input(self) -> None:
        """Tell the register what waits for this client, if it is worth counting. The register may free it."""
        waiting_bytes = self._intake.memory_bytes + self.caller.transactions.memory_bytes
        if (waiting_bytes > SMALL_BYTES or self._is_counted) and not self._over:
            self._is_counted = waiting_bytes > SMALL_BYTES
            self.caller.connections.note_waiting(self.connection, waiting_bytes)

    def _came_back(self) -> None:
        """Take what was in flight out of the register's total."""
        self.caller.connections.input.in_flight -= self._in_flight_bytes
        self._in_flight_bytes = 0

    def _is_done(self) -> bool:
        """Whether nothing more is to be read."""
        return self._over or self.connection.closing

    def _submit(self, turn: Turn) -> list[Reply] | None:
        """Hand `turn` to the node. Returns its replies if they come at once; otherwise it is in flight."""
        caller, connections = self.caller, self.caller.connections
        commands, transactions = tuple(turn.commands), tuple(turn.transactions)
        held = turn.memory_bytes() if commands else 0
        if held > SMALL_BYTES:
            if not connections.admits_input(held):
                for name in turn.step_names(caller.table):
                    self._tally.rejected(name, REFUSED)
                return turn.refusal(REFUSED)
            self._in_flight_bytes = held
            connections.input.in_flight += held
        answered, failed = self._callbacks
        join_bytes = turn.join_bytes
        work = Work(turn.database, commands, transactions, turn.writes, answered, failed, join_bytes)
        replies = caller.service.submit(work)
        if replies is None:
            self._turn = turn
            connections.began()
            if self._in_flight_bytes:  # last, because this may free what waits for this very client
                connections.hold_input()
        elif self._in_flight_bytes:
            self._came_back()
        return replies

    def _act(self, name: str, asked: Asked) -> None:
        self._operation = Operation(name, asked, self._acted, self._last_write)
        self.caller.connections.began()
        if asked is HELD:
            self.caller.connections.pause.keep(self._operation)
        else:
            self.caller.service.act(self._operation)

    # Output.

    def _emit(self, turn: Turn, replies: list[Reply]) -> None:
        """Turn the replies of `turn` into bytes; if they are long, begin to."""
        is_muted = self.connection.muted_turns
        if (
            not is_muted
            and len(replies) == 1 == len(turn.commands)
            and not turn.mixed
            and type(replies[0]) not in _OF_MANY
        ):
            # Nearly always. One value is not weighed: the longest is an eighth of the output limit.
            self._out.pieces.append(encode(replies[0], self.connection.resp_version))
            return
        rest = turn.cut(len(replies))
        has_streams = Streamed in map(type, replies)
        if rest is None and not (turn.mixed or has_streams or is_muted) and weight(replies) <= AHEAD_BYTES:
            if replies:
                self._out.pieces.append(encode_many(replies, self.connection.resp_version))
            return
        coming = parts(self.caller, turn, replies)
        ends_reply, sent_bytes = True, 0
        if rest is None and not has_streams:
            ahead_bytes = self.caller.connections.ahead_bytes
            for data, ends in coming:
                self._out.pieces.append(data)
                ends_reply = ends
                sent_bytes += len(data)
                if sent_bytes > ahead_bytes and not self._leaving:
                    break
            else:
                return
        self._begin_outflow(turn, coming, replies, rest)
        if self._outflow is not None:
            self._outflow.goes_on_behind(sent_bytes, ends_reply=ends_reply)

    # What an outflow calls, and what becomes of it.

    def _begin_outflow(
        self, turn: Turn, coming: Iterator[Part], replies: list[Reply], rest: Turn | None = None
    ) -> None:
        self._out.flush()
        if self._over:  # the flush has found that the client does not read
            drop(replies)
            return
        self._turn, self._rest = turn, rest
        self._outflow = Outflow(coming, self, self._wire, self.caller.connections.ahead_bytes, replies)
        self.caller.connections.began()
        self.caller.service.pour(self._outflow)

    def send_part(self, data: bytes) -> None:
        """Send a part of the answer; this may end the conversation."""
        self._out.pieces.append(data)
        self._out.flush()

    def poured(self) -> None:
        """The outflow has ended: ask for the rest of its turn, or go on."""
        self._outflow = self._turn = None
        rest, self._rest = self._rest, None
        if rest is not None:
            at_once = self._submit(rest)
            if at_once is not None:
                self._emit(rest, at_once)
        if self._turn is None:
            self._go_on()
        self.caller.connections.finished()

    def end_slow(self, reason: str) -> None:
        """The client reads too slowly."""
        self.caller.connections.end_for_output(self.connection, reason)

    def _stop_outflow(self) -> None:
        outflow, self._outflow, self._rest = self._outflow, None, None
        if outflow is not None:
            outflow.close()
            self.caller.connections.finished()

    def _close(self) -> None:
        self._leaving = True
        if self._refusal is not None:
            self._out.put(self._refusal)
            self._out.flush()
        self._over = True
        self._wire.close()


def _drop(_: object) -> None:
    """Takes the place of a closed conversation's callbacks, which would form a cycle with it."""
