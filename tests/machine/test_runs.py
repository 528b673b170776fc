"""Runs of SETs in C do what the loop in Python does."""

import gc
import importlib
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.crafted import crafted
from tests.machine.driving import Driver, reborn
from tests.tools import needs
from trikv.machine import runs
from trikv.machine.batch import Transaction
from trikv.machine.database import BUCKET_SHIFT, BUCKETS
from trikv.machine.errors import OOM
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX
from trikv.machine.replies import OK
from trikv.machine.split import LEAF_KEYS_MAX, Bucket, Split
from trikv.machine.stored import PACKED_BYTES_MAX, Held, held, stored, value_bytes_of
from trikv.machine.walk import Walk

needs_it = needs(
    runs.set_run, "NOT COMPILED: the part in C is not tested, nor its speed; install a C compiler"
)
ROOM = 2**62
ENTRY_BYTES = 136


@needs_it
def test_the_part_in_c_is_there() -> None:
    """CI and developers test what users get who have a compiler."""
    assert runs.set_run is not None


def reloaded(fake: object) -> runs.SetRun | None:
    """`set_run` as it would be with this module in C (None: without one)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "trikv.machine._runs", cast("Any", fake))
        patch.setattr("trikv.machine._runs", fake, raising=False)
        if fake is None:
            patch.delattr("trikv.machine._runs")
        try:
            return cast("runs.SetRun | None", importlib.reload(runs).set_run)
        finally:
            patch.undo()
            importlib.reload(runs)


def _raises(*_: object) -> tuple[int, int, int]:
    raise TypeError


def test_only_a_part_in_c_that_fits_is_used() -> None:
    """None, of another source, or one that does something else here: then the loop does all."""
    assert reloaded(None) is None
    assert reloaded(SimpleNamespace(set_run=runs.set_run)) is None
    both = {"set_run": runs.set_run, "add_run": runs.add_run}
    assert reloaded(SimpleNamespace(VERSION=runs.VERSION + 1, **both)) is None
    for name, returned in (("set_run", (3, 25, 2)), ("add_run", ([-1, -235], 14, 1))):
        for fake in (_raises, lambda *_, returned=returned: returned):
            assert reloaded(SimpleNamespace(VERSION=runs.VERSION, **{**both, name: fake})) is None


def test_trikv_works_without_it() -> None:
    """Where nothing was compiled, there is no run, and the loop does all."""
    with without_it():
        assert begun().run(*[f"SET k{number} v" for number in range(20)]) == [OK] * 20


@needs_it
def test_no_python_code_runs_inside() -> None:
    """The collector waits until the run is done: what it calls would see half of a bucket."""
    set_run = runs.set_run
    seen: list[int] = []
    assert set_run is not None
    commands = tuple((b"SET", b"key:%d" % number, b"v") for number in range(2000))
    empty: Bucket = {}
    buckets: list[Bucket] = [empty] * 4096
    watch = seen.append
    old = gc.get_threshold()
    gc.set_threshold(10)
    gc.callbacks.append(lambda *_: watch(sum(map(len, buckets))))
    try:
        done, _, _ = set_run(commands, buckets, bytearray(4096), 0, ROOM, ENTRY_BYTES, LEAF_KEYS_MAX, empty)
    finally:
        gc.callbacks.pop()
        gc.set_threshold(*old)
    assert done == 2000
    assert set(seen) <= {0, done}
    assert gc.isenabled()


SOURCE_OF_VERSION = (7, "2c1d95501e3053178997e599b8793b2a2f203c41ad0d469a67771859e5ebde59")


def test_the_version_counts_up_with_the_source() -> None:
    """An object built from an older source is told by its version: change it in both files, then here."""
    source = Path(runs.__file__).with_name("_runs.c").read_bytes()
    assert (runs.VERSION, sha256(source).hexdigest()) == SOURCE_OF_VERSION
    assert b"#define VERSION %d\n" % runs.VERSION in source


@needs_it
def test_its_limits_are_below_those_of_the_loop() -> None:
    """What the loop refuses is never carried out."""
    assert 0 < _runs().SHORT_KEY_BYTES < KEY_BYTES_MAX
    assert _runs().PACKED_BYTES_MAX == PACKED_BYTES_MAX < VALUE_BYTES_MAX


def _runs() -> ModuleType:
    return importlib.import_module("trikv.machine._runs")


@contextmanager
def without_it() -> Iterator[None]:
    """As if there had been no compiler."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "set_run", None)
        patch.setattr(runs, "add_run", None)
        yield


