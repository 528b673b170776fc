"""Streams in all three versions of their form, built by hand; and all that may contradict itself in one."""

import struct

import pytest

from tests.rdb import craft
from tests.rdb.craft import NODE, Element, Id, group, ids, length, listpack, payload, raw, raw_id, stream
from trikv import rdb

NUMBERS = {1: 15, 2: 19, 3: 21}
ENTRIES = [((10, 3), [b"f", b"one"]), ((15, 0), [b"g", b"three"])]
PENDING = [((10, 3), 1000, 1), ((10, 4), 2000, 5), ((15, 0), 3000, 70_000)]
CONSUMERS: list[tuple[bytes, int, int, list[Id]]] = [
    (b"alice", 5000, 4000, [(10, 3), (15, 0)]),
    (b"bob", 6000, -1, [(10, 4)]),
    (b"carol", 7000, 7000, []),
]


def read(version: int, body: bytes) -> rdb.Stream:
    """The stream that is in a payload."""
    value = rdb.gathered(rdb.read_payload(payload(NUMBERS[version], body)))
    assert isinstance(value, rdb.Stream)
    return value


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_is_read(version: int) -> None:
    """What an older one does not have follows from the rest, or is not known."""
    body = stream(
        version, groups=[group(version, pending=PENDING, consumers=CONSUMERS), group(version, b"h")]
    )
    value = read(version, body)
    assert (value.entries, value.last_id) == (ENTRIES, (20, 0))
    assert (value.max_deleted_id, value.entries_added) == (((0, 0), 2) if version == 1 else ((10, 4), 7))
    first, second = value.groups
    assert (first.name, first.last_id, second.name, second.pending) == (b"g", (15, 0), b"h", [])
    assert first.entries_read == second.entries_read == (None if version == 1 else 3)
    assert first.pending == [
        rdb.Pending((10, 3), 0, 1000, 1),
        rdb.Pending((10, 4), 1, 2000, 5),
        rdb.Pending((15, 0), 0, 3000, 70_000),
    ]
    seen: list[int | None] = [5000, 6000, 7000]
    active = [4000, None, 7000] if version == 3 else seen
    assert first.consumers == [
        rdb.Consumer(name, seen_ms, at) for (name, seen_ms, _, _), at in zip(CONSUMERS, active, strict=True)
    ]


def test_nobody_may_know_how_much_a_group_has_read() -> None:
    """Redis writes -1 as a length."""
    assert read(2, stream(2, groups=[group(2, read=2**64 - 1)])).groups[0].entries_read is None


def test_a_stream_may_be_empty() -> None:
    """As no other value: it has an id, and groups."""
    body = b"\0\0" + ids((5, 1), (0, 0), (5, 1)) + length(3) + b"\0"
    assert read(2, body) == rdb.Stream([], (5, 1), (5, 1), 3, [])


def node(*elements: Element) -> bytes:
    """A stream of one node of these."""
    return stream(2, node=elements)


def body_of(*nodes: tuple[Id, bytes], count: int = 2) -> bytes:
    """A stream of several nodes."""
    made = length(len(nodes)) + b"".join(raw(raw_id(key)) + raw(data) for key, data in nodes)
    return made + length(count) + ids((20, 0), (0, 0), (0, 0)) + length(count) + b"\0"


def test_ids_wrap_as_redis_counts() -> None:
    """A number that is far above the node's is less than 0 in 64 bits with a sign."""
    one = listpack([1, 0, 1, b"f", 0, 2, 0, -1, b"x", 4])
    value = read(2, body_of(((1, 0), one), count=1))
    assert list(value.entries) == [((1, 2**64 - 1), [b"f", b"x"])]


def test_an_entry_may_have_many_fields() -> None:
    """More than a chunk of elements: it comes whole, and in steps."""
    words = [b"%d" % number for number in range(10_000)]
    other: list[Element] = [0, 1, 0, 5000, *words, 10_004]
    pack = listpack([2, 0, 5000, *words[::2], 0, 2, 0, 0, *words[1::2], 5003, *other])
    value = read(2, body_of(((1, 0), pack)))
    assert list(value.entries) == [((1, 0), words), ((2, 0), words)]
    parts = list(rdb.read_payload(payload(19, body_of(((1, 0), pack)))))
    assert parts.count(None) > 10


