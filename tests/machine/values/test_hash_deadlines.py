"""Deadlines of fields: in the value, in documents and digests, under cuts and forks, and how they end."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import NOW, Driver, collect, payload, reborn, restored
from tests.machine.entries import contents, numbers
from tests.machine.values.numbers import Numbers
from trikv.machine import machine as machines
from trikv.machine.account import DATABASES
from trikv.machine.database import AT_ONCE_BYTES
from trikv.machine.effects import REMOVED, WRITTEN, Awaited, Touched
from trikv.machine.keyspace import FIELD_KEYS
from trikv.machine.machine import EXPIRED_PER_BATCH_MAX
from trikv.machine.snapshot import SnapshotError
from trikv.machine.values.hash import DEADLINE_MAX, Behind, Hash, Timed
from trikv.machine.values.value import Elements

FIELDS = st.integers(0, 700).map(lambda number: b"%d" % number)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), FIELDS, st.just(0)),
        st.tuples(st.just("put"), FIELDS, st.integers(1, 50)),
        st.tuples(st.just("put"), FIELDS, st.integers(1, 50)),
        st.tuples(st.just("many"), FIELDS, st.integers(1, 50)),
        st.tuples(st.just("remove"), FIELDS, st.just(0)),
        st.tuples(st.just("reap"), st.just(b""), st.integers(0, 60)),
        st.tuples(st.just("among"), FIELDS, st.integers(0, 60)),
        st.tuples(st.sampled_from(["cut", "twin", "restore"]), st.just(b""), st.just(0)),
    ),
    max_size=60,
)
Model = dict[bytes, Behind]


def elements_of(value: Hash) -> list[Elements]:
    """What a document has of it."""
    return [value.elements(part) for part in value.parts]


def again(value: Hash, epoch: int = 0) -> Hash:
    """The same, from its document."""
    one = Hash.begun(epoch, b"", value.shape())
    for elements in elements_of(value):
        one.restore(elements)
    one.finish()
    return one


def check(value: Hash, model: Model) -> None:
    """All that must be true of it."""
    held = dict(chain.from_iterable(part.items() for part in value.parts))
    assert held == model
    due = sorted((behind.deadline, field) for field, behind in model.items() if isinstance(behind, Timed))
    index = value.deadlines
    spans = [] if index is None else index.span(0, sum(index.counts))
    assert [pair for some in spans for pair in some] == due
    assert (index is None) == (not due)
    assert value.soonest == (due[0][0] if due else 0)
    assert value.due(25) == sum(deadline <= 25 for deadline, _ in due)
    assert value.count == len(model)
    assert value.charge == value.recounted()


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_value_is_as_a_dict_would_be(steps: list[tuple[str, bytes, int]]) -> None:
    """Whatever cuts, copies and restores come between; each of these keeps what it had."""
    value, model, epoch = Hash(0, b""), Model(), 0
    value.put(b"first", Timed(b"", 99))
    model[b"first"] = Timed(b"", 99)
    kept: list[tuple[Hash, Model, bytes]] = []
    for what, field, number in steps:
        if what in ("put", "many", "remove", "reap", "among"):
            value = value.at_epoch(epoch)
        if what == "put":
            behind = Timed(field, number) if number else field
            assert value.put(field, behind) == (field not in model)
            model[field] = behind
        elif what == "many":
            for each in range(300):
                value.put(b"%d" % each, Timed(field, number))
                model[b"%d" % each] = Timed(field, number)
        elif what == "remove":
            assert value.remove(field) == model.pop(field, None)
        elif what == "reap":
            due = sorted(
                (b.deadline, f) for f, b in model.items() if isinstance(b, Timed) and b.deadline <= number
            )
            gone = [model.pop(f) for _, f in due[:10]]
            assert [Timed(v, d) for v, (d, _) in zip(value.reap(number, 10), due, strict=False)] == gone
        elif what == "among":
            named = [
                f for f in (field, b"first") if isinstance(b := model.get(f), Timed) and b.deadline <= number
            ]
            assert len(value.reap_among((field, b"first"), number)) == len(named)
            for name in named:
                del model[name]
        elif what == "cut":
            kept.append((value, model.copy(), value.digest()))
            epoch += 1
        elif what == "twin":
            kept.append((value.twin(epoch), model.copy(), value.digest()))
        else:
            value = again(value, epoch)
        check(value, model)
    for seen, held, digest in kept:
        check(again(seen), held)
        assert again(seen).digest() == seen.digest() == digest


def test_of_other_types_nothing_is_due() -> None:
    """The machine asks all alike."""
    value = Numbers(0, b"")
    value.add(1)
    assert (value.soonest, value.reap(1 << 60, 5), value.released()) == (0, [], value.parts)


def test_the_index_is_freed_piece_by_piece() -> None:
    """It has as many elements as all parts together."""
    value = Hash(0, b"")
    for number in range(2_000):
        value.put(b"%d" % number, Timed(b"", 5 + number))
    assert value.deadlines is not None
    pieces = value.released()
    assert len(pieces) == len(value.parts) + len(value.deadlines.members)
    assert max(map(len, pieces)) <= 512


def test_a_name_is_there_once() -> None:
    """In the part and in the index it is one object, however the deadline came, and after a restore."""
    value = Hash(0, b"")
    for _ in range(2):
        value.put(bytes(bytearray(b"field")), b"plain")
        for deadline in (5, 6):
            value.put(bytes(bytearray(b"field")), Timed(b"", deadline))
            for one in (value, again(value)):
                assert one.deadlines is not None
                assert next(iter(one.parts[0])) is one.deadlines.first()[1]


# Documents and digests.


def document(*lines: str) -> bytes:
    """Of a machine in which these were carried out."""
    driver = Driver()
    driver.run(*lines)
    return collect(driver.machine.walk({}))


LINES = ("SELECT 1", "SET last x", "SELECT 0", "HSET h a 1 b 2", f"HPEXPIREAT h {NOW + 5} FIELDS 1 a")


def test_a_deadline_is_in_the_document_behind_its_value() -> None:
    """Text as text, and other bytes as base64."""
    written = document(*LINES)
    assert b'{"part":0,"e":["b","2","a",["1",%d]]}' % (NOW + 5) in written
    machine = restored(written)
    assert machine.read(0, [(b"HPEXPIRETIME", b"h", b"FIELDS", b"2", b"a", b"b")]) == [[NOW + 5, -1]]
    assert machine.next_deadline_ms() == NOW + 5
    assert machine.used_memory == machine.recount()


@pytest.mark.parametrize(
    "given",
    [
        '["1",0]',
        '["1",-5]',
        f'["1",{DEADLINE_MAX + 1}]',
        '["1",5.0]',
        '["1",true]',
        '["1","5"]',
        '["1"]',
        '["1",5,6]',
        "[5,5]",
        "5",
        "null",
        "[]",
    ],
)
def test_a_document_that_was_edited_is_refused(given: str) -> None:
    """Whatever stands behind a field is checked."""
    written = document(*LINES).replace(b'["1",%d]' % (NOW + 5), given.encode())
    with pytest.raises(SnapshotError, match="no part of a value: a field's value is no string"):
        restored(written)


def test_what_has_a_deadline_is_not_small() -> None:
    """No machine writes such a line."""
    written = document("HSET h a 1 b 2").replace(b'"e":["a","1",', b'"e":["a",["1",%d],' % (NOW + 5))
    with pytest.raises(SnapshotError, match="it is not small"):
        restored(written)


def test_the_digest_covers_deadlines() -> None:
    """Two machines that differ in nothing else."""
    ends = [restored(document(*LINES[:4], f"HPEXPIREAT h {NOW + 5 + late} FIELDS 1 a")) for late in (0, 1)]
    assert ends[0].digest() != ends[1].digest()
    assert ends[0].digest() == restored(document(*LINES)).digest()


# Machines.

KEYS = st.sampled_from(["a", "b", "c"])
SOME = st.lists(st.integers(0, 9).map("f{}".format), min_size=1, max_size=4, unique=True).map(
    lambda names: f"FIELDS {len(names)} {' '.join(names)}"
)
MANY = " ".join(f"f{number} {number}" for number in range(140))
COMMANDS = st.one_of(
    st.builds("HPEXPIRE {} {} {}".format, KEYS, st.integers(0, 300), SOME),
    st.builds("HPEXPIRE {} {} {}".format, KEYS, st.integers(0, 300), SOME),
    st.builds(
        "HPEXPIRE {} {} {} {}".format,
        KEYS,
        st.integers(0, 300),
        st.sampled_from(["NX", "XX", "GT", "LT"]),
        SOME,
    ),
    st.builds("HSET {} f1 1 f2 2 f3 3 f4 4".format, KEYS),
    st.builds(f"HSET {{}} {MANY}".format, KEYS),
    st.builds("HSETEX {} PX {} FIELDS 2 f5 5 f6 6".format, KEYS, st.integers(0, 300)),
    st.builds("HSETEX {} KEEPTTL FIELDS 2 f5 5 f1 6".format, KEYS),
    st.builds("HGETEX {} PX {} {}".format, KEYS, st.integers(0, 300), SOME),
    st.builds("HGETEX {} PERSIST {}".format, KEYS, SOME),
    st.builds("HGETDEL {} {}".format, KEYS, SOME),
    st.builds("HPERSIST {} {}".format, KEYS, SOME),
    st.builds("HINCRBY {} f{} 1".format, KEYS, st.integers(0, 9)),
    st.builds("HDEL {} f1 f2 f3".format, KEYS),
    st.builds("HGETALL {}".format, KEYS),
    st.builds("HRANDFIELD {} 3".format, KEYS),
    st.builds("HLEN {}".format, KEYS),
    st.builds("PEXPIRE {} {}".format, KEYS, st.integers(1, 300)),
    st.builds("SET {} x PX {}".format, KEYS, st.integers(1, 300)),
    st.builds("COPY {} {} REPLACE".format, KEYS, KEYS),
    st.builds("RENAME {} {}".format, KEYS, KEYS),
    st.builds("MOVE {} 3".format, KEYS),
    st.builds("DEL {}".format, KEYS),
    st.sampled_from(["FLUSHDB", "SELECT 3", "SELECT 0"]),
)
ACTS = st.sampled_from(["walk", "step", "hash", "release", "pass", "pass", "restore", "fork"])


@contextmanager
def reaping(most: int) -> Iterator[None]:
    """Each entry reaps so few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machines, "EXPIRED_PER_BATCH_MAX", most)
        yield


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(COMMANDS, COMMANDS, ACTS), max_size=60), st.sampled_from([0, 0, 9_000]))
def test_whatever_happens_replicas_are_equal(steps: list[str], cap: int) -> None:
    """One only replays; one walks, hashes, forks in between, and is restored in the middle of reaping."""
    busy, idle = Driver(cap), Driver(cap)
    walks = []
    with reaping(3):
        for step in steps:
            if step == "walk":
                walks.append((busy.machine.walk({}), idle.machine.digest()))
            elif step == "step" and walks:
                walk, digest = walks.pop()
                assert restored(collect(walk)).digest() == digest
            elif step == "hash":
                busy.machine.hash_some(2)
            elif step == "release":
                busy.machine.release(300)
            elif step == "restore":
                busy.machine = reborn(busy.machine)
            elif step == "fork":
                rehearsed, before = busy.machine.fork(), (contents(busy.machine), numbers(busy.machine))
                rehearsed.apply(rehearsed.index + 1, payload(busy.now + 200))
                assert (contents(busy.machine), numbers(busy.machine)) == before
                same = reborn(busy.machine)
                same.apply(same.index + 1, payload(busy.now + 200))
                assert rehearsed.digest() == same.digest()
            elif step == "pass":
                busy.pass_ms(100)
                idle.pass_ms(100)
            elif " " in step or step.isupper():
                assert busy.one(step) == idle.one(step)
            assert busy.machine.digest() == idle.machine.digest()
        assert contents(busy.machine) == contents(idle.machine)
        assert busy.machine.next_deadline_ms() == idle.machine.next_deadline_ms()
        for walk, digest in walks:
            assert restored(collect(walk)).digest() == digest


