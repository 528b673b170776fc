"""From the bytes of a client's requests to the next `Turn`.

`Intake.gather` reads as far as the next turn may go. Each request is found in the command table, checked for
arity, password and transaction, and takes a slot of the turn. A request that cannot be decided before earlier
ones are answered is pushed back and read again in the next turn.
"""

from typing import Final, assert_never

import attrs

from trikv.front.caller import Caller
from trikv.front.commands.hints import explain
from trikv.front.decisions import (
    CarryOut,
    Decision,
    Done,
    Evaluate,
    Execute,
    Fail,
    Postpone,
    Refuse,
    Send,
)
from trikv.front.dispatch import ARGUMENTS_MAX, TOO_MANY_ARGUMENTS, Route, Routes
from trikv.front.info.sections import banner
from trikv.front.inputs import DISCARDED
from trikv.front.pausing import HELD
from trikv.front.slots import PLAIN_STEP, Args, Comment, Known, Local, Raw, Step
from trikv.front.transaction import NOT_INSIDE, too_much_time
from trikv.front.turn import Turn
from trikv.host.wire import Wire
from trikv.machine.declaration import QUICK_US
from trikv.machine.replies import QUEUED, CommandError
from trikv.notation import counted
from trikv.protocol.events import ARGUMENT_BYTES, memory_of
from trikv.protocol.requests import (
    NEED_DATA,
    Answer,
    BadBytes,
    ClientEvent,
    ClientWire,
    EmptyLine,
    EndOfInput,
    HttpRefused,
    Interrupted,
    NeedData,
    Request,
)

_EXPLAIN_US: Final = 700
"""The cost of a search for the command that a person may have meant."""


@attrs.frozen
class ConversationLimits:
    """How much one turn may hold. Bytes are those of arguments."""

    turn_bytes_max: int = 64 << 10
    """About one message between nodes; a longer turn would hold up what others proposed."""
    turn_commands_max: int = 256
    """Bounds how long other clients wait for one with a deep pipeline. With 1024, the p99 of 49 polite ones
    was 3.1 times what it is without such a client; with 256, twice. Deep pipelines still need only one
    proposal for 256 commands."""
    entry_bytes_max: int = 12 << 20
    """One command or transaction must fit one log entry: a value of 8 MiB with room (PROTOCOL 17)."""
    turn_cost_us_max: int = 10_000
    """How long one client may keep this node busy before others have their turn: a 40th of the shortest
    election timeout. 64 KiB of INFOs would take a second."""
    backlog_bytes_max: int = 256 << 10
    """Input that is accepted while a turn is in flight; beyond it the peer is paused."""


