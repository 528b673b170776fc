"""The histogram against a sorted list."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.bench.histogram import VALUE_MAX, Histogram, bounds_of, bucket_of

_VALUES = st.one_of(st.integers(0, 1000), st.integers(0, 10**9), st.integers(0, VALUE_MAX))


@given(_VALUES)
def test_a_value_lies_within_the_bounds_of_its_bucket(value: int) -> None:
    """Every value falls into a bucket that holds it and is no wider than 1/128 of it."""
    low, high = bounds_of(bucket_of(value))
    assert low <= value <= high
    assert high - low <= value / 128


@given(st.integers(0, bucket_of(VALUE_MAX) - 1))
def test_buckets_leave_no_gap(bucket: int) -> None:
    """Where one bucket ends the next begins."""
    assert bounds_of(bucket)[1] + 1 == bounds_of(bucket + 1)[0]


@given(st.lists(_VALUES, min_size=1, max_size=200), st.sampled_from([0.1, 1, 50, 95, 99, 99.9, 100]))
def test_a_percentile_is_the_sorted_lists_within_its_precision(values: list[int], percent: float) -> None:
    """A percentile is the nearest-rank value of the sorted list, never less and at most 0.8 % more."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    assert exact <= histogram.percentile(percent) <= min(exact + exact / 128, max(values))


@given(st.lists(st.tuples(_VALUES, st.integers(1, 50)), min_size=1, max_size=50))
def test_counts_total_and_extremes_are_exact(records: list[tuple[int, int]]) -> None:
    """Count, mean, lowest and highest are exact, and recording n times at once is recording n times."""
    histogram = Histogram()
    for value, times in records:
        histogram.record(value, times)
    values = [value for value, times in records for _ in range(times)]
    assert histogram.count == len(values)
    assert histogram.mean == pytest.approx(sum(values) / len(values))
    assert (histogram.lowest, histogram.highest) == (min(values), max(values))
    assert histogram.percentile(100) == max(values)


@given(st.lists(_VALUES, max_size=100))
def test_rows_hold_every_value_once_and_adjoin(values: list[int]) -> None:
    """The drawn rows adjoin, have no empty row at either end, and add up to all values."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    rows = histogram.rows()
    assert sum(row.values for row in rows) == len(values)
    assert all(one.high == two.low for one, two in pairwise(rows))
    if rows:
        assert rows[0].values
        assert rows[-1].values


def test_what_no_clock_should_give_is_bounded() -> None:
    """A negative value counts as 0, and one beyond the last bucket keeps its exact maximum."""
    histogram = Histogram()
    histogram.record(-5)
    assert (histogram.lowest, histogram.highest) == (0, 0)
    histogram.record(VALUE_MAX * 1000)
    assert histogram.percentile(100) == VALUE_MAX * 1000


def test_without_values_everything_is_zero() -> None:
    """An empty histogram answers zero instead of failing: a run may get no reply."""
    histogram = Histogram()
    assert (histogram.percentile(99), histogram.mean, histogram.rows()) == (0, 0.0, [])
