"""Very many pairs are sorted in small steps."""

import random

from hypothesis import given
from hypothesis import strategies as st

from trikv.machine.values import members, ordering
from trikv.machine.values.ordering import in_order
from trikv.machine.values.score_index import CHUNK_COUNT, Pair, ScoreIndex
from trikv.machine.values.set import Set
from trikv.machine.values.sorted_set import Gathered, SortedSet

STEP_PAIRS_MAX = 4_000
"""What one step gives at most, of pairs that were not chosen to be near to each other."""


def put_together(rows: list[list[Pair]]) -> list[Pair]:
    """All pairs of the steps, the last step first."""
    return [pair for step in reversed(list(in_order(rows))) for pair in step]


@given(st.lists(st.lists(st.tuples(st.floats(allow_nan=False), st.binary(max_size=3)), max_size=20)))
def test_any_pairs_come_in_order(rows: list[list[Pair]]) -> None:
    """None, few, equal ones."""
    assert put_together([list(row) for row in rows]) == sorted(pair for row in rows for pair in row)


def test_many_pairs_come_in_steps() -> None:
    """In any order they have: each run is sorted, and no step takes more than a few thousand."""
    draw = random.Random(1)
    count = 20 * ordering._SHORT_RUN * ordering._JOINED_RUNS
    shuffled = [(float(draw.randrange(count)), b"%d" % at) for at in range(count)]
    for pairs in (
        shuffled,
        sorted(shuffled),
        sorted(shuffled, reverse=True),
        [(0.0, m) for _, m in shuffled],
    ):
        rows = [pairs[at : at + 300] for at in range(0, count, 300)]
        steps = list(in_order(rows))
        assert max(map(len, steps)) < STEP_PAIRS_MAX
        assert [pair for step in reversed(steps) for pair in step] == sorted(pairs)


@given(st.lists(st.tuples(st.integers(0, 50).map(float), st.binary(max_size=2)), unique=True, max_size=1200))
def test_an_index_is_filled_from_behind(pairs: list[Pair]) -> None:
    """Rows of any length, the last first: ranks and order are as if it had been filled one by one."""
    pairs.sort()
    cuts = range(0, len(pairs), 7)
    index = ScoreIndex()
    for _ in index.fill([pairs[at : at + 7] for at in reversed(cuts)]):
        pass
    assert [pair for step in index.span(0, len(pairs)) for pair in step] == pairs
    assert [index.rank(*pair) for pair in pairs] == list(range(len(pairs)))
    for number, pair in enumerate(pairs[:20]):
        index.remove(*pair)
        rest = pairs[number + 1 :]
        assert [each for step in index.span(0, len(rest)) for each in step] == rest


def test_an_index_of_whole_chunks_and_of_many() -> None:
    """No rest is left, and ranks are found behind the first block of chunks."""
    each = CHUNK_COUNT // 2
    for count in (each, 2 * each, 100 * each):
        pairs = [(float(at), b"m%d" % at) for at in range(count)]
        index = ScoreIndex.of(pairs)
        assert list(index.counts) == [each] * (count // each)
        for at in (0, count // 2, count - 1):
            assert list(index.span(at, at + 1)) == [[pairs[at]]]
            assert index.rank(*pairs[at]) == at


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_parts_that_are_expected_are_those_that_come(count: int, least: int) -> None:
    """The same shape, order and charge, as if they had been split one by one."""
    names = [b"name %d" % at for at in range(count)]
    one, other = Set(0, b"secret"), Set(0, b"secret")
    other.expect(min(count, least))
    for name in names:
        one.put(name, None)
    other.put_each(names)
    assert [list(part) for part in one.parts] == [list(part) for part in other.parts]
    assert (one.shape(), one.charge, one.count, one.is_small) == (
        other.shape(),
        other.charge,
        other.count,
        other.is_small,
    )
    other.remove_each(names)
    for name in names:
        one.remove(name)
    assert (one.shape(), one.charge, one.count) == (other.shape(), other.charge, other.count)


def test_no_step_makes_all_parts_of_very_many() -> None:
    """What is expected beyond that comes by splitting."""
    one = Set(0, b"secret")
    one.expect(10**12)
    assert len(one.parts) == members._EXPECTED_MAX
    assert one.charge == one.recounted()


@given(st.dictionaries(st.binary(max_size=4), st.integers(-9, 9).map(float), max_size=800))
def test_what_was_gathered_becomes_a_sorted_set(scores: dict[bytes, float]) -> None:
    """The same one as if its members had been put into it."""
    one, other = SortedSet(0, b"secret"), SortedSet(0, b"secret")
    gathered = Gathered(0, b"secret")
    gathered.put_each([*scores], [*scores.values()])
    for _ in other.take_over(gathered):
        pass
    for name, score in scores.items():
        one.put(name, score)
    assert (one.digest(), one.charge, one.count, one.is_small) == (
        other.digest(),
        other.charge,
        other.count,
        other.is_small,
    )
    assert list(one.index.span(0, one.count)) or not scores
    for name, score in scores.items():
        assert one.index.rank(score, name) == other.index.rank(score, name)
    for name, score in scores.items():
        other.put(name, score + 1)
        assert other.get(name) == score + 1
