"""One client's conversation: bytes in, submissions to the node, replies out in request order.

Pure and synchronous: it never sees a socket, a task or a clock. One turn goes like this::

    received -> ClientWire -> requests -> Unit -> Work ... answered -> replies -> one wire.send

All requests that have arrived by the time the connection is free form one `Unit`: its commands for the
machine travel as one `Work`, everything else holds a slot, so replies leave in order. While a unit is in
flight, bytes wait in the ClientWire, and past a limit the peer is paused. Three things cut a unit: its size;
a command whose answer decides how the next is read (HELLO, AUTH, RESET, WATCH, an EXEC that selects); and a
command that this node carries out (SAVE, WAIT, ...).

The conversation and its `Connection` know each other; `closed` breaks that cycle, because the cyclic garbage
collector is off in a node.
"""

from typing import Final, assert_never

import attrs

from trikv.host.seam import Wire
from trikv.machine.commands import TABLE
from trikv.machine.errors import DB_INDEX, NOT_INTEGER
from trikv.machine.keyspace import DATABASES
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, PONG, QUEUED, CommandError, Reply
from trikv.node.connections import MAXCLIENTS_ERROR, Connection, Connections
from trikv.node.local import LOCAL, config
from trikv.node.local.forgiving import explain
from trikv.node.plans import Mode, Plan, Plans
from trikv.node.service import Action, Service, Work
from trikv.node.transactions import (
    ABORTED,
    NOT_INSIDE,
    WATCH_INSIDE_MULTI,
    WATCHED_TOO_MUCH,
    Transactions,
    after_select,
    after_watch,
)
from trikv.node.units import PLAIN_STEP, Args, Caller, Local, Raw, Ready, Step, Unit
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
    Request,
)
from trikv.protocol.render import render
from trikv.protocol.resp import encode, encode_many, encode_push

NOAUTH: Final = CommandError("NOAUTH Authentication required.")
_LOST_READ: Final = CommandError("CLUSTERDOWN the connection is being closed; nothing was read or written")
_LOST_WRITE: Final = CommandError("INDETERMINATE the write may or may not have happened")
_TYPED_PONG: Final = b"+PONG\r\n"
_TOO_MUCH_OUTPUT: Final = CommandError("ERR replies exceed the output limit; the commands were carried out")
_QUEUED_ARGUMENT_BYTES: Final = 64
"""What an argument that waits for EXEC costs besides its bytes: bounds a queue of a million empty ones."""


@attrs.frozen
class ConversationLimits:
    """What one turn may hold. Bytes are of arguments."""

    unit_bytes_max: int = 64 << 10
    """About one message between nodes; a longer unit would hold up what others proposed."""
    unit_commands_max: int = 1024
    """Bounds the time of one apply; deep pipelines still cost one log entry in a thousand commands."""
    entry_bytes_max: int = 12 << 20
    """One command or transaction must fit one log entry: a value of 8 MiB with room (PROTOCOL 17)."""
    backlog_bytes_max: int = 256 << 10
    """Input taken in while a unit is in flight; then the peer is paused."""


PLANS: Final = Plans(TABLE.merged_with(LOCAL))
"""Every command of a node."""
_DEFAULT_LIMITS: Final = ConversationLimits()