class Intake:
    """The reading half of a conversation."""

    __slots__ = (
        "_bytes",
        "_commands_max",
        "_cut",
        "_limits",
        "_plain",
        "_pushed_back",
        "_routes",
        "_tally",
        "_wire",
        "caller",
        "receive",
    )

    def __init__(self, wire: Wire, caller: Caller, routes: Routes, limits: ConversationLimits) -> None:
        self.caller = caller
        self._routes = routes
        self._plain = routes.plain
        self._wire = wire
        self._tally = caller.service.counters.tally
        self._limits = limits
        self._bytes = ClientWire()
        self.receive = self._bytes.receive
        """Takes bytes that arrived. It is no method, because that would be one more call for each `recv`."""
        self._pushed_back: Request | None = None
        """A request that was read, but can be decided only after what is in flight has been answered."""
        self._cut = False
        """Whether the turn being gathered takes no more requests."""
        self._commands_max = limits.turn_commands_max
        """How many it takes at most."""

    @property
    def buffered_bytes(self) -> int:
        """Input that has not been read yet."""
        return self._bytes.buffered_bytes

    @property
    def typed(self) -> bool | None:
        """Whether a person is at the other end: `ClientWire.typed`."""
        return self._bytes.typed

    @property
    def memory_bytes(self) -> int:
        """The memory of unread input, including an unfinished request."""
        pushed_back = self._pushed_back
        if pushed_back is None:
            return self._bytes.memory_bytes
        return self._bytes.memory_bytes + memory_of((pushed_back.args,)) + sum(map(len, pushed_back.args))

    def drop(self) -> None:
        """Forget unread input, and ignore all that comes from now on."""
        self._pushed_back = None
        self._bytes.drop()

    def has_more(self) -> bool:
        """Whether another `gather` would find something."""
        return not self._bytes.drained or self._pushed_back is not None

    def holds_any(self) -> bool:
        """Whether `memory_bytes` may be more than 0."""
        return self._bytes.unfinished or not self._bytes.drained or self._pushed_back is not None

    def single(self, data: bytes) -> tuple[Args, Route] | None:
        """Take `data`, which came while nothing was buffered or in flight.

        If it is one command for the machine that needs no further check, it is returned: it needs no turn of
        its own. Clients that do not pipeline send little else. Anything else waits for `gather`.
        """
        caller = self.caller
        connection = caller.connection
        self._bytes.authenticated = connection.authenticated
        args = self._bytes.single(data)
        if args is None:
            return None
        # The same checks as in the loop of `_take_run` and in `_takes_plain`, without a call for each.
        route = self._plain.get(args[0])
        if (
            route is None
            or not route.least <= len(args) <= route.most
            or not connection.authenticated
            or caller.transactions.open
            or not caller.connections.is_open
            or connection.muted_turns
        ):
            self._bytes.put_back([args], len(data))
            return None
        connection.last_command = route.name
        return args, route

    def gather(self, turn: Turn) -> None:
        """Read requests into `turn` until none is left or something cuts it."""
        connection = self.caller.connection
        if connection.muted_turns > 0:
            self._gather_muted(turn)
        else:
            self._gather(turn, self._limits.turn_commands_max)

    def _gather_muted(self, turn: Turn) -> None:
        """After CLIENT REPLY SKIP the next request is a turn of its own, and the last that is muted."""
        connection = self.caller.connection
        connection.muted_turns -= 1
        is_last = connection.muted_turns > 0
        self._gather(turn, 1 if is_last else self._limits.turn_commands_max)
        if is_last and not len(turn) and (turn.operation is None or turn.operation[1] is HELD):
            connection.muted_turns += 1  # it has not come yet, or is held back

    def _gather(self, turn: Turn, commands_max: int) -> None:
        incoming, connection = self._bytes, self.caller.connection
        incoming.authenticated = connection.authenticated
        self._cut = False
        self._commands_max = commands_max
        while True:
            event: ClientEvent | NeedData
            if self._pushed_back is not None:
                event, self._pushed_back = self._pushed_back, None
            else:
                run, size = incoming.run(commands_max)
                event = NEED_DATA if run else incoming.next_event()
                if run:
                    self._take_run(turn, run, size)
            if type(event) is Request:
                self._take(turn, event)
            elif event is not NEED_DATA:
                self._take_other(turn, event)
            if incoming.drained and self._pushed_back is None:
                break
            if self._cut or connection.closing or self._is_full(turn):
                break

    def _is_full(self, turn: Turn) -> bool:
        return len(turn) >= self._commands_max or turn.cost_us >= self._limits.turn_cost_us_max

    def _take_run(self, turn: Turn, run: list[Args], size: int) -> None:
        """Arrays as they were sent, `size` bytes of them.

        The loop's first branch is the hot path: a well-formed command for the machine, outside of MULTI.
        Whatever can be checked once for the whole run is checked before the loop.
        """
        limits, connection, commands = self._limits, self.caller.connection, turn.commands
        turn.received_bytes += size
        if commands or turn.mixed or len(run) > self._commands_max or size > limits.turn_bytes_max:
            run = self._part_of(turn, run, size)
        find = self._routes.by_spelling.get
        is_plain = self._takes_plain()
        arguments = 0
        route: Route | None = None
        for at, args in enumerate(run, start=1):
            route = find(args[0])
            count = len(args)
            if is_plain and route is not None and route.is_plain and route.least <= count <= route.most:
                commands.append(args)
                arguments += count
                if route.writes:
                    turn.writes = True
                else:
                    turn.reads = True
                if turn.mixed:
                    turn.slots.append(PLAIN_STEP)
            else:
                self._take(turn, Request(args, False))
                is_plain = self._takes_plain()
                if self._cut or connection.closing or turn.cost_us >= limits.turn_cost_us_max:
                    self._bytes.put_back(run[at:], size)
                    break
        turn.arguments += arguments
        if route is not None:
            connection.last_command = route.name

    def _part_of(self, turn: Turn, run: list[Args], size: int) -> list[Args]:
        """As much of `run` as `turn` has room for; the rest is put back.

        A command that has no room even in an empty turn goes alone, by `_take_long`.
        """
        room_bytes = self._limits.turn_bytes_max - turn.argument_bytes()
        part = run[: self._commands_max - len(turn)]
        for at, args in enumerate(part):
            room_bytes -= sum(map(len, args))
            if room_bytes < 0:
                part = part[:at]
                break
        self._bytes.put_back(run[len(part) or 1 :], size)
        if not part:
            self._take(turn, Request(run[0], False))
        return part

    def _takes_plain(self) -> bool:
        """Whether a command for the machine needs no check but that of its arity."""
        caller = self.caller
        return caller.connection.authenticated and not caller.transactions.open and caller.connections.is_open

    def _take_long(self, turn: Turn, request: Request, route: Route, size: int) -> None:
        """A command that would make `turn` too long: refuse it, leave it for the next turn, or take it."""
        if route.writes and size > self._limits.entry_bytes_max:
            self._refuse(turn, request, _too_large(size, self._limits.entry_bytes_max))
        elif len(turn):
            self._push_back(request)
        else:
            turn.add_command(request.args, Step(request.typed, request.args), writes=route.writes)
            self._cut = True

    def _take(self, turn: Turn, request: Request) -> None:
        """Any request except the plain ones: find its route, check it, decide."""
        route = self._routes.find(request.args)
        stopping = self.caller.connections.stopping
        if isinstance(route, CommandError):
            self._refuse(turn, request, route)
            return
        self.caller.connection.last_command = route.name
        if len(request.args) > ARGUMENTS_MAX:
            self._refuse(turn, request, TOO_MANY_ARGUMENTS)
        elif not (self.caller.connection.authenticated or route.command.before_auth):
            self._refuse(turn, request, self.caller.connections.refusal)
        elif self._is_held(route):
            self._push_back(request)
            if not len(turn):
                turn.operation = (route.command.name, HELD)
        elif self.caller.transactions.open and not route.acts_inside:
            self._queue(turn, request, route)
        elif stopping is not None and route.for_cluster:
            self._refuse(turn, request, CommandError(f"CLUSTERDOWN {stopping}; nothing was done"))
            if route.refused is not None:
                route.refused(self.caller)
        else:
            self._decide(turn, request, route)

    def _is_held(self, route: Route) -> bool:
        """Whether CLIENT PAUSE holds a call back. Of EXEC the transaction tells whether it writes."""
        pause, command = self.caller.connections.pause, route.command
        if not pause.is_on:
            return False
        writes = command.writes or (command.name == "EXEC" and self.caller.transactions.writes)
        return pause.holds(command, writes=writes)

    def _decide(self, turn: Turn, request: Request, route: Route) -> None:
        args, typed = request.args, request.typed
        if not route.is_plain:  # the number and bytes of plain ones already bound their cost
            turn.cost_us += route.cost_us(self.caller, args, turn.argument_bytes() + turn.made_bytes)
            turn.made_bytes += route.made_bytes(self.caller, args)
        if not route.travels:
            self._do(turn, request, route, route.take(self.caller, turn, request))
            return
        size = sum(map(len, args))
        if turn.argument_bytes() + size > self._limits.turn_bytes_max:
            self._take_long(turn, request, route, size)
        else:
            turn.add_command(args, Step(typed, args), writes=route.writes)

    def _do(self, turn: Turn, request: Request, route: Route, decision: Decision) -> None:
        """Do what was decided for a command that does not travel unchanged."""
        match decision:
            case Evaluate():
                turn.add(decision.slot)
                self._cut |= decision.cuts
            case Done():
                self._tally.answered(route.command.name, decision.reply)
                turn.add(Known(decision.reply, request.typed, request.args))
            case Fail():
                self._fail(turn, request, decision.error)
            case Refuse():
                self._refuse(turn, request, decision.error)
            case Postpone():
                self._push_back(request)
            case Send():
                step = Step(request.typed, decision.args, decision.after)
                turn.add_command(decision.command, step, writes=decision.writes)
                self._cut |= decision.cuts
            case CarryOut():
                turn.operation = (route.command.name, decision.asked)
                self._cut = True
            case Execute():
                self._execute(turn, request, route)
            case _:
                assert_never(decision)

    def _queue(self, turn: Turn, request: Request, route: Route) -> None:
        """Inside MULTI: keep the command for EXEC."""
        args, transactions, limits = request.args, self.caller.transactions, self._limits
        size = sum(map(len, args)) + ARGUMENT_BYTES * len(args)
        if transactions.aborted is not None:
            self._refuse(turn, request, DISCARDED)
            return
        if route.refused_inside:
            self._refuse(turn, request, NOT_INSIDE)
            return
        if transactions.argument_bytes + size > limits.entry_bytes_max:
            error = _too_large(transactions.argument_bytes + size, limits.entry_bytes_max)
            self._refuse(turn, request, error)
            return
        if transactions.arguments + len(args) + 1 > ARGUMENTS_MAX:
            self._refuse(turn, request, TOO_MANY_ARGUMENTS)
            return
        queued = route.queue(self.caller, request)
        if isinstance(queued, CommandError):
            self._refuse(turn, request, queued)
            return
        if isinstance(queued.slot, Local) or (route.travels and not route.is_plain):
            # What came before MULTI may be carried out together with it.
            before_bytes = turn.argument_bytes() + turn.made_bytes
            before_bytes += transactions.argument_bytes + transactions.made_bytes
            cost_us = route.cost_us(self.caller, args, before_bytes)
            # The first may exceed the limit, as it may outside of MULTI: INFO does, with many connections.
            if cost_us and transactions.cost_us and transactions.cost_us + cost_us > limits.turn_cost_us_max:
                self._refuse(turn, request, too_much_time(route.command.name))
                return
            transactions.cost_us += cost_us
            transactions.made_bytes += route.made_bytes(self.caller, args)
        transactions.decides |= route.decides
        transactions.queue(queued.command, queued.slot, size, writes=queued.writes)
        turn.cost_us += QUICK_US
        turn.add(Known(QUEUED, request.typed))

    def _execute(self, turn: Turn, request: Request, route: Route) -> None:
        transactions = self.caller.transactions
        if turn.commands and (
            turn.argument_bytes() + transactions.argument_bytes > self._limits.turn_bytes_max
        ):
            self._push_back(request)
            return
        # Only the answer tells whether a SELECT inside took place; until then the next cannot be read.
        self._cut = transactions.decides
        turn.cost_us += transactions.cost_us
        turn.made_bytes += transactions.made_bytes
        turn.add_transaction(transactions.take(), name=route.command.name, typed=request.typed)

    def _take_other(self, turn: Turn, event: ClientEvent) -> None:
        """Handle an event of the wire that is no request."""
        match event:
            case Answer():
                self._wire.send(event.data)
            case EmptyLine():
                turn.cost_us += QUICK_US
                who = banner(self.caller.service.figures)
                turn.add(Comment(f"# trikv {who}; type help\r\n".encode()))
            case Interrupted():
                pass  # the wire has dropped the line that was being typed
            case EndOfInput():
                self.caller.connection.closing = True
            case HttpRefused():
                turn.add(Raw(event.data))
                self.caller.connection.closing = True
            case BadBytes():
                self.caller.transactions.spoil()
                hint = "" if event.fatal else "; quotes go in other quotes: set key '{\"a\": 1}'"
                error = CommandError(f"ERR {event.text}{hint}")
                self._tally.note_error(error)
                turn.add(Known(error, event.typed))
                self.caller.connection.closing = event.fatal
            case Request():
                raise AssertionError("gather takes requests itself")
            case _:
                assert_never(event)

    def _push_back(self, request: Request) -> None:
        self._pushed_back = request
        self._cut = True

    def _refuse(self, turn: Turn, request: Request, error: CommandError) -> None:
        """Answer with an error without carrying it out; inside MULTI this also spoils the transaction."""
        self._tally.rejected(self.caller.table.name_of(request.args) or None, error)
        self._answer_with(turn, request, error)

    def _fail(self, turn: Turn, request: Request, error: CommandError) -> None:
        """Answer with an error a command that was carried out at once, and count it as a failed call."""
        self._tally.failed(self.caller.table.name_of(request.args), error)
        self._answer_with(turn, request, error)

    def _answer_with(self, turn: Turn, request: Request, error: CommandError) -> None:
        self.caller.transactions.spoil()
        turn.cost_us += QUICK_US
        if request.typed:
            turn.cost_us += _EXPLAIN_US
            error = explain(self.caller.table, request.args, error)
        turn.add(Known(error, request.typed))


def _too_large(size: int, bytes_max: int) -> CommandError:
    return CommandError(
        f"ERR command of {counted(size, 'byte')} exceeds the {bytes_max} bytes of a log entry"
    )
