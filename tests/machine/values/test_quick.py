"""Many elements at once: the part in C and the one in Python do the same, to the byte."""

import gc
import importlib
import sys
from collections.abc import Callable
from hashlib import blake2b, sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools import needs
from trikv.machine.values import quick
from trikv.machine.values.set import Set
from trikv.machine.values.sorted_set import Gathered, SortedSet

needs_it = needs(
    quick.is_compiled, "NOT COMPILED: the part in C is not tested, nor its speed; install a C compiler"
)

SOURCE_OF_VERSION = (5, "0997ae75d34a5d29d90fc4af5c880c9aeaef3681b6f3fa4ff68bad2d40d2b287")
SECRETS = st.sampled_from([b"", b"s", b"12345678", b"k" * 64])
MEMBERS = st.lists(
    st.binary(max_size=12) | st.integers(0, 40).map(lambda number: b"m" * number * 8), max_size=60
)
BELONGING = st.one_of(st.none(), st.binary(max_size=5), st.floats(), st.just(7), st.just(["no string"]))


def test_the_version_counts_up_with_the_source() -> None:
    """An object built from an older source is told by its version: change it in both files, then here."""
    source = Path(quick.__file__).with_name("_parts.c").read_bytes()
    assert (quick.VERSION, sha256(source).hexdigest()) == SOURCE_OF_VERSION
    assert b"#define VERSION %d\n" % quick.VERSION in source


@needs_it
def test_the_part_in_c_is_there() -> None:
    """CI and developers test what users get who have a compiler."""
    assert quick.is_compiled
    assert quick.put is not quick._put


def reloaded(fake: object) -> bool:
    """Whether this module in C (None: none) would be used."""
    name = "trikv.machine.values._parts"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, cast("Any", fake))
        patch.setattr(name, fake, raising=False)
        if fake is None:
            patch.delattr(name)
        try:
            return bool(importlib.reload(quick).is_compiled)
        finally:
            patch.undo()
            importlib.reload(quick)


def test_only_a_part_in_c_that_fits_is_used() -> None:
    """None, of another source, or one that does something else here: then Python does all."""
    names = ("places", "get", "nth", "put", "remove", "pop", "untrack")
    fits = {name: getattr(quick, f"_{name}") for name in names}
    assert not reloaded(None)
    assert not reloaded(SimpleNamespace(**fits))
    assert not reloaded(SimpleNamespace(VERSION=quick.VERSION + 1, **fits))
    assert reloaded(SimpleNamespace(VERSION=quick.VERSION, **fits))
    for name in fits:
        assert not reloaded(SimpleNamespace(VERSION=quick.VERSION, **{**fits, name: _raises}))
        assert not reloaded(SimpleNamespace(VERSION=quick.VERSION, **{**fits, name: lambda *_: 7}))


def _raises(*_: object) -> None:
    raise TypeError


@needs_it
@pytest.mark.parametrize("size", [0, 1, 7, 8, 127, 128, 129, 255, 256, 257, 1000])
@pytest.mark.parametrize("secret", [b"", b"12345678", b"k" * 64])
def test_the_hash_is_blake2b(size: int, secret: bytes) -> None:
    """As of RFC 7693: members of no block, of whole blocks, and one byte more or less."""
    for number in range(20):
        member = bytes((number + at) % 256 for at in range(size))
        hashed = int.from_bytes(blake2b(member, digest_size=4, key=secret).digest(), "little")
        assert quick.places([member], secret, 31, 0) == [hashed % 2**31]


@needs_it
@given(MEMBERS, SECRETS, st.integers(0, 31), st.data())
def test_places_are_the_same(members: list[bytes], secret: bytes, level: int, data: st.DataObject) -> None:
    """Whatever the shape."""
    split = data.draw(st.integers(0, (1 << level) - 1))
    assert quick.places(members, secret, level, split) == quick._places(members, secret, level, split)


@needs_it
@given(st.dictionaries(st.binary(max_size=3), st.none(), max_size=30), st.lists(st.binary(max_size=3)))
def test_the_nth_is_the_same(part: dict[bytes, None], gone: list[bytes]) -> None:
    """Of a dict with holes, too: what was taken out does not count."""
    for member in gone:
        part.pop(member, None)
    for nth in (quick.nth, quick._nth):
        assert [nth(part, at) for at in range(len(part))] == list(part)
    for at in (-1, len(part)):
        for nth in (quick.nth, quick._nth):
            with pytest.raises(IndexError):
                nth(part, at)


