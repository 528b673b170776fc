"""Lengths and strings on the way out, as `source` reads them."""

from collections.abc import Generator
from typing import Final

from trikv.rdb import lzf
from trikv.rdb.listpack import integer_of
from trikv.rdb.steps import STEP_BYTES, drained

_INTEGER_CHARACTERS_MAX: Final = 11
"""Those of -2147483648: Redis writes no longer integers in their short forms."""
_COMPRESSED_BYTES_MIN: Final = 21
"""Redis does not try to compress less."""
_ONE_BYTE: Final = tuple(bytes((size,)) for size in range(0x40))


def length(number: int) -> bytes:
    """A length or a count below 2**64."""
    if number < 0x40:
        return _ONE_BYTE[number]
    if number < 0x4000:
        return (0x4000 | number).to_bytes(2, "big")
    if number < 1 << 32:
        return b"\x80" + number.to_bytes(4, "big")
    return b"\x81" + number.to_bytes(8, "big")


def milliseconds(number: int) -> bytes:
    """A time in milliseconds, which may be negative."""
    return number.to_bytes(8, "little", signed=True)


def string(data: bytes, *, compress: bool) -> Generator[bytes, None, None]:
    """Pieces that make the string, in steps; without any bytes while it is compressed."""
    size = len(data)
    if size <= STEP_BYTES:
        yield short_string(data, compress=compress)
        return
    if compress:
        compressed = yield from _without_bytes(lzf.compressed_in_steps(data))
        if len(compressed) < size - 4:
            yield _compressed_head(compressed, size)
            yield compressed
            return
    yield length(size)
    yield data


def _without_bytes(steps: Generator[None, None, bytes]) -> Generator[bytes, None, bytes]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            made: bytes = end.value
            return made
        yield b""


def _compressed_head(compressed: bytes, size: int) -> bytes:
    return b"\xc3" + length(len(compressed)) + length(size)


def short_string(data: bytes, *, compress: bool) -> bytes:
    """The same at once, of a string of at most `STEP_BYTES`."""
    size = len(data)
    if size <= _INTEGER_CHARACTERS_MAX:
        number = integer_of(data) if data[-1:].isdigit() else None
        if number is not None and -(1 << 31) <= number < 1 << 31:
            return _integer(number)
        return _ONE_BYTE[size] + data
    if compress and size >= _COMPRESSED_BYTES_MIN:
        compressed = drained(lzf.compressed_in_steps(data))
        if len(compressed) < size - 4:  # as in Redis: what saves less is not worth it
            return _compressed_head(compressed, size) + compressed
    return length(size) + data


def _integer(number: int) -> bytes:
    if -(1 << 7) <= number < 1 << 7:
        return b"\xc0" + number.to_bytes(1, "little", signed=True)
    if -(1 << 15) <= number < 1 << 15:
        return b"\xc1" + number.to_bytes(2, "little", signed=True)
    return b"\xc2" + number.to_bytes(4, "little", signed=True)
