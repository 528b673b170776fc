"""Shrinking: what is left still fails, and none of it can be left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.sim.faults import Cut, Strike
from trikv.sim.knobs import Knobs
from trikv.sim.run import Plan, Result
from trikv.sim.shrink import minimal, shrink


@given(st.sets(st.integers(0, 30), max_size=4))
def test_minimal_finds_exactly_the_needed_items(needed: set[int]) -> None:
    """If some items together are the cause, they and nothing else remain."""
    assert set(minimal(list(range(31)), lambda items: needed <= set(items))) == needed


def test_shrink_keeps_the_class_of_failure() -> None:
    """A smaller plan that fails in another way is no smaller form of this failure."""
    plan = Plan(seed=1, knobs=Knobs(), strikes=tuple(Strike(n * 100, Cut(n)) for n in range(1, 9)))

    def execute(tried: Plan) -> Result:
        nodes = {strike.fault.node for strike in tried.strikes if isinstance(strike.fault, Cut)}
        failure = "lost" if {3, 5} <= nodes else "liveness"
        return Result(plan=tried, ok=False, failure=failure)

    small = shrink(plan, execute)
    assert [strike.at_ms for strike in small.strikes] == [300, 500]
    assert small.seconds < plan.seconds


def test_shrink_refuses_a_run_that_does_not_fail() -> None:
    """There is nothing to shrink."""
    plan = Plan(seed=1, knobs=Knobs())
    with pytest.raises(ValueError, match="does not fail"):
        shrink(plan, lambda tried: Result(plan=tried, ok=True))
