"""CRC-64 as Redis computes it."""

from hypothesis import given
from hypothesis import strategies as st

from tests.rdb.craft import crc64
from trikv.rdb.checksum import checksum


def test_it_is_redis_own() -> None:
    """Its check value, which crc64.c names."""
    assert checksum(b"123456789") == 0xE9C6D914C4B8D9CA


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_it_goes_piece_by_piece(pieces: list[bytes]) -> None:
    """The same comes of any pieces, also of empty ones, and of one computed bit by bit."""
    value = 0
    for piece in pieces:
        value = checksum(piece, value)
    assert value == checksum(memoryview(b"".join(pieces))) == crc64(b"".join(pieces))
