"""Latencies in bounded memory: log-linear buckets, after Gil Tene's HdrHistogram.

A value keeps its highest eight bits: each power of two is split into 128 buckets, so every percentile is
right to 0.8 %, from 1 ns to 73 minutes, in 4,608 counters, however many values are recorded.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

_SUB_BITS: Final = 7
_SUB: Final = 1 << _SUB_BITS
_LIMIT_BITS: Final = 42
VALUE_MAX: Final = (1 << _LIMIT_BITS) - 1
"""73 minutes in nanoseconds. Larger values fall into the last bucket; `highest` is exact even then."""
_SIZE: Final = (_LIMIT_BITS - _SUB_BITS + 1) << _SUB_BITS


class Row(NamedTuple):
    """One line of a drawn histogram: how many values lie from `low` up to, not including, `high`."""

    low: int
    high: int
    values: int


def bucket_of(value: int) -> int:
    """Find the bucket of a value from 0 to VALUE_MAX."""
    shift = value.bit_length() - _SUB_BITS - 1
    return value if shift <= 0 else (shift << _SUB_BITS) + (value >> shift)


def bounds_of(bucket: int) -> tuple[int, int]:
    """Give the lowest and the highest value that fall into a bucket."""
    if bucket < 2 * _SUB:
        return bucket, bucket
    shift = (bucket >> _SUB_BITS) - 1
    low = (_SUB + (bucket & (_SUB - 1))) << shift
    return low, low + (1 << shift) - 1


class Histogram:
    """Counts of non-negative integers; a run records nanoseconds."""

    def __init__(self) -> None:
        self._counts = [0] * _SIZE
        self.count = 0
        self.total = 0
        self.highest = 0
        self.lowest = 0

    def record(self, value: int, times: int = 1) -> None:
        """Count `value` `times` times. A negative value, from a clock read out of order, counts as 0."""
        value = max(value, 0)
        self.highest = max(self.highest, value)
        if value < self.lowest or not self.count:
            self.lowest = value
        self.count += times
        self.total += value * times
        self._counts[bucket_of(min(value, VALUE_MAX))] += times

    @property
    def mean(self) -> float:
        """The exact mean, 0 without values."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, percent: float) -> int:
        """The smallest value that at least `percent` of all values do not exceed (nearest rank), to 0.8 %.

        Never under the true value and never over `highest`; 0 without values.
        """
        rank = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= rank:
                high = bounds_of(bucket)[1]
                return self.highest if bucket == _SIZE - 1 else min(high, self.highest)
        return self.highest

    def rows(self) -> list[Row]:
        """Gather the counts into rows with limits 1, 2, 5, 10, 20, 50, …, without empty rows at the ends."""
        rows: list[Row] = []
        limits = _limits()
        low, high = 0, next(limits)
        inside = 0
        for bucket, count in enumerate(self._counts):
            if not count:
                continue
            while bounds_of(bucket)[0] >= high:
                if inside or rows:
                    rows.append(Row(low, high, inside))
                low, high, inside = high, next(limits), 0
            inside += count
        if inside:
            rows.append(Row(low, high, inside))
        return rows


def _limits() -> Iterator[int]:
    power = 1
    while True:
        yield power
        yield 2 * power
        yield 5 * power
        power *= 10