# Reaping.


def test_order() -> None:
    """By deadline, database, key before field, and name; each entry goes on where the last one stopped."""
    driver = Driver()
    early, late = NOW + 5, NOW + 6
    driver.run("SELECT 1", f"SET a x PXAT {early}", "SELECT 0", f"SET z x PXAT {early}")
    for key in ("c", "b"):
        driver.run(f"HSETEX {key} PXAT {early} FIELDS 1 f 1", f"HSETEX {key} PXAT {late} FIELDS 1 g 1")
        driver.one(f"HSET {key} stays 1")
    driver.now = late
    first, second = driver.machine.space.databases[:2]
    seen = []
    with reaping(1):
        for _ in range(5):
            driver.batch()
            fields = [value.count for key in (b"b", b"c") if (value := first.value(key, Hash)) is not None]
            seen.append((first.size, second.size, *fields))
    assert seen == [(2, 1, 3, 3), (2, 1, 2, 3), (2, 1, 2, 2), (2, 0, 2, 2), (2, 0, 1, 2)]
    assert driver.machine.tally.expiry_stops == 5


def test_reaping_is_bounded() -> None:
    """A due field counts for two due keys. The rest is left to the next entries."""
    driver = Driver()
    names = [f"f{number}" for number in range(1_000)]
    driver.one("HSET h " + " ".join(f"{name} {'v' * 70}" for name in names))
    driver.one(f"HPEXPIRE h 5 FIELDS {len(names)} {' '.join(names)}")
    driver.one("HSET h stays 1")
    driver.now += 5
    changes, each = driver.machine.changes, EXPIRED_PER_BATCH_MAX // FIELD_KEYS
    for entries in range(1, 10):
        driver.batch()
        assert driver.machine.tally.expired_fields == entries * each
        assert driver.machine.changes == changes + entries
        assert driver.read("HLEN h") == 1
        assert driver.machine.next_deadline_ms() == NOW + 5
    driver.batch()
    driver.batch()
    assert (driver.machine.tally.expired_fields, driver.machine.tally.expiry_stops) == (1_000, 9)
    assert driver.machine.next_deadline_ms() is None
    assert driver.read("HGETALL h") == {b"stays": b"1"}


