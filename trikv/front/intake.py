"""What a client's requests mean for the next turn: bytes become a `Turn`.

`Intake.gather` reads as far as the next turn may go. Each request is found in the command table, checked for
arity, password and transaction, and takes a slot of the turn. What cannot be decided before earlier requests
are answered is pushed back and read again in the next turn.
"""

from typing import Final, assert_never

import attrs

from trikv.front.commands import config
from trikv.front.commands.hints import explain
from trikv.front.dispatch import ARGUMENTS_MAX, COPIED_BYTES_PER_US, QUICK_US, TOO_MANY_ARGUMENTS, Mode, Plan
from trikv.front.info.sections import banner
from trikv.front.inputs import DISCARDED
from trikv.front.transaction import (
    ABORTED,
    NOT_INSIDE,
    TOO_MUCH_COPIED,
    TOO_MUCH_LOCAL,
    WATCH_INSIDE_MULTI,
    WATCHED_TOO_MUCH,
    after_select,
    after_watch,
)
from trikv.front.turn import PLAIN_STEP, Args, Caller, Comment, Known, Local, Raw, Step, Turn
from trikv.host.wire import Wire
from trikv.machine.errors import DB_INDEX, NOT_INTEGER
from trikv.machine.keyspace import DATABASES
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, QUEUED, CommandError, Reply
from trikv.notation import counted
from trikv.protocol.client import (
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
from trikv.protocol.events import ARGUMENT_BYTES, memory_of

_SHORT_BYTES: Final = 64 << 10
"""A value of so much is copied in the time that a command takes anyway."""
_EXPLAIN_US: Final = 700
"""Looking for the command that a person may have meant."""


@attrs.frozen
class ConversationLimits:
    """What one turn may hold. Bytes are of arguments."""

    turn_bytes_max: int = 64 << 10
    """About one message between nodes; a longer turn would hold up what others proposed."""
    turn_commands_max: int = 256
    """Bounds how long others wait for a client with a deep pipeline: with 1024 the p99 of 49 polite ones was
    3.1 times what it is without, with 256 twice. Deep pipelines still cost one proposal in 256 commands."""
    entry_bytes_max: int = 12 << 20
    """One command or transaction must fit one log entry: a value of 8 MiB with room (PROTOCOL 17)."""
    turn_cost_us_max: int = 10_000
    """What one client may make this node do before others have their turn: a 40th of the shortest election
    timeout. 64 KiB of INFOs would take a second."""
    backlog_bytes_max: int = 256 << 10
    """Input taken in while a turn is in flight; then the peer is paused."""


class Intake:
    """The reading half of a conversation."""

    __slots__ = ("_bytes", "_cut", "_limits", "_pushed_back", "_tally", "_wire", "caller", "receive")

    def __init__(self, wire: Wire, caller: Caller, limits: ConversationLimits) -> None:
        self.caller = caller
        self._wire = wire
        self._tally = caller.service.statistics.tally
        self._limits = limits
        self._bytes = ClientWire()
        self.receive = self._bytes.receive
        """Takes bytes that arrived; not a method, which would be one more call for each `recv`."""
        self._pushed_back: Request | None = None
        """Read, but to be looked at only when what is in flight has been answered."""
        self._cut = False
        """The turn being gathered takes no more."""

    @property
    def buffered_bytes(self) -> int:
        """Input that has not been looked at."""
        return self._bytes.buffered_bytes

    @property
    def typed(self) -> bool | None:
        """Whether a person is at the other end: `ClientWire.typed`."""
        return self._bytes.typed

    @property
    def memory_bytes(self) -> int:
        """What that takes in memory, an unfinished request included."""
        pushed_back = self._pushed_back
        if pushed_back is None:
            return self._bytes.memory_bytes
        return self._bytes.memory_bytes + memory_of((pushed_back.args,)) + sum(map(len, pushed_back.args))

    def drop(self) -> None:
        """Forget what has not been looked at, and whatever comes from now on."""
        self._pushed_back = None
        self._bytes.drop()

    def has_more(self) -> bool:
        """False where another `gather` would find nothing."""
        return not self._bytes.drained or self._pushed_back is not None

    def single(self, data: bytes) -> tuple[Args, Plan] | None:
        """Take `data`, which came while nothing was held or in flight.

        Where it is one command for the machine that needs no further look, it is returned: it can do without
        a turn of its own. Clients that do not pipeline send little else. Otherwise it waits for `gather`.
        """
        caller = self.caller
        connection = caller.connection
        self._bytes.authenticated = connection.authenticated
        args = self._bytes.single(data)
        if args is None:
            return None
        # The same questions as in the loop of `_take_run`, which is spared a call for each command.
        plan = caller.plans.by_spelling.get(args[0])
        if (
            plan is None
            or not plan.is_plain
            or not plan.least <= len(args) <= plan.most
            or not self._takes_plain()
        ):
            self._bytes.put_back([args], len(data))
            return None
        connection.last_command = plan.name
        return args, plan

    def gather(self, turn: Turn) -> None:
        """Read requests into `turn` until none is left or something cuts it."""
        incoming, connection = self._bytes, self.caller.connection
        incoming.authenticated = connection.authenticated
        self._cut = False
        while True:
            event: ClientEvent | NeedData
            if self._pushed_back is not None:
                event, self._pushed_back = self._pushed_back, None
            else:
                run, size = incoming.run(self._limits.turn_commands_max)
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
        limits = self._limits
        return len(turn) >= limits.turn_commands_max or turn.cost_us >= limits.turn_cost_us_max

    def _take_run(self, turn: Turn, run: list[Args], size: int) -> None:
        """Arrays as they were sent, `size` bytes of them.

        The loop's first branch is the hot path: a well-formed command for the machine, outside of MULTI. What
        can be asked of the whole run is asked before.
        """
        limits, connection, commands = self._limits, self.caller.connection, turn.commands
        turn.received_bytes += size
        if commands or turn.mixed or len(run) > limits.turn_commands_max or size > limits.turn_bytes_max:
            run = self._part_of(turn, run, size)
        find = self.caller.plans.by_spelling.get
        is_plain = self._takes_plain()
        plan: Plan | None = None
        for at, args in enumerate(run, start=1):
            plan = find(args[0])
            if is_plain and plan is not None and plan.is_plain and plan.least <= len(args) <= plan.most:
                commands.append(args)
                if plan.writes:
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
        if plan is not None:
            connection.last_command = plan.name

    def _part_of(self, turn: Turn, run: list[Args], size: int) -> list[Args]:
        """As much of `run` as `turn` has room for; the rest is put back.

        What has no room even in an empty turn goes the long way, alone.
        """
        room_bytes = self._limits.turn_bytes_max - turn.argument_bytes()
        part = run[: self._limits.turn_commands_max - len(turn)]
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
        """True where nothing but its arity has to be looked at in a command for the machine."""
        caller = self.caller
        return (
            caller.connection.authenticated
            and not caller.transactions.open
            and caller.connections.stopping is None
        )

    def _take_long(self, turn: Turn, request: Request, plan: Plan, size: int) -> None:
        """A command that makes `turn` longer than it should be: refused, left for the next turn, or alone."""
        if plan.writes and size > self._limits.entry_bytes_max:
            self._refuse(turn, request, _too_large(size, self._limits.entry_bytes_max))
        elif len(turn):
            self._push_back(request)
        else:
            turn.add_command(request.args, Step(request.typed, request.args), writes=plan.writes)
            self._cut = True

    def _take(self, turn: Turn, request: Request) -> None:
        """Any request but the plain ones: find what is to be done with it."""
        plan = self.caller.plans.find(request.args)
        stopping = self.caller.connections.stopping
        if isinstance(plan, CommandError):
            self._refuse(turn, request, plan)
            return
        self.caller.connection.last_command = plan.name
        if len(request.args) > ARGUMENTS_MAX:
            self._refuse(turn, request, TOO_MANY_ARGUMENTS)
        elif not (self.caller.connection.authenticated or plan.before_auth):
            self._refuse(turn, request, self.caller.connections.refusal)
        elif self.caller.transactions.open and not plan.acts_inside:
            self._queue(turn, request, plan)
        elif stopping is not None and plan.mode in (Mode.WRITE, Mode.READ, Mode.ACTION, Mode.SPECIAL):
            self._refuse(turn, request, CommandError(f"CLUSTERDOWN {stopping}; nothing was done"))
            if plan.command.name == "EXEC":
                self.caller.transactions.reset()
        else:
            self._plan(turn, request, plan)

    def _plan(self, turn: Turn, request: Request, plan: Plan) -> None:
        args, typed = request.args, request.typed
        if not plan.is_plain:  # those are bounded by their number and bytes
            turn.cost_us += self._cost_us(plan, args, turn.argument_bytes())
        match plan.mode:
            case Mode.WRITE | Mode.READ:
                size = sum(map(len, args))
                if turn.argument_bytes() + size > self._limits.turn_bytes_max:
                    self._take_long(turn, request, plan, size)
                else:
                    turn.add_command(args, Step(typed, args), writes=plan.writes)
            case Mode.LOCAL:
                turn.add(Local(plan, args, typed))
            case Mode.IMMEDIATE:
                reply = plan.call(self.caller, args)
                self._tally.answered(plan.command.name, reply)
                turn.add(Known(reply, typed, args))
            case Mode.BARRIER:
                if len(turn):
                    self._push_back(request)
                else:
                    turn.add(Local(plan, args, typed))
                    self._cut = True
            case Mode.ACTION:
                self._act(turn, request, plan)
            case Mode.SPECIAL:
                self._plan_special(turn, request, plan)
            case _:
                assert_never(plan.mode)

    def _plan_special(self, turn: Turn, request: Request, plan: Plan) -> None:
        match plan.command.name:
            case "EXEC":
                self._exec(turn, request, plan)
            case "WATCH":
                self._watch(turn, request)
            case "SELECT":
                self._select(turn, request)
            case "CONFIG|SET":
                self._config_set(turn, request, plan)
            case name:
                raise AssertionError(f"{name} is planned as special, but nothing treats it")

    # Commands that the conversation treats itself.

    def _queue(self, turn: Turn, request: Request, plan: Plan) -> None:
        """Inside MULTI: keep the command for EXEC."""
        args, typed, transactions = request.args, request.typed, self.caller.transactions
        size = sum(map(len, args)) + ARGUMENT_BYTES * len(args)
        if plan.mode is Mode.ACTION or transactions.aborted is not None:
            self._refuse(turn, request, DISCARDED if transactions.aborted is not None else NOT_INSIDE)
            return
        if transactions.argument_bytes + size > self._limits.entry_bytes_max:
            self._refuse(
                turn, request, _too_large(transactions.argument_bytes + size, self._limits.entry_bytes_max)
            )
            return
        if transactions.arguments + len(args) + 1 > ARGUMENTS_MAX:
            self._refuse(turn, request, TOO_MANY_ARGUMENTS)
            return
        writes = plan.writes
        slot: Step | Local = Step() if plan.travels else Local(plan, args, typed)
        if plan.command.name == "SELECT":
            transactions.decides = True
            slot = Step(args=args, after=after_select)
        elif plan.command.name == "CONFIG|SET":
            # A faulty one is queued as well, as in Redis: its error is then its reply.
            _, command = config.split(self.caller, args)
            if command is not None:
                slot = Step(args=args[2:], after=config.after_maxmemory)
                args, writes = command, True
        if isinstance(slot, Local) or (plan.travels and not plan.is_plain):
            cost_us = self._cost_us(plan, args, transactions.argument_bytes)
            # The first may take longer than a turn, as it may outside: INFO does, with many connections.
            if transactions.cost_us and transactions.cost_us + cost_us > self._limits.turn_cost_us_max:
                self._refuse(turn, request, TOO_MUCH_COPIED if plan.rewrites else TOO_MUCH_LOCAL)
                return
            transactions.cost_us += cost_us
        transactions.decides |= plan.mode is Mode.BARRIER
        transactions.queue(args, slot, size, writes=writes)
        turn.cost_us += QUICK_US
        turn.add(Known(QUEUED, typed))

    def _exec(self, turn: Turn, request: Request, plan: Plan) -> None:
        transactions = self.caller.transactions
        if not transactions.open:
            self._fail(turn, request, plan.call(self.caller, request.args))
        elif transactions.spoiled or transactions.aborted is not None:
            error = transactions.aborted or ABORTED
            transactions.reset()
            self._tally.failed("EXEC", error)
            turn.add(Known(error, request.typed))
        elif turn.commands and (
            turn.argument_bytes() + transactions.argument_bytes > self._limits.turn_bytes_max
        ):
            self._push_back(request)
        else:
            # Whether a SELECT inside took place is known with the answer; only then the next can be read.
            self._cut = transactions.decides
            turn.cost_us += transactions.cost_us
            transactions.execute(turn, typed=request.typed)

    def _watch(self, turn: Turn, request: Request) -> None:
        if self.caller.transactions.open:
            self._tally.failed("WATCH", WATCH_INSIDE_MULTI)
            turn.add(Known(WATCH_INSIDE_MULTI, request.typed))
        elif not self.caller.transactions.may_watch(request.args[1:]):
            self._refuse(turn, request, WATCHED_TOO_MUCH)
        else:
            turn.add_command(request.args, Step(request.typed, request.args, after_watch), writes=False)
            # An EXEC behind it must know the versions.
            self._cut = True

    def _select(self, turn: Turn, request: Request) -> None:
        """The database of what follows; it travels only where commands of another database go before it."""
        word = request.args[1]
        database = parse_integer(word)
        if database is None:
            self._fail(turn, request, NOT_INTEGER)
            return
        if not 0 <= database < DATABASES:
            self._fail(turn, request, DB_INDEX)
            return
        self.caller.connection.database = database
        if turn.commands:
            turn.add_command((b"SELECT", word), Step(request.typed, request.args, _always_ok), writes=False)
        else:
            turn.database = database
            self._tally.answered("SELECT", OK)
            turn.add(Known(OK, request.typed, request.args))

    def _config_set(self, turn: Turn, request: Request, plan: Plan) -> None:
        error, command = config.split(self.caller, request.args)
        if error is not None:
            self._fail(turn, request, error)
        elif command is None:
            turn.add(Local(plan, request.args, request.typed))
        else:
            step = Step(request.typed, request.args[2:], config.after_maxmemory)
            turn.add_command(command, step, writes=True)

    def _act(self, turn: Turn, request: Request, plan: Plan) -> None:
        if len(turn):
            self._push_back(request)
            return
        error = plan.call(self.caller, request.args)
        if error is not None:
            self._fail(turn, request, error)
            return
        self._cut = True
        turn.operation = (plan.command.name, request.args[1:])

    def _take_other(self, turn: Turn, event: ClientEvent) -> None:
        """What came was no request."""
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

    def _cost_us(self, plan: Plan, args: Args, before_bytes: int) -> int:
        """About how long a node is busy with it; `before_bytes` of arguments come before it in one step."""
        cost_us = plan.cost_us + plan.connection_us * len(self.caller.connections)
        if plan.rewrites:
            copied_bytes = self.caller.service.value_bytes(args[1])
            if before_bytes > _SHORT_BYTES:  # they may have made the value as long as they are
                copied_bytes += before_bytes
            cost_us += copied_bytes // COPIED_BYTES_PER_US
        return cost_us

    def _push_back(self, request: Request) -> None:
        self._pushed_back = request
        self._cut = True

    def _refuse(self, turn: Turn, request: Request, error: CommandError) -> None:
        """Not carried out: an error at once; inside MULTI it also spoils the transaction."""
        self._tally.rejected(self.caller.plans.name_of(request.args) or None, error)
        self._answer_with(turn, request, error)

    def _fail(self, turn: Turn, request: Request, error: CommandError) -> None:
        """Carried out here and now, and it failed."""
        self._tally.failed(self.caller.plans.name_of(request.args), error)
        self._answer_with(turn, request, error)

    def _answer_with(self, turn: Turn, request: Request, error: CommandError) -> None:
        self.caller.transactions.spoil()
        turn.cost_us += QUICK_US
        if request.typed:
            turn.cost_us += _EXPLAIN_US
            error = explain(self.caller.plans, request.args, error)
        turn.add(Known(error, request.typed))


def _always_ok(_caller: Caller, _args: Args, _reply: Reply) -> Reply:
    """SELECT was checked when it was read and holds for what follows, even where its turn failed."""
    return OK


def _too_large(size: int, bytes_max: int) -> CommandError:
    return CommandError(
        f"ERR command of {counted(size, 'byte')} exceeds the {bytes_max} bytes of a log entry"
    )
