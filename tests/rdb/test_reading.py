"""Every form of a value but streams: golden payloads, built by hand from the format's description."""

import struct
from collections.abc import Sequence
from math import inf

import pytest

from tests.rdb import craft
from tests.rdb.craft import intset, length, listpack, payload, raw, raws, ziplist, zipmap
from trikv import rdb

LONG = b"long" * 40
HASH = rdb.Hash([(b"f", b"1"), (b"g", LONG)])
ZSET = rdb.SortedSet([(b"a", -inf), (b"b", 1.0), (b"c", 2.5), (b"d", inf)])
SCORES: Sequence[craft.Element] = [b"a", b"-inf", b"b", 1, b"c", b"2.5", b"d", b"inf"]
LIST = rdb.List([b"1", LONG, b"", b"-70000"])
ELEMENTS: Sequence[craft.Element] = [1, LONG, b"", -70_000]


def double(number: float) -> bytes:
    """As ZSET_2 has it."""
    return struct.pack("<d", number)


GOLDEN: dict[str, tuple[int, bytes, rdb.Value]] = {
    "string": (0, raw(b"hello"), rdb.String(b"hello")),
    "empty string": (0, b"\0", rdb.String(b"")),
    "integer": (0, b"\xc1\x39\x30", rdb.String(b"12345")),
    "compressed": (0, b"\xc3\x04\x09\x00a\xc0\x00", rdb.String(b"a" * 9)),
    "list": (1, length(4) + raws(b"1", LONG, b"", b"-70000"), LIST),
    "list, ziplist": (10, raw(ziplist(ELEMENTS)), LIST),
    "list, quicklist": (
        14,
        length(3) + raws(ziplist(ELEMENTS[:1]), ziplist([]), ziplist(ELEMENTS[1:])),
        LIST,
    ),
    "list, quicklist 2": (
        18,
        length(4)
        + (b"\2" + raw(listpack(ELEMENTS[:1])))
        + (b"\1" + raw(LONG))
        + (b"\2" + raw(listpack([])))
        + (b"\2" + raw(listpack(ELEMENTS[2:]))),
        LIST,
    ),
    "set": (2, length(3) + raws(b"a", b"", LONG), rdb.Set([b"a", b"", LONG])),
    "set, intset": (11, raw(intset([-5, 0, 70_000], 4)), rdb.Set([b"-5", b"0", b"70000"])),
    "set, listpack": (20, raw(listpack([b"a", 5, LONG])), rdb.Set([b"a", b"5", LONG])),
    "sorted set": (
        3,
        length(4)
        + raw(b"a")
        + b"\xff"
        + raw(b"b")
        + b"\x011"
        + raw(b"c")
        + b"\x052.5e0"
        + raw(b"d")
        + b"\xfe",
        ZSET,
    ),
    "sorted set 2": (
        5,
        length(4) + b"".join(raw(name) + double(score) for name, score in ZSET.members),
        ZSET,
    ),
    "sorted set, ziplist": (12, raw(ziplist(SCORES)), ZSET),
    "sorted set, listpack": (17, raw(listpack(SCORES)), ZSET),
    "hash": (4, length(2) + raws(b"f", b"1", b"g", LONG), HASH),
    "hash, zipmap": (9, raw(zipmap([(b"f", b"1"), (b"g", LONG)], 2)), HASH),
    "hash, ziplist": (13, raw(ziplist([b"f", 1, b"g", LONG])), HASH),
    "hash, listpack": (16, raw(listpack([b"f", 1, b"g", LONG])), HASH),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_every_form_is_read(name: str) -> None:
    """Of any version that had it."""
    number, body, value = GOLDEN[name]
    for version in (1, 10, 11):
        assert rdb.gathered(rdb.read_payload(payload(number, body, version))) == value


@pytest.mark.parametrize(
    ("number", "body"),
    [
        *((number, b"\0") for number in (1, 2, 3, 4, 5, 14, 18)),
        (10, raw(ziplist([]))),
        (11, raw(intset([], 2))),
        *((number, raw(listpack([]))) for number in (16, 17, 20)),
        (9, raw(zipmap([]))),
        (14, length(2) + raw(ziplist([])) * 2),
        (18, length(1) + b"\2" + raw(listpack([]))),
    ],
)
def test_a_value_without_elements_is_refused(number: int, body: bytes) -> None:
    """No such key can exist; Redis' RESTORE says "Bad data format"."""
    with pytest.raises(rdb.DamagedError, match="a value without elements"):
        list(rdb.read_payload(payload(number, body)))


DAMAGE: list[tuple[int, bytes, str]] = [
    (2, length(2) + raws(b"a", b"a"), "member b'a' is there twice"),
    (20, raw(listpack([b"7", 7])), "member b'7' is there twice"),
    (4, length(2) + raws(b"f", b"1", b"f", b"2"), "field b'f' is there twice"),
    (16, raw(listpack([b"f", 1, b"f", 2])), "field b'f' is there twice"),
    (13, raw(ziplist([b"f", 1, b"f", 2])), "field b'f' is there twice"),
    (9, raw(zipmap([(b"f", b"1"), (b"f", b"1")])), "field b'f' is there twice"),
    (17, raw(listpack([b"a", 1, b"a", 2])), "member b'a' is there twice"),
    (5, length(2) + (raw(b"a") + double(1)) * 2, "member b'a' is there twice"),
    (3, length(2) + (raw(b"a") + b"\x011") * 2, "member b'a' is there twice"),
    (5, length(1) + raw(b"a") + double(float("nan")), "score is no number"),
    (3, length(1) + raw(b"a") + b"\xfd", "score is no number"),
    (17, raw(listpack([b"a", b"nan"])), "b'nan' is no score"),
    (17, raw(listpack([b"a", b""])), "b'' is no score"),
    (17, raw(listpack([b"a", b"1" * 129])), "is no score"),
    (12, raw(ziplist([b"a", b"1_0"])), "b'1_0' is no score"),
    (3, length(1) + raw(b"a") + b"\x03 10", "b' 10' is no score"),
    (3, length(1) + raw(b"a") + b"\x00", "b'' is no score"),
    (3, length(1) + raw(b"a") + b"\x05123", "ends where 5 bytes should follow"),
    (17, raw(listpack([b"a", 1, b"b"])), "member b'b' has no score"),
    (16, raw(listpack([b"a", 1, b"b"])), "field b'b' has no value"),
    (18, length(1) + b"\3" + raw(b"x"), "3 is no kind of a list's node"),
    (14, length(2) + raw(ziplist([1])), "ends where 1 byte should follow"),
    (1, length(2**40) + raw(b"x"), "ends where 1 byte should follow"),
    (10, raw(listpack([1])), "a ziplist"),
    (8, b"\0", "8 is no type of a value"),
    (99, b"\0", "99 is no type of a value"),
    (255, b"\0", "255 is no type of a value"),
    (0, raw(b"x") + b"!", "the value ends 1 byte early"),
    (2, b"\xc0\0", "no length begins with byte 0xc0"),
]


@pytest.mark.parametrize(("number", "body", "why"), DAMAGE)
def test_what_is_wrong_is_refused(number: int, body: bytes, why: str) -> None:
    """Twice the same, no number, half a pair, too little, too much, no such thing; the error says where."""
    with pytest.raises(rdb.DamagedError, match=why) as caught:
        list(rdb.read_payload(payload(number, body)))
    assert caught.value.offset is not None
    assert caught.value.offset <= len(body) + 1


def module_number(name: str) -> int:
    """A module's number: nine characters of six bits and ten bits of a version."""
    characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for character in name:
        number = number << 6 | characters.index(character)
    return number << 10 | 3


@pytest.mark.parametrize(
    ("number", "body", "why"),
    [
        (7, length(module_number("ReJSON-RL")) + b"\2\0\0", "value of module 'ReJSON-RL', which only that"),
        (6, length(module_number("ReJSON-RL")), "a module in a form that was never released"),
        *(
            (number, b"\0", "deadlines, which RDB version 12 has brought: RDB versions up to")
            for number in range(22, 26)
        ),
    ],
)
def test_what_is_not_known_is_told_from_damage(number: int, body: bytes, why: str) -> None:
    """Values of modules, by name, and of newer versions, with what can be done."""
    with pytest.raises(rdb.UnsupportedError, match=why):
        list(rdb.read_payload(payload(number, body)))


def parts_of(number: int, body: bytes) -> list[rdb.Part | None]:
    """All that comes, step by step."""
    return list(rdb.read_payload(payload(number, body)))


def test_parts_are_small() -> None:
    """256 elements, or fewer if these are long; a string is one part."""
    names = [b"%d" % number for number in range(1000)]
    assert [
        len(part.elements)
        for part in parts_of(1, length(1000) + raws(*names))
        if isinstance(part, rdb.ListPart)
    ] == [*(256, 256, 256, 232)]
    long = [b"%d" % number * 10_000 for number in range(20)]
    sizes = [
        len(part.members) for part in parts_of(2, length(20) + raws(*long)) if isinstance(part, rdb.SetPart)
    ]
    assert max(sizes) <= 8
    assert sum(sizes) == 20
    fields = parts_of(4, length(10) + raws(*long))
    assert [len(part.fields) for part in fields if isinstance(part, rdb.HashPart)] != [10]
    scored = parts_of(5, length(20) + b"".join(raw(name) + double(1) for name in long))
    assert max(len(part.members) for part in scored if isinstance(part, rdb.SortedSetPart)) <= 8


def test_long_compressed_elements_come_in_steps() -> None:
    """In any form: a step that makes a piece of one brings nothing."""
    tokens = b"\x00a" + b"\xe0\xff\x00" * 8000
    size = 1 + 264 * 8000
    long = b"\xc3" + length(len(tokens)) + length(size) + tokens
    for number, body in ((0, long), (1, length(1) + long), (2, length(1) + long), (18, b"\1\1" + long)):
        parts = parts_of(number, body)
        assert parts.count(None) > 3
        assert len([part for part in parts if part is not None]) == 1
    assert parts_of(4, length(1) + long + raw(b"x")).count(None) > 3
    assert parts_of(5, length(1) + long + double(1)).count(None) > 3
    with pytest.raises(rdb.DamagedError, match="a listpack of 2112001 bytes says"):
        parts_of(17, long)


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (2, length(20_000) + raws(*[b"%d" % number for number in range(20_000)])),
        (4, length(10_000) + raws(*[b"%d" % number for number in range(20_000)])),
        (5, length(20_000) + b"".join(raw(b"%d" % number) + double(number) for number in range(20_000))),
        (17, raw(listpack(range(20_000)))),
    ],
)
def test_what_was_remembered_is_forgotten_in_steps(number: int, body: bytes) -> None:
    """After the last part, a few tables a step."""
    parts = parts_of(number, body)
    assert parts[-1] is None
    assert parts.count(None) > 50
