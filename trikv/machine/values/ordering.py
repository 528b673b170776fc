"""Sorting very many pairs of score and member in small steps: sample sort.

Short runs are sorted. Samples of them all divide the order into ranges of some hundred pairs. From the last
range to the first each is taken off the ends of all runs and sorted again, which is quick, because it
consists of runs. No step goes over more than some thousand pairs, or frees more; `list.sort` of a million
would take a second.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from trikv.machine.values.score_index import Pair

_SHORT_RUN: Final = 1_024
"""Pairs of a run that is sorted at once: a millisecond."""
_JOINED_RUNS: Final = 16
"""So many of those are sorted together, which takes little longer. Fewer runs make quicker ranges."""
_SAMPLED: Final = 256
"""A sample of so many pairs of a run. Every other one begins a range."""

_STRIDE: Final = 97
"""Odd, so that all places come in their turn."""


def in_order(rows: Iterable[list[Pair]], joined_runs: int = _JOINED_RUNS) -> Iterator[list[Pair]]:
    """All pairs of `rows` in steps: each gives some in order, all of which come before what was given so far.

    The first steps, while runs are made, give none.

    `joined_runs`: so many short runs are sorted together; fewer if pairs take long to be compared.
    """
    runs: list[list[Pair]] = []
    samples: list[Pair] = []
    for run in _sorted_runs(rows, joined_runs):
        if run:
            # At other places of each run: those of one place would be close together, with wide gaps between.
            samples += run[len(runs) * _STRIDE % _SAMPLED :: _SAMPLED]
            runs.append(run)
        yield []
    samples.sort()
    yield []
    for least in samples[:2:-2]:
        yield _from(least, runs)
    yield sorted([pair for run in runs for pair in run])


def _from(least: Pair, runs: list[list[Pair]]) -> list[Pair]:
    """Take what is not before `least` off the runs; in order."""
    taken: list[Pair] = []
    for run in runs:
        place = bisect_left(run, least)
        taken += run[place:]
        del run[place:]
    taken.sort()
    return taken


def _sorted_runs(rows: Iterable[list[Pair]], joined_runs: int) -> Iterator[list[Pair]]:
    """Sorted runs of all pairs; an empty one at a step that has made none."""
    joined: list[Pair] = []
    run: list[Pair] = []
    count = 0
    for row in rows:
        run += row
        if len(run) >= _SHORT_RUN:
            run.sort()
            joined += run
            run = []
            count += 1
            if count == joined_runs:
                joined.sort()
                yield joined
                joined, count = [], 0
        yield []
    joined += run
    joined.sort()
    yield joined
