"""A list: strings in an order, pushed and popped at both ends.

Parts are runs of elements. The first and the last are lists. Those in between are *sealed*: each is the
MessagePack of its elements in one `bytes`, which takes a third of the memory of a list of objects and is not
copied. To change one element of it, it is decoded and sealed again. An element too long for that is a part of
its own.

Where a part begins is known by a number for each (`starts`), counted from a point that never moves. So a push
or a pop changes one number, and an element is found by bisection.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final, Self, TypeAlias

import msgspec

from trikv.machine.numerics import parse_integer
from trikv.machine.values.value import PACKED_COUNT_MAX, PACKED_ELEMENT_BYTES_MAX, Elements, Shape, Value

Part: TypeAlias = list[bytes] | bytes

PART_COUNT: Final = 128
"""A part of so many elements is full."""
PART_SIZE: Final = 16 * 1024
"""And one of so many bytes. An element of more is a part of its own, and not sealed."""
PART_BYTES: Final = 160
"""What the account charges for a part: its object, its places in five lists, its hash."""
ELEMENT_BYTES: Final = 5
"""What it charges for an element besides its bytes: their length."""
END_BYTES: Final = 51
"""And besides for each that may be an object of its own: as many as two parts have."""
LISTPACK_BYTES_MAX: Final = 8 * 1024
"""Redis keeps a list in one listpack if that has so many bytes at most."""
_HEAD_BYTES: Final = 7
"""Of a listpack besides its entries."""
_ENTRY_BYTES_MIN: Final = 2

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


def strings_of(part: Part) -> list[bytes]:
    """Its elements: the part itself, unless it is sealed."""
    return _decode(part) if isinstance(part, bytes) else part


def _entry_bytes(element: bytes) -> int:
    """What it takes in a listpack (antirez, "Listpack, a string list serialization format")."""
    number = parse_integer(element)
    if number is None:
        size = len(element) + (1 if len(element) < 64 else 2 if len(element) < 4096 else 5)
    elif 0 <= number < 128:
        size = 1
    elif -(1 << 12) <= number < 1 << 12:
        size = 2
    else:
        bits = (number if number >= 0 else ~number).bit_length() + 1
        size = 1 + next(width for width in (2, 3, 4, 8) if bits <= 8 * width)
    # Behind it stands its own length, seven bits a byte.
    return size + -(-size.bit_length() // 7)


class List(Value):
    """The value of a key of type list."""

    __slots__ = ("end", "size", "sizes", "starts")

    type_name = "list"
    code = 2

    def __init__(self, epoch: int, secret: bytes) -> None:
        super().__init__(epoch, secret)
        self.starts = [0]
        """By part, the place of its first element."""
        self.end = 0
        """The place behind the last element."""
        self.sizes = [0]
        """By part, the bytes of its elements."""
        self.size = 0
        """All of them."""
        self.add_part([])
        self.charge = PART_BYTES

    @property
    def encoding_name(self) -> str:
        """As Redis' would be called."""
        if _ENTRY_BYTES_MIN * self.count > LISTPACK_BYTES_MAX:
            return "quicklist"
        sizes = (_entry_bytes(element) for part in self.parts for element in strings_of(part))
        return "listpack" if _HEAD_BYTES + sum(sizes) <= LISTPACK_BYTES_MAX else "quicklist"

    def shape(self) -> Shape:
        """The boundaries of the parts are all that there is to say."""
        return ()

    def elements(self, part: Part) -> Elements:
        """In their order."""
        return strings_of(part)

    @classmethod
    def begun(cls, epoch: int, secret: bytes, shape: Shape) -> Self:
        """As `Value.begun`."""
        if shape:
            raise ValueError(f"no list has the shape {shape}")
        one = cls(epoch, secret)
        one.is_small = False
        one._drop(0)
        return one

    def restore(self, elements: Elements) -> None:
        """As `Value.restore`."""
        if not elements or not all(isinstance(element, bytes) for element in elements):
            raise ValueError("a part of a list holds strings, and at least one")
        last = len(self.parts) - 1
        self._add(last + 1, self.end, list(elements))
        if last > 0:  # it is no end any more
            self._put(last, strings_of(self.parts[last]))
        self.end += len(elements)
        self.size += self.sizes[-1]

    @classmethod
    def refilling(cls, key: bytes, elements: Elements) -> Iterator[tuple[bytes, ...]]:
        """As `Value.refilling`."""
        if not all(isinstance(element, bytes) for element in elements):
            raise ValueError("an element is no string")
        yield b"RPUSH", key, *elements

    def finish(self) -> None:
        """As `Value.finish`."""
        self._changed()

    @classmethod
    def opened(cls, body: bytes, epoch: int, secret: bytes) -> Self:
        """As `Value.opened`."""
        one = cls(epoch, secret)
        one.parts[0] = part = _decode(body)
        one.sizes[0] = one.size = sum(map(len, part))
        one.count = one.end = len(part)
        return one

    def pack(self) -> bytes:
        """As `Value.pack`."""
        return _encode(self.parts[0])

    def is_short(self) -> bool:
        """As `Value.is_short`."""
        strings = (element for part in self.parts for element in strings_of(part))
        return all(len(element) <= PACKED_ELEMENT_BYTES_MAX for element in strings)

    def growth(self, count: int, size: int) -> int:
        """As `Value.growth`: each may be long enough to be a part of its own."""
        return (ELEMENT_BYTES + END_BYTES + 2 * PART_BYTES) * count + size

    def recounted(self) -> int:
        """As `Value.recounted`."""
        return sum(sum(map(len, strings_of(part))) for part in self.parts) + self._fixed_bytes()

    def _fixed_bytes(self) -> int:
        objects = min(self.count, 2 * PART_COUNT)
        return ELEMENT_BYTES * self.count + END_BYTES * objects + PART_BYTES * len(self.parts)

    def copied(self, part: Part) -> Part:
        """As `Value.copied`; a sealed part is never changed in place."""
        return part if isinstance(part, bytes) else part.copy()

    def own_tables(self) -> None:
        """As `Value.own_tables`."""
        self.starts, self.sizes = self.starts.copy(), self.sizes.copy()

    # What may be asked.

    def at(self, index: int) -> bytes:
        """The element at `index`, from 0; there must be one."""
        place, offset = self._find(index)
        return strings_of(self.parts[place])[offset]

    def span(self, first: int, last: int) -> Iterator[list[bytes]]:
        """The elements from `first` to before `last`, in steps; both are from 0 to `count`."""
        left = last - first
        if left <= 0:
            return
        place, offset = self._find(first)
        while left > 0:
            some = strings_of(self.parts[place])[offset : offset + left]
            yield some
            left -= len(some)
            place, offset = place + 1, 0

    def _find(self, index: int) -> tuple[int, int]:
        """The part of that element, and its place in it."""
        at = self.starts[0] + index
        place = bisect_right(self.starts, at) - 1
        return place, at - self.starts[place]

    # What changes it.

    def push_right(self, elements: Sequence[bytes]) -> None:
        """Put elements behind the last, one after another."""
        done = 0
        while done < len(elements):
            last = len(self.parts) - 1
            part = self._end(last)
            some = self._fitting(last, elements, done)
            if some:
                part += some
                self.end += len(some)
                self._added(last, some)
                done += len(some)
            else:
                self._add(last + 1, self.end, [])
                self._put(last, part)
        self._changed()

    def push_left(self, elements: Sequence[bytes]) -> None:
        """Put elements before the first, one after another: the last of them comes to be the first."""
        done = 0
        while done < len(elements):
            part = self._end(0)
            some = self._fitting(0, elements, done)
            if some:
                part[:0] = some[::-1]
                self.starts[0] -= len(some)
                self._added(0, some)
                done += len(some)
            else:
                self._add(0, self.starts[0], [])
                self._put(1, part)
        self._changed()

    def pop_right(self, count: int) -> list[bytes]:
        """Take out that many elements, the last first; there must be as many."""
        gone: list[bytes] = []
        while len(gone) < count:
            last = len(self.parts) - 1
            part = self._end(last)
            some = part[: -1 - (count - len(gone)) : -1]
            del part[-len(some) :]
            self.end -= len(some)
            self._removed(last, some)
            if not part and last:
                self._drop(last)
            gone += some
        self._changed()
        return gone

    def pop_left(self, count: int) -> list[bytes]:
        """Take out that many elements, the first first; there must be as many."""
        gone: list[bytes] = []
        while len(gone) < count:
            part = self._end(0)
            some = part[: count - len(gone)]
            del part[: len(some)]
            self.starts[0] += len(some)
            self._removed(0, some)
            if not part and len(self.parts) > 1:
                self._drop(0)
            gone += some
        self._changed()
        return gone

    def replace(self, index: int, element: bytes) -> None:
        """Put another element in place of the one at `index`."""
        place, offset = self._find(index)
        part = self._writable(place)
        self.size += len(element) - len(part[offset])
        part[offset] = element
        self._note_lengths((element,))
        self._put(place, part)
        self._bound(place, part)
        self._changed()

    def insert(self, index: int, element: bytes) -> None:
        """Put an element before the one at `index`, of which there must be one."""
        place, offset = self._find(index)
        part = self._writable(place)
        part.insert(offset, element)
        self._moved(place + 1, 1)
        self.size += len(element)
        self._note_lengths((element,))
        self._put(place, part)
        self._bound(place, part)
        self._changed()

    def remove_each(self, element: bytes, count: int) -> Iterator[int]:
        """Take out the first `count` elements that equal this one, the last if negative, all if 0.

        In steps, each of which says how many it has taken out. Nobody may look at the list before the last.
        """
        lengths = [end - start for start, end in pairwise([*self.starts, self.end])]
        left = abs(count) or self.count
        places = range(len(self.parts))
        for place in places if count >= 0 else reversed(places):
            found = self._offsets(place, element)
            found = found[:left] if count >= 0 else found[-left:]
            if found:
                part = self._writable(place)
                for offset in reversed(found):
                    del part[offset]
                self._put(place, part)
                self.size -= len(element) * len(found)
                lengths[place] -= len(found)
                left -= len(found)
            yield len(found)
            if not left:
                break
        self._join(lengths)

    def found(self, element: bytes, *, backwards: bool, most: int) -> Iterator[list[int]]:
        """The indexes of elements that equal this one, part by part, each part's in the order asked for.

        Only the parts are looked at in which the first `most` elements are.
        """
        first, ends = self.starts[0], [*self.starts[1:], self.end]
        places = range(len(self.parts))
        for place in reversed(places) if backwards else places:
            start = self.starts[place] - first
            if (self.end - ends[place] if backwards else start) >= most:
                return
            indexes = [start + offset for offset in self._offsets(place, element)]
            yield indexes[::-1] if backwards else indexes

    def keep(self, first: int, last: int) -> list[Part]:
        """Take out all but the elements from `first` to before `last`; returns whole parts, to be freed.

        There is at least one element to keep.
        """
        left, offset = self._find(first)
        right, behind = self._find(last - 1)
        if right == left:
            self._cut(right, offset, behind + 1)
        else:
            self._cut(right, 0, behind + 1)
            self._cut(left, offset, len(strings_of(self.parts[left])))
        gone = [*self.parts[:left], *self.parts[right + 1 :]]
        self.size -= sum(self.sizes[:left]) + sum(self.sizes[right + 1 :])
        for each in (self.parts, self.owners, self.hashes, self.starts, self.sizes):
            del each[right + 1 :], each[:left]
        self.end = self.starts[0] + last - first
        self._changed()
        return gone

    # How.

    def _fitting(self, place: int, elements: Sequence[bytes], done: int) -> Sequence[bytes]:
        """What of `elements`, of which so many are done, the end at that place still takes; none if full."""
        size, count = self.sizes[place], len(self.parts[place])
        some = elements[done : done + max(PART_COUNT - count, 0)]
        if size + sum(map(len, some)) <= PART_SIZE:  # nearly always
            return some
        fit = 0
        for element in some:
            size += len(element)
            if size > PART_SIZE and count + fit:
                break
            fit += 1
        return some[:fit]

    def _end(self, place: int) -> list[bytes]:
        """The first or the last part, to be changed in place."""
        part = self.changing(place)
        if isinstance(part, bytes):  # it has come to be an end
            part = self.parts[place] = _decode(part)
            self.owners[place] = self.epoch
        elements: list[bytes] = part
        return elements

    def _writable(self, place: int) -> list[bytes]:
        """The elements of a part, to be changed and then put back."""
        part: Part = self.changing(place)
        return strings_of(part)

    def _put(self, place: int, part: list[bytes]) -> None:
        """Put a part's elements back, sealed if it is in between and of many."""
        self.sizes[place] = sum(map(len, part))
        is_end = place in (0, len(self.parts) - 1)
        self.replace_part(place, part if is_end or self.sizes[place] > 2 * PART_SIZE else _encode(part))

    def _add(self, place: int, start: int, part: list[bytes]) -> None:
        self.add_part(part, place)
        self.starts.insert(place, start)
        self.sizes.insert(place, sum(map(len, part)))

    def _drop(self, place: int) -> None:
        self.drop_part(place)
        del self.starts[place], self.sizes[place]

    def _bound(self, place: int, part: list[bytes]) -> None:
        """Make two parts of one that has come to be twice as long as a full one."""
        if len(part) > 2 * PART_COUNT or (self.sizes[place] > 2 * PART_SIZE and len(part) > 1):
            self._divide(place, part)

    def _divide(self, place: int, part: list[bytes]) -> None:
        """Make two parts of one."""
        half = len(part) // 2
        self._add(place + 1, self.starts[place] + half, part[half:])
        self._put(place, part[:half])
        self._put(place + 1, part[half:])

    def _offsets(self, place: int, element: bytes) -> list[int]:
        """Where in that part elements equal this one."""
        part = self.parts[place]
        # A sealed part has the element's own encoding in it, or it has not got it: nothing need be decoded.
        if isinstance(part, bytes) and _encode(element) not in part:
            return []
        return [offset for offset, each in enumerate(strings_of(part)) if each == element]

    def _join(self, lengths: list[int]) -> None:
        """Elements were taken out; the parts have these lengths now. Empty ones go, small ones are joined."""
        kept: list[int] = []
        """The lengths of the parts up to the present one."""
        for length in lengths:
            place = len(kept)
            if not length and len(self.parts) > 1:
                self._drop(place)
            elif kept and kept[-1] + length <= PART_COUNT // 2 and self._are_short(place):
                both = strings_of(self.parts[place - 1]) + strings_of(self.parts[place])
                self._drop(place)
                self._put(place - 1, both)
                kept[-1] += length
            else:
                kept.append(length)
        self.starts = list(accumulate(kept[:-1], initial=self.starts[0]))
        self.end = self.starts[-1] + kept[-1]
        self._changed()

    def _are_short(self, place: int) -> bool:
        return self.sizes[place - 1] + self.sizes[place] <= PART_SIZE

    def _cut(self, place: int, first: int, last: int) -> None:
        """Keep only those elements of a part."""
        part = self._writable(place)
        self.size -= sum(map(len, part[:first])) + sum(map(len, part[last:]))
        self.starts[place] += first
        self._put(place, part[first:last])

    def _moved(self, place: int, by: int) -> None:
        """What begins from that part on is so much further back."""
        self.starts[place:] = [start + by for start in self.starts[place:]]
        self.end += by

    def _note_lengths(self, elements: Sequence[bytes]) -> None:
        if self.is_small and max(map(len, elements)) > PACKED_ELEMENT_BYTES_MAX:
            self.is_small = False

    def _added(self, place: int, elements: Sequence[bytes]) -> None:
        """An end got these elements."""
        size = sum(map(len, elements))
        self.sizes[place] += size
        self.size += size
        self._note_lengths(elements)

    def _removed(self, place: int, elements: Sequence[bytes]) -> None:
        """An end lost these elements."""
        size = sum(map(len, elements))
        self.sizes[place] -= size
        self.size -= size

    def _changed(self) -> None:
        self.count = self.end - self.starts[0]
        if self.is_small and self.count > PACKED_COUNT_MAX:
            self.is_small = False
        self.charge = self.size + self._fixed_bytes()