class Conversation:
    """The logic of one client connection (`trikv.host.seam.Conversation`)."""

    __slots__ = (
        "_acting",
        "_bytes",
        "_cut",
        "_drained",
        "_ended",
        "_last_write",
        "_limits",
        "_out",
        "_over",
        "_paused",
        "_pushed_back",
        "_slow",
        "_unit",
        "_wire",
        "_work",
        "connection",
        "connections",
        "plans",
        "service",
        "transactions",
    )

    def __init__(
        self,
        wire: Wire,
        service: Service,
        connections: Connections,
        plans: Plans = PLANS,
        limits: ConversationLimits = _DEFAULT_LIMITS,
    ) -> None:
        self.service = service
        self.connections = connections
        self.plans = plans
        self.transactions = Transactions()
        now_ms = service.boot_ms()
        self.connection = Connection(
            id=service.next_connection_id(),
            remote=wire.remote,
            local=wire.local,
            created_ms=now_ms,
            active_ms=now_ms,
            authenticated=not service.settings.requirepass,
            control=self,
        )
        self._limits = limits
        self._wire = wire
        self._bytes = ClientWire()
        self._bytes.authenticated = self.connection.authenticated
        self._out: list[bytes] = []
        self._unit: Unit | None = None
        """In flight, with `_work`."""
        self._work: Work | None = None
        self._acting = False
        """An action is being carried out for this connection."""
        self._last_write: object = None
        self._pushed_back: Request | None = None
        """Read, but to be looked at only when what is in flight has been answered."""
        self._cut = False
        """The unit being gathered takes no more."""
        self._drained = True
        """No whole request is left in `_bytes`."""
        self._paused = False
        self._slow = False
        """The peer had not taken everything when something was last sent."""
        self._ended = False
        """The peer sends no more."""
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
        self.connection.active_ms = self.service.boot_ms()
        self._bytes.receive(data)
        self._drained = False
        if self._unit is None and not self._acting:
            self._proceed()
        elif not self._paused and self._bytes.buffered_bytes > self._limits.backlog_bytes_max:
            self._paused = True
            self._wire.pause()

    def ended(self) -> None:
        """The peer will send no more; what is in flight is still answered."""
        self._ended = True
        if self._unit is None and not self._acting and not self._over:
            self._close()

    def closed(self) -> None:
        """The connection is gone; an answer still on its way is dropped."""
        self._over = True
        self._unit = None
        self._work = None
        self._pushed_back = None
        self._out.clear()
        self.transactions.reset()
        self.connections.forget(self.connection)

    # What the register calls (`trikv.node.connections.Control`).

    def is_busy(self) -> bool:
        """True while something is in flight."""
        return self._unit is not None or self._acting

    def queued_count(self) -> int:
        """Commands queued since MULTI; -1 outside of one."""
        return self.transactions.queued_count()

    def unsent_bytes(self) -> int:
        """Output that the client has not taken."""
        return self._wire.unsent_bytes()

    def buffered_bytes(self) -> int:
        """Input that has not been looked at."""
        return self._bytes.buffered_bytes

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
        if self._over:
            return
        unit, self._unit = self._unit, None
        self._work = None
        if unit is not None:
            self._emit(unit, unit.refusal(_LOST_WRITE if unit.writes else _LOST_READ))
        elif self._acting:
            self._put(_LOST_WRITE, self.connection.is_typed(), ())
        self._flush()
        if not self._over:
            self.warn(f"closing: {reason}")
            self._close()

    # What the node calls back.

    def _answered(self, replies: list[Reply]) -> None:
        work, self._work = self._work, None
        unit, self._unit = self._unit, None
        if unit is not None:
            if work is not None:
                self._last_write = self.service.last_write_of(work)
            self._emit(unit, replies)
            self._go_on()
        # Counted down last: who waits for none in flight finds every answer sent.
        self.connections.finished()

    def _failed(self, error: CommandError) -> None:
        self._work = None
        unit, self._unit = self._unit, None
        if unit is not None:
            self._emit(unit, unit.refusal(error))
            self._go_on()
        self.connections.finished()

    def _acted(self, reply: Reply) -> None:
        if not self._over:
            self._acting = False
            self._put(reply, self.connection.is_typed(), ())
            self._go_on()
        self.connections.finished()

    # One turn.

    def _go_on(self) -> None:
        """Something was answered: send it, and look at what has come meanwhile."""
        if self._drained and self._pushed_back is None:
            self._flush()
            if (self._ended or self.connection.closing) and not self._over:
                self._close()
        else:
            self._proceed()
        if self._paused and not self._over and self._bytes.buffered_bytes <= self._limits.backlog_bytes_max:
            self._paused = False
            self._wire.resume()

    def _proceed(self) -> None:
        """Gather and answer until something is in flight or no whole request is left; then send."""
        connection = self.connection
        while not (self._over or connection.closing or (self._drained and self._pushed_back is None)):
            unit = Unit(connection.database)
            self._gather(unit)
            if unit.commands:
                self._submit(unit)
                break
            self._emit(unit, [])
            if self._acting:
                break
        self._flush()
        if (connection.closing or self._ended) and not (self._over or self.is_busy()):
            self._close()

    def _submit(self, unit: Unit) -> None:
        work = Work(
            unit.database,
            tuple(unit.commands),
            tuple(unit.transactions),
            unit.writes,
            self._answered,
            self._failed,
        )
        self._unit = unit
        if unit.writes:
            self._work = work
        self.connections.began()
        self.service.submit(work)

    def _gather(self, unit: Unit) -> None:
        """Read requests into `unit` until none is left or something cuts it.

        The first branch is the hot path: a well-formed command for the machine, outside of MULTI.
        """
        limits = self._limits
        next_event = self._bytes.next_event
        find = self.plans.by_spelling.get
        transactions = self.transactions
        connection = self.connection
        plain = connection.authenticated and self.connections.stopping is None
        self._cut = False
        plan: Plan | None = None
        while not (self._cut or connection.closing):
            event: object = self._pushed_back
            if event is None:
                event = next_event()
            else:
                self._pushed_back = None
            if type(event) is Request:
                args = event.args
                connection.typed = typed = event.typed
                plan = find(args[0])
                if (
                    plain
                    and plan is not None
                    and plan.travels
                    and plan.least <= len(args) <= plan.most
                    and not transactions.open
                ):
                    size = sum(map(len, args))
                    if unit.argument_bytes + size > limits.unit_bytes_max:
                        self._take_long(unit, event, plan, size)
                        continue
                    unit.argument_bytes += size
                    if typed:
                        unit.add_command(args, Step(typed=True, args=args), writes=plan.writes)
                    else:
                        unit.commands.append(args)
                        unit.slots.append(PLAIN_STEP)
                        unit.steps += 1
                        if plan.writes:
                            unit.writes = True
                else:
                    self._take(unit, event)
                if len(unit.slots) >= limits.unit_commands_max:
                    break
            elif event is NEED_DATA:
                self._drained = True
                break
            else:
                self._take_other(unit, event)  # type: ignore[arg-type]
        if plan is not None:
            connection.last_command = plan.name
        self.connections.commands_count += len(unit.slots)

    def _take_long(self, unit: Unit, request: Request, plan: Plan, size: int) -> None:
        """A command that makes `unit` longer than it should be: refused, left for the next unit, or alone."""
        if plan.writes and size > self._limits.entry_bytes_max:
            self._refuse(unit, request, _too_large(size, self._limits.entry_bytes_max))
        elif unit.slots:
            self._push_back(request)
        else:
            unit.argument_bytes += size
            unit.add_command(request.args, Step(request.typed, request.args), writes=plan.writes)
            self._cut = True

    def _take(self, unit: Unit, request: Request) -> None:
        """Any request but the plain ones: find what is to be done with it."""
        plan = self.plans.find(request.args)
        stopping = self.connections.stopping
        if isinstance(plan, CommandError):
            self._refuse(unit, request, plan)
            return
        self.connection.last_command = plan.name
        if not (self.connection.authenticated or plan.before_auth):
            self._refuse(unit, request, NOAUTH)
        elif self.transactions.open and not plan.acts_inside:
            self._queue(unit, request, plan)
        elif stopping is not None and plan.mode in (Mode.WRITE, Mode.READ, Mode.ACTION, Mode.SPECIAL):
            self._refuse(unit, request, CommandError(f"CLUSTERDOWN {stopping}; nothing was done"))
            if plan.command.name == "EXEC":
                self.transactions.reset()
        else:
            self._plan(unit, request, plan)

    def _plan(self, unit: Unit, request: Request, plan: Plan) -> None:
        args, typed = request.args, request.typed
        match plan.mode:
            case Mode.WRITE | Mode.READ:
                size = sum(map(len, args))
                if unit.argument_bytes + size > self._limits.unit_bytes_max:
                    self._take_long(unit, request, plan, size)
                else:
                    unit.argument_bytes += size
                    unit.add_command(args, Step(typed, args), writes=plan.writes)
            case Mode.LOCAL:
                unit.add(Local(plan, args, typed))
            case Mode.IMMEDIATE:
                reply = plan.call(self, args)
                is_typed_quit = typed and plan.command.name == "QUIT"
                unit.add(Raw(b"+OK\r\n") if is_typed_quit else Ready(reply, typed))
            case Mode.BARRIER:
                if unit.slots:
                    self._push_back(request)
                else:
                    unit.add(Local(plan, args, typed))
                    self._cut = True
            case Mode.ACTION:
                self._act(unit, request, plan)
            case Mode.SPECIAL:
                self._plan_special(unit, request, plan)
            case _:
                assert_never(plan.mode)

    def _plan_special(self, unit: Unit, request: Request, plan: Plan) -> None:
        match plan.command.name:
            case "EXEC":
                self._exec(unit, request, plan)
            case "WATCH":
                self._watch(unit, request)
            case "SELECT":
                self._select(unit, request)
            case "CONFIG|SET":
                self._config_set(unit, request, plan)
            case name:
                raise AssertionError(f"{name} is planned as special, but nothing treats it")

    # Commands that the conversation treats itself.

    def _queue(self, unit: Unit, request: Request, plan: Plan) -> None:
        """Inside MULTI: keep the command for EXEC."""
        args, typed, transactions = request.args, request.typed, self.transactions
        size = sum(map(len, args)) + _QUEUED_ARGUMENT_BYTES * len(args)
        if plan.mode is Mode.ACTION:
            self._refuse(unit, request, NOT_INSIDE)
            return
        if transactions.argument_bytes + size > self._limits.entry_bytes_max:
            self._refuse(
                unit, request, _too_large(transactions.argument_bytes + size, self._limits.entry_bytes_max)
            )
            return
        writes = plan.writes
        slot: Step | Local = Step() if plan.travels else Local(plan, args, typed)
        if plan.command.name == "SELECT":
            transactions.selects = True
            slot = Step(args=args, after=after_select)
        elif plan.command.name == "CONFIG|SET":
            # A faulty one is queued as well, as in Redis: its error is then its reply.
            _, command = config.split(args)
            if command is not None:
                slot = Step(args=args[2:], after=config.after_maxmemory)
                args, writes = command, True
        transactions.queue(args, slot, size, writes=writes)
        unit.add(Ready(QUEUED, typed))

    def _exec(self, unit: Unit, request: Request, plan: Plan) -> None:
        transactions = self.transactions
        if not transactions.open:
            self._refuse(unit, request, plan.call(self, request.args))
        elif transactions.spoiled:
            transactions.reset()
            unit.add(Ready(ABORTED, request.typed))
        elif (
            unit.commands and unit.argument_bytes + transactions.argument_bytes > self._limits.unit_bytes_max
        ):
            self._push_back(request)
        else:
            # Whether a SELECT inside took place is known with the answer; only then the next can be read.
            self._cut = transactions.selects
            transactions.execute(unit, typed=request.typed)

    def _watch(self, unit: Unit, request: Request) -> None:
        if self.transactions.open:
            unit.add(Ready(WATCH_INSIDE_MULTI, request.typed))
        elif not self.transactions.may_watch(request.args[1:]):
            self._refuse(unit, request, WATCHED_TOO_MUCH)
        else:
            unit.add_command(request.args, Step(request.typed, request.args, after_watch), writes=False)
            # An EXEC behind it must know the versions.
            self._cut = True

    def _select(self, unit: Unit, request: Request) -> None:
        """The database of what follows; it travels only where commands of another database go before it."""
        word = request.args[1]
        database = parse_integer(word)
        if database is None:
            self._refuse(unit, request, NOT_INTEGER)
            return
        if not 0 <= database < DATABASES:
            self._refuse(unit, request, DB_INDEX)
            return
        self.connection.database = database
        if unit.commands:
            unit.add_command((b"SELECT", word), Step(request.typed, after=_always_ok), writes=False)
        else:
            unit.database = database
            unit.add(Ready(OK, request.typed))

    def _config_set(self, unit: Unit, request: Request, plan: Plan) -> None:
        error, command = config.split(request.args)
        if error is not None:
            self._refuse(unit, request, error)
        elif command is None:
            unit.add(Local(plan, request.args, request.typed))
        else:
            step = Step(request.typed, request.args[2:], config.after_maxmemory)
            unit.add_command(command, step, writes=True)

    def _act(self, unit: Unit, request: Request, plan: Plan) -> None:
        if unit.slots:
            self._push_back(request)
            return
        error = plan.call(self, request.args)
        if error is not None:
            self._refuse(unit, request, error)
            return
        self._cut = True
        self._acting = True
        self.connections.began()
        self.service.act(Action(plan.command.name, request.args[1:], self._acted, self._last_write))

    def _take_other(self, unit: Unit, event: ClientEvent) -> None:
        """What came was no request."""
        match event:
            case Answer():
                self._wire.send(event.data)
            case EmptyLine():
                self.connection.typed = True
                unit.add(Raw(f"# trikv {self.service.banner()}; type help\r\n".encode()))
            case Interrupted():
                self.connection.typed = True
            case EndOfInput():
                self.connection.closing = True
            case HttpRefused():
                unit.add(Raw(event.data))
                self.connection.closing = True
            case BadBytes():
                self.connection.typed = event.typed
                self.transactions.spoil()
                unit.add(Ready(CommandError(f"ERR {event.text}"), event.typed))
                self.connection.closing = event.fatal
            case Request():
                raise AssertionError("requests are taken by _gather")
            case _:
                assert_never(event)

    def _push_back(self, request: Request) -> None:
        self._pushed_back = request
        self._cut = True

    def _refuse(self, unit: Unit, request: Request, error: CommandError) -> None:
        """An error at once; inside MULTI it also spoils the transaction."""
        self.transactions.spoil()
        if request.typed:
            error = explain(self.plans, request.args, error)
        unit.add(Ready(error, request.typed))

    # Output.

    def _emit(self, unit: Unit, replies: list[Reply]) -> None:
        """Turn the replies of `unit` into bytes."""
        bytes_max = self.connections.output_bytes_max
        if _weight(replies) > bytes_max:
            self._end_for_size()
        elif not unit.mixed:
            if replies:
                self._out.append(encode_many(replies, self.connection.resp_version))
        else:
            held_bytes = 0
            for item in unit.replies(self, replies):
                if isinstance(item, bytes):
                    self._out.append(item)
                else:
                    self._put(*item)
                held_bytes += len(self._out[-1])
                if held_bytes > bytes_max:
                    self._end_for_size()
                    return
            self._bytes.authenticated = self.connection.authenticated

    def _put(self, reply: Reply, typed: bool, args: Args) -> None:  # noqa: FBT001 - unpacked from a slot
        if not typed:
            self._out.append(encode(reply, self.connection.resp_version))
        elif isinstance(reply, CommandError):
            self._out.append(render(explain(self.plans, args, reply)))
        else:
            # Health checkers type PING and look for Redis' very bytes.
            self._out.append(_TYPED_PONG if reply is PONG else render(reply))

    def _end_for_size(self) -> None:
        self._out.clear()
        self._put(_TOO_MUCH_OUTPUT, self.connection.is_typed(), ())
        self._flush()
        self.end("output limit exceeded")

    def _flush(self) -> None:
        out = self._out
        if not out:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._wire.send(data)
        unsent_bytes = self._wire.unsent_bytes()
        if unsent_bytes or self._slow:
            self._slow = unsent_bytes > 0
            self.connections.note_unsent(self.connection, unsent_bytes)

    def _close(self) -> None:
        self._over = True
        self._wire.close()


def _always_ok(_caller: Caller, _args: Args, _reply: Reply) -> Reply:
    """SELECT was checked when it was read and holds for what follows, even where its unit failed."""
    return OK


def _too_large(size: int, bytes_max: int) -> CommandError:
    return CommandError(f"ERR command of {size} bytes exceeds the {bytes_max} bytes of a log entry")


def _weight(replies: list[Reply]) -> int:
    """About how many bytes `replies` take: a bound is to be kept before they are copied."""
    total = 0
    for reply in replies:
        if type(reply) is bytes:
            total += len(reply)
        elif type(reply) is list:
            total += _weight(reply)
    return total
