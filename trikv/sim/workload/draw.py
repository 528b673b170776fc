"""Drawing keys, values and databases: few of each, so that clients meet."""

import random
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

REGISTERS: Final = ("r", 6)
"""A family of keys: its letter, and how many there are. Registers are set and deleted."""
COUNTERS: Final = ("n", 3)
"""Keys that only INCR changes; two registers go with each."""
SUMS: Final = ("s", 2)
"""Keys with whole numbers that rise and fall."""
FRACTIONS: Final = ("f", 1)
TEXTS: Final = ("a", 3)
"""Keys that only grow, by APPEND."""
PIECES: Final = ("p", 2)
"""Keys that SETRANGE writes into."""
MOVED: Final = ("m", 3)
"""Keys that get each other's names."""
MORTALS: Final = ("t", 4)
"""Keys with deadlines."""
DATABASES: Final = {0: 6, 1: 2, 9: 1, 15: 1}
"""The databases that are used, each with its weight."""


class Draw:
    """One client's random stream, and the values that it alone writes."""

    def __init__(self, source: random.Random, number: int) -> None:
        self.source = source
        self._number = number
        self._values = 0

    def key(self, family: tuple[str, int]) -> bytes:
        """The name of one key of the family, each as likely."""
        letter, count = family
        return b"%s%d" % (letter.encode(), self.source.randrange(count))

    def group(self) -> tuple[bytes, bytes, bytes]:
        """Two registers and a counter that belong together, the registers in any order."""
        group, swapped = self.source.randrange(COUNTERS[1]), self.source.randrange(2)
        return b"r%d" % (2 * group + swapped), b"r%d" % (2 * group + 1 - swapped), b"n%d" % group

    def value(self) -> bytes:
        """A value that no other client writes, nor this one again."""
        self._values += 1
        return b"%d.%d" % (self._number, self._values)

    def database(self) -> int:
        """A database's number, by the weights of `DATABASES`: mostly 0."""
        return self.source.choices(list(DATABASES), list(DATABASES.values()))[0]

    def one_of(self, *items: T) -> T:
        """One of `items`, each as likely."""
        return self.source.choice(items)

    def some(self, items: Sequence[T], most: int) -> list[T]:
        """From none to `most` of `items`, each at most once."""
        return self.source.sample(items, self.source.randint(0, most))

    def chance(self, share: float) -> bool:
        """True in this share of all cases."""
        return self.source.random() < share
