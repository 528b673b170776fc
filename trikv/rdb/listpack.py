"""Listpacks: elements in one string, each with its length behind it (listpack.c).

::

    bytes of all 4 | elements 2 | element | ... | 0xFF
    element: encoding and data | length of that, in 1 to 5 bytes of 7 bits, the highest first

Numbers are little-endian, except for the short forms, which begin in the bits of the encoding. 65535 elements
mean that they must be counted.
"""

import struct
from typing import Final

from trikv.rdb.errors import DamagedError
from trikv.rdb.steps import STEP_BYTES, STEP_ELEMENTS
from trikv.size_notation import counted

_HEADER: Final = struct.Struct("<IH")
_END: Final = 0xFF
_UNKNOWN: Final = 0xFFFF
_SMALL: Final = tuple(b"%d" % number for number in range(128))
_INTEGER_BYTES: Final = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}
_NUMBER_CHARACTERS_MAX: Final = 20


class Listpack:
    """One that is read: its elements as text, in order. `offset` is where it is, for errors."""

    __slots__ = ("_at", "_count", "_data", "_end", "_offset", "_seen")

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._offset = data, offset
        self._at, self._seen = _HEADER.size, 0
        self._end = len(data) - 1
        if self._end < self._at:
            raise self._damaged("is too short", 0)
        size, self._count = _HEADER.unpack_from(data)
        if size != len(data):
            raise self._damaged(f"of {counted(len(data), 'byte')} says that it has {size}", 0)
        if data[-1] != _END:
            raise self._damaged("has no end", self._end)

    def _damaged(self, problem: str, at: int) -> DamagedError:
        return DamagedError(f"a listpack {problem}, at its byte {at}", self._offset)

    def some(self) -> list[bytes]:
        """The next elements: a few hundred, an even number unless they are the last; none at the end."""
        data, at, end = self._data, self._at, self._end
        found: list[bytes] = []
        stop = min(end, at + STEP_BYTES)
        while at < end and (at < stop or len(found) & 1) and len(found) < STEP_ELEMENTS:
            first = data[at]
            if first < 0x80:
                found.append(_SMALL[first])
                size = 1
            elif first < 0xC0:
                size = first - 0x7F
                found.append(data[at + 1 : at + size])
            elif first < 0xE0:
                number = (first & 0x1F) << 8 | data[at + 1]
                found.append(b"%d" % (number if number < 0x1000 else number - 0x2000))
                size = 2
            elif first < 0xF0:
                size = 2 + ((first & 0x0F) << 8 | data[at + 1])
                found.append(data[at + 2 : at + size])
            else:
                size = self._long(first, at, found)
            # What is longer than what is there has been cut by the slices; it ends behind the end.
            behind = at + size
            if size < 0x80:
                at = behind + 1
                is_right = behind < end and data[behind] == size
            else:
                back = length_behind(size)
                at = behind + len(back)
                is_right = at <= end and data[behind:at] == back
            if not is_right:
                raise self._damaged(
                    f"has an element of {counted(size, 'byte')} with no such length behind it", behind
                )
        self._at = at
        self._seen += len(found)
        if not found and self._count not in (self._seen, _UNKNOWN):
            raise self._damaged(f"of {self._seen} elements says that it has {self._count}", at)
        return found

    def _long(self, first: int, at: int, found: list[bytes]) -> int:
        """Take an element with a longer encoding; the bytes of both."""
        data = self._data
        if first == 0xF0:
            size = 5 + int.from_bytes(data[at + 1 : at + 5], "little")
            found.append(data[at + 5 : at + size])
            return size
        width = _INTEGER_BYTES.get(first)
        if width is None:
            raise self._damaged(f"has an element that begins with {first:#x}", at)
        found.append(b"%d" % int.from_bytes(data[at + 1 : at + 1 + width], "little", signed=True))
        return 1 + width


def length_behind(size: int) -> bytes:
    """How the length of an element is written behind it."""
    if size < 0x80:
        return bytes((size,))
    if size < 0x3FFF:
        return bytes((size >> 7, size & 127 | 128))
    if size < 0x1FFFFF:
        return bytes((size >> 14, size >> 7 & 127 | 128, size & 127 | 128))
    if size < 0xFFFFFFF:
        return bytes([size >> 21, *(size >> shift & 127 | 128 for shift in (14, 7, 0))])
    return bytes([size >> 28, *(size >> shift & 127 | 128 for shift in (21, 14, 7, 0))])


def integer_of(text: bytes) -> int | None:
    """The 64-bit integer whose canonical text this is, else None: it is packed as one."""
    if len(text) > _NUMBER_CHARACTERS_MAX:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if b"%d" % number == text and -(2**63) <= number < 2**63 else None


def _packed_integer(number: int) -> bytes:
    if 0 <= number < 0x80:
        return bytes((number, 1))
    if -0x1000 <= number < 0x1000:
        number &= 0x1FFF
        return bytes((0xC0 | number >> 8, number & 0xFF, 2))
    first, width = next(
        (first, width)
        for first, width in _INTEGER_BYTES.items()
        if -(1 << width * 8 - 1) <= number < 1 << width * 8 - 1
    )
    return bytes((first,)) + number.to_bytes(width, "little", signed=True) + bytes((1 + width,))


def packed(element: bytes) -> bytes:
    """An element with its length behind it. A canonical integer is packed as one, which Redis relies on."""
    number = integer_of(element)
    if number is not None:
        return _packed_integer(number)
    size = len(element)
    if size < 0x40:
        head = bytes((0x80 | size,))
    elif size < 0x1000:
        head = bytes((0xE0 | size >> 8, size & 0xFF))
    else:
        head = b"\xf0" + size.to_bytes(4, "little")
    return b"".join((head, element, length_behind(len(head) + size)))


class Packing:
    """A listpack that is made, element by element. No call takes long, but all is copied at the end."""

    __slots__ = ("_done", "_first", "_last", "_seen")

    def __init__(self) -> None:
        self._first = b""
        self._done = bytearray()
        self._last: list[bytes] = []
        self._seen = 0

    def __len__(self) -> int:
        return self._seen

    def add(self, element: bytes) -> None:
        """One behind the others."""
        self._put(packed(element))

    def add_number(self, number: int) -> None:
        """The same for a number of 64 bits, signed."""
        self._put(_packed_integer(number))

    def set_first(self, number: int) -> None:
        """Put a number in the place of the first one, which was not known then."""
        self._first = _packed_integer(number)

    def _put(self, one: bytes) -> None:
        if not self._seen:
            self._first = one
        else:
            self._last.append(one)
            if len(self._last) >= STEP_ELEMENTS:
                self._done += b"".join(self._last)
                self._last.clear()
        self._seen += 1

    def made(self) -> bytes:
        """The listpack."""
        pieces: list[bytes | bytearray] = [self._first, self._done, *self._last, b"\xff"]
        header = _HEADER.pack(_HEADER.size + sum(map(len, pieces)), min(self._seen, _UNKNOWN))
        return b"".join([header, *pieces])
