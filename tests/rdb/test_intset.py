"""Intsets, both ways."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rdb.craft import intset
from trikv.rdb.errors import DamagedError
from trikv.rdb.intset import Intset, packed_integers


def read(data: bytes) -> list[bytes]:
    """All numbers."""
    pack, found = Intset(data, 100), []
    while some := pack.some():
        found += some
    return found


@pytest.mark.parametrize(
    ("numbers", "width"),
    [([], 2), ([-32768, 0, 32767], 2), ([-(2**31), -1, 2**31 - 1], 4), ([-(2**63), 0, 2**63 - 1], 8)],
)
def test_every_width_is_read_and_written(numbers: list[int], width: int) -> None:
    """The least that all of them fit in is written."""
    assert read(intset(numbers, width)) == [b"%d" % number for number in numbers]
    assert packed_integers(numbers[::-1]) == intset(numbers, width)


@given(st.sets(st.integers(-(2**63), 2**63 - 1) | st.integers(-40_000, 40_000), max_size=700))
def test_what_is_written_is_read(numbers: set[int]) -> None:
    """In order, in chunks."""
    assert read(packed_integers(list(numbers))) == [b"%d" % number for number in sorted(numbers)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\2\0\0\0\0\0\0", "too short"),
        (struct.pack("<II", 3, 0), "numbers of 3 bytes"),
        (struct.pack("<II", 0, 0), "numbers of 0 bytes"),
        (intset([1, 2], 2) + b"\0", "says it has 2 numbers"),
        (struct.pack("<II", 8, 2**32 - 1), "says it has 4294967295 numbers"),
        (intset([1, 1], 4), "has 1 behind 1"),
        (intset([*range(300), 5], 4), "has 5 behind 299"),
    ],
)
def test_what_is_wrong_is_refused(data: bytes, why: str) -> None:
    """Its width, its count, its order: so no number is there twice."""
    with pytest.raises(DamagedError, match=rf"intset .*{why}.* \(offset 100\)"):
        read(data)
