"""Majorities. All that a leader counts (matches, read rounds, signs of life) goes through one function."""

from collections.abc import Collection


def majority(voters: int) -> int:
    """The smallest number of `voters` so that any two groups of it share a member."""
    return voters // 2 + 1


def quorum_value(values: Collection[int]) -> int:
    """The greatest value that a majority has reached; 0 for no voters at all.

    With `values` the match indexes of the voters this is the paper's "N such that a majority of
    matchIndex[i] >= N" (figure 2).
    """
    if not values:
        return 0
    # A cluster has at most seven voters or so: sorting them is faster than anything cleverer.
    return sorted(values, reverse=True)[len(values) // 2]
