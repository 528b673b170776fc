"""A cut shows one instant, whatever happens after it, and costs what it says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import NOW, Driver, collect
from trikv.machine.cut import STEP_KEYS, Cut
from trikv.machine.keyspace import Keyspace
from trikv.machine.stored import AnyValue, deadline_of, held, value_of

_STEP = st.one_of(
    st.tuples(st.just("SET"), st.integers(0, 9), st.integers(1, 3)),
    st.tuples(st.just("EXPIRE"), st.integers(0, 9), st.integers(1, 5)),
    st.tuples(st.just("DEL"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("RENAME"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(
        st.sampled_from(["FLUSHALL", "pass", "cut", "release", "retire"]), st.just(0), st.integers(1, 3)
    ),
)


def _do(driver: Driver, what: str, key: int, number: int) -> None:
    match what:
        case "SET":
            driver.one(f"SET k{key} {'v' * number}")
        case "EXPIRE":
            driver.one(f"EXPIRE k{key} {number}")
        case "DEL":
            driver.one(f"DEL k{key}")
        case "RENAME":
            driver.one(f"RENAME k{key} k{number}")
        case "FLUSHALL":
            driver.one("FLUSHALL")
        case "pass":
            driver.now += number * 1000
            driver.batch()
        case "release":
            driver.machine.release(number)
        case _:
            driver.machine.retire()  # as for an installed snapshot: only `release` and cuts go on


def _shown(cut: Cut) -> list[tuple[int, bytes, AnyValue, int]]:
    return [(db, key, value_of(one), deadline_of(one)) for db, step in cut.entries() for key, one in step]


def test_a_step_ends_with_its_database() -> None:
    """However many keys that has: those of two databases never come in one step, and no step is empty."""
    driver = Driver()
    driver.run(*(f"SET k{number} v" for number in range(STEP_KEYS)), "SELECT 1", "SET k v")
    cut = Cut(driver.machine.space.databases)
    assert [(db, len(step)) for db, step in cut.entries()] == [(0, STEP_KEYS), (1, 1)]
    cut.close()


@settings(max_examples=300, deadline=None)
@given(st.lists(_STEP, max_size=40))
def test_a_cut_shows_its_instant(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is written, expires, is flushed, replaced or freed after it; several cuts at once."""
    driver = Driver()
    cuts: list[tuple[Cut, list[tuple[int, bytes, AnyValue, int]], list[bytes]]] = []
    for what, key, number in steps:
        if what == "cut":
            cut = Cut(driver.machine.space.databases)
            live = driver.one("KEYS *")
            assert isinstance(live, list)
            cuts.append((cut, _shown(cut), [key for key in live if isinstance(key, bytes)]))
        else:
            _do(driver, what, key, number)
        for cut, entries, live_keys in cuts:
            assert _shown(cut) == entries
            assert [one for keys in cut.live_keys() for one in keys] == live_keys
            assert cut.keys == len(entries)
    for cut, entries, _ in cuts:
        cut.lets_go = True
        assert _shown(cut) == entries, "the last pass shows the same"
        cut.close()
    assert driver.machine.space.account.observers == []
    assert collect(driver.machine.walk({})), "the machine goes on"


def _filled(keys: int, value: bytes = b"v") -> Driver:
    driver = Driver()
    for number in range(keys):
        driver.one((b"SET", b"key:%d" % number, value))
    return driver


