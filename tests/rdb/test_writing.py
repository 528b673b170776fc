"""Values on the way out: the forms, their thresholds, the steps."""

import struct
from collections.abc import Iterator
from hashlib import sha256
from math import inf, nan

import pytest

from tests.rdb.craft import Element, group, intset, length, listpack, payload, raw, raws, stream
from trikv import rdb
from trikv.rdb.writing import score_text


def written(value: rdb.Value, version: int = 10, *, compress: bool = False) -> bytes:
    """Its payload."""
    return b"".join(rdb.payload_of(value, version=version, compress=compress))


LONG = b"x" * 65
STREAM = rdb.Stream(
    [((10, 3), [b"f", b"one"]), ((15, 0), [b"g", b"three"])],
    (20, 0),
    (10, 4),
    7,
    [
        rdb.Group(
            b"g",
            (15, 0),
            3,
            [rdb.Consumer(b"alice", 5000, 4000), rdb.Consumer(b"bob", 6000, None)],
            [rdb.Pending((10, 3), 1, 1000, 1), rdb.Pending((15, 0), 0, 3000, 2)],
        ),
        rdb.Group(b"h", (15, 0), None, [], []),
    ],
)
NODE: list[Element] = [2, 0, 1, b"f", 0, 2, 0, 0, b"one", 4, 0, 5, -3, 1, b"g", b"three", 6]


def stream_body(version: int) -> bytes:
    """That stream by hand."""
    of_g = group(
        version,
        pending=[((10, 3), 1000, 1), ((15, 0), 3000, 2)],
        consumers=[(b"alice", 5000, 4000, [(15, 0)]), (b"bob", 6000, -1, [(10, 3)])],
    )
    return stream(version, node=NODE, groups=[of_g, group(version, b"h", read=2**64 - 1)])


GOLDEN: dict[str, tuple[rdb.Value, int, bytes]] = {
    "string": (rdb.String(b"hello"), 0, raw(b"hello")),
    "empty": (rdb.String(b""), 0, b"\0"),
    "int8": (rdb.String(b"-128"), 0, b"\xc0\x80"),
    "int16": (rdb.String(b"-129"), 0, b"\xc1\x7f\xff"),
    "int32": (rdb.String(b"-2147483648"), 0, b"\xc2\0\0\0\x80"),
    "no int": (rdb.String(b"2147483648"), 0, raw(b"2147483648")),
    "no canonical int": (rdb.String(b"007"), 0, raw(b"007")),
    "long": (rdb.String(b"x" * 70_000), 0, raw(b"x" * 70_000)),
    "list": (rdb.List([b"a", b"1"]), 18, b"\1\2" + raw(listpack([b"a", 1]))),
    "list of nodes": (
        rdb.List([b"a", b"y" * 9000, b"b", b"z" * 8170, b"c"]),
        18,
        b"\5"
        b"\2"
        + raw(listpack([b"a"]))
        + b"\1"
        + raw(b"y" * 9000)
        + b"\2"
        + raw(listpack([b"b"]))
        + b"\2"
        + raw(listpack([b"z" * 8170]))
        + b"\2"
        + raw(listpack([b"c"])),
    ),
    "intset": (rdb.Set([b"5", b"-70000"]), 11, raw(intset([-70_000, 5], 4))),
    "set": (rdb.Set([b"5", b"a"]), 2, b"\2\xc0\5" + raw(b"a")),
    "set of 513": (
        rdb.Set([b"%d" % number for number in range(513)]),
        2,
        length(513)
        + b"".join(
            b"\xc0" + bytes([number]) if number < 128 else b"\xc1" + struct.pack("<h", number)
            for number in range(513)
        ),
    ),
    "hash": (rdb.Hash([(b"f", b"1")]), 16, raw(listpack([b"f", 1]))),
    "hash, long": (rdb.Hash([(b"f", LONG)]), 4, b"\1" + raws(b"f", LONG)),
    "sorted set": (
        rdb.SortedSet([(b"b", 2.5), (b"c", 1.0), (b"a", 1.0), (b"d", -inf)]),
        17,
        raw(listpack([b"d", b"-inf", b"a", 1, b"c", 1, b"b", b"2.5"])),
    ),
    "sorted set, long": (rdb.SortedSet([(LONG, -0.0)]), 5, b"\1" + raw(LONG) + struct.pack("<d", -0.0)),
    "stream": (STREAM, 19, stream_body(2)),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_every_form_is_written(name: str) -> None:
    """Byte for byte as by hand, uncompressed."""
    value, number, body = GOLDEN[name]
    assert written(value) == payload(number, body)


def test_a_stream_says_more_in_version_11() -> None:
    """When consumers were active; other values are the same."""
    assert written(STREAM, 11) == payload(21, stream_body(3), 11)
    assert written(rdb.List([b"a", b"1"]), 11) == payload(*GOLDEN["list"][1:], 11)


def test_thresholds_are_those_of_redis() -> None:
    """512 fields, 128 members, 64 bytes, 512 integers."""

    def number(value: rdb.Value) -> int:
        return written(value)[0]

    def pairs(count: int) -> list[tuple[bytes, bytes]]:
        return [(b"%d" % one, b"v") for one in range(count)]

    assert [number(rdb.Hash(pairs(count))) for count in (512, 513)] == [16, 4]
    assert [number(rdb.Hash([(b"f" * size, b"")])) for size in (64, 65)] == [16, 4]
    scored = [(b"%d" % one, 1.0) for one in range(129)]
    assert [number(rdb.SortedSet(scored[:count])) for count in (128, 129)] == [17, 5]
    assert [number(rdb.SortedSet([(b"m" * size, 1.0)])) for size in (64, 65)] == [17, 5]
    assert [number(rdb.Set([b"%d" % one for one in range(count)])) for count in (512, 513)] == [11, 2]


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0.0, b"0"),
        (-0.0, b"-0"),
        (3.0, b"3"),
        (-(2.0**53), b"-9007199254740992.0"),
        (0.1, b"0.1"),
        (inf, b"inf"),
    ],
)
def test_scores_read_back_as_they_were(score: float, text: bytes) -> None:
    """In the shortest text; whole ones without a point, so that they are packed as integers."""
    assert score_text(score) == text
    assert float(text) == score


