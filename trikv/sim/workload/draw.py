"""Drawing keys, values and databases: few of each, so that clients meet."""

import random
from collections.abc import Sequence
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")

Family: TypeAlias = tuple[str, int]
"""Keys that are used alike: their letter, and how many there are."""
FAMILIES: Final[list[Family]] = []
"""All of them."""


def _family(letter: str, count: int) -> Family:
    FAMILIES.append((letter, count))
    return letter, count


REGISTERS: Final = _family("r", 6)
"""Keys that are set and deleted."""
COUNTERS: Final = _family("n", 3)
"""Keys that only INCR changes; two registers go with each."""
SUMS: Final = _family("s", 2)
"""Keys with whole numbers that rise and fall."""
FRACTIONS: Final = _family("f", 1)
TEXTS: Final = _family("a", 3)
"""Keys that only grow, by APPEND."""
PIECES: Final = _family("p", 2)
"""Keys that SETRANGE writes into."""
BITS: Final = _family("b", 2)
MOVED: Final = _family("m", 3)
"""Keys that get each other's names."""
MORTALS: Final = _family("t", 4)
"""Keys with deadlines."""
HASHES: Final = _family("h", 2)
MORTAL_HASHES: Final = _family("d", 2)
"""Hashes whose fields have deadlines."""
LISTS: Final = _family("l", 2)
SETS: Final = _family("e", 2)
SORTED: Final = _family("z", 2)
NAMED: Final = _family("y", 2)
"""Sorted sets whose members all have the score 0: they are in the order of their names."""
ANYTHING: Final = _family("x", 3)
"""Keys of all types, so that commands meet a wrong one; they get each other's names."""
ESTIMATES: Final = _family("u", 2)
"""HyperLogLogs."""
PLACES: Final = _family("w", 2)
"""Sorted sets of members with places on the earth."""
SORTED_LISTS: Final = _family("v", 2)
"""Lists that are sorted: their elements are numbers, some of which name one of the next keys."""
RANKS: Final = _family("o", 4)
LARGE_HASHES: Final = _family("gh", 2)
"""Values of hundreds of elements. Some of them have deadlines, so that the search leaves them alone."""
LARGE_LISTS: Final = _family("gl", 2)
LARGE_SETS: Final = _family("ge", 2)
LARGE_SORTED: Final = _family("gz", 2)
LARGE: Final = (LARGE_HASHES, LARGE_LISTS, LARGE_SETS, LARGE_SORTED)
MEMBERS: Final = (b"a", b"b", b"c", b"d", b"e", b"f", b"1", b"-22")
"""Few, so that sets meet. As few can be drawn from that all draws can be tried."""
LONG_BYTES: Final = 70
"""Longer than what is kept in a listpack."""
DATABASES: Final = {0: 6, 1: 2, 9: 1, 15: 1}
"""The databases that are used, each with its weight."""


class Draw:
    """One client's random stream, and the values that it alone writes."""

    def __init__(self, source: random.Random, number: int) -> None:
        self.source = source
        self._number = number
        self._values = 0

    def key(self, family: Family) -> bytes:
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

    def element(self) -> bytes:
        """An element: mostly such a value, now and then a long one, or one that is there several times."""
        value = self.value()
        return self.one_of(value, value, value, value, self.one_of(*MEMBERS), value.ljust(LONG_BYTES, b"."))

    def members(self, most: int = 3) -> list[bytes]:
        """From one to `most` of `MEMBERS`."""
        return self.source.sample(MEMBERS, self.source.randint(1, most))

    def score(self) -> bytes:
        """A score. Their sums are exact, in any order."""
        return self.one_of(b"0", b"1", b"-1", b"2.5", b"0.25", b"7", b"-0", b"inf", b"-inf", b"1e3")

    def keys(self, family: Family) -> tuple[bytes, ...]:
        """All keys of a family, in any order."""
        letter, count = family
        names = [f"{letter}{number}".encode() for number in range(count)]
        return tuple(self.source.sample(names, count))

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
