"""Pieces and lanes: everything arrives, in order, nothing altered, and nothing urgent waits."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.links import ENTRIES, ONE_OF_EACH, all_pieces, link, received
from trikv.protocol.errors import PeerProtocolError
from trikv.protocol.frames import (
    PIECE_BODY_BYTES_MAX,
    PeerReceiver,
    PeerSender,
    PieceLimits,
)
from trikv.protocol.lanes import Lane, lane_of
from trikv.protocol.messages import (
    DiskStanding,
    Forward,
    PeerMessage,
    SnapshotChunk,
    decode_message,
    encode_message,
)
from trikv.raft.messages import AppendEntries, Heartbeat
from trikv.raft.types import Entry, EntryKind, Membership, SnapshotMeta

FORMATS = Path(__file__).parent.parent / "formats" / "v1"
RECORDED_FIRST = FORMATS / "peer_frames.bin"
"""As the first version wrote them."""
RECORDED_SECOND = FORMATS / "peer_frames_with_leases.bin"
"""Since heartbeat acks make promises and read requests may be content with a lease."""
RECORDED = FORMATS / "peer_frames_with_marks.bin"
"""Since nodes tell by a mark which password they have, and which rules they know: the last of them."""
SMALL = PieceLimits(message_bytes_max=200_000, urgent_bytes_max=1000, queue_bytes_max=100_000)


def append(size: int, number: int = 1) -> AppendEntries:
    """AppendEntries with one entry of `size` bytes."""
    return AppendEntries(1, number - 1, 1, 0, (Entry(number, 1, EntryKind.BATCH, bytes(size)),))


def chunk(size: int, offset: int = 0) -> SnapshotChunk:
    """A SnapshotChunk of `size` bytes."""
    return SnapshotChunk(1, SnapshotMeta(5, 1, Membership(())), offset, 10**6, bytes(size))


def test_every_kind_of_message_arrives() -> None:
    """One of each goes through both directions unchanged."""
    one, two = link()
    for source, target in ((one, two), (two, one)):
        for message in ONE_OF_EACH:
            assert source.sender.put(message)
            target.receive(source.sender.next_write())
            assert received(target) == [message]
        assert source.sender.queued_bytes == 0


def test_every_tag_is_its_own() -> None:
    """No two kinds share a tag, and the node's tags start at 101."""
    tags = {type(message): type(message).__struct_config__.tag for message in ONE_OF_EACH}
    assert len(set(tags.values())) == len(tags)
    assert len(tags) == 24


def test_pieces_may_arrive_byte_by_byte() -> None:
    """A link gives the same messages however its bytes are cut."""
    one, two = link()
    assert all(one.sender.put(message) for message in ONE_OF_EACH[:6])
    messages: list[PeerMessage] = []
    for piece in all_pieces(one):
        for at in range(len(piece)):
            two.receive(piece[at : at + 1])
            messages += received(two)
    assert sorted(map(repr, messages)) == sorted(map(repr, ONE_OF_EACH[:6]))


def test_large_messages_travel_in_pieces() -> None:
    """No piece's body is above 64 KiB, and a message of many pieces comes out whole."""
    one, two = link()
    entry = append(1_000_000)
    assert one.sender.put(entry)
    pieces = all_pieces(one)
    assert len(pieces) == 16
    assert max(map(len, pieces)) == PIECE_BODY_BYTES_MAX + 21
    for piece in pieces[:-1]:
        two.receive(piece)
        assert received(two) == []
    two.receive(pieces[-1])
    assert received(two) == [entry]


def test_a_heartbeat_overtakes_what_is_under_way() -> None:
    """With an entry half sent and snapshots waiting, the next piece is the heartbeat's."""
    one, two = link()
    entry, bulk, heartbeat = append(300_000), chunk(60_000), Heartbeat(1, 2, 3)
    assert one.sender.put(entry)
    assert one.sender.put(bulk)
    two.receive(one.sender.next_piece() or b"")
    assert one.sender.put(heartbeat)
    two.receive(one.sender.next_piece() or b"")
    assert received(two) == [heartbeat]
    two.receive(b"".join(all_pieces(one)))
    assert sorted(map(repr, received(two))) == sorted([repr(entry), repr(bulk)])


def test_log_and_bulk_take_turns() -> None:
    """Neither an endless log nor an endless snapshot starves the other."""
    one, two = link()
    for number in range(1, 4):
        assert one.sender.put(append(100, number))
        assert one.sender.put(chunk(100, number))
    two.receive(b"".join(all_pieces(one)))
    kinds = [type(message).__name__ for message in received(two)]
    assert kinds == ["AppendEntries", "SnapshotChunk"] * 3