_KEY = st.sampled_from([b"a", b"b", b"c", b"key:%d", b"", b"\xff" * 1025]) | st.integers(0, 300).map(
    b"%d".__mod__
)
_VALUE = st.binary(max_size=12) | st.sampled_from([b"v" * 200, b"v" * 4096, b"v" * 4097])
_SET = st.tuples(st.sampled_from([b"SET", b"SET", b"SET", b"set", b"Set"]), _KEY, _VALUE)
_NUMBER = st.integers(-(2**63), 2**63 - 1).map(b"%d".__mod__) | st.sampled_from(
    [
        *(b"", b"-", b"0", b"-0", b"00", b"01", b"-01", b"+1", b" 1", b"1 ", b"1.0", b"a", b"1\0", b"-1"),
        *(b"9223372036854775807", b"9223372036854775808", b"9999999999999999999", b"99999999999999999999"),
        *(b"-9223372036854775807", b"-9223372036854775808", b"-9223372036854775809"),
    ]
)
_RUN = st.tuples(st.just(b"SET"), _KEY, st.binary(max_size=40) | _NUMBER)
_ADD = st.tuples(st.sampled_from([b"INCR"] * 9 + [b"incr", b"Incr", b"DECR"]), _KEY)
_DECR = st.tuples(st.just(b"DECR"), _KEY)
_OTHER = st.one_of(
    st.tuples(st.just(b"SET"), _KEY, _VALUE, st.just(b"PX"), st.integers(1, 40).map(b"%d".__mod__)),
    st.tuples(st.just(b"GET"), _KEY),
    st.tuples(st.just(b"DEL"), _KEY),
    st.tuples(st.just(b"APPEND"), _KEY, _VALUE),
    st.tuples(st.just(b"SELECT"), st.sampled_from([b"0", b"1"])),
    st.sampled_from([(b"FLUSHALL",), (b"SET", b"a"), (b"NOSUCH",), ()]),
)
_COMMANDS = st.one_of(
    st.lists(_SET | _SET | _SET | _OTHER, max_size=30),
    st.lists(_ADD | _OTHER, max_size=30),
    *(st.lists(each, max_size=140) for each in (_RUN, _ADD, _DECR)),
)


def begun() -> Driver:
    """A machine whose database has buckets: before the first key no run is tried."""
    driver = Driver()
    driver.one("SET first 1")
    return driver


def everything(driver: Driver) -> dict[str, Any]:
    """All state that a replica has, order and versions included."""
    account = driver.machine.space.account
    return {
        "digest": driver.machine.digest(),
        "account": (
            account.used,
            account.changes,
            account.soonest,
            account.shares,
        ),
        "sizes": [db.size for db in driver.machine.space.databases],
        "keys": [
            list(bucket.items()) for db in driver.machine.space.databases for bucket in db.buckets if bucket
        ],
    }


@needs_it
@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(_COMMANDS, st.integers(0, 20), st.booleans()), max_size=6),
    st.sampled_from([0, 0, 500, 1500, 20_000, 2**63 + 5]),
)
def test_a_replica_with_it_and_one_without_are_equal(
    batches: list[tuple[list[tuple[bytes, ...]], int, bool]], cap: int
) -> None:
    """Any commands, near the cap and past it, over keys that expire; digests asked for in between, or not."""
    with_it, without = Driver(cap), Driver(cap)
    for commands, elapsed_ms, is_hashed in batches:
        for driver in (with_it, without):
            driver.now += elapsed_ms
        replies = with_it.run(*commands)
        with without_it():
            assert without.run(*commands) == replies
        if is_hashed:
            with_it.machine.digest()
        assert everything(with_it) == everything(without)


