"""The index of a sorted set against a sorted list, with small chunks: many of them, in many blocks."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.machine.values import score_index
from trikv.machine.values.score_index import ScoreIndex
from trikv.machine.values.sorted_set import SortedSet

PAIRS = st.tuples(st.integers(-3, 3).map(float), st.integers(0, 60).map(lambda number: b"%d" % number))


@pytest.fixture(autouse=True, scope="module")
def small_chunks() -> Iterator[None]:
    """Four pairs fill a chunk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_index, "CHUNK_COUNT", 4)
        yield


def rows(index: ScoreIndex, first: int, last: int) -> list[tuple[float, bytes]]:
    """The pairs of those ranks."""
    return [pair for some in index.span(first, last) for pair in some]


@given(st.lists(PAIRS, max_size=120), st.data())
def test_it_is_a_sorted_list(pairs: list[tuple[float, bytes]], data: st.DataObject) -> None:
    """Through additions, removals, and a twin that both go on."""
    index = ScoreIndex()
    model: set[tuple[float, bytes]] = set()
    twin, kept = ScoreIndex(), list[tuple[float, bytes]]()
    for number, pair in enumerate(pairs):
        if number == len(pairs) // 2:
            twin, kept = index.twin(), sorted(model)
        if pair in model:
            index.remove(*pair)
            model.remove(pair)
        else:
            index.add(*pair)
            model.add(pair)
    expected = sorted(model)
    assert rows(index, 0, len(expected)) == expected
    assert rows(twin, 0, len(kept)) == kept
    first = data.draw(st.integers(0, len(expected)))
    last = data.draw(st.integers(0, len(expected)))
    assert rows(index, first, last) == expected[first:last]
    back = [pair for some in index.span_back(first, last) for pair in some]
    assert back == expected[first:last][::-1]
    for rank, pair in enumerate(expected):
        assert index.rank(*pair) == rank
    for score in (-4.0, -1.0, 0.0, 3.0):
        assert index.rank_of_score(score, behind=False) == sum(one < score for one, _ in expected)
        assert index.rank_of_score(score, behind=True) == sum(one <= score for one, _ in expected)


@given(st.sets(PAIRS, max_size=60), st.data())
def test_whole_ranges_are_taken_out(pairs: set[tuple[float, bytes]], data: st.DataObject) -> None:
    """What is left is in order, can be found and be added to; a twin keeps all."""
    expected = sorted(pairs)
    index = ScoreIndex.of(expected)
    twin = index.twin()
    for _ in range(data.draw(st.integers(1, 4))):
        first = data.draw(st.integers(0, len(expected)))
        last = data.draw(st.integers(first, len(expected)))
        scores, members = index.take(first, last)
        assert list(zip(scores, members, strict=True)) == expected[first:last]
        expected[first:last] = []
        assert rows(index, 0, len(expected)) == expected
        for rank, pair in enumerate(expected):
            assert index.rank(*pair) == rank
    assert rows(twin, 0, len(pairs)) == sorted(pairs)
    index.add(9.0, b"new")
    assert rows(index, 0, len(expected) + 1) == [*expected, (9.0, b"new")]


def test_ranks_in_many_blocks() -> None:
    """Each of thousands is found by its rank, and its rank by it."""
    members = sorted(b"%d" % number for number in range(3_000))
    index = ScoreIndex.of([(0.0, member) for member in members])
    for rank in (0, 1, 700, 1_500, 2_998, 2_999):
        assert rows(index, rank, rank + 1) == [(0.0, members[rank])]
        assert index.rank(0.0, members[rank]) == rank
        assert index.rank_of_member(members[rank], behind=True) == rank + 1
    for member in members[:2_000]:
        index.remove(0.0, member)
    assert rows(index, 0, 3) == [(0.0, member) for member in members[2_000:2_003]]
    index.add(-5.0, b"first")
    assert index.rank(0.0, members[2_000]) == 1


def test_what_is_absent_is_not_removed() -> None:
    """Nothing belonged to it, and nothing is changed."""
    value = SortedSet(0, b"secret")
    value.put(b"a", 1.0)
    assert value.remove(b"b") is None
    assert value.remove(b"a") == 1.0
    assert value.count == 0
