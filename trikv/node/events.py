"""The events that reach the driver's mailbox, besides clients' `Work`."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from trikv.front.seam import Work
from trikv.machine.outcomes import OriginRow
from trikv.protocol.messages import DurableReply, DurableRequest, PeerMessage
from trikv.raft.types import DiskId, NodeId, SnapshotMeta

LeaderRequest: TypeAlias = DurableRequest
"""A request to the leader. It carries a number, and its answer carries the same number."""
LeaderAnswer: TypeAlias = DurableReply


class PeerSaid(msgspec.Struct, gc=False):
    """A message came in over an authenticated link."""

    peer: NodeId
    disk: DiskId
    message: PeerMessage


class LinkUp(msgspec.Struct, gc=False):
    """Our connection to `peer` is up: messages may be sent."""

    peer: NodeId
    disk: DiskId


class LinkDown(msgspec.Struct, gc=False):
    """Our connection to `peer` broke: messages on it may be lost."""

    peer: NodeId


class Persisted(msgspec.Struct, gc=False):
    """The write job of this number, and all before it, are durable."""

    job: int


class LogRoom(msgspec.Struct, gc=False):
    """The log's next segment cannot be made, or it can be made again."""

    there: bool
    lack: str = ""
    """What is missing: space, descriptors, threads (`trikv.storage.errors.NoRoom`); empty if nothing."""


class OwnHello(msgspec.Struct, gc=False):
    """A Hello with this node's id was applied."""

    nonce: bytes
    incarnation: int


class OwnApplied(msgspec.Struct, gc=False):
    """Every sequence below `next_sequence` of this incarnation has been applied."""

    incarnation: int
    next_sequence: int


class OwnSkipped(msgspec.Struct, gc=False):
    """A proposal of ours was skipped because it came too early: one before it was lost on the way."""


class OwnDisowned(msgspec.Struct, gc=False):
    """A proposal of ours was skipped because our row is gone: the member with our id was replaced."""

    incarnation: int


class Installed(msgspec.Struct, gc=False):
    """The machine was replaced by a snapshot's. `row` is its record of this node's proposals."""

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
    """Run `work` as a read (a quorum round, then a wait for the applied index), even while draining."""

    work: Work


class AskLeader(msgspec.Struct, frozen=True, eq=False):
    """Ask the leader, which may be this node, for what only it knows (`trikv.node.peers.leader_calls`).

    The same object again means the same call: it is repeated if it is still open, or else begun.
    """

    request: Callable[[int], LeaderRequest]
    """Makes the message that carries this number."""
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
