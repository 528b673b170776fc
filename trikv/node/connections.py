"""Every live client connection of this node: who they are, when they idle out, what they may still send.

A `Connection` is the record that commands such as CLIENT and HELLO read and write; its conversation drives
it. `Connections` is the register: the limits that span connections (maxclients, idle time, bytes of
output), CLIENT LIST and KILL, and the steps of stopping that concern clients.
"""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import attrs

from trikv.node.service import RuntimeSettings

SWEEP_INTERVAL_MS_MAX = 1_000
"""An idle sweep comes at least this often, so that CONFIG SET timeout is taken up within a second."""
SWEEP_INTERVAL_MS_MIN = 100
"""And at most this often: closing 100 ms late harms nobody, walking 10,000 records does."""
OUTPUT_BYTES_MAX = 64 << 20
"""Unsent output of one connection: eight values of the greatest size."""
OUTPUT_TOTAL_BYTES_MAX = 256 << 20
"""Unsent output of all connections together: the default memory cap over again."""

MAXCLIENTS_ERROR = b"-ERR max number of clients reached\r\n"


class Control(Protocol):
    """What the register may do to a conversation."""

    def end(self, reason: str) -> None:
        """Answer what is in flight with an error, say `reason` as the dialect allows, close."""

    def warn(self, reason: str) -> None:
        """Say `reason` out of turn where the dialect has a way to: a ``#`` line, a RESP3 push."""

    def is_busy(self) -> bool:
        """True while a submission or an action of this connection is not answered."""

    def queued_count(self) -> int:
        """Commands queued since MULTI; -1 outside of one."""

    def is_watching(self) -> bool:
        """True after a WATCH, until EXEC, DISCARD or UNWATCH."""

    def unsent_bytes(self) -> int:
        """Output that the client has not taken."""

    def buffered_bytes(self) -> int:
        """Input that has not been looked at."""


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
    typed: bool | None = None
    """How the last command came: typed line or RESP; None before the first. A silent client counts as typed:
    a program says at least HELLO, a person may stare at the prompt."""
    last_command: str = "NULL"
    heard: bool = False
    """It sent something since the last sweep. Reading the clock at each `recv` would cost ten times as much;
    so idle connections live a second longer at most."""
    closing: bool = False
    """Set by a command (CLIENT KILL of itself): closes when what is in hand has been answered."""

    def is_typed(self) -> bool:
        """True where people read what this connection is sent."""
        return self.typed is not False

    def idle_ms_max(self, settings: RuntimeSettings) -> int:
        """How long this connection may stay silent; 0 for ever."""
        return (settings.typed_timeout_s if self.is_typed() else settings.timeout_s) * 1_000

    def describe(self, now_ms: int) -> str:
        """The line of CLIENT LIST: Redis' fields in Redis' order.

        What trikv has no notion of shows the value Redis gives to an idle client.
        """
        control = self.control
        input_bytes = control.buffered_bytes() if control is not None else 0
        output_bytes = control.unsent_bytes() if control is not None else 0
        queued_count = control.queued_count() if control is not None else -1
        return (
            f"id={self.id} addr={self.remote} laddr={self.local} fd=-1 name={_text(self.name)}"
            f" age={(now_ms - self.created_ms) // 1000}"
            f" idle={0 if self.heard else (now_ms - self.active_ms) // 1000}"
            f" flags={self._flags(queued_count)} db={self.database} sub=0 psub=0 ssub=0 multi={queued_count}"
            f" qbuf={input_bytes} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0"
            f" oll={1 if output_bytes else 0} omem={output_bytes} tot-mem={input_bytes + output_bytes}"
            f" events=r cmd={self.last_command} user=default redir=-1 resp={self.resp_version}"
            f" lib-name={_text(self.library_name)} lib-ver={_text(self.library_version)}"
        )

    def _flags(self, queued_count: int) -> str:
        flags = ("x" if queued_count >= 0 else "") + ("c" if self.closing else "")
        return flags or "N"


