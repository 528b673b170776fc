"""Majorities against brute force."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from trikv.raft.quorum import majority, quorum_value

VALUES = st.lists(st.integers(0, 9), min_size=1, max_size=7)


@given(VALUES)
def test_quorum_value_is_the_greatest_that_a_majority_reached(values: list[int]) -> None:
    """No majority's minimum is greater, and some majority has reached it."""
    groups = combinations(values, majority(len(values)))
    assert quorum_value(values) == max(min(group) for group in groups)


@given(st.integers(1, 9))
def test_two_majorities_share_a_member(voters: int) -> None:
    """Any two quorums of one configuration overlap, and no smaller groups need to."""
    assert 2 * majority(voters) > voters
    assert 2 * (majority(voters) - 1) <= voters


@given(st.integers(1, 8))
def test_quorums_overlap_across_a_single_change(voters: int) -> None:
    """A majority of n and one of n + 1 voters share a member: one change at a time is safe (thesis, 4.1)."""
    assert majority(voters) + majority(voters + 1) > voters + 1


def test_no_voters_have_reached_nothing() -> None:
    """An empty configuration commits nothing."""
    assert quorum_value([]) == 0
