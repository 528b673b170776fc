"""The keys of a database that have a deadline, in the order of deadlines: what a database asks of its index.

A database has a sorted list. A fork (`trikv.machine.fork`) begins with the same one, which it must not change
and cannot afford to copy, so it has a `ForkedIndex`: that list without some entries and with some others.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Protocol, TypeAlias

Due: TypeAlias = tuple[int, bytes]
"""A deadline and the key that has it. A key is in an index at most once."""


class DeadlineIndex(Protocol):
    """The deadlines in order, equal ones by key."""

    def __len__(self) -> int:
        """How many keys have one."""

    def __iter__(self) -> Iterator[Due]:
        """From the earliest on."""

    def __getitem__(self, place: int, /) -> Due:
        """The one at that place, from 0."""

    def bisect_left(self, one: Due, /) -> int:
        """How many are before `one`."""

    def add(self, one: Due, /) -> None:
        """Put `one` in. It is not there."""

    def remove(self, one: Due, /) -> None:
        """Take `one` out. It is there."""


class ForkedIndex:
    """The index of a base, but for what a fork has changed. It costs what that is."""

    __slots__ = ("_added", "_base", "_passed", "_removed")

    def __init__(self, base: DeadlineIndex) -> None:
        self._base = base
        self._added: list[Due] = []
        """What the fork has and the base has not, or what was removed and has come again. In order."""
        self._removed: set[Due] = set()
        """What the base has and the fork has not, unless it is in `_added`. A set: its order never shows."""
        self._passed = 0
        """So many of the base's earliest are all removed: reaping takes one after another from there."""

    def forked(self) -> "ForkedIndex":
        """That of a fork of this fork. It has the same base: an index on top of another would be slow."""
        fork = ForkedIndex(self._base)
        fork._added, fork._removed, fork._passed = self._added.copy(), self._removed.copy(), self._passed
        return fork

    def __len__(self) -> int:
        return len(self._base) - len(self._removed) + len(self._added)

    def __iter__(self) -> Iterator[Due]:
        return merge((one for one in self._base if one not in self._removed), self._added)

    def __getitem__(self, place: int) -> Due:
        """The one at that place. Any but the earliest takes long: all before it are passed."""
        if place:
            return next(islice(self, place, None))
        base = self._base
        while self._passed < len(base) and base[self._passed] in self._removed:
            self._passed += 1
        heads = self._added[:1]
        if self._passed < len(base):
            heads.append(base[self._passed])
        return min(heads)

    def bisect_left(self, one: Due) -> int:
        """How many are before `one`."""
        gone = sum(other < one for other in self._removed)
        return self._base.bisect_left(one) - gone + bisect_left(self._added, one)

    def add(self, one: Due) -> None:
        """Put `one` in."""
        insort(self._added, one)

    def remove(self, one: Due) -> None:
        """Take `one` out."""
        place = bisect_left(self._added, one)
        if self._added[place : place + 1] == [one]:
            del self._added[place]
        else:
            assert one not in self._removed, f"{one} is not there"
            self._removed.add(one)


def forked(index: DeadlineIndex) -> ForkedIndex:
    """`index` as a fork may change it; nobody else changes it meanwhile."""
    return index.forked() if isinstance(index, ForkedIndex) else ForkedIndex(index)