def test_a_step_is_bounded() -> None:
    """Sparse buckets are gathered, a long one is divided."""
    driver = _filled(1000)
    database = driver.machine.space.databases[0]
    crowded = {b"crowded:%d" % number: held(b"v", 1) for number in range(1000)}
    database.buckets[7] = dict(database.buckets[7].items()) | crowded
    cut = Cut([database])
    sizes = [len(step) for _, step in cut.entries()]
    cut.close()
    assert sum(sizes) == 2000
    assert max(sizes) <= STEP_KEYS
    assert len(sizes) == -(-2000 // STEP_KEYS)


def test_what_is_kept_for_a_cut_is_counted() -> None:
    """Tables and copies of buckets, and values that only the cut refers to; each value once."""
    driver = _filled(10, b"x" * 1000)
    database = driver.machine.space.databases[0]
    cut = Cut([database])
    empty = cut.kept_bytes
    assert 8 * 4096 <= empty < 10 * 4096
    assert list(cut.kept().values()) == [empty]
    driver.one("SET other y")
    assert cut.kept_bytes == empty, "its bucket was empty"
    driver.one("SET key:1 y")
    driver.one("SET key:1 z")
    driver.one("DEL key:1")
    overwritten = cut.kept_bytes
    assert empty + 1000 < overwritten < empty + 2000
    driver.one("FLUSHALL")
    assert cut.kept_bytes >= overwritten + 9_000, "the whole database is kept for it alone"
    cut.lets_go = True
    assert sum(len(step) for _, step in cut.entries()) == 10
    assert cut.kept_bytes == empty, "what has been passed is let go"
    cut.close()
    assert cut.kept_bytes == 0


def test_what_was_passed_is_not_copied_any_more() -> None:
    """The last pass lets go of what is behind it; with a second holder it may not."""
    driver = _filled(600)
    database = driver.machine.space.databases[0]
    alone, shared = Cut([database]), Cut([database])
    assert shared.share() is shared
    empty = alone.kept_bytes
    for cut in (alone, shared):
        cut.lets_go = True
        for _ in cut.entries():
            pass
    for number in range(600):
        driver.one(f"DEL key:{number}")
    assert alone.kept_bytes == empty
    assert shared.kept_bytes > empty
    assert sum(len(step) for _, step in shared.entries()) == 600
    shared.close()
    assert shared.is_open
    shared.close()
    alone.close()
    assert not shared.is_open
    with pytest.raises(AssertionError):
        alone.close()


def test_only_a_whole_cut_of_now_is_shared() -> None:
    """Any change, the passing of time, or a cut that has let go of something forbid it."""
    driver = _filled(3)
    first, second = driver.machine.space.databases[:2]
    driver.one("EXPIRE key:1 5")
    cut = Cut([first])
    assert cut.is_of(first)
    assert not cut.is_of(second)
    assert not Cut([first, second]).is_of(second)
    driver.now += 1
    driver.batch()
    assert not cut.is_of(first), "a key may have become due"
    cut = Cut([first])
    driver.one("SET other 1")
    assert not cut.is_of(first)
    cut = Cut([first])
    cut.lets_go = True
    assert not cut.is_of(first)
    cut = Cut([first])
    cut.close()
    assert not cut.is_of(first)


def test_a_cut_of_nothing() -> None:
    """No keys, no cost, nothing to ask before a write."""
    space = Keyspace()
    cut = Cut(space.databases)
    assert (cut.keys, cut.kept_bytes, list(cut.entries())) == (0, 0, [])
    assert space.account.observers == []
    space.databases[0].store(b"a", b"1")
    assert list(cut.live_keys()) == []
    cut.close()


def test_a_database_that_was_empty_is_not_shown_later() -> None:
    """A cut of all databases is not asked about one that had no key."""
    driver = _filled(1)
    cut = Cut(driver.machine.space.databases)
    driver.machine.space.databases[3].store(b"a", b"1")
    assert [db for db, _ in cut.entries()] == [0]
    cut.close()


def test_due_keys_are_judged_by_the_time_of_the_cut() -> None:
    """A key that expires after it is still shown; one that was due before is not, reaped or not."""
    driver = _filled(3)
    driver.one(f"PEXPIREAT key:0 {NOW + 100}")
    driver.one(f"PEXPIREAT key:1 {NOW + 1000}")
    driver.machine.space.account.now = NOW + 100
    cut = Cut([driver.machine.space.databases[0]])
    driver.now = NOW + 5000
    driver.batch()
    assert sorted(key for keys in cut.live_keys() for key in keys) == [b"key:1", b"key:2"]
    cut.close()
