"""Ziplists: every encoding, and everything that may be wrong with one."""

import struct

import pytest

from tests.rdb.craft import Element, ziplist, ziplist_entry
from trikv.rdb.errors import DamagedError
from trikv.rdb.ziplist import Ziplist

ELEMENTS: list[Element] = [
    *(0, 12, 13, -1, 127, -128, 128, 32767, -32768, 2**23 - 1, -(2**23), 2**23, 2**31 - 1, 2**31, -(2**63)),
    *(b"", b"x" * 63, b"y" * 64, b"z" * 300, 5, b"z" * 16_383, b"z" * 16_384, b"last"),
]


def read(data: bytes) -> list[bytes]:
    """All elements."""
    pack, found = Ziplist(data, 100), []
    while some := pack.some():
        found += some
    return found


@pytest.mark.parametrize("is_long", [False, True])
def test_every_encoding_is_read(*, is_long: bool) -> None:
    """Also if the length of what is before has its long form although it is small: they never shrink."""
    texts = [element if isinstance(element, bytes) else b"%d" % element for element in ELEMENTS]
    assert read(ziplist(ELEMENTS, is_long=is_long)) == texts
    assert read(ziplist(ELEMENTS, 65_535)) == texts
    assert read(ziplist([])) == []


def test_a_chunk_is_bounded_and_even() -> None:
    """256 elements or about 64 KiB; a pair is never divided."""
    pack = Ziplist(ziplist([5] * 600), 0)
    assert [len(pack.some()) for _ in range(4)] == [256, 256, 88, 0]
    pack = Ziplist(ziplist([b"x" * 50_000] * 7), 0)
    assert [len(pack.some()) for _ in range(5)] == [2, 2, 2, 1, 0]


def made(body: bytes, count: int, tail: int = 10) -> bytes:
    """One of these bytes with an end."""
    return struct.pack("<IIH", 11 + len(body), tail, count) + body + b"\xff"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is too short"),
        (made(b"", 0)[:-1], "is too short"),
        (made(b"\0\xf1", 1)[:-1] + b"\0\xff", "says that it has"),
        (made(b"\0\xf1", 1)[:-1] + b"\xfe", "has no end"),
        (made(b"\0\xf1", 2), "of 1 elements says that it has 2"),
        (made(b"\0\xf1\2\xf1", 2), "last element is at 10, not 12"),
        (made(b"\0\xf1\3\xf1", 2, 12), "says 3 of an element of 2 bytes"),
        (made(b"\1\xf1", 1), "says 1 of an element of 0 bytes"),
        (made(b"\0\xf1\xff\xf1", 2, 12), "ends before its end"),
        (made(b"\0", 1), "ends behind its end"),
        (made(b"\0\x05abc", 1), "ends behind its end"),
        (made(b"\0\x7f\xff", 1), "ends behind its end"),
        (made(b"\0\x40", 1), "ends behind its end"),
        (made(b"\0\x80\xff\xff\xff\xff", 1), "ends behind its end"),
        (made(b"\0\xe0\0\0", 1), "ends behind its end"),
        (made(b"\0\xc1", 1), "begins with 0xc1"),
        (made(b"\xfe\0\0\0", 1), "ends behind its end|of an element"),
        (made(ziplist_entry(7, 0) + ziplist_entry(b"x", 2)[:-1], 2, 12), "ends behind its end"),
    ],
)
def test_what_is_wrong_is_refused(data: bytes, why: str) -> None:
    """The error says what, at which byte, and where the ziplist is."""
    with pytest.raises(DamagedError, match=rf"ziplist .*(?:{why}).* at its byte \d+ \(offset 100\)"):
        read(data)