def test_what_repeats_is_compressed() -> None:
    """If that saves more than four bytes; what is shorter than 21 is not tried."""
    assert written(rdb.String(b"a" * 20), compress=True) == payload(0, raw(b"a" * 20))
    noise = bytes(range(256))
    assert written(rdb.String(noise), compress=True) == payload(0, raw(noise))
    for text in (b"ab" * 100, b"lorem ipsum " * 100_000):
        short = written(rdb.String(text), compress=True)
        assert short[1] == 0xC3
        assert len(short) < len(text) // 2
        assert rdb.gathered(rdb.read_payload(short)) == rdb.String(text)
    noise = b"".join(sha256(b"%d" % number).digest() for number in range(3000))
    assert written(rdb.String(noise), compress=True) == payload(0, raw(noise))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (rdb.List([]), "without elements"),
        (rdb.Set([]), "without elements"),
        (rdb.SortedSet([]), "without elements"),
        (rdb.Hash([]), "without elements"),
        (rdb.Hash([(b"f", b"v")], has_deadlines=True), "deadlines has no form in RDB version 10"),
        (rdb.SortedSet([(b"m", nan)]), "the score of b'm' is no number"),
        (rdb.SortedSet([(b"m", nan)] * 200), "the score of b'm' is no number"),
        (rdb.Stream([((1, 1), []), ((1, 1), [])], (1, 1), (0, 0), 2), "is behind"),
    ],
)
def test_what_has_no_form_is_refused(value: rdb.Value, why: str) -> None:
    """Rather than to write what nobody can load."""
    with pytest.raises(rdb.UnsupportedError, match=why):
        written(value)


class Counted:
    """Elements that are made as they are asked for, and how often somebody began."""

    def __init__(self, count: int, size: int) -> None:
        self._count, self._size = count, size
        self.begun = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        self.begun += 1
        for number in range(self._count):
            yield b"%0*d" % (self._size, number)


@pytest.mark.parametrize("kind", [rdb.List, rdb.Set])
@pytest.mark.parametrize("size", [8, 3000, 100_000])
def test_a_large_value_is_written_piece_by_piece(kind: type[rdb.List | rdb.Set], size: int) -> None:
    """No piece holds much more than 64 KiB, or one element; no step is without an end."""
    elements = Counted(6_000_000 // size // 10, size)
    pieces = list(rdb.payload_of(kind(elements), compress=False))
    assert elements.begun <= 2
    assert max(map(len, pieces)) <= 2 * max(size, 40_000)
    assert len(pieces) > len(elements) // 1024
    value = rdb.gathered(rdb.read_payload(b"".join(pieces)))
    assert value == kind(list(elements))


def test_other_large_values_are_written_piece_by_piece() -> None:
    """Hashes, sorted sets, streams with what is pending in them."""
    names = [b"x%0*d" % (30 if number % 100 else 70_000, number) for number in range(2000)]
    values: list[rdb.Value] = [
        rdb.Hash([(name, name[:5]) for name in names]),
        rdb.SortedSet([(name, 0.5) for name in names]),
        rdb.Stream(
            [((number + 1, 0), [b"f", name]) for number, name in enumerate(names)],
            (2000, 0),
            (0, 0),
            2000,
            [
                rdb.Group(
                    b"g",
                    (2000, 0),
                    2000,
                    [rdb.Consumer(b"a", 1, 1), rdb.Consumer(b"b", 1, 1)],
                    [rdb.Pending((number + 1, 0), number % 7 // 6, 1, 1) for number in range(2000)],
                )
            ],
        ),
        rdb.Stream([((1, 0), [b"%d" % number for number in range(5000)])], (1, 0), (0, 0), 1, []),
    ]
    for value in values:
        for compress in (False, True):
            pieces = list(rdb.payload_of(value, version=11, compress=compress))
            assert max(map(len, pieces)) < 150_000
            assert rdb.gathered(rdb.read_payload(b"".join(pieces))) == value


def test_a_full_node_is_followed_by_another() -> None:
    """100 entries, or 4 KiB; a list's node has 8 KiB."""
    entries: list[rdb.Entry] = [((number, 0), [b"f", b"v"]) for number in range(1, 251)]
    data = written(rdb.Stream(entries, (250, 0), (0, 0), 250))
    assert data[1] > 2
    assert written(rdb.List([b"%04d" % number for number in range(10)]))[1] == 1
    assert written(rdb.List([b"%04d" % number for number in range(3000)]))[1] > 3
