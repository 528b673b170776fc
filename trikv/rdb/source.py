"""Bytes that are taken in order, from memory or from a file: lengths, strings, numbers.

Whoever takes something either gets all of it or a `DamagedError`. Nothing is allocated for what is not there
yet.
"""

import struct
from collections.abc import Generator
from typing import Final, Protocol

from trikv.rdb import lzf
from trikv.rdb.checksum import checksum
from trikv.rdb.errors import DamagedError, UnsupportedError
from trikv.rdb.parts import Part
from trikv.rdb.steps import STEP_BYTES, drained
from trikv.size_notation import counted

STRING_BYTES_MAX: Final = 512 * 1024 * 1024
"""The longest string that is read unless the caller wants less: Redis' proto-max-bulk-len."""
CHUNK_BYTES: Final = 256 * 1024
"""What is asked of a file at once."""

_DOUBLE: Final = struct.Struct("<d")
_INTEGER_BYTES: Final = (1, 2, 4)
_ENCODED: Final = 0xC0
_COMPRESSED: Final = 0xC3


class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, `size` at most; none at its end."""


def _not_compressed(error: ValueError, offset: int) -> DamagedError:
    return DamagedError(f"a compressed string: {error}", offset)


class Source:
    """Bytes in memory, from place `at` to before `end`."""

    __slots__ = ("_long", "at", "base", "data", "end", "is_compared", "is_payload", "string_bytes_max")

    def __init__(self, data: bytes, end: int, string_bytes_max: int) -> None:
        self.data = data
        self.at = 0
        self.end = end
        self.base = 0
        """Where in the whole the first byte of `data` is."""
        self.string_bytes_max = string_bytes_max
        self.is_payload = True
        """A value must have elements, as in Redis' RESTORE."""
        self.is_compared = True
        """All elements are compared with each other, also those that must be remembered for it."""
        self._long = (0, 0, 0)

    @property
    def offset(self) -> int:
        """Where the next byte is, for errors."""
        return self.base + self.at

    def empty(self, part: Part) -> Part:
        """This part of a value that has no elements. In a payload it is refused, as by Redis."""
        if self.is_payload:
            raise DamagedError("a value without elements", self.offset)
        return part

    # Bytes.

    def need(self, count: int) -> None:
        """Have so many bytes at hand, behind `at` in `data`; these are few."""
        if self.end - self.at < count:
            self._fetch(count)

    def _fetch(self, count: int) -> None:
        raise self._cut(count)

    def _cut(self, count: int) -> DamagedError:
        return DamagedError(
            f"it ends where {counted(count, 'byte')} should follow, and there are {self.end - self.at}",
            self.offset,
        )

    def take(self, count: int) -> bytes:
        """The next `count` bytes, however many these are."""
        self.need(count)
        at = self.at
        self.at = at + count
        return self.data[at : at + count]

    def byte(self) -> int:
        """The next one."""
        if self.at >= self.end:
            self._fetch(1)
        self.at += 1
        return self.data[self.at - 1]

    # Numbers.

    def length(self) -> int:
        """A length or a count, which nothing is believed of."""
        if self.at >= self.end:
            self._fetch(1)
        first = self.data[self.at]
        if first < 0x40:
            self.at += 1
            return first
        if first < 0x80:
            return int.from_bytes(self.take(2), "big") & 0x3FFF
        if first not in (0x80, 0x81):
            raise DamagedError(f"no length begins with byte {first:#x}", self.offset)
        self.at += 1
        return int.from_bytes(self.take(4 if first == 0x80 else 8), "big")

    def milliseconds(self) -> int:
        """A time in milliseconds, which may be negative."""
        return int.from_bytes(self.take(8), "little", signed=True)

    def double(self) -> float:
        """A double of eight bytes; it may be no number."""
        number: float = _DOUBLE.unpack(self.take(8))[0]
        return number

    # Strings.

    def short(self) -> bytes | None:
        """The next string; None if it is compressed and so long that `long` must make it, in steps."""
        at = self.at
        if at >= self.end:
            self._fetch(1)
            at = self.at
        first = self.data[at]
        stop = at + 1 + first
        if first < 0x40 and stop <= self.end:
            self.at = stop
            return self.data[at + 1 : stop]
        if first < _ENCODED:
            offset, count = self.offset, self.length()
            self._check_size(count, offset)
            return self.take(count)
        self.at += 1
        if first < _COMPRESSED:
            number = self.take(_INTEGER_BYTES[first - _ENCODED])
            return b"%d" % int.from_bytes(number, "little", signed=True)
        offset = self.offset - 1
        if first > _COMPRESSED:
            raise DamagedError(f"no string begins with byte {first:#x}", offset)
        count, size = self.length(), self.length()
        self._check_size(size, offset)
        self._check_size(count, offset)
        if max(size, count) > STEP_BYTES:
            self._long = (count, size, offset)
            return None
        compressed = self.take(count)
        try:
            return lzf.decompressed(compressed, size)
        except ValueError as error:
            raise _not_compressed(error, offset) from None

    def long(self) -> Generator[None, None, bytes]:
        """The string of which `short` has just said None."""
        count, size, offset = self._long
        compressed = self.take(count)
        try:
            return (yield from lzf.decompressed_in_steps(compressed, size))
        except ValueError as error:
            raise _not_compressed(error, offset) from None

    def text(self) -> Generator[None, None, bytes]:
        """The next string, in steps if it is long."""
        found = self.short()
        if found is None:
            found = yield from self.long()
        return found

    def string(self) -> bytes:
        """The next string, at once however long it is."""
        found = self.short()
        return drained(self.long()) if found is None else found

    def _check_size(self, size: int, offset: int) -> None:
        if size > self.string_bytes_max:
            raise UnsupportedError(
                f"a string of {counted(size, 'byte')}; above {self.string_bytes_max} they are not read",
                offset,
            )


class FileSource(Source):
    """A file from where it stands on, through a buffer."""

    __slots__ = ("_file", "_sum")

    def __init__(self, file: Readable, string_bytes_max: int) -> None:
        super().__init__(b"", 0, string_bytes_max)
        self.is_payload = False
        self._file = file
        self._sum = 0

    def sum_up(self) -> int:
        """The checksum of all that has been taken. May be called once, and ends the summing."""
        self._drop()
        return self._sum

    def is_at_end(self) -> bool:
        """Whether nothing follows."""
        return self.at == self.end and not self._more(1)

    def _drop(self) -> None:
        """Forget what has been taken."""
        self._sum = checksum(memoryview(self.data)[: self.at], self._sum)
        self.base += self.at
        self.data = self.data[self.at :]
        self.at, self.end = 0, len(self.data)

    def _more(self, count: int) -> bool:
        """Read until `count` bytes are at hand, or fewer if the file ends; whether they are."""
        self._drop()
        pieces, have = [self.data], self.end
        while have < count and (piece := self._file.read(CHUNK_BYTES)):
            pieces.append(piece)
            have += len(piece)
        self.data, self.end = b"".join(pieces), have
        return have >= count

    def _fetch(self, count: int) -> None:
        if not self._more(count):
            raise self._cut(count)
