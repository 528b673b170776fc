"""The order of a sorted set: the part in C and the one in Python do the same."""

import gc
import importlib
import sys
from array import array
from collections.abc import Callable
from hashlib import sha256
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools import needs
from trikv.machine.values import quick_order, score_index
from trikv.machine.values.score_index import BLOCK_CHUNKS, CHUNK_COUNT, ScoreIndex
from trikv.machine.values.sorted_set import SortedSet

needs_it = needs(
    quick_order.is_compiled, "NOT COMPILED: the part in C is not tested, nor its speed; install a C compiler"
)

SOURCE_OF_VERSION = (3, "7bfd3f3a868e79575148c6c07cb643043a86ac6215c40d2b81251e978e1b1bd6")
DOUBLES = st.floats(allow_nan=False)


def test_the_version_counts_up_with_the_source() -> None:
    """An object built from an older source is told by its version: change it in both files, then here."""
    source = Path(quick_order.__file__).with_name("_order.c").read_bytes()
    assert (quick_order.VERSION, sha256(source).hexdigest()) == SOURCE_OF_VERSION
    assert b"#define VERSION %d\n" % quick_order.VERSION in source


def test_the_sizes_are_the_same_in_both() -> None:
    """The part in C leaves to the other what is to be divided."""
    source = Path(quick_order.__file__).with_name("_order.c").read_text()
    for name in ("CHUNK_COUNT", "BLOCK_CHUNKS"):
        line = next(line.split() for line in source.splitlines() if line.startswith(f"#define {name} "))
        assert int(line[2]) == getattr(score_index, name)


@needs_it
def test_the_part_in_c_is_there() -> None:
    """CI and developers test what users get who have a compiler."""
    assert quick_order.move is not quick_order._move


def reloaded(fake: object) -> bool:
    """Whether this module in C (None: none) would be used."""
    name = "trikv.machine.values._order"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, cast("Any", fake))
        patch.setattr(name, fake, raising=False)
        if fake is None:
            patch.delattr(name)
        try:
            return bool(importlib.reload(quick_order).is_compiled)
        finally:
            patch.undo()
            importlib.reload(quick_order)


@needs_it
def test_only_a_part_in_c_that_fits_is_used() -> None:
    """None, of another source, or one that does something else here: then Python does all."""
    fits = {name: getattr(quick_order, name) for name in ("bisect", "total", "find", "move")}
    assert not reloaded(None)
    assert not reloaded(SimpleNamespace(**fits))
    assert not reloaded(SimpleNamespace(VERSION=quick_order.VERSION + 1, **fits))
    assert reloaded(SimpleNamespace(VERSION=quick_order.VERSION, **fits))
    for name in fits:
        assert not reloaded(SimpleNamespace(VERSION=quick_order.VERSION, **{**fits, name: _raises}))
        assert not reloaded(SimpleNamespace(VERSION=quick_order.VERSION, **{**fits, name: lambda *_: 7}))


def _raises(*_: object) -> None:
    raise TypeError


@needs_it
@given(st.lists(DOUBLES | st.integers(-3, 3).map(float), max_size=40).map(sorted), DOUBLES)
def test_the_place_of_a_score_is_the_same(scores: list[float], score: float) -> None:
    """Of infinities, of zeros of either sign, of many alike."""
    row = array("d", scores)
    for wanted in (score, *scores, 7):
        for is_behind in (False, True):
            assert quick_order.bisect(row, wanted, is_behind) == quick_order._bisect(row, wanted, is_behind)


@needs_it
@given(st.lists(st.integers(0, 1 << 50), max_size=80).map(lambda counts: array("q", counts)), st.data())
def test_a_total_is_the_same(counts: "array[int]", data: st.DataObject) -> None:
    """Of all, of some, of none."""
    last = data.draw(st.integers(0, len(counts)))
    first = data.draw(st.integers(0, last))
    assert quick_order.total(counts, first, last) == quick_order._total(counts, first, last)


@needs_it
@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.data())
def test_what_is_found_is_the_same(counts: list[int], data: st.DataObject) -> None:
    """Whatever the rank, from whatever place; none of a count of nothing, none behind the last."""
    row, first = array("q", counts), data.draw(st.integers(0, len(counts) - 1))
    last = sum(counts[first:])
    for rank in range(last):
        found = quick_order.find(row, first, rank)
        assert found == quick_order._find(row, first, rank)
        assert sum(counts[first : found[0]]) + found[1] == rank
    for find in (quick_order.find, quick_order._find):
        with pytest.raises(IndexError):
            find(row, first, last)


def state(index: ScoreIndex) -> tuple[object, ...]:
    """All of it."""
    return tuple(getattr(index, name) for name in ScoreIndex.__slots__)


def of_scores(scores: list[float]) -> tuple[ScoreIndex, dict[bytes, float]]:
    """An index of members with these scores, and what each has."""
    held = {b"m%d" % at: score for at, score in enumerate(scores)}
    return ScoreIndex.of(sorted((score, member) for member, score in held.items())), held