def test_many_hashes_are_reaped_within_the_same_bound() -> None:
    """One field each."""
    driver = Driver()
    driver.run(*(f"HSETEX h{number} PX 5 FIELDS 1 f 1" for number in range(250)))
    driver.now += 5
    left = []
    for _ in range(3):
        driver.batch()
        left.append(driver.machine.keys())
    assert left == [150, 50, 0]


def test_a_key_that_is_due_goes_whole() -> None:
    """Its own deadline has come as well, and it is another's turn by that."""
    driver = Driver()
    driver.run("HSET h a 1 b 2 c 3", "HPEXPIRE h 5 FIELDS 1 a", "PEXPIRE h 6")
    driver.pass_ms(6)
    assert driver.machine.keys() == 0
    assert (driver.machine.tally.expired_keys, driver.machine.tally.expired_fields) == (1, 0)


def test_a_hash_is_put_over_one_that_is_due() -> None:
    """Nothing of its fields' deadlines is left."""
    driver = Driver()
    driver.run("HSETEX h PX 9 FIELDS 1 a 1", "PEXPIRE h 5")
    driver.run(*(f"SET key:{number} x PX 1" for number in range(EXPIRED_PER_BATCH_MAX)))
    driver.now += 5
    assert driver.run("HSET h b 1", "HGETALL h") == [1, {b"b": b"1"}]
    assert driver.machine.next_deadline_ms() is None
    driver.pass_ms(9)
    assert driver.read("HGETALL h") == {b"b": b"1"}


