"""The type that tries the protocol out: a set of numbers in parts that split and merge by linear hashing."""

from collections.abc import Iterable
from typing import Any, Self

from trikv.machine.values.value import Elements, Shape, Value

MEAN = 8
"""Elements a part, on average, above which a part is split."""
NUMBER_BYTES = 40
PART_BYTES = 300


class Numbers(Value):
    """A set. Part i holds numbers that are i modulo 2**level, or modulo 2**(level + 1) if it was split."""

    __slots__ = ("count", "level", "split")

    type_name = "numbers"

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.count = self.level = self.split = 0
        self.add_part({})
        self.charge = PART_BYTES

    @property
    def encoding_name(self) -> str:
        """There is one form."""
        return "parts"

    def shape(self) -> Shape:
        """How far splitting has come."""
        return self.level, self.split

    def elements(self, part: dict[int, None]) -> Elements:
        """The numbers, in the order in which they came."""
        return list(part)

    @classmethod
    def restored(cls, epoch: int, shape: Shape, parts: Iterable[Elements]) -> Self:
        """A value with these parts. Raises ValueError if their number does not fit the shape."""
        one = cls(epoch)
        one.level, one.split = shape
        one.drop_part(0)
        for elements in parts:
            one.add_part(dict.fromkeys(elements))
            one.count += len(elements)
        if len(one.parts) != (1 << one.level) + one.split:
            raise ValueError(f"{len(one.parts)} parts do not make the shape {shape}")
        one.charge = NUMBER_BYTES * one.count + PART_BYTES * len(one.parts)
        return one

    def holds(self, number: int) -> bool:
        """Whether it is there."""
        return number in self.parts[self._place(number)]

    def add(self, number: int) -> bool:
        """Add it; whether it was absent."""
        if self.holds(number):
            return False
        self.changing(self._place(number))[number] = None
        self.count += 1
        self.charge += NUMBER_BYTES
        if self.count > MEAN * len(self.parts):
            self._grow()
        return True

    def remove(self, number: int) -> bool:
        """Take it out; whether it was there."""
        if not self.holds(number):
            return False
        del self.changing(self._place(number))[number]
        self.count -= 1
        self.charge -= NUMBER_BYTES
        if len(self.parts) > 1 and self.count < MEAN * len(self.parts) // 4:
            self._shrink()
        return True

    def _place(self, number: int) -> int:
        place = number & ((1 << self.level) - 1)
        return number & ((2 << self.level) - 1) if place < self.split else place

    def _grow(self) -> None:
        """Split the part whose turn it is."""
        bit = 1 << self.level
        halves: tuple[dict[int, None], dict[int, None]] = {}, {}
        for number in self.parts[self.split]:
            halves[bool(number & bit)][number] = None
        self.replace_part(self.split, halves[0])
        self.add_part(halves[1])
        self.charge += PART_BYTES
        self.split += 1
        if self.split == bit:
            self.level, self.split = self.level + 1, 0

    def _shrink(self) -> None:
        """Undo the last split."""
        if not self.split:
            self.level -= 1
            self.split = 1 << self.level
        self.split -= 1
        last: Any = self.parts[-1]
        self.drop_part(len(self.parts) - 1)
        self.changing(self.split).update(last)
        self.charge -= PART_BYTES
