"""The seam between conversations and the rest of the node: what a conversation may ask for.

A `Work` goes in once and comes back once: by `answered` or `failed`, or as what `submit` returns. Nothing
else flows back. All calls are synchronous and return at once.
"""

from collections.abc import Callable
from typing import Protocol

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


@attrs.define(eq=False)
class Operation:
    """A command that is carried out by this node and takes time: after a read barrier, off the hot path."""

    name: str
    """BACKUP, SAVE, BGSAVE, DIGEST, SHUTDOWN or WAIT."""
    args: tuple[bytes, ...]
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
        """How long the value of `key` is in this node's state, in whatever database it is longest."""

    def next_connection_id(self) -> int:
        """CLIENT ID: counts up from 1."""