@needs_it
@settings(deadline=None)
@given(_NUMBER | st.binary(max_size=30), st.sampled_from([b"INCR", b"DECR"]))
def test_a_number_is_read_as_by_the_loop(text: bytes, name: bytes) -> None:
    """Its ends, and what only looks like one."""
    with_it, without = begun(), begun()
    commands = [(b"SET", b"n", text), *[(name, b"n")] * 3]
    replies = [with_it.call(*commands[0]), *with_it.run(*commands[1:])]
    with without_it():
        assert without.run(*commands) == replies
    assert with_it.one("GET n") == without.one("GET n")


@needs_it
def test_what_is_added_is_what_was_asked() -> None:
    """Many keys, known and new, and one several times; the rest is left to the loop."""
    shelf = Shelf()
    shelf.run(((b"SET", b"a", b"9"), (b"SET", b"b", b"x")))
    assert runs.add_run is not None
    adds = tuple((b"DECR", key) for key in (b"a", b"c", b"a", b"c", b"b", b"a"))
    totals, grown, fresh = runs.add_run(
        adds, shelf.buckets, shelf.changed, 2, ROOM, ENTRY_BYTES, LEAF_KEYS_MAX, shelf.empty, -10
    )
    assert (totals, fresh) == ([-1, -10, -11, -20], 1)
    assert grown == ENTRY_BYTES + len(b"c") + len(b"-11") - len(b"9") + len(b"-20")
    assert shelf.keys() == {b"a": held(b"-11", 5), b"b": held(b"x", 2), b"c": held(b"-20", 6)}
    with pytest.raises(ValueError, match="a flag for each"):
        runs.add_run(adds, shelf.buckets, bytearray(1), 0, ROOM, 0, 9, {}, 1)
    with pytest.raises(OverflowError):
        runs.add_run(adds, shelf.buckets, shelf.changed, 0, ROOM, 0, 9, {}, 2**63)


@needs_it
@pytest.mark.parametrize("count", [200, 5000])
def test_every_set_spelled_in_another_way(count: int) -> None:
    """A run ends after each: it is tried once, not anew for what is left, however long the transaction."""
    commands = [(b"SET" if number % 2 else b"set", b"k%d" % number, b"v") for number in range(count)]
    driver = begun()
    assert driver.submit(commands, (Transaction(0, count),)) == [[OK] * count]
    assert driver.submit(commands) == [OK] * count


@needs_it
def test_a_cap_that_no_word_holds_is_as_good_as_none() -> None:
    """CONFIG SET takes any: runs, the digest and a snapshot go on."""
    driver = begun()
    assert driver.one("CONFIG SET maxmemory 999999999999999999gb") == OK
    assert driver.run(*[f"SET k{number} v" for number in range(10)]) == [OK] * 10
    assert driver.machine.maxmemory == 999_999_999_999_999_999 << 30
    assert reborn(driver.machine).digest() == driver.machine.digest()


@needs_it
def test_a_counter_that_no_word_holds_is_left_to_the_loop() -> None:
    """A snapshot can say anything: the loop counts on."""
    driver = begun()
    driver.machine.space.account.changes = 2**63
    assert driver.run(*[f"SET k{number} v" for number in range(10)]) == [OK] * 10
    assert driver.machine.space.account.changes == 2**63 + 10


@needs_it
def test_over_the_cap_all_is_refused_as_by_the_loop() -> None:
    """Even what would make the account smaller."""
    driver = begun()
    driver.run(*[f"SET k{number} value" for number in range(10)], "CONFIG SET maxmemory 100")
    replies = driver.run(*[f"SET k{number} v" for number in range(10)])
    assert replies == [OOM] * 10


@needs_it
def test_a_walk_sees_the_state_of_its_beginning() -> None:
    """While a snapshot is being written, a run changes nothing behind its back."""
    driver = begun()
    lines = [f"SET k{number} old" for number in range(100)]
    assert driver.run(*lines) == [OK] * 100
    with_run, calm = driver.machine.walk({}), driver.machine.walk({})
    before = drained(calm)
    assert driver.run(*[line.replace("old", "new") for line in lines], "SET fresh 1") == [OK] * 101
    assert drained(with_run) == before