def test_appends_never_pass_each_other() -> None:
    """AppendEntries of any size, empty ones too, share one lane."""
    one, two = link()
    sent = [append(200_000, 1), AppendEntries(1, 1, 1, 0, ()), append(10, 2), append(70_000, 3)]
    assert all(one.sender.put(message) for message in sent)
    two.receive(b"".join(all_pieces(one)))
    assert received(two) == sent
    assert {lane_of(message) for message in sent} == {Lane.LOG}


def test_a_full_lane_drops_and_says_so() -> None:
    """Each lane is bounded; a full one refuses, the others go on."""
    one, _ = link(SMALL)
    assert one.sender.put(append(60_000))
    assert not one.sender.put(append(60_000))
    assert one.sender.put(append(10_000))
    assert one.sender.put(chunk(60_000))
    assert not one.sender.put(chunk(60_000))
    beats = [one.sender.put(Heartbeat(n, n, n)) for n in range(1000)]
    assert True in beats
    assert False in beats
    assert one.sender.queued_bytes <= 2 * SMALL.queue_bytes_max + SMALL.urgent_bytes_max
    all_pieces(one)
    assert one.sender.queued_bytes == 0


def test_an_empty_lane_takes_a_message_above_its_bound() -> None:
    """Otherwise an entry larger than the queue could never be sent."""
    one, two = link(SMALL)
    assert one.sender.put(append(150_000))
    two.receive(b"".join(all_pieces(one)))
    assert len(received(two)) == 1


def test_a_message_that_no_peer_would_take_is_a_bug() -> None:
    """The sender asserts what the receiver would refuse."""
    one, _ = link(SMALL)
    with pytest.raises(AssertionError):
        one.sender.put(append(200_000))
    with pytest.raises(AssertionError):
        one.sender.put(DiskStanding(True, b"", tuple(range(2000))))


def test_one_write_carries_several_pieces() -> None:
    """Small messages are joined; a write stays within its limit but never sends less than one piece."""
    one, two = link()
    assert all(one.sender.put(Heartbeat(n, n, n)) for n in range(50))
    two.receive(one.sender.next_write())
    assert len(received(two)) == 50
    assert one.sender.put(append(500_000))
    sizes = []
    while data := one.sender.next_write(200_000):
        sizes.append(len(data))
        two.receive(data)
    assert max(sizes) <= 200_000
    assert len(sizes) == 3
    assert len(received(two)) == 1
    assert one.sender.put(append(100_000))
    assert len(one.sender.next_write(1)) == PIECE_BODY_BYTES_MAX + 21


@pytest.mark.parametrize(
    "header", [b"\x00\x01\x00\x01\x04", b"\x00\x00\x00\x01\x07", b"\x00\x00\x00\x01\x08"]
)
def test_impossible_headers_are_refused_at_once(header: bytes) -> None:
    """Too long a piece, an unknown lane or an unknown flag ends the link without waiting for more."""
    _, two = link()
    two.receive(header)
    for _ in range(2):
        with pytest.raises(PeerProtocolError, match="impossible header"):
            two.next_event()


def test_nothing_comes_out_of_a_broken_link() -> None:
    """After one bad piece, good ones are not read."""
    one, two = link()
    assert one.sender.put(Heartbeat(1, 1, 1))
    assert one.sender.put(Heartbeat(2, 2, 2))
    first, second = all_pieces(one)
    two.receive(first[:-1] + b"!" + second)
    for _ in range(3):
        with pytest.raises(PeerProtocolError, match="not authentic"):
            two.next_event()
        two.receive(second)


@pytest.mark.parametrize(("order"), [[1, 0], [0, 0], [1], [0, 2, 1]])
def test_lost_repeated_and_reordered_pieces_are_noticed(order: list[int]) -> None:
    """The counter under the MAC gives each piece one place."""
    one, two = link()
    pieces = []
    for number in range(3):
        assert one.sender.put(Heartbeat(number, number, number))
        pieces += all_pieces(one)
    two.receive(b"".join(pieces[at] for at in order))
    with pytest.raises(PeerProtocolError, match="not authentic"):
        received(two)


