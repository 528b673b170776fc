"""Keys as an attacker makes them: any number of one crc32, in no time, because crc32 is linear."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from zlib import crc32

import pytest

from trikv.machine import database, split
from trikv.machine.database import Database
from trikv.machine.scanning import scan

CRC: Final = 0x12345678
_ALL = 0xFFFFFFFF


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = 0xEDB88320 ^ (byte >> 1) if byte & 1 else byte >> 1
    return byte


_TABLE = [_table_entry(byte) for byte in range(256)]
_BY_TOP = {entry >> 24: byte for byte, entry in enumerate(_TABLE)}


def _four_bytes_before(register: int) -> int:
    """The register of the crc that four zero bytes turn into `register`."""
    for _ in range(4):
        byte = _BY_TOP[register >> 24]
        register = (register ^ _TABLE[byte]) << 8 & _ALL | byte
    return register


def with_crc(beginning: bytes, crc: int) -> bytes:
    """`beginning` and four bytes more, so that the crc32 is `crc`."""
    end = _four_bytes_before(crc ^ _ALL) ^ crc32(beginning) ^ _ALL
    return beginning + end.to_bytes(4, "little")


def crafted(count: int, crc: int = CRC, name: bytes = b"key") -> list[bytes]:
    """That many keys of one crc32."""
    return [with_crc(b"%b:%d:" % (name, number), crc) for number in range(count)]


# Most of one crc32, some beside it, some with another one in the same bucket.
KEYS = [
    *crafted(40, CRC),
    *crafted(6, CRC ^ 1),
    *crafted(6, CRC ^ 0x100),
    *crafted(4, CRC ^ 0x80000),
]


@contextmanager
def small_limits() -> Iterator[None]:
    """Leaves of two keys at most, so that a few keys make every shape."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (split, database):
            patch.setattr(module, "LEAF_KEYS_MAX", 2)
        yield


def paged(db: Database, count: int) -> Iterator[list[bytes]]:
    """The pages of one scan."""
    cursor, seen = 0, {0}
    while True:
        cursor, page = scan(db, cursor, count)
        assert 0 <= cursor < 2**53, "a double holds it"
        assert cursor not in seen or not cursor, "it gets on"
        seen.add(cursor)
        yield page
        if not cursor:
            return
