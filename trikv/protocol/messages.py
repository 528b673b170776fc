"""Everything that one node may say to another: Raft's messages and the node's own, one union, one decoder.

Structs are array-like with an integer tag, so on the wire a message is ``[tag, field, ...]`` in
MessagePack. Raft uses the tags from 1, the node those from 101. A tag never changes its meaning; fields may
be added at the end with defaults. The sender is not in the message, because the link that it came by is
authenticated as (node id, disk id).

`trikv.node.peers.links.Links.send` sends a message of any kind. The receiver's links make an event `PeerSaid`
of it, and `trikv.node.consensus.router.Router.hear` gives each kind to its owner. A blank disk that waits for
its cluster hears only the two kinds that `trikv.node.joining` looks for.
"""

from typing import Final, TypeAlias

import msgspec

from trikv.raft.messages import Message
from trikv.raft.types import DiskId, Membership, NodeId, ReadId, SnapshotMeta

SNAPSHOT_CHUNK_BYTES_MAX: Final = 64 * 1024
"""Data in one SnapshotChunk: small enough that a heartbeat behind it waits for less than a millisecond."""


class Forward(msgspec.Struct, frozen=True, array_like=True, tag=101):
    """A follower's items for the leader to propose (PROTOCOL 2). Answered only when refused."""

    items: tuple[bytes, ...]
    """Each an encoded `trikv.machine.batch.Item`, in the order of their sequences."""


class ForwardRejected(msgspec.Struct, frozen=True, array_like=True, tag=102):
    """The sender does not lead, or takes no proposals now: nothing of the Forward was appended."""

    term: int
    leader: NodeId | None
    """The node that the sender follows; None if it knows no leader."""


class ReadRequest(msgspec.Struct, frozen=True, array_like=True, tag=103):
    """A follower asks the leader for read rounds (paper, section 8; thesis, 6.4)."""

    reads: tuple[ReadId, ...]
    by_lease: bool = False
    """The leader may use its lease instead of a round: the sender is configured to ``reads = lease``."""


class ReadReply(msgspec.Struct, frozen=True, array_like=True, tag=104):
    """The leader led when these reads came: serve them once `index` is applied."""

    reads: tuple[ReadId, ...]
    index: int
    log_time_ms: int
    """The leader's log time, for TTL and TIME (PROTOCOL 21)."""


class ReadRejected(msgspec.Struct, frozen=True, array_like=True, tag=105):
    """The sender does not lead, or cannot confirm reads yet: ask again, perhaps another node."""

    reads: tuple[ReadId, ...]


class SnapshotChunk(msgspec.Struct, frozen=True, array_like=True, tag=106):
    """A piece of the leader's snapshot for a follower whose entries are gone (paper, figure 13)."""

    term: int
    meta: SnapshotMeta
    offset: int
    """Where `data` stands in the snapshot, in bytes."""
    total: int
    """The snapshot's size in bytes; the chunk with offset + len(data) == total is the last."""
    data: bytes
    """At most SNAPSHOT_CHUNK_BYTES_MAX."""


class SnapshotAck(msgspec.Struct, frozen=True, array_like=True, tag=107):
    """How far a follower has got with the snapshot at `index`."""

    term: int
    index: int
    offset: int
    """The next byte it needs. Equal to the total once the snapshot is durable and installed; -1: refused."""


class DurableRequest(msgspec.Struct, frozen=True, array_like=True, tag=108):
    """For WAIT: asks how many voters hold `index` on disk."""

    counter: int
    """Chosen by the asker, repeated in the reply."""
    index: int


class DurableReply(msgspec.Struct, frozen=True, array_like=True, tag=109):
    """Answer to DurableRequest: `voters` of them hold the index on disk."""

    counter: int
    voters: int


class DiskStanding(msgspec.Struct, frozen=True, array_like=True, tag=110):
    """How the sender stands to bootstrap (PROTOCOL 14); sent when a link opens and when it changes."""

    blank: bool
    """True: the disk holds no log and belongs to no cluster."""
    cluster: bytes
    """16 bytes; zeros if the disk is blank."""
    configured: tuple[NodeId, ...]
    """The node ids in the sender's configuration, ascending."""
    password: bytes = b""
    """`trikv.protocol.handshake.password_mark` of the password that the sender's clients must give. Empty if
    its version does not say."""
    feature_level: int = 1
    """The highest level of `trikv.machine.features` whose rules the sender knows."""


class BootstrapRecord(msgspec.Struct, frozen=True, array_like=True, tag=111):
    """What a member of a cluster hands to a blank disk (PROTOCOL 14)."""

    cluster: bytes
    membership: Membership
    """The members if the disk is one of them and may start as such; none if it must ask to join."""
    feature_level: int = 1
    """The level at which the first leader founds the cluster, unless that is done. Every member knows it."""


class JoinRequest(msgspec.Struct, frozen=True, array_like=True, tag=112):
    """A blank disk under a known node id asks the leader to be swapped in (PROTOCOL 14)."""

    disk: DiskId
    address: str
    """host:port where peers reach the sender."""


class Draining(msgspec.Struct, frozen=True, array_like=True, tag=113):
    """The sender is stopping: hand it no leadership (PROTOCOL 25, phase 1)."""

    is_quiet: bool = False
    """It has answered its clients and takes no more commands: all that it acknowledged is committed."""


class Drained(msgspec.Struct, frozen=True, array_like=True, tag=114):
    """The sender needs its peers no more (PROTOCOL 25, phase 5)."""


PeerMessage: TypeAlias = (
    Message
    | Forward
    | ForwardRejected
    | ReadRequest
    | ReadReply
    | ReadRejected
    | SnapshotChunk
    | SnapshotAck
    | DurableRequest
    | DurableReply
    | DiskStanding
    | BootstrapRecord
    | JoinRequest
    | Draining
    | Drained
)

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(PeerMessage)


def encode_message(message: PeerMessage) -> bytes:
    """A message as it stands in the pieces of a link."""
    return _ENCODER.encode(message)


def decode_message(data: bytes | bytearray) -> PeerMessage:
    """The message in `data`. Raises msgspec.DecodeError, or its ValidationError, if it is none."""
    message: PeerMessage = _DECODER.decode(data)
    return message