def test_many_entries_come_in_parts() -> None:
    """A node may be as long as it likes."""
    entries = [part for number in range(1000) for part in (2, number, 0, number, 4)]
    body = body_of(((1, 0), listpack([1000, 0, 1, b"f", 0, *entries])), count=1000)
    body = body.replace(ids((20, 0), (0, 0), (0, 0)), ids((2000, 0), (0, 0), (0, 0)))
    parts = [part for part in rdb.read_payload(payload(19, body)) if isinstance(part, rdb.StreamPart)]
    assert sum(len(part.entries) for part in parts) == 1000
    assert max(len(part.entries) for part in parts) <= 64


GOOD = listpack(NODE)
NODES: list[tuple[bytes, str]] = [
    (node(), "a node of a stream ends within"),
    (node(2, 1, 1, b"f"), "ends within"),
    (node(2, 1, 1, b"f", 1), "master entry without end"),
    (node(2, 1, 5, b"f", 0), "ends within"),
    (node(2, 1, 2**62, b"f", 0), "ends within"),
    (node(-2, 1, 1, b"f", 0), "has -2 for a count"),
    (node(2, 1, -1, b"f", 0), "has -1 for a count"),
    (node(b"x", 1, 1, b"f", 0), "has b'x' where a number should be"),
    (node(*NODE[:-1]), "ends within"),
    (node(*NODE[:-1], 7), "another number than 6 behind 15-0"),
    (node(*NODE[:9], 5, *NODE[10:]), "another number than 4 behind 10-3"),
    (node(3, *NODE[1:]), "another number of entries"),
    (node(2, 0, *NODE[2:]), "another number of entries"),
    (node(2, 2, *NODE[2:]), "another number of entries"),
    (node(*NODE[:5], 4, *NODE[6:]), "10-3 with flags 4 behind the beginning"),
    (node(*NODE[:5], -1, *NODE[6:]), "10-3 with flags -1"),
    (node(*NODE[:7], -1, *NODE[8:]), "10-2 with flags 2"),
    (node(*NODE[:12], 0, *NODE[13:]), "10-3 with flags 3 behind 10-3"),
    (node(*NODE[:5], 0, 0, 0, 2**62, 1), "ends within"),
    (stream(2, node=NODE, count=3), "stream of 2 entries says that it has 3"),
    (stream(2, node=NODE, last=(14, 9)), "a greater id than its last one"),
    (body_of(((10, 3), GOOD), ((10, 3), GOOD), count=4), "10-3 with flags 2 behind 15-0"),
    (body_of(((10, 3), GOOD), ((9, 0), GOOD), count=4), "9-0 with flags 2 behind 15-0"),
    (b"\1" + raw(raw_id((1, 1))[:15]) + raw(GOOD), "an id of 15 bytes, not 16"),
    (b"\1" + raw(raw_id((1, 1))) + raw(GOOD[:-1]), "a listpack of"),
    (stream(2)[:-1], "ends where 1 byte should follow"),
]


@pytest.mark.parametrize(("body", "why"), NODES)
def test_a_node_that_is_wrong_is_refused(body: bytes, why: str) -> None:
    """Counts, flags, ids that do not ascend, the number of elements behind each entry."""
    with pytest.raises(rdb.DamagedError, match=why):
        read(2, body)


def state(added: int, deleted: Id) -> bytes:
    """A stream with this behind its last and first id."""
    return stream(2).replace(ids((10, 3), (10, 4)) + length(7), ids((10, 3), deleted) + length(added))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (state(1, (10, 4)), "stream of 2 entries says that it was given 1"),
        (state(2**63, (10, 4)), "says that it was given 9223372036854775808"),
        (state(7, (20, 1)), "deleted an entry with a greater id than its last one"),
        (stream(2, groups=[group(2), group(2)]), "group b'g' is there twice"),
        (stream(2, groups=[group(2, read=2**63)]), "a group has read 9223372036854775808 entries"),
    ],
)
def test_what_a_stream_says_of_itself_must_fit(body: bytes, why: str) -> None:
    """How many entries it had, which was deleted last, its groups."""
    with pytest.raises(rdb.DamagedError, match=why):
        read(2, body)


def owned(*owners: tuple[bytes, list[Id]]) -> bytes:
    """A stream with a group of three pending entries, which these consumers own."""
    consumers = [(name, 1, 1, ids_) for name, ids_ in owners]
    return stream(2, groups=[group(2, pending=PENDING, consumers=consumers)])


