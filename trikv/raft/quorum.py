"""Majorities. Everything a leader counts (matches, read rounds, signs of life) goes through one function."""

from collections.abc import Collection


def majority(voters: int) -> int:
    """How many of `voters` any two quorums share at least one member of."""
    return voters // 2 + 1


def quorum_value(values: Collection[int]) -> int:
    """The greatest value that a majority has reached; 0 for no voters at all.

    With `values` the match indexes of the voters this is the paper's "N such that a majority of
    matchIndex[i] >= N" (figure 2). Sorting at most seven numbers beats anything cleverer.
    """
    if not values:
        return 0
    return sorted(values, reverse=True)[len(values) // 2]