def test_who_waits_for_a_key_is_told() -> None:
    """Of a field that was reaped as of a write; of the last one as of a key that was removed."""
    driver = Driver()
    awaited = Awaited(DATABASES)
    awaited.keys[0][b"h"] = None
    driver.run("HSETEX h PX 5 FIELDS 1 a 1", "HSETEX h PX 9 FIELDS 1 b 1")
    driver.machine.tell_of(awaited)
    driver.pass_ms(5)
    driver.pass_ms(4)
    assert [effect.change for effect in driver.effects if isinstance(effect, Touched)] == [
        WRITTEN,
        WRITTEN,
        REMOVED,
    ]


def test_what_flush_sets_aside_is_freed_in_slices() -> None:
    """The index as well."""
    driver = Driver()
    driver.one(f"SET long {'v' * AT_ONCE_BYTES}")
    driver.run(*(f"HSETEX h{number} PX 5 FIELDS 1 f 1" for number in range(300)), "FLUSHALL")
    assert driver.machine.next_deadline_ms() is None
    slices = 0
    while driver.machine.release(100):
        slices += 1
    assert slices > 300  # a part counts for 256


# What it takes.

PROBE = """
import gc, sys
gc.disable()
from tests.machine.driving import Driver
from trikv.machine.commands.hash_fields import hexpire
from trikv.machine.commands.hashes import hset
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
size = int(sys.argv[1])
driver = Driver()
db = driver.machine.space.databases[0]
hset(db, b"first", b"f", b"v")
hexpire(db, b"first", b"5", b"FIELDS", b"1", b"f")
before, used, number = resident(), driver.machine.used_memory, 0
while driver.machine.used_memory - used < 40_000_000:
    key, lifetime = b"key:%d" % (number // size), b"%d" % (10_000 + number * 7919 % 100_000)
    hset(db, key, b"a field's name:%d" % number, bytes(20))
    hexpire(db, key, lifetime, b"FIELDS", b"1", b"a field's name:%d" % number)
    number += 1
print((resident() - before) / (driver.machine.used_memory - used))
"""


@pytest.mark.parametrize("size", [1, 20, 1_000_000])
def test_the_account_fits_a_real_process(size: int) -> None:
    """Of hashes of so many fields, each of which has a deadline."""
    run = subprocess.run([sys.executable, "-c", PROBE, str(size)], capture_output=True, text=True, check=True)
    assert 0.67 <= float(run.stdout) <= 1.33, run.stdout
