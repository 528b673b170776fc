"""Every live client connection of this node: its name and address, its idle limit, what it may still send.

A `Connection` is the record that commands such as CLIENT and HELLO read and write; its conversation drives
it. `Connections` is the register: the limits that span connections (maxclients, idle time, bytes of
output), CLIENT LIST and KILL, and the steps of stopping that concern clients.
"""

from collections.abc import Callable, Iterator
from typing import Final, Literal, Protocol

import attrs

from trikv.front.figures import ConnectionStatistics
from trikv.front.inputs import SMALL_BYTES, InputTotal, bytes_max
from trikv.front.outflow import AHEAD_BYTES
from trikv.front.pausing import Pause
from trikv.front.runtime_settings import RuntimeSettings
from trikv.machine.replies import CommandError

SWEEP_INTERVAL_MS_MAX = 1_000
"""An idle sweep comes at least this often, so that CONFIG SET timeout takes effect within a second."""
SWEEP_INTERVAL_MS_MIN = 100
"""And at most this often: to close 100 ms late does no harm, but to walk 10,000 records takes time."""
OUTPUT_BYTES_MAX = 64 << 20
"""Unsent output of one connection: eight values of the greatest size."""
OUTPUT_TOTAL_BYTES_MAX = 256 << 20
"""Unsent output of all connections together: as much again as the default memory cap."""

_UNREAD: Final = "output limit exceeded: replies were not read"
BASE_BYTES: Final = 4096
"""The memory of an idle connection, as measured."""

MAXCLIENTS_ERROR = b"-ERR max number of clients reached\r\n"
MUTED: Final = -1
"""CLIENT REPLY OFF: see `Connection.muted_turns`."""
NOAUTH = CommandError("NOAUTH Authentication required.")
LOCKED = CommandError(
    "NOAUTH this node was started without the password that its peers require; nothing was done, "
    "use another node, or start this one with the password (requirepass)"
)


@attrs.frozen
class InputMemory:
    """What is held in memory of one client's requests, in bytes."""

    unread: int
    """Requests that are unfinished or have not been read yet."""
    in_flight: int
    """Handed to the node; 0 if it is at most `SMALL_BYTES`."""
    queued: int
    """Commands queued since MULTI, and watched keys."""


NO_INPUT: Final = InputMemory(0, 0, 0)


class Control(Protocol):
    """What the register may do to a conversation."""

    def end(self, reason: str) -> None:
        """Answer what is in flight with an error, say `reason` as the dialect allows, close."""

    def abort(self) -> None:
        """Close now, and drop what was to be sent."""

    def warn(self, reason: str) -> None:
        """Say `reason` out of turn if the dialect has a way to: a ``#`` line, a RESP3 push."""

    def typed(self) -> bool | None:
        """True: a person, who only types. False: a program, which has spoken RESP. None: silent so far."""

    def is_busy(self) -> bool:
        """Whether a submission or an operation of this connection still awaits its answer."""

    def blocked_ms(self) -> int | None:
        """None unless it is in a command that waits for others, such as WAIT: its limit then, 0 for none."""

    def is_leaving(self) -> bool:
        """Whether it is already closing, now or after its answers, whatever else happens to it."""

    def queued_count(self) -> int:
        """Commands queued since MULTI; -1 outside of one."""

    def is_watching(self) -> bool:
        """Whether there was a WATCH, and no EXEC, DISCARD or UNWATCH since."""

    def unsent_bytes(self) -> int:
        """Output that the client has not taken yet."""

    def buffered_bytes(self) -> int:
        """Input that has not been read yet."""

    def memory(self) -> InputMemory:
        """How much memory the client's requests take."""

    def waiting_bytes(self) -> int:
        """The part of `memory` that waits for the client, and not for the node."""

    def give_up_input(self) -> bool:
        """Free what `waiting_bytes` counts; say so unless it is leaving. True if it closes, now or soon."""


