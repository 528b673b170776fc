"""Helpers of the peer tests: two ends of a link, messages of every kind, and what a link carries."""

from typing import Literal, TypedDict, Unpack

from trikv.protocol.events import NEED_DATA
from trikv.protocol.frames import PieceLimits
from trikv.protocol.handshake import BLANK_CLUSTER, Established, PeerHandshake, PeerWire, Send, password_mark
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
from trikv.raft.types import Entry, EntryKind, Member, Membership, ReadId, SnapshotMeta

DISKS = {1: b"1" * 16, 2: b"2" * 16, 3: b"3" * 16}
CLUSTER = b"C" * 16
MEMBERSHIP = Membership(
    (Member(1, DISKS[1], True, "127.0.0.1:18080"), Member(2, DISKS[2], False, "[::1]:18081"))
)
ENTRIES = (
    Entry(7, 3, EntryKind.NOOP, b""),
    Entry(8, 3, EntryKind.BATCH, b"\x00\xffpayload"),
    Entry(9, 3, EntryKind.MEMBERSHIP, b"m" * 300),
)
READS = (ReadId(2, 5, 9), ReadId(2, 5, 10))

ONE_OF_EACH: tuple[PeerMessage, ...] = (
    PreVote(4, 9, 3),
    PreVoteAck(4, True, 1_700_000_000_000),
    RequestVote(4, 9, 3, False),
    VoteAck(4, False, 1_700_000_000_001),
    AppendEntries(3, 6, 2, 5, ENTRIES),
    AppendEntries(3, 9, 3, 9, ()),
    AppendAck(3, 9),
    AppendReject(3, 6, 4, 2),
    Heartbeat(3, 9, 17),
    HeartbeatAck(3, 17, 1_700_000_000_002),
    TimeoutNow(3),
    Forward((b"item one", b"", b"\xff" * 40)),
    ForwardRejected(4, None),
    ForwardRejected(4, 3),
    ReadRequest(READS),
    ReadReply(READS, 9, 1_700_000_000_003),
    ReadRejected(READS[:1]),
    SnapshotChunk(3, SnapshotMeta(9, 3, MEMBERSHIP), 65536, 70000, b"z" * 4464),
    SnapshotAck(3, 9, -1),
    DurableRequest(12, 9),
    DurableReply(12, 2),
    DiskStanding(True, BLANK_CLUSTER, (1, 2, 3)),
    BootstrapRecord(CLUSTER, MEMBERSHIP),
    JoinRequest(DISKS[2], "10.0.0.2:18080"),
    Draining(),
    Drained(),
    DiskStanding(False, CLUSTER, (1, 2, 3), password_mark(b"the secret", b"a password"), 2),
)


class Options(TypedDict, total=False):
    """What a test may choose about one end."""

    node_id: int
    disk: bytes
    cluster: bytes
    secret: bytes
    nonce: bytes
    expected_peer: int | None
    limits: PieceLimits


def end(role: Literal["dialer", "listener"], **options: Unpack[Options]) -> PeerHandshake:
    """One end: node 1 listens, node 2 dials it, unless told otherwise."""
    node_id = 1 if role == "listener" else 2
    chosen: Options = {
        "node_id": node_id,
        "disk": DISKS[node_id],
        "cluster": CLUSTER,
        "secret": b"the secret",
        "nonce": bytes([node_id]) * 32,
        **options,
    }
    return PeerHandshake(role=role, **chosen)


def sent(handshake: PeerHandshake) -> bytes:
    """The bytes the next event wants sent."""
    event = handshake.next_event()
    assert isinstance(event, Send)
    return event.data


def established(handshake: PeerHandshake) -> Established:
    """The outcome."""
    event = handshake.next_event()
    assert isinstance(event, Established)
    return event


def link(limits: PieceLimits | None = None) -> tuple[PeerWire, PeerWire]:
    """The two wires of an established link: node 1's and node 2's."""
    limits = limits or PieceLimits()
    listener, dialer = end("listener", limits=limits), end("dialer", limits=limits)
    dialer.receive(listener.outgoing())
    listener.receive(sent(dialer))
    dialer.receive(sent(listener))
    return established(listener).wire, established(dialer).wire


def received(wire: PeerWire) -> list[PeerMessage]:
    """Every message that the wire has now."""
    messages: list[PeerMessage] = []
    while (message := wire.next_event()) is not NEED_DATA:
        messages.append(message)
    return messages


def all_pieces(wire: PeerWire) -> list[bytes]:
    """Every piece that waits to be written."""
    pieces: list[bytes] = []
    while (piece := wire.sender.next_piece()) is not None:
        pieces.append(piece)
    return pieces
