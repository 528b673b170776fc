"""Drawing keys, values and databases: few of each, so that clients meet."""

import random
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

REGISTERS: Final = ("r", 6)
"""A family of keys: its letter, and how many there are. Registers are set and deleted."""
COUNTERS: Final = ("n", 3)
"""Changed by INCR alone; two registers go with each."""
SUMS: Final = ("s", 2)
"""Whole numbers that rise and fall."""
FRACTIONS: Final = ("f", 1)
TEXTS: Final = ("a", 3)
"""Grow by APPEND alone."""
PIECES: Final = ("p", 2)
"""Written into by SETRANGE."""
MOVED: Final = ("m", 3)
"""Get each other's names."""
MORTALS: Final = ("t", 4)
"""Have deadlines."""
DATABASES: Final = {0: 6, 1: 2, 9: 1, 15: 1}
"""Those that are used, and how often one of them is chosen."""


class Draw:
    """One client's random stream, and the values that it alone writes."""

    def __init__(self, source: random.Random, number: int) -> None:
        self.source = source
        self._number = number
        self._values = 0

    def key(self, family: tuple[str, int]) -> bytes:
        """One of the family."""
        letter, count = family
        return b"%s%d" % (letter.encode(), self.source.randrange(count))

    def group(self) -> tuple[bytes, bytes, bytes]:
        """Two registers and a counter that belong together, the registers in any order."""
        group, swapped = self.source.randrange(COUNTERS[1]), self.source.randrange(2)
        return b"r%d" % (2 * group + swapped), b"r%d" % (2 * group + 1 - swapped), b"n%d" % group

    def value(self) -> bytes:
        """One that nobody else writes, nor this client again."""
        self._values += 1
        return b"%d.%d" % (self._number, self._values)

    def database(self) -> int:
        """Mostly the first."""
        return self.source.choices(list(DATABASES), list(DATABASES.values()))[0]

    def one_of(self, *items: T) -> T:
        """Each as likely."""
        return self.source.choice(items)

    def some(self, items: Sequence[T], most: int) -> list[T]:
        """From none to `most` of them."""
        return self.source.sample(items, self.source.randint(0, most))

    def chance(self, share: float) -> bool:
        """True in this share of all cases."""
        return self.source.random() < share