@attrs.define(eq=False)
class Connection:
    """One client as commands see it. Times are of the host's boot clock, in ms."""

    id: int
    remote: str
    local: str
    created_ms: int
    active_ms: int
    """When it last sent something, as far as the sweeps for idle connections have noticed."""
    authenticated: bool
    control: Control | None
    """None once the connection is closed: breaks the cycle between record and conversation."""
    name: bytes = b""
    library_name: bytes = b""
    library_version: bytes = b""
    database: int = 0
    resp_version: Literal[2, 3] = 2
    last_command: str = "NULL"
    heard: bool = False
    """It sent something since the last sweep. To read the clock at each `recv` would cost ten times as much.
    The price is that idle connections live up to a second longer."""
    muted_turns: int = 0
    """CLIENT REPLY: of how many turns, the present one included, no reply is sent; `MUTED` until it is ON."""
    is_spared: bool = False
    """CLIENT NO-EVICT: its input is given up only when that of all others was not enough."""
    touches_nothing: bool = False
    """CLIENT NO-TOUCH, which only CLIENT LIST shows: no read makes a key younger here."""
    closing: bool = False
    """Set by a command (CLIENT KILL of itself): closes when the commands under way have been answered."""

    def is_typed(self) -> bool:
        """Whether a person reads what this connection is sent."""
        return self.control is not None and self.control.typed() is True

    def idle_ms_max(self, settings: RuntimeSettings) -> int:
        """How long this connection may stay silent; 0 means for ever.

        One that has said nothing at all gets a person's limit: a program says at least HELLO. It is told
        nothing when it is closed, because it may be a program after all.
        """
        is_program = self.control is not None and self.control.typed() is False
        return (settings.timeout_s if is_program else settings.typed_timeout_s) * 1_000

    def describe(self, now_ms: int) -> str:
        """The line of CLIENT LIST: Redis' fields in Redis' order.

        Fields that mean nothing in trikv show what Redis shows for an idle client.
        """
        control = self.control
        read_bytes = control.buffered_bytes() if control is not None else 0
        memory = control.memory() if control is not None else NO_INPUT
        output_bytes = control.unsent_bytes() if control is not None else 0
        queued_count = control.queued_count() if control is not None else -1
        is_blocked = control is not None and control.blocked_ms() is not None
        marks = {
            "x": queued_count >= 0,
            "b": is_blocked,
            "c": self.closing,
            "e": self.is_spared,
            "T": self.touches_nothing,
        }
        flags = "".join(mark for mark, is_set in marks.items() if is_set)
        return (
            f"id={self.id} addr={self.remote} laddr={self.local} fd=-1 name={_text(self.name)}"
            f" age={(now_ms - self.created_ms) // 1000}"
            f" idle={0 if self.heard else (now_ms - self.active_ms) // 1000}"
            f" flags={flags or 'N'} db={self.database} sub=0 psub=0 ssub=0 multi={queued_count}"
            f" qbuf={read_bytes} qbuf-free={max(0, memory.unread - read_bytes)} argv-mem={memory.in_flight}"
            f" multi-mem={memory.queued} rbs=0 rbp=0 obl=0 oll={1 if output_bytes else 0} omem={output_bytes}"
            f" tot-mem={BASE_BYTES + memory.unread + memory.in_flight + memory.queued + output_bytes}"
            f" events=r cmd={self.last_command} user=default redir=-1 resp={self.resp_version}"
            f" lib-name={_text(self.library_name)} lib-ver={_text(self.library_version)}"
        )


def _no_cap() -> int:
    return 0


