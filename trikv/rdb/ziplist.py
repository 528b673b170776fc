"""Ziplists, which listpacks have replaced: elements in one string, each behind the length of the last one.

::

    bytes of all 4 | place of the last element 4 | elements 2 | element | ... | 0xFF
    element: length of the whole element before it, in 1 byte, or in 4 behind 0xFE | encoding and data

Numbers are little-endian, except for lengths in encodings (ziplist.c). 65535 elements mean that they must
be counted.
"""

import struct
from typing import Final

from trikv.rdb.errors import DamagedError
from trikv.rdb.steps import STEP_BYTES, STEP_ELEMENTS
from trikv.size_notation import counted

_HEADER: Final = struct.Struct("<IIH")
_END: Final = 0xFF
_LONG_BEFORE: Final = 0xFE
_UNKNOWN: Final = 0xFFFF
_SMALL: Final = {0xF1 + number: b"%d" % number for number in range(13)}
_INTEGER_BYTES: Final = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}


class Ziplist:
    """One that is read: its elements as text, in order. `offset` is where it is, for errors."""

    __slots__ = ("_at", "_before", "_count", "_data", "_end", "_last", "_offset", "_seen", "_tail")

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._offset = data, offset
        self._at = self._last = _HEADER.size
        self._before, self._seen = 0, 0
        self._end = len(data) - 1
        if self._end < self._at:
            raise self._damaged("is too short", 0)
        size, self._tail, self._count = _HEADER.unpack_from(data)
        if size != len(data):
            raise self._damaged(f"of {counted(len(data), 'byte')} says that it has {size}", 0)
        if data[-1] != _END:
            raise self._damaged("has no end", self._end)

    def _damaged(self, problem: str, at: int) -> DamagedError:
        return DamagedError(f"a ziplist {problem}, at its byte {at}", self._offset)

    def some(self) -> list[bytes]:
        """The next elements: a few hundred, an even number unless they are the last; none at the end."""
        data, at, end = self._data, self._at, self._end
        found: list[bytes] = []
        stop = min(end, at + STEP_BYTES)
        while at < end and (at < stop or len(found) & 1) and len(found) < STEP_ELEMENTS:
            start = at
            before = data[at]
            at += 1
            if before >= _LONG_BEFORE:
                if before == _END:
                    raise self._damaged("ends before its end", start)
                before = int.from_bytes(data[at : at + 4], "little")
                at += 4
            if before != self._before:
                raise self._damaged(f"says {before} of an element of {counted(self._before, 'byte')}", start)
            at = self._element(at, found)
            if at > end:
                raise self._damaged("has an element that ends behind its end", start)
            self._before = at - start
            self._last = start
        self._at = at
        self._seen += len(found)
        if not found:
            self._check_end()
        return found

    def _element(self, at: int, found: list[bytes]) -> int:
        """Take what begins here; where it ends, which may be behind the end."""
        data = self._data
        if at >= self._end:
            return self._end + 1
        first = data[at]
        if first < 0x40:
            start, size = at + 1, first
        elif first < 0x80:
            start, size = at + 2, (first & 0x3F) << 8 | data[at + 1]
        elif first < 0xC0:
            start, size = at + 5, int.from_bytes(data[at + 1 : at + 5], "big")
        elif first in _SMALL:
            found.append(_SMALL[first])
            return at + 1
        else:
            width = _INTEGER_BYTES.get(first)
            if width is None:
                raise self._damaged(f"has an element that begins with {first:#x}", at)
            found.append(b"%d" % int.from_bytes(data[at + 1 : at + 1 + width], "little", signed=True))
            return at + 1 + width
        found.append(data[start : start + size])
        return start + size

    def _check_end(self) -> None:
        if self._count not in (self._seen, _UNKNOWN):
            raise self._damaged(f"of {self._seen} elements says that it has {self._count}", self._end)
        if self._tail != self._last:
            raise self._damaged(f"says that its last element is at {self._tail}, not {self._last}", self._end)
