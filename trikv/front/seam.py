"""The seam between conversations and the rest of the node: what a conversation may ask for.

A `Work` goes in once and comes back once: by `answered` or `failed`, or as the value that `submit` returns.
Nothing else flows back. All calls are synchronous and return at once.
"""

from collections.abc import Callable
from typing import ClassVar, Protocol, TypeAlias

import attrs
import msgspec

from trikv.front.counters import Counters
from trikv.front.figures import NodeFigures
from trikv.front.outflow import Outflow
from trikv.front.runtime_settings import RuntimeSettings
from trikv.machine.batch import Transaction
from trikv.machine.replies import CommandError, Reply

REDIS_VERSION = "7.2.0"
"""The ``redis_version`` of HELLO and INFO: clients decide by it which commands they send (CLIENT SETINFO)."""


class Work(msgspec.Struct, gc=False):
    """Commands of one client for the machine, submitted together and answered together."""

    db: int
    """The database selected when the first command runs; a SELECT among the commands changes it."""
    commands: tuple[tuple[bytes, ...], ...]
    transactions: tuple[Transaction, ...]
    """Each joins its commands into one step; every other command is a step of its own."""
    writes: bool
    """Whether any command may write: then it travels through the log. Otherwise by a read round."""
    answered: Callable[[list[Reply]], None]
    """Called with one reply a step, in order."""
    failed: Callable[[CommandError], None]
    """Called instead if there can be no reply: CLUSTERDOWN (did not happen) or INDETERMINATE."""
    join_bytes: int = 0
    """About the bytes of a work that may share a proposal: each of its commands is a write, is a step of its
    own, and leaves the selected database unchanged. 0 if it must travel alone."""


@attrs.frozen
class Backup:
    """Write all keys to a document on this node's disk."""

    writes: ClassVar = True
    blocked_ms: ClassVar = None


@attrs.frozen
class Save:
    """Write a snapshot on this node's disk."""

    writes: ClassVar = True
    blocked_ms: ClassVar = None
    in_background: bool
    """Answer before it is written."""


@attrs.frozen
class Digest:
    """Answer the applied index and a hash of the state."""

    writes: ClassVar = False
    blocked_ms: ClassVar = None


@attrs.frozen
class Wait:
    """Answer how many other voters hold the connection's last write on disk."""

    writes: ClassVar = False
    replicas: int
    """The wait ends when this many voters hold the write."""
    timeout_ms: int
    """The wait also ends after this time; 0 means no limit."""

    @property
    def blocked_ms(self) -> int:
        """Its client waits for other nodes."""
        return self.timeout_ms


@attrs.frozen
class WaitAof:
    """Answer whether the connection's last write is on this node's disk, and on how many other voters'."""

    writes: ClassVar = False
    local: int
    """1 if the wait also goes on until this node's disk holds it."""
    replicas: int
    """The wait ends when so many others hold the write."""
    timeout_ms: int
    """The wait also ends after this time; 0 means no limit."""

    @property
    def blocked_ms(self) -> int:
        """Its client waits for other nodes."""
        return self.timeout_ms


@attrs.frozen
class Sleep:
    """Answer OK after a time. Nothing else waits for it."""

    writes: ClassVar = False
    blocked_ms: ClassVar = None
    ms: int


@attrs.frozen
class Held:
    """Nothing: the next request waits until CLIENT PAUSE ends. The node is never asked for it."""

    writes: ClassVar = False
    blocked_ms: ClassVar = None
    """As in Redis, which does not count these among the blocked."""


@attrs.frozen
class Shutdown:
    """Stop this node in order."""

    writes: ClassVar = True
    blocked_ms: ClassVar = None


Asked: TypeAlias = Backup | Save | Digest | Wait | WaitAof | Sleep | Held | Shutdown
"""The requests that a node carries out off the hot path, for one client.

`writes` says whether one that got no answer may have left something behind: a file, or a node that stops.
`blocked_ms` is None while the node works. If it only waits for what others do, it is the client's limit, 0
for none: such a client is blocked, in Redis' word.
"""


@attrs.define(eq=False)
class Operation:
    """A command that is carried out by this node and takes time."""

    name: str
    """The command's name, under which it is counted."""
    asked: Asked
    answered: Callable[[Reply], None]
    last_write: object = None
    """WAIT: the token of the connection's last write (`Service.write_token`), None before any."""
    abandoned: bool = False
    """Set when the client is gone or sends no more. A WAIT then ends and answers; a file is still written."""


class Service(Protocol):
    """What the node does for its conversations."""

    settings: RuntimeSettings
    counters: Counters
    figures: NodeFigures
    """The records of its parts, for INFO, MEMSTATS, HELLO, ROLE and LASTSAVE."""

    def submit(self, work: Work) -> list[Reply] | None:
        """Take `work`; it will be answered or failed, never within this call.

        If there is nothing to wait for, its replies are returned instead, and neither is called.
        """

    def pour(self, outflow: Outflow) -> None:
        """Call `outflow.pour`, a little at a time, until it returns False (never within this call)."""

    def act(self, operation: Operation) -> None:
        """Carry out `operation`, then call `operation.answered` (never within this call)."""

    def write_token(self) -> object:
        """A token for WAIT: it identifies the write that is being answered at this moment."""

    def boot_ms(self) -> int:
        """For idle times."""

    def boot_us(self) -> int:
        """For the time that a command takes."""

    def value_bytes(self, key: bytes) -> int:
        """How long the value of `key` is in this node's state: the cost of a command that copies it.

        It is the longest of all databases, because only the log decides which one is selected by then.
        """

    def next_connection_id(self) -> int:
        """CLIENT ID: counts up from 1."""
