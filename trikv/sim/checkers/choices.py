"""The ways in which a command may go that draws: which way a node took is seen only in its answer.

If nobody was told the answer, all ways are gone one after another: a command asks `Choices.of` whenever it
comes to a fork, and `ways` runs it again and again until every branch was taken once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """The branches that one run takes: those that it was given, then always the first."""

    def __init__(self, given: Sequence[int] = ()) -> None:
        self._given = len(given)
        self._made = list(given)
        self._widths: list[int] = []

    def of(self, branches: int) -> int:
        """The number of the branch, from 0, that is taken at a fork of so many."""
        place = len(self._widths)
        self._widths.append(branches)
        if place == len(self._made):
            self._made.append(0)
        return self._made[place]

    def some(self, items: Sequence[bytes], count: int) -> list[bytes]:
        """`count` different ones of `items`; each selection is one way."""
        chosen, at = list[bytes](), 0
        for left in range(count, 0, -1):
            at += self.of(len(items) - at - left + 1)
            chosen.append(items[at])
            at += 1
        return chosen

    def others(self) -> Iterator[tuple[int, ...]]:
        """The beginnings of the ways that fork off from this one, behind what was given."""
        for place in range(self._given, len(self._widths)):
            for branch in range(1, self._widths[place]):
                yield (*self._made[:place], branch)


def ways(run: Callable[[Choices], T]) -> Iterator[T]:
    """What `run` returns for each way that it can go."""
    pending: list[tuple[int, ...]] = [()]
    while pending:
        choices = Choices(pending.pop())
        yield run(choices)
        pending += choices.others()
