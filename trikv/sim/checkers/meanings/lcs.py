"""LCS: the longest common subsequence, by the table that every textbook has."""

from typing import Any

from trikv.sim.checkers.expected import Map
from trikv.sim.checkers.meanings.registry import means, two
from trikv.sim.checkers.state import Args, State


@means("LCS", two)
def _lcs(state: State, args: Args) -> Any:
    one, other = (state.string(key) or b"" for key in args[1:3])
    options = args[3:]
    common = _common(one, other)
    if b"LEN" in options:
        return len(common)
    if b"IDX" not in options:
        return bytes(one[at] for at, _ in reversed(common))
    least = int(options[options.index(b"MINMATCHLEN") + 1]) if b"MINMATCHLEN" in options else 0
    matches = list[Any]()
    for first, second, length in _runs(common):
        if length >= least:
            ends = [[first, first + length - 1], [second, second + length - 1]]
            matches.append([*ends, length] if b"WITHMATCHLEN" in options else ends)
    return Map({b"matches": matches, b"len": len(common)})


def _common(one: bytes, other: bytes) -> list[tuple[int, int]]:
    """The places of what both have in common, the last first. Of two ways the one that keeps `one`'s end."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, mine in enumerate(one, 1):
        for j, its in enumerate(other, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if mine == its else max(table[i - 1][j], table[i][j - 1])
    found, i, j = list[tuple[int, int]](), len(one), len(other)
    while i and j:
        if one[i - 1] == other[j - 1]:
            i, j = i - 1, j - 1
            found.append((i, j))
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found


def _runs(places: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Where a row of common bytes begins in either, and its length; the last first."""
    runs = list[tuple[int, int, int]]()
    for i, j in places:
        if runs and runs[-1][:2] == (i + 1, j + 1):
            runs[-1] = (i, j, runs[-1][2] + 1)
        else:
            runs.append((i, j, 1))
    return runs
