"""The type that tries the protocol out: a set of numbers in parts that split and merge by linear hashing."""

from collections.abc import Iterator
from typing import Any, Self

from trikv.machine.values.value import Elements, Shape, Value

MEAN = 8
"""Elements a part, on average, above which a part is split."""
NUMBER_BYTES = 40
PART_BYTES = 300
LEVELS = 40


class Numbers(Value):
    """A set. Part i holds numbers that are i modulo 2**level, or modulo 2**(level + 1) if it was split."""

    __slots__ = ("level", "split")

    type_name = "numbers"
    mean = MEAN

    def __init__(self, epoch: int, secret: bytes) -> None:
        super().__init__(epoch, secret)
        self.level = self.split = 0
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
    def begun(cls, epoch: int, secret: bytes, shape: Shape) -> Self:
        """Without a part yet."""
        one = cls(epoch, secret)
        one.level, one.split = shape
        if not 0 <= one.level < LEVELS:
            raise ValueError(f"no value has the shape {shape}")
        one.drop_part(0)
        one.charge = 0
        return one

    def restore(self, elements: Elements) -> None:
        """The next part."""
        self.add_part(dict.fromkeys(elements))
        self.count += len(elements)
        self.charge += NUMBER_BYTES * len(elements) + PART_BYTES

    @classmethod
    def refilling(cls, key: bytes, elements: Elements) -> Iterator[tuple[bytes, ...]]:
        """As text."""
        yield b"NUM.ADD", key, *(b"%d" % number for number in elements)

    def finish(self) -> None:
        """The number of parts follows from the shape."""
        if len(self.parts) != (1 << self.level) + self.split:
            raise ValueError(f"{len(self.parts)} parts do not make the shape {self.shape()}")

    def growth(self, count: int, size: int) -> int:
        """As if each were a part of its own."""
        return (NUMBER_BYTES + PART_BYTES) * count + size

    def recounted(self) -> int:
        """By the elements."""
        return NUMBER_BYTES * self.count + PART_BYTES * len(self.parts)

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
        if self.count > self.mean * len(self.parts):
            self._grow()
        return True

    def remove(self, number: int) -> bool:
        """Take it out; whether it was there."""
        if not self.holds(number):
            return False
        del self.changing(self._place(number))[number]
        self.count -= 1
        self.charge -= NUMBER_BYTES
        if len(self.parts) > 1 and self.count < self.mean * len(self.parts) // 4:
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

    @classmethod
    def opened(cls, body: bytes, epoch: int, secret: bytes) -> Self:
        """It has no code, so none is packed."""
        raise AssertionError(body, epoch, secret)

    def pack(self) -> bytes:
        """The same."""
        raise AssertionError

    def is_short(self) -> bool:
        """The same."""
        raise AssertionError


class Wide(Numbers):
    """With parts as large as those of a real type."""

    __slots__ = ()

    type_name = "wide"
    mean = 256


class Spelled(Numbers):
    """Its elements are lists with bytes in them."""

    __slots__ = ()

    type_name = "spelled"

    def elements(self, part: dict[int, None]) -> Elements:
        """Each number, as text, and with bytes that are no text."""
        return [(number, b"%d" % number, b"\xff%d" % number) for number in part]

    def restore(self, elements: Elements) -> None:
        """The same again."""
        for number, text, odd in elements:
            if (text, odd) != (b"%d" % number, b"\xff%d" % number):
                raise ValueError(f"{number} is spelled {text!r}, {odd!r}")
        super().restore([number for number, _, _ in elements])
