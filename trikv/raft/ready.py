"""What one step of Raft asks its driver to do. The field comments are the contract."""

import msgspec

from trikv.raft.messages import Message
from trikv.raft.types import Entry, HardState, NodeId, ReadId, SnapshotMeta


class WriteJob(msgspec.Struct, frozen=True):
    """One job of the writer's FIFO, applied to the log in this order: reset, truncate, entries, hard state.

    The driver hands jobs to the writer in the order in which they were issued and reports each with
    ``Raft.persisted(number)`` once ``fdatasync`` has returned. Several jobs may share one sync.
    """

    number: int
    hard_state: HardState | None = None
    reset: SnapshotMeta | None = None
    """Drop the whole log and restart it after this snapshot, whose file is already durable."""
    truncate_from: int | None = None
    """Drop every entry at this index and above; recorded in the log before what replaces them."""
    entries: tuple[Entry, ...] = ()


class ConfirmedRead(msgspec.Struct, frozen=True):
    """A quorum has confirmed the leader since `read` arrived: serve it once `index` is applied."""

    read: ReadId
    index: int


class Ready(msgspec.Struct, frozen=True):
    """The outcome of the inputs since the last ``ready()``. Everything in it is handed out exactly once."""

    job: WriteJob | None
    """Give it to the writer. Messages that depend on it are held inside Raft until ``persisted``."""
    messages: tuple[tuple[NodeId, Message], ...]
    """Send now, in this order for each peer. They depend on no write that is not yet durable."""
    committed: tuple[Entry, ...]
    """Apply these, in order. Consecutive: the first follows the last of the previous Ready."""
    reads: tuple[ConfirmedRead, ...]
    """Leader only: rounds that have reached their quorum."""
    install: SnapshotMeta | None
    """The reset to this snapshot is durable: swap the machine, then call ``Raft.installed(index)``."""
    snapshots_wanted: tuple[NodeId, ...]
    """Leader only: these peers need entries that are compacted away. Send each a snapshot, once."""