class Connections:
    """The register of live connections, in order of their ids."""

    def __init__(
        self,
        settings: RuntimeSettings,
        *,
        output_bytes_max: int = OUTPUT_BYTES_MAX,
        output_total_bytes_max: int = OUTPUT_TOTAL_BYTES_MAX,
    ) -> None:
        self.settings = settings
        self.output_bytes_max = output_bytes_max
        self.output_total_bytes_max = output_total_bytes_max
        self.when_idle: Callable[[], None] | None = None
        """Called whenever the last submission in flight has been answered: the stop phases wait for it."""
        self.stopping: str | None = None
        """Why new commands for the cluster are refused; None while the node serves."""
        self.accepted_count = 0
        """Connections taken up; those over maxclients are not in it, as in Redis."""
        self.refused_count = 0
        """Connections over maxclients."""
        self.output_ended_count = 0
        """Connections closed because their replies were not read."""
        self._live: dict[int, Connection] = {}
        self._in_flight = 0
        self._unsent: dict[int, int] = {}
        self._unsent_total = 0

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[Connection]:
        """A copy: a command may close connections while it walks them."""
        return iter(tuple(self._live.values()))

    def admit(self, connection: Connection) -> bool:
        """Take up a new connection; False over maxclients: say `MAXCLIENTS_ERROR` and close."""
        if len(self._live) >= self.settings.maxclients:
            self.refused_count += 1
            return False
        self._live[connection.id] = connection
        self.accepted_count += 1
        return True

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._live.pop(connection.id, None)
        self._set_unsent(connection.id, 0)
        connection.control = None

    # Submissions in flight. A closed connection's still count: the log may hold them.

    def began(self) -> None:
        """A submission or an action was handed to the node."""
        self._in_flight += 1

    def finished(self) -> None:
        """It came back."""
        assert self._in_flight > 0
        self._in_flight -= 1
        if self._in_flight == 0 and self.when_idle is not None:
            self.when_idle()

    def in_flight(self) -> int:
        """How many submissions and actions have not come back."""
        return self._in_flight

    # Limits.

    def expire_idle(self, now_boot_ms: int) -> int:
        """Close what has been silent for too long; returns when to call again (boot clock, ms)."""
        next_ms = now_boot_ms + SWEEP_INTERVAL_MS_MAX
        for connection in self:
            if connection.heard:
                connection.heard = False
                connection.active_ms = now_boot_ms
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

    def note_unsent(self, connection: Connection, unsent_bytes: int) -> None:
        """A connection's client takes its output slowly: hold both output limits.

        The figures of other connections may be stale (they shrink unseen), so they are read again before
        anyone is closed, and then the greatest goes: it is the one that will free the most.
        """
        self._set_unsent(connection.id, unsent_bytes)
        if unsent_bytes > self.output_bytes_max:
            self._end_for_output(connection)
        elif self._unsent_total > self.output_total_bytes_max:
            self._relieve()

    def _relieve(self) -> None:
        for number in tuple(self._unsent):
            control = self._live[number].control
            self._set_unsent(number, control.unsent_bytes() if control is not None else 0)
        while self._unsent_total > self.output_total_bytes_max:
            self._end_for_output(self._live[max(self._unsent, key=self._unsent.__getitem__)])

    def _end_for_output(self, connection: Connection) -> None:
        self._set_unsent(connection.id, 0)
        self.output_ended_count += 1
        if connection.control is not None:
            connection.control.end("output limit exceeded: replies were not read")

    def _set_unsent(self, number: int, unsent_bytes: int) -> None:
        self._unsent_total += unsent_bytes - self._unsent.pop(number, 0)
        if unsent_bytes:
            self._unsent[number] = unsent_bytes

    # Stopping (PROTOCOL 25).

    def warn_all(self, reason: str) -> None:
        """Tell every client that can be told out of turn."""
        for connection in self:
            if connection.control is not None:
                connection.control.warn(reason)

    def stop_commands(self, reason: str) -> None:
        """From now on commands for the cluster are refused, safe to retry elsewhere; local ones go on.

        Without it a busy client would keep the node from ever being drained.
        """
        self.stopping = reason

    def close_all(self, reason: str = "node is stopping") -> None:
        """End every connection. What is in flight gets an error first: never a bare close (PROTOCOL 3)."""
        for connection in self:
            if connection.control is not None:
                connection.control.end(reason)

    # CLIENT.

    def get(self, number: int) -> Connection | None:
        """The live connection with this CLIENT ID."""
        return self._live.get(number)

    def buffer_bytes(self) -> int:
        """What waits in memory for all clients, input and output."""
        controls = [one.control for one in self._live.values() if one.control is not None]
        return sum(control.buffered_bytes() + control.unsent_bytes() for control in controls)

    def info(self) -> list[tuple[str, object]]:
        """The fields of INFO's ``clients`` section."""
        controls = [one.control for one in self._live.values() if one.control is not None]
        return [
            ("connected_clients", len(self._live)),
            ("cluster_connections", 0),
            ("maxclients", self.settings.maxclients),
            ("client_recent_max_input_buffer", max((one.buffered_bytes() for one in controls), default=0)),
            ("client_recent_max_output_buffer", max((one.unsent_bytes() for one in controls), default=0)),
            ("blocked_clients", 0),
            ("tracking_clients", 0),
            ("pubsub_clients", 0),
            ("watching_clients", sum(one.is_watching() for one in controls)),
            ("clients_in_timeout_table", 0),
            ("total_blocking_keys", 0),
            ("submissions_in_flight", self._in_flight),
            ("typed_clients", sum(one.is_typed() for one in self._live.values())),
        ]


def _text(name: bytes) -> str:
    """Names hold only printable ASCII without spaces: checked where they are set."""
    return name.decode("ascii")