def drained(walk: Walk) -> bytes:
    """The whole document."""
    document = b""
    while piece := walk.step(1000):
        document += piece
    return document


@needs_it
def test_a_run_is_as_many_commands_as_it_has() -> None:
    """What RANDOMKEY answers depends on its place in the pipeline."""
    with_it, without = begun(), begun()
    commands = [*[f"SET k{number} v" for number in range(100)], *["RANDOMKEY"] * 20]
    replies = with_it.run(*commands)
    with without_it():
        assert without.run(*commands) == replies


@needs_it
def test_a_transaction_is_carried_out_whole() -> None:
    """Runs begin and end where transactions do."""
    commands = [(b"SET", b"k%d" % number, b"v") for number in range(6)]
    assert begun().submit(commands, (Transaction(2, 3),)) == [OK, OK, [OK] * 3, OK]


class Shelf:
    """Buckets, and `set_run` on them."""

    def __init__(self, buckets: int = BUCKETS) -> None:
        self.empty: Bucket = {}
        self.buckets: list[Bucket] = [self.empty] * buckets
        self.changed = bytearray(buckets)

    def run(self, commands: Any, *, changes: int = 0, room: int = ROOM) -> tuple[int, int, int]:
        """(done, grown, fresh)."""
        assert runs.set_run is not None
        done = runs.set_run(
            commands, self.buckets, self.changed, changes, room, ENTRY_BYTES, LEAF_KEYS_MAX, self.empty
        )
        assert not self.empty, "it is shared"
        return done

    def keys(self) -> dict[bytes, Held]:
        """All keys and what is held."""
        return {key: one for bucket in self.buckets for key, one in bucket.items()}


def sets(count: int) -> tuple[tuple[bytes, ...], ...]:
    """As many SETs of different keys."""
    return tuple((b"SET", b"k%d" % number, b"v%d" % number) for number in range(count))


@needs_it
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 128, 129, 1000])
def test_versions_count_up_from_the_counter(count: int) -> None:
    """However long the run is: it goes on in pieces of 64."""
    shelf = Shelf()
    done, grown, fresh = shelf.run(sets(count), changes=7)
    assert (done, fresh) == (count, count)
    expected = {key: held(value, 8 + at) for at, (_, key, value) in enumerate(sets(count))}
    assert shelf.keys() == expected
    assert grown == sum(ENTRY_BYTES + len(key) + value_bytes_of(one) for key, one in expected.items())
    assert sum(shelf.changed) == sum(1 for bucket in shelf.buckets if bucket)
    assert all(flag == bool(bucket) for flag, bucket in zip(shelf.changed, shelf.buckets, strict=True))


_PLAIN = (b"SET", b"k", b"v")


@needs_it
@pytest.mark.parametrize(
    "end",
    [
        (b"set", b"k", b"v"),
        (b"SETNX", b"k", b"v"),
        (b"GET", b"k"),
        (b"SET", b"k", b"v", b"NX"),
        (),
        [b"SET", b"k", b"v"],
        (b"SET", "k", b"v"),
        (b"SET", b"k", bytearray(b"v")),
        ("SET", b"k", b"v"),
        (b"SET", bytes(1025), b"v"),
        (b"SET", b"k", bytes(4097)),
        None,
    ],
)
@pytest.mark.parametrize("before", [1, 63, 64, 70])
def test_what_is_no_short_set_ends_a_run(end: Any, before: int) -> None:
    """It and what follows is left to the loop; what came before is done."""
    shelf = Shelf()
    assert shelf.run((*sets(before), end, _PLAIN))[0] == before
    assert len(shelf.keys()) == before


@needs_it
def test_a_key_with_a_deadline_ends_a_run() -> None:
    """Due or not: only the loop knows what becomes of its index."""
    shelf = Shelf()
    shelf.run(sets(10))
    for bucket in shelf.buckets:
        if b"k4" in bucket:
            bucket[b"k4"] = held(b"v", 1, 5)
    assert shelf.run(sets(10), changes=10)[0] == 4
    assert shelf.keys()[b"k4"] == held(b"v", 1, 5)


