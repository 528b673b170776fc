"""Zipmaps, in which Redis before 2.6 kept small hashes (zipmap.c).

::

    fields 1 | field | value | ... | 0xFF
    field: length | bytes            value: length | unused bytes behind it 1 | bytes | unused

A length is one byte below 254, or 254 and four bytes, little-endian. 254 fields or more must be counted.
"""

from typing import Final

from trikv.rdb.errors import DamagedError
from trikv.rdb.steps import STEP_BYTES, STEP_ELEMENTS

_LONG: Final = 254
_END: Final = 255


class Zipmap:
    """One that is read: fields and values in turns. `offset` is where it is, for errors."""

    __slots__ = ("_at", "_data", "_end", "_offset", "_seen")

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._offset = data, offset
        self._at, self._seen = 1, 0
        self._end = len(data) - 1
        if self._end < 1 or data[-1] != _END:
            raise self._damaged("has no end", max(self._end, 0))

    def _damaged(self, problem: str, at: int) -> DamagedError:
        return DamagedError(f"a zipmap {problem}, at its byte {at}", self._offset)

    def some(self) -> list[bytes]:
        """The next fields and values, a few hundred; none at the end."""
        found: list[bytes] = []
        stop = min(self._end, self._at + STEP_BYTES)
        while self._at < stop and len(found) < STEP_ELEMENTS:
            found.append(self._string(self._length(), 0))
            size = self._length()
            if self._at >= self._end:
                raise self._damaged("ends within a value", self._at)
            unused = self._data[self._at]
            self._at += 1
            found.append(self._string(size, unused))
        self._seen += len(found) // 2
        if not found and self._data[0] < _LONG and self._data[0] != self._seen:
            raise self._damaged(f"of {self._seen} fields says that it has {self._data[0]}", 0)
        return found

    def _length(self) -> int:
        at = self._at
        first = self._data[at]
        if first == _END:
            raise self._damaged("ends before its end", at)
        if first < _LONG:
            self._at = at + 1
            return first
        self._at = at + 5
        return int.from_bytes(self._data[at + 1 : at + 5], "little")

    def _string(self, size: int, unused: int) -> bytes:
        start = self._at
        self._at = start + size + unused
        if self._at > self._end:
            raise self._damaged("has a string that ends behind its end", start)
        return self._data[start : start + size]
