"""Draws: a pure function of a place, without bias."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.machine.draws import BOUND_MAX, Draws

PLACE = (7, 12, 1, 5, 3)


def _drawn(*place: int, count: int = 20, bound: int = BOUND_MAX) -> list[int]:
    draws = Draws(*place)
    return [draws.below(bound) for _ in range(count)]


def test_the_numbers_of_a_place_never_change() -> None:
    """They are part of the replicated behaviour: another release, build or Python must draw the same."""
    assert _drawn(*PLACE, count=10, bound=1000) == [644, 908, 60, 657, 698, 113, 144, 783, 416, 575]
    assert _drawn(0, count=3) == [78990039482952, 18461379490415, 68801112099935]


@pytest.mark.parametrize("part", range(len(PLACE)))
def test_every_part_of_the_place_counts(part: int) -> None:
    """Two commands whose places differ in one number draw rows that have nothing in common."""
    other = [number + (at == part) for at, number in enumerate(PLACE)]
    assert not set(_drawn(*other)) & set(_drawn(*PLACE))


def test_a_row_does_not_repeat_itself() -> None:
    """Each block of the row is another one."""
    assert len(set(_drawn(*PLACE, count=500))) == 500


@given(st.integers(1, BOUND_MAX), st.integers(0, 2**64 - 1))
def test_a_number_is_below_its_bound(bound: int, seed: int) -> None:
    """Whatever the bound is."""
    assert all(0 <= number < bound for number in _drawn(seed, bound=bound, count=5))


def test_each_number_is_as_likely_as_any_other() -> None:
    """Chi-squared over 6 sides and 6,000 throws: 20.5 is passed once in a thousand rows."""
    counts = Counter(_drawn(*PLACE, count=6000, bound=6))
    assert sorted(counts) == list(range(6))
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5


def test_what_would_prefer_small_numbers_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number over the greatest multiple of the bound is not used: its remainder would be a small one."""
    row = iter([2**64 - 1, 2**64 - 2, 5])
    monkeypatch.setattr(Draws, "_number", lambda _: next(row))
    assert Draws(1).below(3) == (2**64 - 2) % 3
    assert Draws(1).below(10) == 5


@pytest.mark.parametrize("bound", [0, -1, BOUND_MAX + 1])
def test_a_bound_that_cannot_be_kept_is_a_bug(bound: int) -> None:
    """Nothing lies below 0, and near 2**64 nearly every second number would be drawn again."""
    with pytest.raises(AssertionError):
        Draws(1).below(bound)
