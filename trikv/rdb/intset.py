"""Intsets: whole numbers of one width in one string, ascending (intset.c).

::

    bytes of a number 4 | numbers 4 | number | ...          (all little-endian)
"""

import struct
from typing import Final

from trikv.rdb.errors import DamagedError
from trikv.rdb.steps import STEP_ELEMENTS
from trikv.size_notation import counted

_HEADER: Final = struct.Struct("<II")
_CODES: Final = {2: "h", 4: "i", 8: "q"}


class Intset:
    """One that is read: its numbers as text. `offset` is where it is, for errors."""

    __slots__ = ("_at", "_code", "_data", "_last", "_offset", "_width")

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._offset = data, offset
        self._at = _HEADER.size
        self._last = -(2**63) - 1
        if len(data) < _HEADER.size:
            raise DamagedError("an intset is too short", offset)
        self._width, count = _HEADER.unpack_from(data)
        if self._width not in _CODES:
            raise DamagedError(f"an intset has no numbers of {counted(self._width, 'byte')}", offset)
        if len(data) != _HEADER.size + count * self._width:
            raise DamagedError(
                f"an intset of {counted(len(data), 'byte')} says it has {count} numbers of {self._width}",
                offset,
            )
        self._code = _CODES[self._width]

    def some(self) -> list[bytes]:
        """The next numbers, a few hundred; none at the end."""
        left = (len(self._data) - self._at) // self._width
        count = min(left, STEP_ELEMENTS)
        numbers = struct.unpack_from(f"<{count}{self._code}", self._data, self._at)
        self._at += count * self._width
        for number in numbers:
            if number <= self._last:
                raise DamagedError(f"an intset has {number} behind {self._last}", self._offset)
            self._last = number
        return [b"%d" % number for number in numbers]


def packed_integers(numbers: list[int]) -> bytes:
    """The intset of these, which are all different."""
    width = next(
        width for width in _CODES if all(-(1 << width * 8 - 1) <= one < 1 << width * 8 - 1 for one in numbers)
    )
    return _HEADER.pack(width, len(numbers)) + struct.pack(
        f"<{len(numbers)}{_CODES[width]}", *sorted(numbers)
    )
