"""The order of a sorted set, quicker: in C (`_order.c` says why), or in Python where that is not there.

The part in C is not used if it is of another version than this, or if a try shows that it does something else
here. Either way the same comes of it, and nobody needs to ask which it is.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from math import inf
from types import ModuleType
from typing import Final, Protocol, TypeAlias

VERSION: Final = 3
"""Version of `_order.c`, which has the same number; a test compares both with the source."""


class Index(Protocol):
    """What `move` needs of a `trikv.machine.values.score_index.ScoreIndex`."""

    scores: list["array[float]"]
    members: list[list[bytes]]
    counts: "array[int]"
    blocks: "array[int]"
    first_scores: "array[float]"
    own: list[bool]


Bisect: TypeAlias = Callable[["array[float]", float, bool], int]
Total: TypeAlias = Callable[["array[int]", int, int], int]
Find: TypeAlias = Callable[["array[int]", int, int], tuple[int, int]]
Move: TypeAlias = Callable[[Index, list[bytes], list[float | None], list[float], int], int]


def _bisect(scores: "array[float]", score: float, is_behind: bool) -> int:  # noqa: FBT001 - as in C
    """How many of `scores`, which are in order, are less than `score`; with `is_behind` how many no greater.

    `score` is a float but no NaN, or an int that is a double, too: beyond 2**53 few are. In Python each
    number that is looked at comes to be an object.
    """
    return bisect_right(scores, score) if is_behind else bisect_left(scores, score)


def _total(counts: "array[int]", first: int, last: int) -> int:
    """The sum of `counts` from the place `first` to before `last`."""
    return sum(counts[first:last])


def _find(counts: "array[int]", first: int, rank: int) -> tuple[int, int]:
    """Of what `counts` counts from place `first` on, where that of this rank is: the place, the rank there.

    Raises IndexError if it has so few.
    """
    while rank >= counts[first]:
        rank -= counts[first]
        first += 1
    return first, rank


def _move(
    _index: Index, _members: list[bytes], _olds: list[float | None], _scores: list[float], first: int
) -> int:
    """Give as many members as can be their scores, from the one at `first` on; the place of the next one.

    `_members` are different ones. `_olds` are the scores that the index has for them, or None for those that
    it does not have. `_scores` are floats, no NaN and no negative zero. It stops where the index has to be
    divided, joined or copied, and where it would have to look further. In Python it moves none.
    """
    return first


class _TwoChunks:
    """An index to try `move` on."""

    def __init__(self) -> None:
        self.scores = [array("d", [1.0, 2.0, 2.0]), array("d", [5.0, 6.0, 6.0])]
        self.members = [[b"a", b"b", b"c"], [b"d", b"e", b"f"]]
        self.counts, self.blocks, self.own = array("q", [3, 3]), array("q", [6]), [True, True]
        self.first_scores = array("d", [-inf, 5.0])


_MOVED: Final = (
    [array("d", [2.0] * 4), array("d", [5.0, 6.0, 6.0])],
    [[b"aa", b"b", b"c", b"f"], [b"d", b"a", b"e"]],
    array("q", [4, 3]),
    array("q", [7]),
    array("d", [-inf, 5.0]),
)
"""Its rows when b"a", b"f" and b"aa" have the scores 6, 2 and 2."""


def _does_it(compiled: ModuleType) -> bool:
    """Try it on scores that are alike, and on an index of two chunks."""
    row, one = array("d", [0.5, 1, 1, 2]), _TwoChunks()
    try:
        places = [compiled.bisect(row, 1.0, is_behind) for is_behind in (False, True)]
        places += [compiled.total(one.counts, first, 2) for first in (0, 1, 2)]
        found = [compiled.find(one.counts, 0, rank) for rank in (0, 2, 3, 5)]
        moved = compiled.move(one, [b"a", b"f", b"aa", b"d"], [1.0, 6.0, None, 5.0], [6.0, 2.0, 2.0, 3.0], 0)
    except Exception:  # noqa: BLE001 - after any error it is not used
        return False
    rows = one.scores, one.members, one.counts, one.blocks, one.first_scores
    is_so = places == [1, 3, 6, 3, 0] and found == [(0, 0), (0, 2), (1, 0), (1, 2)]
    return is_so and moved == 3 and rows == _MOVED


bisect: Bisect = _bisect
total: Total = _total
find: Find = _find
move: Move = _move
is_compiled = False
"""Whether these are the ones in C."""
try:
    from trikv.machine.values import _order
except ImportError:
    pass
else:
    if getattr(_order, "VERSION", None) == VERSION and _does_it(_order):
        bisect, total, find, move = _order.bisect, _order.total, _order.find, _order.move
        is_compiled = True