class Connections:
    """The register of live connections, in the order of their ids."""

    def __init__(
        self,
        settings: RuntimeSettings,
        *,
        output_bytes_max: int = OUTPUT_BYTES_MAX,
        output_total_bytes_max: int = OUTPUT_TOTAL_BYTES_MAX,
        cap: Callable[[], int] = _no_cap,
    ) -> None:
        """`cap`: the memory cap in force."""
        self.settings = settings
        self.input = InputTotal()
        self.output_bytes_max = output_bytes_max
        self.behind_bytes = output_bytes_max - output_bytes_max // 4
        """While a client has more than this to take, its next requests wait: their answers may be long."""
        self.ahead_bytes = min(AHEAD_BYTES, output_bytes_max // 2)
        """What of a long answer may wait for a client before more of it is made."""
        self.output_total_bytes_max = output_total_bytes_max
        self._output_goal = output_total_bytes_max - output_total_bytes_max // 4
        self.when_idle: Callable[[], None] | None = None
        """Called whenever no submission is in flight any more: the phases of a stop wait for that."""
        self.stopping: str | None = None
        """Why new commands for the cluster are refused; None while the node serves."""
        self.pause = Pause(self._look)
        self.is_open = True
        """Whether no request is refused or held back because of how this node stands."""
        self.refusal = NOAUTH
        """The answer to a connection that has not given the password; `LOCKED` if no password will do."""
        self.accepted_count = 0
        """Connections admitted, without those over maxclients, as in Redis."""
        self.refused_count = 0
        """Connections over maxclients."""
        self.closed_for_input_count = 0
        """Connections closed because too much input waited."""
        self.closed_for_output_count = 0
        """Connections closed because their replies were not read."""
        self.discarded_count = 0
        """Transactions given up, or their watches, because too much input waited."""
        self._cap = cap
        self._live: dict[int, Connection] = {}
        self._in_flight = 0
        self._unsent: dict[int, int] = {}
        self._unsent_total = 0
        self._ending: dict[int, Connection] = {}
        """Connections that were ended for their output and have a moment to take it, the earliest first."""

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[Connection]:
        """Over a copy, because a command may close connections while it walks them."""
        return iter(tuple(self._live.values()))

    def admit(self, connection: Connection) -> bool:
        """Register a new connection. False over maxclients: say `MAXCLIENTS_ERROR` and close."""
        if len(self._live) >= self.settings.maxclients:
            self.refused_count += 1
            return False
        self._live[connection.id] = connection
        self.accepted_count += 1
        return True

    def forget(self, connection: Connection) -> None:
        """Drop a closed connection, and what it counts for in every total."""
        self._live.pop(connection.id, None)
        self._set_unsent(connection.id, 0)
        self.input.note(connection.id, 0)
        self._ending.pop(connection.id, None)
        connection.control = None

    # Which clients may be served (`trikv.node.peers.password_guard`).

    def serves_anybody(self) -> bool:
        """Whether a new connection needs no password."""
        return not self.settings.requirepass and self.refusal is NOAUTH

    def lock(self) -> None:
        """Close every connection, those with work in flight too, and from now on refuse what others ask."""
        self.refusal = LOCKED
        self.close_all("this node lacks the password that its peers require")

    def unlock(self) -> None:
        """Serve again, including connections that were made meanwhile."""
        self.refusal = NOAUTH
        for connection in self:
            connection.authenticated = self.serves_anybody()

    # Submissions in flight. Those of a closed connection still count, because the log may hold them.

    def began(self) -> None:
        """A submission or an operation was handed to the node."""
        self._in_flight += 1

    def finished(self) -> None:
        """It came back: a pair to each `began`."""
        assert self._in_flight > 0
        self._in_flight -= 1
        if self._in_flight == 0 and self.when_idle is not None:
            self.when_idle()

    def in_flight(self) -> int:
        """How many submissions and operations have not come back."""
        return self._in_flight

    def _look(self) -> None:
        self.is_open = self.stopping is None and not self.pause.is_on

    # Limits.

    def expire_idle(self, now_boot_ms: int) -> int:
        """Close connections that were silent for too long; returns when to call again (boot clock, ms)."""
        next_ms = now_boot_ms + SWEEP_INTERVAL_MS_MAX
        limits_s = [one for one in (self.settings.timeout_s, self.settings.typed_timeout_s) if one]
        shortest_ms = min(limits_s, default=0) * 1000
        for connection in self:
            if connection.heard:
                connection.heard = False
                connection.active_ms = now_boot_ms
            if not shortest_ms or connection.active_ms + shortest_ms >= next_ms:
                continue  # person or program: its time does not end before the next sweep
            idle_ms_max = connection.idle_ms_max(self.settings)
            control = connection.control
            if idle_ms_max == 0 or control is None or control.is_busy():
                continue
            deadline_ms = connection.active_ms + idle_ms_max
            if deadline_ms <= now_boot_ms:
                control.end(f"idle for {idle_ms_max // 1000} s")
            elif deadline_ms < next_ms:
                next_ms = deadline_ms
        return max(next_ms, now_boot_ms + SWEEP_INTERVAL_MS_MIN)

    def input_bytes_max(self) -> int:
        """How many bytes of requests all clients together may make this node hold."""
        return bytes_max(self.settings.input_bytes_max, self._cap())

    def admits_input(self, size: int) -> bool:
        """Whether requests of `size` bytes may be handed to the node."""
        return self.input.has_room(size, self.input_bytes_max())

    def note_waiting(self, connection: Connection, waiting_bytes: int) -> None:
        """Count `waiting_bytes` for this client and keep the total. May close connections, even this one."""
        self.input.note(connection.id, waiting_bytes)
        self.hold_input()

    def hold_input(self) -> None:
        """Keep what waits for clients and what is in flight within the total, by freeing what waits."""
        goal = self.input.goal(self.input_bytes_max())
        if goal is None:
            return
        for number in sorted(self.input.largest_first(), key=lambda number: self._live[number].is_spared):
            if self.input.total <= goal:
                break
            self._give_up_input(number)

    def _give_up_input(self, number: int) -> None:
        control = self._live[number].control
        if control is not None and control.waiting_bytes() > SMALL_BYTES:
            was_leaving = control.is_leaving()
            is_closed = control.give_up_input()
            if not was_leaving:
                self.closed_for_input_count += is_closed
                self.discarded_count += not is_closed
        self.input.note(number, control.waiting_bytes() if control is not None else 0)

    def note_unsent(self, connection: Connection, unsent_bytes: int) -> None:
        """A client takes its output slowly: keep both output limits.

        The figures of other connections may be stale, because they shrink unseen. So they are read again
        before any connection is closed, and then the largest goes: it frees the most. Its client may go on
        reading for a moment. The last quarter of the total is kept for such clients; beyond it they are
        closed at once.
        """
        if connection.id in self._ending:
            return
        self._set_unsent(connection.id, unsent_bytes)
        if unsent_bytes > self.output_bytes_max:
            self.end_for_output(connection, _UNREAD)
        if self._unsent_total > self._output_goal:
            self._relieve()

    def _relieve(self) -> None:
        for number in tuple(self._unsent):
            self._set_unsent(number, _unsent(self._live[number]))
        for number in sorted(self._unsent, key=self._unsent.__getitem__, reverse=True):
            if self._unsent_total <= self._output_goal:
                break
            self.end_for_output(self._live[number], _UNREAD)
        left_bytes = self.output_total_bytes_max - self._unsent_total
        ending_bytes = sum(map(_unsent, self._ending.values()))
        for number, connection in tuple(self._ending.items()):
            if ending_bytes <= left_bytes:
                break
            ending_bytes -= _unsent(connection)
            del self._ending[number]
            if connection.control is not None:
                connection.control.abort()

    def end_for_output(self, connection: Connection, reason: str) -> None:
        """End a client that does not read its replies; it may take the last of them for a moment."""
        self._set_unsent(connection.id, 0)
        control = connection.control
        if control is not None:
            self.closed_for_output_count += not control.is_leaving()
            self._ending[connection.id] = connection
            control.end(reason)

    def _set_unsent(self, number: int, unsent_bytes: int) -> None:
        self._unsent_total += unsent_bytes - self._unsent.pop(number, 0)
        if unsent_bytes:
            self._unsent[number] = unsent_bytes

    # Stopping (PROTOCOL 25).

    def warn_all(self, reason: str) -> None:
        """Tell every client whose dialect has messages out of turn."""
        for connection in self:
            if connection.control is not None:
                connection.control.warn(reason)

    def stop_commands(self, reason: str) -> None:
        """Refuse commands for the cluster from now on, as safe to retry elsewhere; local ones go on.

        Without this a busy client would keep the stop from ever finishing what is in flight. What CLIENT
        PAUSE holds back is refused, too.
        """
        self.stopping = reason
        self.pause.end()

    def close_all(self, reason: str = "node is stopping") -> None:
        """End every connection. Commands in flight get an error first: never a bare close (PROTOCOL 3)."""
        for connection in self:
            if connection.control is not None:
                connection.control.end(reason)

    # CLIENT.

    def get(self, number: int) -> Connection | None:
        """The live connection with this CLIENT ID."""
        return self._live.get(number)

    def statistics(self) -> ConnectionStatistics:
        """For INFO and MEMSTATS."""
        input_bytes = input_longest = output_bytes = output_longest = watching = typed = 0
        blocked = blocked_for_a_time = 0
        # One walk over all connections, without a pause: `trikv.front.dispatch` accounts for its cost.
        for connection in self._live.values():
            control = connection.control
            if control is None:
                continue
            buffered_bytes = control.buffered_bytes()
            if buffered_bytes:
                input_longest = max(input_longest, buffered_bytes)
                input_bytes += buffered_bytes
            unsent_bytes = control.unsent_bytes()
            if unsent_bytes:
                output_longest = max(output_longest, unsent_bytes)
                output_bytes += unsent_bytes
            watching += control.is_watching()
            typed += control.typed() is True
            blocked_ms = control.blocked_ms()
            blocked += blocked_ms is not None
            blocked_for_a_time += bool(blocked_ms)
        return ConnectionStatistics(
            live=len(self._live),
            in_flight=self._in_flight,
            watching=watching,
            typed=typed,
            blocked=blocked,
            blocked_for_a_time=blocked_for_a_time,
            input_longest=input_longest,
            output_longest=output_longest,
            input=self.input.statistics(),
            input_bytes_max=self.input_bytes_max(),
            output_bytes=output_bytes,
            buffer_bytes=input_bytes + output_bytes,
        )


def _unsent(connection: Connection) -> int:
    return connection.control.unsent_bytes() if connection.control is not None else 0


def _text(name: bytes) -> str:
    """A name for CLIENT LIST: printable ASCII without spaces, which was checked when it was set."""
    return name.decode("ascii")