class Parts:
    """Some parts, of which two belong to somebody else."""

    def __init__(self, level: int, split: int) -> None:
        count = (1 << level) + split
        self.parts: list[dict[bytes, Any]] = [{} for _ in range(count)]
        self.owners = [3 if at % 5 else 1 for at in range(count)]
        self.hashes: list[bytes | None] = [b"known"] * count

    @property
    def count(self) -> int:
        """How many elements they have."""
        return sum(map(len, self.parts))

    def state(self) -> object:
        """All of it, with the order of elements."""
        return [list(part.items()) for part in self.parts], self.owners, self.hashes


@needs_it
@settings(max_examples=200)
@given(
    st.integers(0, 3),
    SECRETS,
    st.lists(st.tuples(st.booleans(), MEMBERS, st.lists(BELONGING, min_size=60, max_size=60)), max_size=6),
    st.data(),
)
def test_what_is_put_and_removed_is_the_same(
    level: int,
    secret: bytes,
    steps: list[tuple[bool, list[bytes], list[Any]]],
    data: st.DataObject,
) -> None:
    """And where they stop: at a part of somebody else, at what they do not know, at what is too many."""
    split = data.draw(st.integers(0, (1 << level) - 1))
    one, other = Parts(level, split), Parts(level, split)
    for is_put, members, belongings in steps:
        first, own_from = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 4))
        most = data.draw(st.integers(0, 60))
        given_ = data.draw(st.sampled_from([None, belongings[: len(members)]]))
        results: list[object] = []
        for parts, put, remove in ((one, quick.put, quick.remove), (other, quick._put, quick._remove)):
            shape = parts.parts, parts.owners, parts.hashes, own_from, secret, level, split, most
            results.append(put(members, given_, first, *shape) if is_put else remove(members, first, *shape))
        assert repr(results[0]) == repr(results[1])
        for parts, get in ((one, quick.get), (other, quick._get)):
            results.append(get(members, b"none", parts.parts, secret, level, split))
        assert repr(results[2]) == repr(results[3])
        assert repr(one.state()) == repr(other.state())


@needs_it
@settings(max_examples=200)
@given(
    st.integers(0, 3),
    MEMBERS,
    BELONGING,
    st.lists(st.binary(min_size=1, max_size=64), max_size=30),
    st.integers(0, 4),
    st.data(),
)
def test_what_is_drawn_and_taken_out_is_the_same(
    level: int, members: list[bytes], belonging: object, keys: list[bytes], own_from: int, data: st.DataObject
) -> None:
    """And where they stop: as for what is put, and when as many are left as are wanted."""
    split = data.draw(st.integers(0, (1 << level) - 1))
    one, other = Parts(level, split), Parts(level, split)
    for parts in (one, other):
        for at, place in enumerate(quick.places(members, b"s", level, split)):
            parts.parts[place][members[at]] = belonging
    least = data.draw(st.integers(0, 9))
    results = [
        pop(keys, parts.parts, parts.owners, parts.hashes, own_from, level, parts.count, least)
        for parts, pop in ((one, quick.pop), (other, quick._pop))
    ]
    assert results[0] == results[1]
    assert repr(one.state()) == repr(other.state())
    assert one.count >= min(least, len(set(members)))


def test_elements_that_are_not_there_are_not_drawn_forever() -> None:
    """A wrong count is a bug that stops a node; it must not hang."""
    parts = Parts(2, 1)
    rows = parts.parts, parts.owners, parts.hashes
    for pop in (quick.pop, quick._pop):
        with pytest.raises(RuntimeError, match="than were counted"):
            pop([b"k"], *rows, 0, 2, 400, 0)