ALL: list[Id] = [(10, 3), (10, 4), (15, 0)]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (owned((b"a", ALL[:2])), "a pending entry is no consumer's"),
        (owned(), "a pending entry is no consumer's"),
        (owned((b"a", ALL), (b"b", ALL[1:2])), "two consumers own one pending entry"),
        (owned((b"a", [(10, 3), (10, 5)])), "not pending in its group"),
        (owned((b"a", [(99, 0)])), "not pending in its group"),
        (owned((b"a", [*ALL, (99, 0)])), "not pending in its group"),
        (owned((b"a", [(15, 0), (10, 3), (10, 4)])), "not pending in its group, or is behind"),
        (owned((b"a", [(10, 3), (10, 3), (10, 4), (15, 0)])), "not pending in its group, or is behind"),
        (owned((b"a", ALL), (b"a", [])), "consumer b'a' is there twice"),
        (stream(2, groups=[group(2, pending=PENDING[::-1])]), "pending entries of a group do not ascend"),
        (stream(2, groups=[group(2, pending=PENDING[:1] * 2)]), "pending entries of a group do not ascend"),
        (stream(2, groups=[group(2, pending=[((1, 1), -1, 1)])]), "delivered 1 time, at -1 ms"),
        (stream(2, groups=[group(2, pending=[((1, 1), 1, 2**63)])]), "delivered 9223372036854775808 times"),
        (stream(2, groups=[group(2, consumers=[(b"a", -1, 0, [])])]), "seen at -1 and active at -1 ms"),
    ],
)
def test_what_is_pending_must_be_one_consumers(body: bytes, why: str) -> None:
    """Each entry exactly one's, and nothing that is not pending in the group."""
    with pytest.raises(rdb.DamagedError, match=why):
        read(2, body)


def test_a_consumer_that_was_never_active_says_so() -> None:
    """By -1, and by nothing less."""
    body = stream(3, groups=[group(3, consumers=[(b"a", 5, -2, [])])])
    with pytest.raises(rdb.DamagedError, match="seen at 5 and active at -2 ms"):
        read(3, body)


def test_many_pending_entries_come_in_steps_and_in_order() -> None:
    """Of two consumers who own every other one, and two hundred who own nothing."""
    count = 2000
    every: list[Id] = [(1, number + 1) for number in range(count)]
    consumers: list[tuple[bytes, int, int, list[Id]]] = [(b"a", 1, 1, every[::2]), (b"b", 1, 1, every[1::2])]
    consumers += [(b"%d" % number, 1, 1, []) for number in range(200)]
    body = group(3, pending=[(id_, 5, 1) for id_ in every], consumers=consumers)
    parts = list(rdb.read_payload(payload(21, stream(3, groups=[body]))))
    pending = [one for part in parts if isinstance(part, rdb.PendingPart) for one in part.pending]
    assert [one.id for one in pending] == every
    assert [one.consumer for one in pending] == [0, 1] * (count // 2)
    assert parts.count(None) > count // 256
    assert max(len(part.pending) for part in parts if isinstance(part, rdb.PendingPart)) == 256


def test_times_are_where_they_should_be() -> None:
    """The builder of these tests itself, for once by its bytes."""
    made = group(3, b"g", pending=PENDING[:1], consumers=[(b"c", 7, 8, [(10, 3)])])
    entry = struct.pack(">QQ", 10, 3)
    assert made == (
        b"\x01g\x0f\x00\x03\x01" + entry + struct.pack("<q", 1000) + b"\x01"
        b"\x01\x01c" + struct.pack("<qq", 7, 8) + b"\x01" + entry
    )
    assert craft.raw_id((10, 3)) == entry


def test_a_chunk_counts_the_fields_that_its_entries_share() -> None:
    """A payload of kilobytes may hold megabytes for whoever copies each entry."""
    field = b"f" * 10_000
    entries = [part for number in range(100) for part in (2, number, 0, number, 4)]
    body = body_of(((1, 0), listpack([100, 0, 1, field, 0, *entries])), count=100)
    body = body.replace(ids((20, 0), (0, 0), (0, 0)), ids((2000, 0), (0, 0), (0, 0)))
    parts = [part for part in rdb.read_payload(payload(19, body)) if isinstance(part, rdb.StreamPart)]
    assert [len(part.entries) for part in parts] == [7] * 14 + [2]
    assert parts[0].entries[0][1][0] is parts[-1].entries[0][1][0]