@needs_it
def test_room_ends_a_run() -> None:
    """What just fits is done, and what does not let the account grow."""
    each = ENTRY_BYTES + len(b"k0") + len(b"v0")
    assert Shelf().run(sets(5), room=3 * each)[:2] == (3, 3 * each)
    assert Shelf().run(sets(5), room=3 * each - 1)[:2] == (2, 2 * each)
    shelf = Shelf()
    shelf.run(sets(5))
    assert shelf.run(((b"SET", b"k0", b""),), room=0) == (1, -2, 0)


@needs_it
def test_one_key_many_times() -> None:
    """The last value stays, and the account has grown by it once."""
    shelf = Shelf()
    done, grown, fresh = shelf.run(tuple((b"SET", b"k", bytes(size)) for size in (9, 3, 70, 5)))
    assert (done, grown, fresh) == (4, ENTRY_BYTES + 1 + 5, 1)
    assert shelf.keys() == {b"k": held(bytes(5), 4)}


@needs_it
def test_a_run_ends_at_a_bucket_that_is_full_or_divided() -> None:
    """What becomes of such a bucket is the loop's affair; keys that are there already are set."""
    shelf = Shelf()
    keys = crafted(LEAF_KEYS_MAX + 1)
    commands = tuple((b"SET", key, b"v") for key in keys)
    assert shelf.run(commands)[0] == LEAF_KEYS_MAX
    assert shelf.run(commands[:-1])[0] == LEAF_KEYS_MAX
    assert shelf.run((*sets(3), commands[-1], *sets(3)))[0] == 3
    number = crc32(keys[0]) >> BUCKET_SHIFT
    full = shelf.buckets[number]
    assert isinstance(full, dict)
    shelf.buckets[number] = Split(b"secret", {0: full.copy()})
    others = tuple(each for each in sets(200) if crc32(each[1]) >> BUCKET_SHIFT != number)
    assert shelf.run((*others, commands[0], *others))[0] == len(others)
    assert shelf.run(commands)[0] == 0


@needs_it
def test_arguments_of_another_shape_are_refused() -> None:
    """A bug of the caller's is an exception, with nothing changed."""
    assert runs.set_run is not None
    shelf = Shelf()
    with pytest.raises(TypeError):
        shelf.run(list(sets(3)))
    for count in (0, 1, 3, 5000):
        with pytest.raises(ValueError, match="2, 4, 8"):
            Shelf(count).run(sets(3))
    with pytest.raises(ValueError, match="a flag for each"):
        runs.set_run(sets(3), shelf.buckets, bytearray(1), 0, ROOM, 0, 9, {})
    with pytest.raises(OverflowError):
        shelf.run(sets(3), room=2**63)
    for changes, room in ((-1, 0), (0, -1), (2**59 + 1, 0), (0, 2**62 + 1)):
        with pytest.raises(ValueError, match=r"from 0 to 2\*\*59"):
            shelf.run(sets(3), changes=changes, room=room)
    assert not shelf.keys()
    assert not any(shelf.changed)


@needs_it
def test_nothing_leaks_and_nothing_is_freed_too_early() -> None:
    """References come out even: of what goes in, and of what is replaced."""
    shelf = Shelf()
    commands = sets(300)
    shelf.run(commands)
    watched = [commands[0][1], commands[0][2]]
    first = [sys.getrefcount(each) for each in watched]
    gc.collect()
    tracemalloc.start()
    try:
        shelf.run(commands, changes=10_000)
        before, _ = tracemalloc.get_traced_memory()
        for turn in range(20):
            shelf.run(commands, changes=20_000 + 300 * turn)
            shelf.run((*commands, None), changes=30_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert abs(after - before) < 1000
    assert [sys.getrefcount(each) for each in watched] == first
    old = shelf.keys()[commands[0][1]]
    old_before = sys.getrefcount(old)
    version = stored(old).version
    shelf.run(commands)
    assert sys.getrefcount(old) == old_before - 1
    assert old == held(b"v0", version)
