"""What DUMP answers and RESTORE takes.

::

    type 1 | value | RDB version 2, little-endian | CRC-64 of all before 8, little-endian
"""

from collections.abc import Generator, Iterator
from typing import Final

from trikv.rdb.checksum import CHECKSUM_BYTES, checksum
from trikv.rdb.errors import NEWER, VERSION_MAX, DamagedError, PayloadError
from trikv.rdb.forms import VERSION
from trikv.rdb.parts import Parts
from trikv.rdb.reading import parts_of
from trikv.rdb.source import STRING_BYTES_MAX, Source
from trikv.rdb.values import Value
from trikv.rdb.writing import form_of
from trikv.size_notation import counted

_VERSION_BYTES: Final = 2
_END_BYTES: Final = _VERSION_BYTES + CHECKSUM_BYTES
_SUMMED_BYTES: Final = 512 * 1024
"""What is summed in a step, in a quarter of a millisecond."""


def read_payload(payload: bytes, *, string_bytes_max: int = STRING_BYTES_MAX) -> Parts:
    """The value of a payload, in parts; its end is checked before.

    Raises PayloadError if the end is not right, DamagedError if the value is not, and UnsupportedError.
    """
    end = len(payload) - _END_BYTES
    if end <= 0:
        raise PayloadError(
            f"a payload of {counted(len(payload), 'byte')} has no end, or no value before it", 0
        )
    version = int.from_bytes(payload[end : end + _VERSION_BYTES], "little")
    if version > VERSION_MAX:
        raise PayloadError(f"the payload is of RDB version {version}: {NEWER}", end)
    said = int.from_bytes(payload[-CHECKSUM_BYTES:], "little")
    if (yield from _sum(payload, len(payload) - CHECKSUM_BYTES)) != said:
        raise PayloadError("the checksum is not that of the payload", end + _VERSION_BYTES)
    source = Source(payload, end, string_bytes_max)
    yield from parts_of(source, source.byte(), 0)
    if source.at != end:
        raise DamagedError(f"the value ends {counted(end - source.at, 'byte')} early", source.at)


def _sum(data: bytes, end: int) -> Generator[None, None, int]:
    """The checksum of what is before `end`."""
    view, summed = memoryview(data)[:end], 0
    for start in range(0, end, _SUMMED_BYTES):
        if start:
            yield
        summed = checksum(view[start : start + _SUMMED_BYTES], summed)
    return summed


def payload_of(value: Value, *, version: int = VERSION, compress: bool = True) -> Iterator[bytes]:
    """The pieces of a value's payload, in steps; some are empty.

    `version` is 10 (Redis 7.0) or 11. Raises UnsupportedError if the value has no form in it.
    """
    number, pieces = form_of(value, version, compress=compress)
    head = bytes((number,))
    summed = checksum(head)
    yield head
    for piece in pieces:
        yield piece
        for start in range(0, len(piece), _SUMMED_BYTES):
            if start:
                yield b""
            summed = checksum(memoryview(piece)[start : start + _SUMMED_BYTES], summed)
    end = version.to_bytes(_VERSION_BYTES, "little")
    yield end + checksum(end, summed).to_bytes(CHECKSUM_BYTES, "little")