SCORES = st.sampled_from([-inf, inf, 0.0]) | st.integers(0, 700).map(float) | DOUBLES.map(lambda x: x + 0.0)
MOVES = st.dictionaries(st.integers(0, 2_000).map(lambda at: b"m%d" % at), SCORES, max_size=150)


def all_moved(index: ScoreIndex, held: dict[bytes, float], moves: list[dict[bytes, float]]) -> None:
    """Do each of `moves`, one after the other; between them some members go."""
    held = dict(held)
    for wanted in moves:
        index.move_each([*wanted], [held.get(member) for member in wanted], [*wanted.values()])
        held |= wanted
        for member in index.take(len(held) // 3, len(held) // 2)[1]:
            del held[member]
        for member in [*wanted][:3]:
            if member in held:
                index.remove(held.pop(member), member)


@needs_it
@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([0, 1, 255, 300, 1_500]), st.integers(1, 700), st.lists(MOVES, max_size=4), st.booleans()
)
def test_what_moves_is_the_same(
    count: int,
    different: int,
    moves: list[dict[bytes, float]],
    is_shared: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Few members have a score or many, and perhaps another index has the chunks: what it has stays there."""
    scores = [float(at * 7 % different) for at in range(count)]
    one, held = of_scores(scores)
    other, _ = of_scores(scores)
    twins = [index.twin() for index in (one, other)] if is_shared else []
    all_moved(one, held, moves)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick_order, "move", quick_order._move)
        all_moved(other, held, moves)
    assert state(one) == state(other)
    for twin in twins:
        assert [pair for some in twin.span(0, count) for pair in some] == sorted(
            (score, member) for member, score in held.items()
        )


@needs_it
def test_a_long_index_moves_the_same() -> None:
    """One whose memory is asked for ahead: of several blocks of chunks."""
    chunks = 2 * BLOCK_CHUNKS + 3
    scores = [float(at) for at in range(chunks * CHUNK_COUNT // 2)]
    one, held = of_scores(scores)
    other, _ = of_scores(scores)
    assert len(one.counts) == chunks
    moves: list[dict[bytes, float]] = [
        {b"m%d" % (at * 977 % len(scores)): at * 131.5 % len(scores) for at in range(first, first + 200)}
        for first in range(0, 2_000, 200)
    ]
    all_moved(one, held, moves)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick_order, "move", quick_order._move)
        all_moved(other, held, moves)
    assert state(one) == state(other)


@needs_it
def test_nearly_all_are_moved_in_c() -> None:
    """It is for speed: of a thousand moves it leaves few to Python."""
    one, held = of_scores([float(at * 7 % 900) for at in range(2_000)])
    left: list[bytes] = []
    move = ScoreIndex.move

    def counted(self: ScoreIndex, member: bytes, old: float | None, score: float) -> None:
        left.append(member)
        move(self, member, old, score)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScoreIndex, "move", counted)
        all_moved(one, held, [{b"m%d" % at: float(at * 13 % 900)} for at in range(1_000)])
    assert len(left) < 50


@needs_it
def test_a_member_that_moves_is_the_object_that_its_part_has() -> None:
    """Given again, it comes as another object of the same bytes; to keep both would take its bytes twice."""
    one = SortedSet(0, b"secret")
    names = [b"member %d" % at for at in range(2_000)]
    one.put_each(names, [float(at * 7 % 900) for at in range(2_000)])
    one.put_each([bytes(bytearray(name)) for name in names], [float(at * 13 % 900) for at in range(2_000)])
    kept = {id(member) for part in one.parts for member in part}
    assert {id(member) for chunk in one.index.members for member in chunk} == kept


def index_of(**others: object) -> Any:
    """An index of two chunks, of which some rows are others."""
    rows: dict[str, object] = {
        "scores": [array("d", [1.0, 2.0]), array("d", [5.0, 6.0])],
        "members": [[b"a", b"b"], [b"c", b"d"]],
        "counts": array("q", [2, 2]),
        "blocks": array("q", [4]),
        "first_scores": array("d", [-inf, 5.0]),
        "own": [True, True],
    }
    return SimpleNamespace(**{**rows, **others})


@needs_it
@pytest.mark.parametrize(
    ("members", "olds", "scores", "others"),
    [
        ([b"n"], [None], [5.0], {}),
        ([b"c"], [5.0], [7.0], {}),
        ([b"d"], [6.0], [7.0], {"own": [True, False]}),
        ([b"n"], [None], [7.0], {"own": [True, False]}),
        ([b"a"], [1.0], [7.0], {"own": [True, False]}),
        (
            [b"c"],
            [5.5],
            [7.0],
            {"scores": [array("d", [1.0]), array("d", [5.5])], "members": [[b"a"], [b"c"]]},
        ),
        (
            [b"a"],
            [1.0],
            [7.0],
            {"scores": [array("d", [1.0]), array("d", [5.5])], "members": [[b"a"], [b"c"]]},
        ),
        (
            [b"n"],
            [None],
            [7.0],
            {
                "scores": [array("d", [1.0, 2.0]), array("d", map(float, range(5, 5 + CHUNK_COUNT)))],
                "members": [[b"a", b"b"], [b"c%3d" % at for at in range(CHUNK_COUNT)]],
            },
        ),
    ],
)
def test_what_it_leaves_to_python(
    members: list[bytes], olds: list[float | None], scores: list[float], others: dict[str, object]
) -> None:
    """Then nothing has changed: a score of two chunks, another's chunk, one that goes or would be divided."""
    index = index_of(**others)
    assert quick_order.move(index, members, olds, scores, 0) == 0
    assert vars(index) == vars(index_of(**others))


@needs_it
def test_arguments_of_another_shape_are_refused() -> None:
    """A bug of the caller's is an exception, with nothing changed."""
    row: Any = array("d", [-inf])
    bisect, total, move = quick_order.bisect, quick_order.total, quick_order.move
    counts: Any = array("q", [1, 2])
    new: Any = ([b"n"], [None], [3.0], 0)
    calls: list[tuple[type[Exception], Callable[[], object]]] = [
        (TypeError, lambda: bisect(row, cast("Any", "1"), False)),
        (TypeError, lambda: bisect(row, 1.0, cast("Any", 1))),
        (OverflowError, lambda: bisect(row, 10**400, False)),
        (TypeError, lambda: bisect(cast("Any", array("q", [1])), 1.0, False)),
        (BufferError, lambda: bisect(cast("Any", b"12345678"), 1.0, False)),
        (TypeError, lambda: total(row, 0, 1)),
        (TypeError, lambda: total(counts, 0, cast("Any", "1"))),
        (TypeError, lambda: total(counts, cast("Any", 0.5), 1)),
        (IndexError, lambda: total(counts, 0, 3)),
        (IndexError, lambda: total(counts, -1, 1)),
        (TypeError, lambda: quick_order.find(row, 0, 0)),
        (TypeError, lambda: quick_order.find(counts, 0, cast("Any", "1"))),
        (IndexError, lambda: quick_order.find(counts, -1, 0)),
        (IndexError, lambda: quick_order.find(counts, 2, 0)),
        (TypeError, lambda: bisect(cast("Any", [1.0]), 1.0, False)),
        (AttributeError, lambda: move(cast("Any", None), *new)),
        (TypeError, lambda: move(index_of(first_scores=[1.0, 2.0]), *new)),
        (ValueError, lambda: move(index_of(scores=()), *new)),
        (ValueError, lambda: move(index_of(members=[[b"a", b"b"]]), *new)),
        (ValueError, lambda: move(index_of(counts=array("q", [2])), *new)),
        (TypeError, lambda: move(index_of(counts=array("d", [2, 2])), *new)),
        (ValueError, lambda: move(index_of(blocks=array("q", [4, 4])), *new)),
        (TypeError, lambda: move(index_of(blocks=[4]), *new)),
        (ValueError, lambda: move(index_of(own=[]), *new)),
        (TypeError, lambda: move(index_of(members=[(b"a", b"b"), []]), *new)),
        (BufferError, lambda: move(index_of(scores=[b"12345678", row]), *new)),
        (ValueError, lambda: move(index_of(members=[[b"a"], [b"c", b"d"]]), *new)),
        (TypeError, lambda: move(index_of(members=[["a", "b"], []]), [b"n"], [None], [2.0], 0)),
        (ValueError, lambda: move(index_of(), [b"n"], [], [3.0], 0)),
        (ValueError, lambda: move(index_of(), [b"n"], [None], [], 0)),
        (ValueError, lambda: move(index_of(), [b"n"], [None], [3.0], -1)),
        (TypeError, lambda: move(index_of(), [cast("Any", "n")], [None], [3.0], 0)),
        (TypeError, lambda: move(index_of(), [b"n"], [None], [3], 0)),
        (TypeError, lambda: move(index_of(), [b"n"], [1], [3.0], 0)),
        (ValueError, lambda: move(index_of(), [b"n"], [1.0], [3.0], 0)),
        (ValueError, lambda: move(index_of(), [b"n"], [4.0], [3.0], 0)),
    ]
    for kind, call in calls:
        with pytest.raises(kind):
            call()


@needs_it
def test_references_come_out_even() -> None:
    """What moves through the index and out of it is nobody's any more. The collector looks into no chunk."""
    index = ScoreIndex()
    members = [b"member %d" % at for at in range(50)]
    scores = [at * 1.5 for at in range(50)]
    before = [sys.getrefcount(each) for each in (*members, *scores)]
    for _ in range(3):
        index.move_each(members, [None] * 50, scores)
        index.move_each(members, [*scores], scores[::-1])
        assert not any(map(gc.is_tracked, index.members))
        assert len(index.take(0, 50)[1]) == 50
    assert [sys.getrefcount(each) for each in (*members, *scores)] == before
