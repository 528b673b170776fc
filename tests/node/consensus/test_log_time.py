"""Log time: never back, a quorum's median, a slow pull."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.node.consensus.log_time import LogTime, lower_median

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS


@given(st.lists(st.integers(0, 10**13), min_size=1))
def test_lower_median_is_one_of_the_values_with_as_many_below_as_above(values: list[int]) -> None:
    """Of two middle values the lower."""
    median = lower_median(values)
    assert median in values
    assert sum(value <= median for value in values) * 2 >= len(values)
    assert sum(value < median for value in values) * 2 < len(values)


def test_one_clock_years_ahead_decides_nothing() -> None:
    """The median of three is an honest clock, whoever leads."""
    time = LogTime(0)
    time.lead(1_000, [5_000 + 10 * YEAR_MS, 5_000, 5_020])
    assert time.now_ms(1_000) == 5_020
    assert time.now_ms(1_500) == 5_520, "then it follows CLOCK_BOOTTIME"


def test_leader_never_starts_below_what_the_log_has_seen() -> None:
    """Clocks behind the last stamp: time goes on from the stamp, it does not stand still."""
    time = LogTime(9_000)
    time.saw(12_000)
    time.saw(11_000)
    time.lead(0, [5_000, 5_000, 5_000])
    assert time.stamp(0) == 12_000
    assert time.stamp(250) == 12_250


def test_follower_shows_the_last_stamp_it_saw() -> None:
    """A follower has no time of its own and may give no stamp."""
    time = LogTime(100)
    assert time.now_ms(50) == 100
    assert time.boot_ms_of(100) is None
    time.lead(1_000, [7_000])
    time.follow()
    assert time.now_ms(5_000) == 100
    time.slew(5_000, [9_000])
    with pytest.raises(AssertionError, match="only a leader"):
        time.stamp(5_000)


def test_boot_time_of_a_deadline_is_when_log_time_reaches_it() -> None:
    """What the driver's timer is armed for."""
    time = LogTime(0)
    time.lead(1_000, [50_000])
    due = time.boot_ms_of(50_700)
    assert due == 1_700
    assert time.now_ms(due) == 50_700


@given(
    start=st.integers(0, 10**9),
    steps=st.lists(st.tuples(st.integers(0, 5_000), st.integers(-YEAR_MS, YEAR_MS)), max_size=40),
)
def test_stamps_never_go_back_and_the_pull_is_at_most_one_percent(
    start: int, steps: list[tuple[int, int]]
) -> None:
    """However wrong the clocks are told to be, time passes at 99 to 101 % of its rate."""
    time = LogTime(start)
    boot = 1_000
    time.lead(boot, [start])
    last, first_boot = time.stamp(boot), boot
    begun = last
    for passed, error in steps:
        boot += passed
        time.slew(boot, [start + error] * 3)
        stamp = time.stamp(boot)
        assert stamp >= last
        last = stamp
    elapsed = boot - first_boot
    assert elapsed * 0.99 - 1 <= last - begun <= elapsed * 1.01 + 1


def test_slew_reaches_the_median_and_stays() -> None:
    """50 ms behind are made up within five seconds, not exceeded."""
    time = LogTime(0)
    time.lead(0, [1_000_000])
    for boot in range(1_000, 20_000, 1_000):
        time.slew(boot, [1_000_050 + boot] * 3)
    assert time.now_ms(19_000) == 1_000_050 + 19_000


@given(st.lists(st.tuples(st.integers(0, 1_000), st.lists(st.integers(0, 10**7), min_size=1)), max_size=12))
def test_a_chain_of_leaders_never_takes_time_back(terms: list[tuple[int, list[int]]]) -> None:
    """Each leader has seen its predecessor's stamps; clocks may say anything at each election."""
    last = 0
    for passed, clocks in terms:
        leader = LogTime(0)
        leader.saw(last)
        leader.lead(5, clocks)
        stamp = leader.stamp(5 + passed)
        assert stamp >= last
        assert stamp <= max(last, *clocks) + passed
        last = stamp
