"""What reaches the driver's mailbox, besides clients' `Work`."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from trikv.front.seam import Work
from trikv.machine.outcomes import OriginRow
from trikv.protocol.messages import DurableReply, DurableRequest, PeerMessage
from trikv.raft.types import DiskId, NodeId, SnapshotMeta

LeaderRequest: TypeAlias = DurableRequest
"""What may be asked of the leader. It bears a number, and its answer the same."""
LeaderAnswer: TypeAlias = DurableReply


class PeerSaid(msgspec.Struct, gc=False):
    """A message came in over an authenticated link."""

    peer: NodeId
    disk: DiskId
    message: PeerMessage


class LinkUp(msgspec.Struct, gc=False):
    """Our connection to `peer` stands: messages may be sent."""

    peer: NodeId
    disk: DiskId


class LinkDown(msgspec.Struct, gc=False):
    """Our connection to `peer` broke: what was on it may be lost."""

    peer: NodeId


class Persisted(msgspec.Struct, gc=False):
    """The write job of this number, and all before it, are durable."""

    job: int


class LogRoom(msgspec.Struct, gc=False):
    """The log's next segment cannot be made, or can be again."""

    there: bool
    lack: str = ""
    """What there is no more of: space, descriptors, threads (`trikv.storage.errors.NoRoom`)."""


class OwnHello(msgspec.Struct, gc=False):
    """The log brought by a Hello of this node's id."""

    nonce: bytes
    incarnation: int


class OwnApplied(msgspec.Struct, gc=False):
    """Every sequence below `next_sequence` of this incarnation has been applied."""

    incarnation: int
    next_sequence: int


class OwnSkipped(msgspec.Struct, gc=False):
    """The log brought by a proposal of ours too early: one before it was lost on the way."""


class OwnDisowned(msgspec.Struct, gc=False):
    """The log skipped a proposal of ours because our row is gone: the member under our id was replaced."""

    incarnation: int


class Installed(msgspec.Struct, gc=False):
    """The machine now is a snapshot's. `row` is what it knows of this node's proposals."""

    index: int
    row: OriginRow | None


class SnapshotReceived(msgspec.Struct):
    """A leader's snapshot is whole, durable and loaded; Raft decides whether to take it."""

    peer: NodeId
    disk: DiskId
    term: int
    meta: SnapshotMeta


class TransferEnded(msgspec.Struct, gc=False):
    """Sending a snapshot to `peer` has ended."""

    peer: NodeId
    index: int
    ok: bool


class Barrier(msgspec.Struct, gc=False):
    """Read as usual (a quorum round, then wait for the applied index), but run `work` even while draining."""

    work: Work


class AskLeader(msgspec.Struct, frozen=True, eq=False):
    """Ask the leader, which may be this node, for what only it knows; `trikv.node.peers.calls`.

    The same object again means the same call: it is repeated if it is still open, or else begun.
    """

    request: Callable[[int], LeaderRequest]
    """Makes the message that bears this number."""
    ended: Callable[[LeaderAnswer | None], None]
    """Called once each time the call ends: with the answer, or with None if there is none to be had."""


class HandOver(msgspec.Struct, gc=False):
    """Transfer leadership to the best voter that is not draining, if this node leads."""


class Compact(msgspec.Struct, gc=False):
    """A snapshot at `meta` is durable: the log before it may go."""

    meta: SnapshotMeta


OtherEvent: TypeAlias = (
    PeerSaid
    | LinkUp
    | LinkDown
    | Persisted
    | LogRoom
    | OwnHello
    | OwnApplied
    | OwnSkipped
    | OwnDisowned
    | Installed
    | SnapshotReceived
    | TransferEnded
    | Barrier
    | AskLeader
    | HandOver
    | Compact
)
Event: TypeAlias = Work | OtherEvent
