"""The seam between conversations and the rest of the node: what a conversation may ask for.

A `Work` goes in once and comes back once: by `answered` or `failed`, or as what `submit` returns. Nothing
else flows back. All calls are synchronous and return at once.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import attrs
import msgspec

from trikv.front.figures import NodeFigures
from trikv.front.statistics import Statistics
from trikv.machine.batch import Transaction
from trikv.machine.replies import CommandError, Reply

REDIS_VERSION = "7.2.0"
"""What HELLO and INFO call ``redis_version``: clients choose by it what they send (CLIENT SETINFO)."""


class Work(msgspec.Struct, gc=False):
    """Commands of one client for the machine, submitted together, answered together."""

    db: int
    """The database selected when the first command runs; a SELECT among the commands changes it."""
    commands: tuple[tuple[bytes, ...], ...]
    transactions: tuple[Transaction, ...]
    """Each makes one step of its commands; every other command is a step of its own."""
    writes: bool
    """True where at least one command may write: it travels through the log. Otherwise a read round."""
    answered: Callable[[list[Reply]], None]
    """Called with one reply a step, in order."""
    failed: Callable[[CommandError], None]
    """Called instead, when no reply can be had: CLUSTERDOWN (did not happen) or INDETERMINATE."""
    join_bytes: int = 0
    """Of a work that writes: about its bytes, where each command is a write and a step of its own that leaves
    the selected database as it is. Such works may share a proposal. 0 where it travels alone."""


@attrs.frozen
class Backup:
    """Write all keys to a document on this node's disk."""


@attrs.frozen
class Save:
    """Write a snapshot on this node's disk."""

    in_background: bool
    """Answer before it is written."""


@attrs.frozen
class Digest:
    """Tell the applied index and a hash of the state."""


@attrs.frozen
class Wait:
    """Tell how many other voters hold the connection's last write on disk."""

    replicas: int
    """Enough of them end the waiting."""
    timeout_ms: int
    """So does this time; 0: none does."""


@attrs.frozen
class Shutdown:
    """Stop this node in order."""


Asked: TypeAlias = Backup | Save | Digest | Wait | Shutdown
"""What a node carries out off the hot path, for one client."""


@attrs.define(eq=False)
class Operation:
    """A command that is carried out by this node and takes time."""

    name: str
    """Of the command, as it is counted."""
    asked: Asked
    answered: Callable[[Reply], None]
    last_write: object = None
    """WAIT: the token of the connection's last write (`Service.write_token`), None before any."""
    abandoned: bool = False
    """Set when the client is gone or sends no more: what need not go on for its own sake ends and answers."""


@attrs.define
class RuntimeSettings:
    """Settings of this node that CONFIG SET may change while it runs."""

    timeout_s: int
    """Idle seconds after which a RESP connection is closed; 0 never (Redis' `timeout`)."""
    typed_timeout_s: int
    """The same for connections that type."""
    maxclients: int
    requirepass: str
    """Empty: no password."""
    input_bytes_max: int = 0
    """What all clients together may make this node hold of their requests; 0: by the cap."""
    reads: str = "linearizable"
    """Or ``lease``; shown, never changed while the node runs."""
    clients_max: int = 1_000_000
    """The most that `maxclients` may be: what the system leaves for clients (`trikv.node.descriptors`)."""


class Service(Protocol):
    """What the node does for its conversations."""

    settings: RuntimeSettings
    statistics: Statistics
    figures: NodeFigures
    """What its parts say of themselves, for INFO, MEMSTATS, HELLO, ROLE and LASTSAVE."""

    def submit(self, work: Work) -> list[Reply] | None:
        """Take `work`; it will be answered or failed, never within this call.

        Or nothing is to be waited for: then its replies are returned, and that is all.
        """

    def act(self, operation: Operation) -> None:
        """Carry out `operation`, then call `operation.answered` (never within this call)."""

    def write_token(self) -> object:
        """A token for WAIT: it stands for the write that is being answered just now."""

    def boot_ms(self) -> int:
        """For idle times."""

    def boot_us(self) -> int:
        """For the time that a command takes."""

    def value_bytes(self, key: bytes) -> int:
        """For what a command costs that copies it: how long the value of `key` is in this node's state.

        The longest of all databases: which one is selected then, only the log will tell.
        """

    def next_connection_id(self) -> int:
        """CLIENT ID: counts up from 1."""
