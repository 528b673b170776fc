"""Which messages may overtake which on a link.

Lanes exist because TCP delivers in order: a heartbeat behind an 8 MiB entry would come too late. Urgent
messages go before all others. The log's and the bulk lane take turns, piece by piece, so neither starves.
Within a lane messages keep their order, and all AppendEntries share one.
"""

from enum import IntEnum
from typing import assert_never

from trikv.protocol.messages import (
    BootstrapRecord,
    DiskStanding,
    Drained,
    Draining,
    DurableReply,
    DurableRequest,
    Forward,
    ForwardRejected,
    JoinRequest,
    PeerMessage,
    ReadRejected,
    ReadReply,
    ReadRequest,
    SnapshotAck,
    SnapshotChunk,
)
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    AppendReject,
    Heartbeat,
    HeartbeatAck,
    PreVote,
    PreVoteAck,
    RequestVote,
    TimeoutNow,
    VoteAck,
)


class Lane(IntEnum):
    """A lane; values are part of the wire format."""

    URGENT = 0
    """Small messages that are useless if they come late: votes, heartbeats, acks, read rounds."""
    LOG = 1
    """Messages of any size that clients wait for: AppendEntries, forwarded proposals."""
    BULK = 2
    """Messages that no client waits for: snapshots."""


def lane_of(message: PeerMessage) -> Lane:
    """The lane of a message, by its kind alone: a short AppendEntries must not overtake a long one."""
    match message:
        case AppendEntries() | Forward():
            return Lane.LOG
        case SnapshotChunk() | BootstrapRecord():
            return Lane.BULK
        case PreVote() | PreVoteAck() | RequestVote() | VoteAck() | TimeoutNow():
            return Lane.URGENT
        case AppendAck() | AppendReject() | Heartbeat() | HeartbeatAck():
            return Lane.URGENT
        case ForwardRejected() | ReadRequest() | ReadReply() | ReadRejected():
            return Lane.URGENT
        case SnapshotAck() | DurableRequest() | DurableReply():
            return Lane.URGENT
        case DiskStanding() | JoinRequest() | Draining() | Drained():
            return Lane.URGENT
        case _:
            assert_never(message)
