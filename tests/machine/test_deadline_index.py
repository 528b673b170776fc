"""An index of deadlines as a fork has it: it does what a sorted list does, and leaves that alone."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sortedcontainers import SortedList

from trikv.machine.deadline_index import DeadlineIndex, Due, forked

_DUE = st.tuples(st.integers(0, 9), st.sampled_from([b"a", b"b"]))
_STEPS = st.lists(st.tuples(st.sampled_from(["toggle", "toggle", "first", "fork"]), _DUE), max_size=60)


def _seen(index: DeadlineIndex) -> tuple[list[Due], int, list[Due], list[int]]:
    """All that it can be asked."""
    places = [index.bisect_left((deadline, b"b")) for deadline in range(-1, 11)]
    return list(index), len(index), [index[place] for place in range(len(index))], places


@settings(max_examples=400, deadline=None)
@example({(1, b"a"), (2, b"a")}, [("toggle", (3, b"a")), ("toggle", (3, b"a"))])
@given(st.sets(_DUE), _STEPS)
def test_it_is_as_a_sorted_list_would_be(begun: set[Due], steps: list[tuple[str, Due]]) -> None:
    """Whatever comes, goes and comes again; one that was forked stays as it was."""
    base = SortedList(begun)
    model = SortedList(begun)
    index = forked(base)
    left: list[tuple[DeadlineIndex, tuple[list[Due], int, list[Due], list[int]]]] = [(base, _seen(base))]
    for what, one in steps:
        if what == "toggle" and one in model:
            model.remove(one)
            index.remove(one)
        elif what == "toggle":
            model.add(one)
            index.add(one)
        elif what == "first" and model:  # as reaping does
            index.remove(index[0])
            model.remove(model[0])
        elif what == "fork":
            left.append((index, _seen(index)))
            index = forked(index)
        assert _seen(index) == _seen(model)
    for other, seen in left:
        assert _seen(other) == seen


def test_what_is_not_there_cannot_be_taken_out_twice() -> None:
    """It would make the count wrong, and so what is told of the database."""
    index = forked(SortedList([(1, b"a")]))
    index.remove((1, b"a"))
    with pytest.raises(AssertionError, match="is not there"):
        index.remove((1, b"a"))


def test_a_fork_of_a_fork_goes_back_to_the_same_list() -> None:
    """However deep, a look at the earliest goes through one overlay."""
    base = SortedList([(1, b"a")])
    deep = forked(forked(forked(base)))
    assert deep._base is base
