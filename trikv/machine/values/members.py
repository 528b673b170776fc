"""Elements that are found by their name, in any number: what hashes, sets and sorted sets are made of.

Each part is a dict. A hash of the element's name, keyed by the cluster's secret, says which part it is in, by
linear hashing (Litwin, 1980): one insertion splits one part at most, whatever the size. With a hash that has
no key, anybody could make elements that all belong to one part, which is copied and hashed in one step.

Elements come in the order of parts, and in a part in that of their insertion.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, Self

from trikv.machine.draws import Draws
from trikv.machine.values import quick
from trikv.machine.values.value import PACKED_COUNT_MAX, PACKED_ELEMENT_BYTES_MAX, Elements, Shape, Value

MEAN: Final = 256
"""Elements a part, on average, above which a part is split."""
PART_BYTES: Final = 288
"""What the account charges for a part: its dict, its places in three lists, its hash."""
SCAN_END: Final = 0
"""The cursor that begins and ends a scan."""
PAGE_BYTES: Final = 1 << 18
"""Of a page of a scan: no more elements are added when it has so many."""
_LEVELS: Final = 8 * quick.HASH_BYTES
_ABSENT: Final = object()
_EXPECTED_MAX: Final = 4_096
"""Parts that are made in one step, before there is an element."""


class Members(Value):
    """Names of elements, each with what belongs to it.

    Part i holds those whose hash is i modulo 2**level, or modulo 2**(level + 1) if that part was split.
    """

    __slots__ = ("level", "split")

    def __init__(self, epoch: int, secret: bytes) -> None:
        super().__init__(epoch, secret)
        self.level = 0
        """How often all parts have been split."""
        self.split = 0
        """The part that is split next; those before it were split once more."""
        self.add_part({})
        self.charge = PART_BYTES

    fixed_bytes: ClassVar[int]
    """What the account charges for an element in parts, besides the bytes of strings."""

    def element_bytes(self, member: bytes, _belonging: Any) -> int:
        """What the account charges for one element in parts."""
        return self.fixed_bytes + len(member)

    def belongs_shortly(self, _belonging: Any) -> bool:
        """Whether what belongs to an element is short enough to be packed."""
        return True

    def is_short(self) -> bool:
        """As `Value.is_short`."""
        return all(self._is_short(*pair) for part in self.parts for pair in part.items())

    def _is_short(self, member: bytes, belonging: Any) -> bool:
        return len(member) <= PACKED_ELEMENT_BYTES_MAX and self.belongs_shortly(belonging)

    def shape(self) -> Shape:
        """How far splitting has come."""
        return self.level, self.split

    @classmethod
    def begun(cls, epoch: int, secret: bytes, shape: Shape) -> Self:
        """As `Value.begun`."""
        one = cls(epoch, secret)
        one.level, one.split = shape
        if not (0 <= one.level < _LEVELS and 0 <= one.split < 1 << one.level):
            raise ValueError(f"no value has the shape {shape}")
        one.is_small = False
        one.drop_part(0)
        one.charge = 0
        return one

    def restored(self, part: dict[bytes, Any], names: int) -> None:
        """`Value.restore` of a part that was made from so many names. Raises ValueError."""
        place = len(self.parts)
        if len(part) != names or any(self._place_at(self.hashed(member)) != place for member in part):
            raise ValueError("an element stands twice, or in a part that is not its own")
        self.add_part(part)
        self.count += names
        self.charge += PART_BYTES + sum(map(self.element_bytes, part, part.values()))

    def finish(self) -> None:
        """As `Value.finish`: the number of parts follows from the shape."""
        if len(self.parts) != (1 << self.level) + self.split:
            raise ValueError(f"{len(self.parts)} parts do not make the shape {self.shape()}")
        if self.count < self.count_min:
            raise ValueError(f"{self.count} elements do not fill {len(self.parts)} parts")

    @classmethod
    def growth_bound(cls, count: int) -> int:
        """Bytes that `count` new elements add at most besides their own, to a value in parts."""
        return cls.fixed_bytes * count + PART_BYTES * (1 + count // MEAN)

    @classmethod
    def unpacked_bytes(cls) -> int:
        """Bytes that a packed value takes more at most when it comes to be in parts."""
        return cls.fixed_bytes * PACKED_COUNT_MAX + PART_BYTES

    def growth(self, count: int, size: int) -> int:
        """As `Value.growth`."""
        parts = max(len(self.parts), -(-(self.count + count) // MEAN))
        return self.fixed_bytes * count + size + PART_BYTES * (parts - len(self.parts))

    def recounted(self) -> int:
        """As `Value.recounted`."""
        elements = (sum(map(self.element_bytes, part, part.values())) for part in self.parts)
        return PART_BYTES * len(self.parts) + sum(elements)

    # What may be asked.

    def hashed(self, member: bytes) -> int:
        """What decides where `member` is: 32 bits."""
        return quick.hashed(member, self.secret)

    def _place_at(self, hashed: int) -> int:
        return quick.place_at(hashed, self.level, self.split)

    def place_of(self, member: bytes) -> int:
        """The part that `member` belongs to."""
        return self._place_at(self.hashed(member)) if len(self.parts) > 1 else 0

    def stays_small(self, fresh: Mapping[bytes, Any]) -> bool:
        """Whether it is still small with these new elements."""
        return self.count + len(fresh) <= PACKED_COUNT_MAX and all(map(self._is_short, fresh, fresh.values()))

    def places_of(self, members: Iterable[bytes]) -> list[int]:
        """`place_of` each, far quicker."""
        return quick.places(list(members), self.secret, self.level, self.split)

    @property
    def count_min(self) -> int:
        """With fewer elements parts are joined."""
        return MEAN // 4 * len(self.parts) if len(self.parts) > 1 else 0

    def __contains__(self, member: bytes) -> bool:
        return member in self.parts[self.place_of(member)]

    def get(self, member: bytes) -> Any:
        """What belongs to `member`; None if it is not there."""
        return self.parts[self.place_of(member)].get(member)

    def has_each(self, members: list[bytes]) -> list[bool]:
        """For each of these whether it is an element."""
        return [one is not _ABSENT for one in self.get_each(members, _ABSENT)]

    def get_each(self, members: list[bytes], default: Any = None) -> list[Any]:
        """What belongs to each of these; `default` for those that are not there."""
        return quick.get(members, default, self.parts, self.secret, self.level, self.split)

    def drawn(self, draws: Draws) -> tuple[bytes, Any]:
        """Some element, each as likely as any other. There must be one."""
        place, member = self.drawn_place(draws)
        return member, self.parts[place][member]

    def drawn_place(self, draws: Draws) -> tuple[int, bytes]:
        """The part and the name of some element."""
        row = quick.row_bound(self.count, self.level, len(self.parts))
        return quick.drawn_place(draws, self.parts, row)

    def page(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, Any]]]:
        """About `count` elements from `cursor` on, and the cursor to go on at; it ends at `SCAN_END`.

        An element that is there for the whole scan comes at least once. A cursor is a hash with its bits in
        reverse: in that order each part is a range, and a split or a merger does not change the order.
        """
        found: list[tuple[bytes, Any]] = []
        room_bytes, position = PAGE_BYTES, cursor
        while True:
            place = self._place_at(_reversed(position))
            bits = self.level + (place < self.split or place >= 1 << self.level)
            start = position >> _LEVELS - bits << _LEVELS - bits
            part = self.parts[place]
            is_whole = position == start and len(part) <= max(count, MEAN)
            size = sum(map(self.element_bytes, part, part.values())) if is_whole else 0
            if is_whole and size <= PAGE_BYTES:
                found += part.items()
                room_bytes -= size
            else:
                rest = sorted((_reversed(self.hashed(member)), member) for member in part)
                for at, member in rest:
                    if at < position:
                        continue
                    if (len(found) >= count or room_bytes <= 0) and at != position:
                        return at, found
                    found.append((member, part[member]))
                    room_bytes -= self.element_bytes(member, part[member])
                    position = at
            position = start + (1 << _LEVELS - bits)
            if position >> _LEVELS:
                return SCAN_END, found
            if len(found) >= count or room_bytes <= 0:
                return position, found

    # What changes it.

    def expect(self, count: int) -> None:
        """Have the parts that so many elements will need, which are sure to come; there is none yet.

        It comes to the same, but nothing has to be split. Of very many parts the first are made, in a
        millisecond or two; splitting makes the others.
        """
        parts = min(-(-count // MEAN), _EXPECTED_MAX)
        if parts > 1:
            self.is_small = False
            self.level = parts.bit_length() - 1
            self.split = parts - (1 << self.level)
            self.charge = PART_BYTES * parts
            while len(self.parts) < parts:
                self.add_part({})

    def put(self, member: bytes, belonging: Any) -> bool:
        """Put an element, or give another thing to one that is there; whether it is new."""
        place = self.place_of(member)
        part = self.changing(place)
        grown = self.element_bytes(member, belonging)
        is_new = member not in part
        if is_new:
            self.count += 1
        else:
            grown -= self.element_bytes(member, part[member])
        part[member] = belonging
        self.charge += grown
        if self.is_small and (self.count > PACKED_COUNT_MAX or not self._is_short(member, belonging)):
            self.is_small = False
            self.charge = self.recounted()
        if self.count > MEAN * len(self.parts):
            self._grow()
        return is_new

    def put_each(self, members: list[bytes], belongings: list[Any] | None = None) -> list[bool]:
        """`put` each; which of them are new. Without `belongings` nothing belongs to them.

        To be overridden by a type that keeps more of strings and numbers than its parts.
        """
        return self.put_each_by(self.put, members, belongings)

    def put_each_by(
        self, put: Callable[[bytes, Any], bool], members: list[bytes], belongings: list[Any] | None
    ) -> list[bool]:
        """Put all that can be put quickly; `put` is called for each of the others."""
        fresh: list[bool] = []
        while len(fresh) < len(members):
            if not self.is_small:
                most = MEAN * len(self.parts) - self.count
                done, grown = quick.put(
                    members,
                    belongings,
                    len(fresh),
                    self.parts,
                    self.owners,
                    self.hashes,
                    self.own_from,
                    self.secret,
                    self.level,
                    self.split,
                    max(most, 0),
                )
                self.count += sum(done)
                self.charge += grown + self.fixed_bytes * sum(done)
                fresh += done
            at = len(fresh)
            # The next one splits a part, or a cut may hold its part, or it is of a kind of its own.
            if at < len(members):
                fresh.append(put(members[at], None if belongings is None else belongings[at]))
        return fresh

    def remove(self, member: bytes) -> Any:
        """Take an element out, and return what belonged to it; None if it was not there."""
        place = self.place_of(member)
        return self.remove_at(place, member) if member in self.parts[place] else None

    def remove_each(self, members: list[bytes]) -> None:
        """Take out elements that are there, of which nothing is kept but what the parts hold."""
        done = 0
        while done < len(members):
            count, grown = quick.remove(
                members,
                done,
                self.parts,
                self.owners,
                self.hashes,
                self.own_from,
                self.secret,
                self.level,
                self.split,
                max(self.count - self.count_min, 0),
            )
            self.count -= count
            self.charge += grown - self.fixed_bytes * count
            done += count
            if done < len(members):  # parts are joined, or a cut may hold its part
                Members.remove_at(self, self.place_of(members[done]), members[done])
                done += 1

    def remove_at(self, place: int, member: bytes) -> Any:
        """`remove` of an element that is there, for who knows where; to be extended by who keeps more."""
        belonging = self.changing(place).pop(member)
        self.count -= 1
        self.charge -= self.element_bytes(member, belonging)
        if self.count < self.count_min:
            self._shrink()
        return belonging

    def _grow(self) -> None:
        """Split the part whose turn it is."""
        bit, own = 1 << self.level, self.split
        self.split += 1
        if self.split == bit:
            self.level, self.split = self.level + 1, 0
        stays: dict[bytes, Any] = {}
        goes: dict[bytes, Any] = {}
        part = self.parts[own]
        for place, (member, belonging) in zip(self.places_of(part), part.items(), strict=True):
            (stays if place == own else goes)[member] = belonging
        self.replace_part(own, stays)
        self.add_part(goes)
        self.charge += PART_BYTES

    def _shrink(self) -> None:
        """Undo the last split."""
        if not self.split:
            self.level -= 1
            self.split = 1 << self.level
        self.split -= 1
        last = self.parts[-1]
        self.drop_part(len(self.parts) - 1)
        # A new dict: one that has lost most of its elements keeps a table of all of them.
        self.replace_part(self.split, self.parts[self.split] | last)
        self.charge -= PART_BYTES


def pairs(elements: Elements) -> dict[bytes, Any]:
    """The dict of names and what belongs to them, in turns. Raises ValueError."""
    if len(elements) % 2 or not all(isinstance(member, bytes) for member in elements[::2]):
        raise ValueError("no pairs")
    return dict(zip(elements[::2], elements[1::2], strict=True))


def _reversed(number: int) -> int:
    """Its `_LEVELS` bits in reverse."""
    return int(f"{number:032b}"[::-1], 2)
