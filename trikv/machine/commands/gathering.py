"""Sorted sets that a command makes of many members: they are gathered first, and sorted at the end."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from trikv.machine.values.sorted_set import Gathered, SortedSet

Row: TypeAlias = list[tuple[bytes, float]]
"""Members of one step, each once, with their scores."""
Join: TypeAlias = Callable[[float, float], float]
"""The score of a member that comes again: from the one that it has, and the one that comes."""


def gathered_into(
    target: SortedSet, rows: Iterator[Row], join: Join | None, least: int = 0
) -> Iterator[None]:
    """Put members into a sorted set that has none, in steps. Nobody may look at it before the last.

    Without a `join` each comes once. `least`: so many are sure to come.
    """
    gathered = Gathered(target.epoch, target.secret)
    gathered.expect(least)
    for some in rows:
        members = [member for member, _ in some]
        scores = [score + 0.0 for _, score in some]  # which are no negative zeros
        if join is not None:
            befores = gathered.get_each(members)
            scores = [
                score if before is None else join(before, score) + 0.0
                for score, before in zip(scores, befores, strict=True)
            ]
        gathered.put_each(members, scores)
        target.charge, target.is_small = gathered.charge, gathered.is_small  # who waits looks at them
        yield
    yield from target.take_over(gathered)