@pytest.mark.parametrize(("lane", "most"), [(Lane.URGENT, 1000), (Lane.LOG, 200_000), (Lane.BULK, 200_000)])
def test_a_message_may_not_grow_without_end(lane: Lane, most: int) -> None:
    """The receiver's limits hold for anything that a peer with the secret sends."""
    sender, receiver = PeerSender(b"k" * 32), PeerReceiver(b"k" * 32, SMALL)
    sender._lanes[lane].append(bytes(PIECE_BODY_BYTES_MAX * 10))
    receiver.receive(sender.next_write(10**6))
    with pytest.raises(PeerProtocolError, match=f"longer than {most} bytes"):
        receiver.next_event()
    assert not any(receiver._unfinished)


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x91\x63", b"\x90", b"\x92\x0a\xa1x", b"\x93\x70\xa1\xff\xa1\xff"]
)
def test_authentic_nonsense_is_refused(body: bytes) -> None:
    """Authentic bytes that are no message end the link with the documented error."""
    sender, receiver = PeerSender(b"k" * 32), PeerReceiver(b"k" * 32)
    sender._lanes[Lane.LOG].append(body)
    receiver.receive(sender.next_piece() or b"")
    with pytest.raises(PeerProtocolError, match="does not decode"):
        receiver.next_event()


@settings(max_examples=200)
@given(st.data())
def test_any_flipped_bit_is_noticed(data: st.DataObject) -> None:
    """Alter one bit of a stream: what comes out is a prefix of what was sent, then nothing or an error."""
    one, two = link()
    sent = [Heartbeat(n, n, n) for n in range(3)]
    assert all(map(one.sender.put, sent))
    stream = bytearray(one.sender.next_write())
    at = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[at // 8] ^= 1 << at % 8
    two.receive(bytes(stream))
    messages: list[PeerMessage] = []
    try:
        while isinstance(message := two.next_event(), Heartbeat):
            messages.append(message)
    except PeerProtocolError:
        pass
    assert len(messages) < 3
    assert messages == sent[: len(messages)]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "write"]), st.integers(0, len(ONE_OF_EACH) - 1), st.integers(0, 150_000)
        )
    ),
)
def test_each_lane_keeps_its_order(steps: list[tuple[str, int, int]]) -> None:
    """However puts and writes alternate, all that was taken arrives, in order within its lane."""
    one, two = link()
    sent: list[PeerMessage] = []
    got: list[PeerMessage] = []
    for step, which, size in steps:
        if step == "write":
            two.receive(one.sender.next_write(size))
            got += received(two)
            continue
        message = ONE_OF_EACH[which]
        if isinstance(message, Forward):
            message = Forward((bytes(size),))
        if one.sender.put(message):
            sent.append(message)
    two.receive(b"".join(all_pieces(one)))
    got += received(two)
    for lane in Lane:
        assert [m for m in got if lane_of(m) is lane] == [m for m in sent if lane_of(m) is lane]


def test_messages_may_grow_at_the_end() -> None:
    """A field added by a later version is ignored by this one."""
    fields = msgspec.msgpack.decode(encode_message(Heartbeat(1, 2, 3)))
    assert decode_message(msgspec.msgpack.encode([*fields, "new"])) == Heartbeat(1, 2, 3)


def recorded_bytes() -> bytes:
    """What node 1 writes to node 2, nonces and secret fixed: one of each message, then one of two pieces."""
    one, _ = link()
    data = b""
    for message in (*ONE_OF_EACH, append(66_000)):
        assert one.sender.put(message)
        data += one.sender.next_write(10**6)
    return data


def test_recorded_frames_are_still_understood_and_still_written() -> None:
    """Recorded pieces, the first version's too, decode to the same messages; encoding writes the newest."""
    for path, messages in (
        (RECORDED_FIRST, ONE_OF_EACH[:-1]),
        (RECORDED_SECOND, ONE_OF_EACH[:-1]),
        (RECORDED, ONE_OF_EACH),
    ):
        _, two = link()
        two.receive(path.read_bytes())
        assert received(two) == [*messages, append(66_000)]
    assert recorded_bytes() == RECORDED.read_bytes()


def test_an_older_node_understands_a_newer_ones_standing() -> None:
    """It reads the fields it knows; what it says itself lacks the mark and the level, which is the first."""

    class OlderStanding(msgspec.Struct, frozen=True, array_like=True, tag=110):
        blank: bool
        cluster: bytes
        configured: tuple[int, ...]

    newer = DiskStanding(False, b"cluster", (1, 2), b"mark", 2)
    older = OlderStanding(False, b"cluster", (1, 2))
    assert msgspec.msgpack.decode(encode_message(newer), type=OlderStanding) == older
    assert decode_message(msgspec.msgpack.encode(older)) == DiskStanding(False, b"cluster", (1, 2))


def test_entries_survive_unread() -> None:
    """Payloads are opaque bytes here."""
    message = AppendEntries(3, 6, 2, 5, ENTRIES)
    assert decode_message(encode_message(message)) == message