@pytest.mark.parametrize("is_shared", [False, True])
def test_in_python_no_name_is_hashed_again_and_again(
    is_shared: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often it stops: because parts are split or joined, or another value has them, too."""
    monkeypatch.setattr(quick, "put", quick._put)
    monkeypatch.setattr(quick, "remove", quick._remove)
    hashed, count = quick.hashed, 0

    def counted(member: bytes, secret: bytes) -> int:
        nonlocal count
        count += 1
        return hashed(member, secret)

    one = Set(0, b"secret")
    names = [b"m%d" % at for at in range(10_000)]
    if is_shared:
        one.put_each([b"other %d" % at for at in range(10_000)])
        one = one.twin(1)
    monkeypatch.setattr(quick, "hashed", counted)
    one.put_each(names)
    one.remove_each(names)
    assert len(names) < count < 5 * len(names)


@needs_it
def test_arguments_of_another_shape_are_refused() -> None:
    """A bug of the caller's is an exception, with nothing changed."""
    parts = Parts(2, 1)
    rows = parts.parts, parts.owners, parts.hashes
    calls: list[tuple[type[Exception], Callable[[], object]]] = [
        (TypeError, lambda: quick.places(cast("Any", (b"a",)), b"s", 1, 0)),
        (TypeError, lambda: quick.places([cast("Any", "a")], b"s", 1, 0)),
        (ValueError, lambda: quick.places([b"a"], b"s" * 65, 1, 0)),
        (ValueError, lambda: quick.places([b"a"], b"s", 32, 0)),
        (ValueError, lambda: quick.places([b"a"], b"s", 1, 2)),
        (ValueError, lambda: quick.places([b"a"], b"s", 1, -1)),
        (TypeError, lambda: quick.get([cast("Any", "a")], None, parts.parts, b"s", 2, 1)),
        (TypeError, lambda: quick.get([b"a"], None, [cast("Any", [])] * 5, b"s", 2, 1)),
        (ValueError, lambda: quick.get([b"a"], None, parts.parts, b"s", 2, 0)),
        (TypeError, lambda: quick.nth(cast("Any", []), 0)),
        (ValueError, lambda: quick.put([b"a"], None, 0, *rows, 0, b"s", 2, 0, 9)),
        (ValueError, lambda: quick.put([b"a"], [], 0, *rows, 0, b"s", 2, 1, 9)),
        (ValueError, lambda: quick.put([b"a"], None, -1, *rows, 0, b"s", 2, 1, 9)),
        (ValueError, lambda: quick.put([b"a"], None, 0, *rows, 0, b"s", 2, 1, -1)),
        (ValueError, lambda: quick.remove([b"a"], 0, parts.parts, [1], parts.hashes, 0, b"s", 2, 1, 9)),
        (ValueError, lambda: quick.remove([b"a"], 0, parts.parts, parts.owners, [None], 0, b"s", 2, 1, 9)),
        (TypeError, lambda: quick.pop([cast("Any", "a")], *rows, 0, 2, 1, 0)),
        (TypeError, lambda: quick.pop([b""], *rows, 0, 2, 1, 0)),
        (TypeError, lambda: quick.pop([b"k" * 65], *rows, 0, 2, 1, 0)),
        (ValueError, lambda: quick.pop([b"k"], [], [], [], 0, 2, 1, 0)),
        (ValueError, lambda: quick.pop([b"k"], parts.parts, [1], parts.hashes, 0, 2, 1, 0)),
        (ValueError, lambda: quick.pop([b"k"], *rows, 0, 32, 1, 0)),
        (ValueError, lambda: quick.pop([b"k"], *rows, 0, 2, 1, -1)),
        (ValueError, lambda: quick.pop([b"k"], *rows, 0, 0, 1 << 47, 0)),
        (ValueError, lambda: quick.pop([b"k"], *rows, 0, 0, 1 << 48, 0)),
    ]
    for kind, call in calls:
        with pytest.raises(kind):
            call()
    assert parts.state() == Parts(2, 1).state()


@needs_it
def test_the_collector_never_looks_into_an_index() -> None:
    """However its chunks came to be. It would look at a million members while nobody is served."""
    one, other = SortedSet(0, b"secret"), SortedSet(0, b"secret")
    gathered = Gathered(0, b"secret")
    for at in range(2_000):
        one.put(b"m%d" % at, at * 7 % 2_000)
        gathered.put_each([b"m%d" % at], [1.0])
    for _ in other.take_over(gathered):
        pass
    twin = one.twin(1)
    twin.put(b"m1", 3.0)
    chunks = [chunk for each in (one, other, twin) for chunk in each.index.members]
    assert len(chunks) > 12
    assert not any(map(gc.is_tracked, chunks))
    with pytest.raises(TypeError):
        quick.untrack(cast("Any", ()))
    assert quick.untrack(chunks[0]) is chunks[0], "a second time, too"


@needs_it
def test_references_come_out_even() -> None:
    """What is put and taken out again is nobody's any more."""
    members, values = [b"member %d" % at for at in range(50)], [b"value %d" % at for at in range(50)]
    before = [sys.getrefcount(each) for each in (*members, *values, None, True)][:100]
    for _ in range(3):
        parts = Parts(2, 1)
        shape = parts.parts, parts.owners, parts.hashes, 0, b"s", 2, 1
        assert quick.put(members, values, 0, *shape, 99)[0] == [True] * 50
        assert quick.put(members, values, 0, *shape, 0)[0] == [False] * 50
        assert quick.get(members, None, parts.parts, b"s", 2, 1) == values
        rows = parts.parts, parts.owners, parts.hashes
        assert len(quick.pop([b"a", b"b"], *rows, 0, 2, 50, 48)[0]) == 2
        quick.put(members, values, 0, *shape, 99)
        assert quick.remove(members, 0, *shape, 99)[0] == 50
        assert quick.get(members, True, parts.parts, b"s", 2, 1) == [True] * 50
        assert len(quick.places(members, b"s", 2, 1)) == 50
    assert [sys.getrefcount(each) for each in (*members, *values)] == before
