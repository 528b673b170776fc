"""Listpacks: every encoding both ways, and everything that may be wrong with one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rdb.craft import Element, listpack, listpack_element
from trikv.rdb.errors import DamagedError
from trikv.rdb.listpack import Listpack, Packing, integer_of, length_behind, packed

ELEMENTS: list[Element] = [
    *(0, 127, 128, 4095, 4096, -1, -4096, -4097, 32767, -32768, 32768, -(2**23), 2**23 - 1, 2**23, -(2**31)),
    *(
        2**31,
        2**63 - 1,
        -(2**63),
        b"",
        b"x",
        b"y" * 63,
        b"z" * 64,
        b"z" * 125,
        b"z" * 126,
        b"z" * 4095,
        b"z" * 4096,
    ),
    *(
        b"z" * 16_375,
        b"z" * 16_376,
        b"z" * 16_377,
        b"z" * 16_378,
        b"z" * 16_379,
        b"z" * 70_000,
        b"z" * 2_100_000,
    ),
]


def text(element: Element) -> bytes:
    """What is read of one."""
    return element if isinstance(element, bytes) else b"%d" % element


def read(data: bytes) -> list[bytes]:
    """All elements."""
    pack, found = Listpack(data, 100), []
    while some := pack.some():
        found += some
    return found


def test_every_encoding_is_read() -> None:
    """Integers of all widths, strings of all kinds of lengths, and the lengths behind them."""
    assert read(listpack(ELEMENTS)) == [text(element) for element in ELEMENTS]
    assert read(listpack([])) == []


def test_every_encoding_is_written() -> None:
    """As by hand, byte for byte; so Redis would write it."""
    packing = Packing()
    for element in ELEMENTS:
        if isinstance(element, int):
            packing.add_number(element)
        packing.add(text(element))
    doubled = [
        one for element in ELEMENTS for one in ([element] * 2 if isinstance(element, int) else [element])
    ]
    made = packing.made()
    assert made == listpack(doubled)
    assert len(packing) == len(doubled)


def test_a_number_can_be_put_later() -> None:
    """In the place of the first one: how many entries a node has."""
    packing = Packing()
    packing.add_number(0)
    packing.add(b"x")
    packing.set_first(1000)
    assert packing.made() == listpack([1000, b"x"])


@pytest.mark.parametrize(
    "size", [1, 127, 128, 16_382, 16_383, 2_097_150, 2_097_151, 268_435_454, 268_435_455, 2**32 + 4]
)
def test_the_length_behind_an_element_reads_backwards(size: int) -> None:
    """Seven bits a byte, the last byte first; the borders are those of lpEncodeBacklen."""
    back = length_behind(size)
    borders = [127, 16_382, 2_097_150, 268_435_454]
    assert len(back) == 1 + sum(size > border for border in borders)
    assert sum((byte & 127) << 7 * place for place, byte in enumerate(reversed(back))) == size
    assert [byte >> 7 for byte in back] == [0, *[1] * (len(back) - 1)]


@pytest.mark.parametrize(
    "word", [b"", b"01", b"-0", b"+1", b" 1", b"1 ", b"1_0", b"1.0", b"x", b"9223372036854775808", b"1" * 21]
)
def test_what_is_no_canonical_integer_stays_a_string(word: bytes) -> None:
    """So it comes back byte for byte."""
    assert integer_of(word) is None
    assert packed(word) == listpack_element(word)


def test_more_elements_than_the_header_can_say() -> None:
    """65535 means: count them."""
    packing = Packing()
    for _ in range(65_536):
        packing.add_number(1)
    assert len(read(packing.made())) == 65_536
    assert len(read(listpack([7] * 65_534))) == 65_534


@given(st.lists(st.binary(max_size=80) | st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n)))
def test_what_is_written_is_read(elements: list[bytes]) -> None:
    """Any strings, numbers or not."""
    packing = Packing()
    for element in elements:
        packing.add(element)
    assert read(packing.made()) == elements


def test_a_chunk_is_bounded_and_even() -> None:
    """256 elements or about 64 KiB; a pair is never divided."""
    pack = Listpack(listpack([5] * 600), 0)
    assert [len(pack.some()) for _ in range(4)] == [256, 256, 88, 0]
    pack = Listpack(listpack([b"x" * 50_000] * 7), 0)
    assert [len(pack.some()) for _ in range(5)] == [2, 2, 2, 1, 0]


def damaged(data: bytes, size: int | None = None) -> bytes:
    """With a header that tells its bytes, unless it is to say another number."""
    return struct.pack("<I", len(data) + 4 if size is None else size) + data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is too short"),
        (b"\x07\0\0\0\0\0", "is too short"),
        (damaged(b"\0\0\xff", 8), "says that it has 8"),
        (damaged(b"\0\0\xfe"), "has no end"),
        (damaged(b"\1\0\xff"), "of 0 elements says that it has 1"),
        (listpack([1, 2], 3), "of 2 elements says that it has 3"),
        (damaged(b"\1\0\x05\xff"), "no such length behind"),
        (damaged(b"\1\0\x05\x02\xff"), "no such length behind"),
        (damaged(b"\1\0\x83ab\xff"), "no such length behind"),
        (damaged(b"\1\0\x82ab\x04\xff"), "no such length behind"),
        (damaged(b"\1\0\xc1\xff"), "no such length behind"),
        (damaged(b"\1\0\xe1\xff"), "no such length behind"),
        (damaged(b"\1\0\xe0\xff"), "no such length behind"),
        (damaged(b"\1\0\xf0\xff\xff\xff\xff\xff"), "no such length behind"),
        (damaged(b"\1\0\xf4\1\2\3\xff"), "no such length behind"),
        (damaged(b"\1\0\xf5\1\xff"), "begins with 0xf5"),
        (damaged(b"\1\0\xff\x01\xff"), "begins with 0xff"),
        (damaged(b"\1\0" + listpack_element(b"x" * 200)[:-1] + b"\xff"), "no such length behind"),
        (damaged(b"\1\0" + listpack_element(b"x" * 200)[:-2] + b"\x01\x4a\xff"), "no such length behind"),
    ],
)
def test_what_is_wrong_is_refused(data: bytes, why: str) -> None:
    """The error says what, at which byte, and where the listpack is."""
    with pytest.raises(DamagedError, match=rf"listpack .*{why}.* at its byte \d+ \(offset 100\)"):
        read(data)
