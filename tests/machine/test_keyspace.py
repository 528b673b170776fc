"""Keys in buckets: expiry, order, scans under change, and throwing away."""

from collections import Counter
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import NOW, Driver, reborn
from trikv.machine import picking
from trikv.machine.account import Account
from trikv.machine.database import BUCKET_SHIFT, BUCKETS, Database
from trikv.machine.digest import state_digest
from trikv.machine.draws import Draws
from trikv.machine.keyspace import Keyspace
from trikv.machine.machine import EXPIRED_PER_BATCH_MAX, Machine
from trikv.machine.picking import pick
from trikv.machine.replies import CommandError
from trikv.machine.scanning import scan
from trikv.machine.split import Bucket
from trikv.machine.stored import Held, Stored


def together(count: int) -> list[bytes]:
    """Keys that share a bucket."""
    keys = (b"key:%d" % number for number in range(10_000_000))
    return [
        key for key, _ in zip((k for k in keys if crc32(k) >> BUCKET_SHIFT == 7), range(count), strict=False)
    ]


def test_expiry_is_judged_by_log_time() -> None:
    """A key lives until an entry's stamp reaches its deadline, then it is gone (PROTOCOL 21)."""
    driver = Driver()
    driver.one("SET a 1 PX 10")
    driver.pass_ms(9)
    assert driver.read("GET a") == b"1"
    assert driver.machine.next_deadline_ms() == NOW + 10
    driver.pass_ms(1)
    assert driver.read("GET a") is None
    assert (driver.machine.keys(), driver.machine.used_memory) == (0, 0)
    assert driver.machine.next_deadline_ms() is None


def test_reaping_is_bounded_and_due_keys_are_absent_meanwhile() -> None:
    """One entry reaps so many keys; the rest count, but no command sees them."""
    driver = Driver()
    driver.run(*(f"SET k{number} v PX 10" for number in range(EXPIRED_PER_BATCH_MAX + 5)), "SET stays v")
    driver.pass_ms(10)
    assert driver.machine.keys() == 6
    assert driver.read("KEYS *") == [b"stays"]
    assert driver.read("RANDOMKEY") == b"stays"
    assert driver.read("SCAN 0 COUNT 1000") == [b"0", [b"stays"]]
    assert driver.machine.next_deadline_ms() == NOW + 10
    driver.pass_ms(0)
    assert driver.machine.keys() == 1


def test_write_over_a_due_key_starts_afresh() -> None:
    """INCR on a key that is due but not reaped finds nothing, and the old deadline is gone."""
    driver = Driver()
    space = driver.machine.space
    driver.one("SET late 7 PX 6")
    space.account.now += 6
    db = space.databases[0]
    assert db.store(b"late", b"8", 0) is None
    assert db.growth(b"late", 1, 0) == 0
    assert (db.size, len(db.deadlines)) == (1, 0)
    assert driver.machine.used_memory == driver.machine.recount()


def test_deleting_a_due_key_answers_that_there_was_none() -> None:
    """DEL reaps it and counts nothing."""
    driver = Driver()
    driver.run(*(f"SET k{number} v PX 5" for number in range(EXPIRED_PER_BATCH_MAX)), "SET late 7 PX 6")
    driver.now += 6
    assert driver.run("EXISTS late", "DBSIZE", "DEL late", "DBSIZE") == [0, 1, 0, 0]


def test_reaping_order_follows_from_the_state() -> None:
    """Deadline first, then database, then key, whatever the order of writing."""
    space = Keyspace()
    space.databases[3].store(b"a", b"", 5)
    space.databases[1].store(b"z", b"", 5)
    space.databases[1].store(b"b", b"", 5)
    space.databases[9].store(b"x", b"", 4)
    space.account.now = 5
    left = []
    while space.expire(1):
        left.append([db.number for db in space.databases if db.size])
    assert left == [[1, 3], [1, 3], [3], []]


def test_changing_a_deadline_moves_it() -> None:
    """The index holds one deadline a key, the present one."""
    db = Database(0, Account())
    for deadline in (5, 5, 9, 0, 7):
        db.store(b"a", b"v", deadline)
        assert list(db.deadlines) == ([(deadline, b"a")] if deadline else [])


def test_overwriting_keeps_the_place() -> None:
    """Order within a bucket is order of first writing; deleting and writing again goes to the end."""
    keys = together(3)
    db = Database(0, Account())
    for key in keys:
        db.store(key, b"1")
    db.store(keys[0], b"2")
    assert list(db.buckets[7]) == keys
    db.drop(keys[0])
    db.store(keys[0], b"3")
    assert list(db.buckets[7]) == [*keys[1:], keys[0]]


def test_scan_slices_a_bucket() -> None:
    """COUNT holds within a bucket too: positions are hashes."""
    keys = together(9)
    db = Database(0, Account())
    for key in keys:
        db.store(key, b"")
    position, seen, steps = 0, [], 0
    while True:
        position, found = scan(db, position, 2)
        assert len(found) == 2 or not position
        seen += found
        steps += 1
        if not position:
            break
    assert sorted(seen) == sorted(keys)
    assert steps == 5


def test_scan_keeps_keys_of_one_hash_together() -> None:
    """Two keys with one crc32 cannot be told apart by a position, so they come in one step."""
    first, second = b"plumless", b"buckeroo"
    assert crc32(first) == crc32(second)
    db = Database(0, Account())
    db.store(first, b"")
    db.store(second, b"")
    db.store(b"other", b"")
    pages, position = [], 0
    while True:
        position, found = scan(db, position, 1)
        pages.append(sorted(found))
        if not position:
            break
    assert sorted(pages) == [[second, first], [b"other"]]


@given(
    st.sets(st.binary(max_size=3), max_size=40),
    st.integers(1, 7),
    st.lists(st.tuples(st.booleans(), st.binary(max_size=3)), max_size=40),
)
@settings(max_examples=100, deadline=None)
def test_scan_returns_what_stays(stay: set[bytes], count: int, changes: list[tuple[bool, bytes]]) -> None:
    """A key that is there for the whole scan comes exactly once, whatever is written meanwhile."""
    db = Database(0, Account())
    for key in sorted(stay):
        db.store(key, b"")
    seen: list[bytes] = []
    position = 0
    while True:
        position, found = scan(db, position, count)
        seen += found
        if not position:
            break
        for is_write, key in changes[:3]:
            if key not in stay:
                db.store(key, b"") if is_write else db.drop(key)
        del changes[:3]
    assert all(seen.count(key) == 1 for key in stay)


def test_flush_is_constant_and_freed_in_slices() -> None:
    """FLUSHALL answers at once; the contents go later, a slice at a time."""
    driver = Driver()
    driver.run(*(f"SET k{number} {'v' * 1000} PX 5000" for number in range(300)))
    assert driver.run("FLUSHALL", "DBSIZE", "SET new v", "FLUSHDB", "FLUSHDB")[1] == 0
    assert (driver.machine.keys(), driver.machine.used_memory) == (0, 0)
    slices = 1
    while driver.machine.release(1000):
        slices += 1
    assert slices > BUCKETS // 1000
    assert not driver.machine.release(1)
    assert driver.machine.changes == 602


def test_retired_machine_is_freed_in_slices() -> None:
    """A machine replaced by an installed snapshot gives its memory back without a pause."""
    driver = Driver()
    driver.one("SET a 1")
    driver.machine.retire()
    assert driver.machine.keys() == 0
    while driver.machine.release(500):
        pass
    assert not driver.machine.space.account.discarded


def test_flushes_and_writes_in_turns_take_no_memory() -> None:
    """An entry of 60 KB has thousands of such pairs. What each leaves is freed by the flush itself."""
    driver = Driver()
    db = driver.machine.space.databases[0]
    for number in range(3):
        driver.run(f"SET k{number} v", "SET other v EX 9")
        assert len({id(bucket) for bucket in db.buckets}) == 3, "the two keys', and the one for all others"
        driver.one("FLUSHDB")
        assert not driver.machine.discarded
    assert driver.machine.digest() == reborn(driver.machine).digest()


def test_randomkey_varies_and_reads_change_nothing() -> None:
    """RANDOMKEY answers another key at each place and for each seed; an empty database has none."""
    driver = Driver()
    assert driver.read("RANDOMKEY") is None
    driver.run(*(f"SET k{number} v" for number in range(50)))
    before = driver.machine.digest()
    drawn = driver.machine.read(0, [(b"RANDOMKEY",)] * 100, seed=1)
    assert len(set(map(bytes, (key for key in drawn if isinstance(key, bytes))))) > 20
    assert driver.machine.read(0, [(b"RANDOMKEY",)] * 100, seed=2) != drawn
    assert driver.machine.digest() == before


def _picked(db: Database, count: int) -> Counter[bytes | None]:
    draws = Draws(1)
    counts = Counter[bytes | None]()
    for _ in range(count):
        key = pick(db, draws)
        assert not isinstance(key, CommandError)
        counts[key] += 1
    return counts


@pytest.mark.parametrize("keys", [1, 7, 300])
def test_every_key_is_picked_as_often_as_any_other(keys: int) -> None:
    """However they are spread over buckets: most are alone in theirs here, and some share one."""
    driver = Driver()
    driver.run(*(f"SET k{number} v" for number in range(keys)))
    counts = _picked(driver.machine.space.databases[0], 30 * keys)
    assert len(counts) == keys
    # 2.2 is 12 standard deviations for 7 keys, and far out for 300.
    assert sum((count - 30) ** 2 / 30 for count in counts.values()) < 2.2 * keys


def test_no_key_is_picked_that_is_due() -> None:
    """A key that is due is absent, even if nearly all are: then the next live one is taken, or none."""
    driver = Driver()
    driver.run(*(f"SET k{number} v PX 50" for number in range(400)), "SET stays v", "SET then v PX 100")
    driver.now += 60
    driver.machine.space.account.now = driver.now  # nothing is reaped yet
    db = driver.machine.space.databases[0]
    assert set(_picked(db, 100)) == {b"stays", b"then"}
    driver.machine.space.account.now += 100
    assert set(_picked(db, 20)) == {b"stays"}
    db.drop(b"stays")
    assert set(_picked(db, 20)) == {None}


def test_no_pick_goes_over_all_keys_that_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million keys may be due at once: none is looked at if all are, and else only so many."""
    driver = Driver()
    driver.run(*(f"SET k{number} v PX 50" for number in range(2000)))
    db = driver.machine.space.databases[0]
    driver.machine.space.account.now += 60
    looked: list[Held] = []
    is_live = Database.is_live

    def counted(db: Database, one: Held) -> bool:
        looked.append(one)
        return is_live(db, one)

    monkeypatch.setattr(Database, "is_live", counted)
    assert pick(db, Draws(1)) is None
    assert not looked
    monkeypatch.setattr(picking, "LOOKED_AT_MAX", 20)
    driver.run("SET coming v PX 50", "SET other v PX 60")
    looked.clear()
    assert {pick(db, Draws(number)) for number in range(30)} == {b"coming", b"other"}
    assert len(looked) <= 30 * (picking.DRAWS_MAX + 20)
    db.drop(b"coming")
    db.drop(b"other")
    looked.clear()
    driver.run("SET stays v")
    assert {pick(db, Draws(number)) for number in range(300)} == {picking.HIDDEN, b"stays"}
    assert len(looked) <= 300 * (picking.DRAWS_MAX + 20)


def test_a_key_is_picked_from_the_bucket_of_the_last_draw_too() -> None:
    """The search for a live key goes round: it ends in the bucket where it began."""
    driver = Driver()
    first, *others = together(5)
    driver.run([b"SET", first, b"v"], *([b"SET", key, b"v", b"PX", b"50"] for key in others))
    driver.machine.space.account.now += 60
    db = driver.machine.space.databases[0]
    assert pick(db, Never(1)) == first


class Never(Draws):
    """Always draws the last of all."""

    def below(self, bound: int) -> int:
        """The greatest number that is allowed."""
        return bound - 1


def test_digest_follows_every_kind_of_change() -> None:
    """Value, order, version, deadline, database, time and rows all show, and equal states agree."""
    seen = set()
    driver = Driver()
    for line in (
        "SET a 1",
        "SET a 1",
        "EXPIRE a 9",
        "PERSIST a",
        "SELECT 4",
        "DEL a",
        "CONFIG SET maxmemory 9",
    ):
        driver.one(line)
        seen.add(driver.machine.digest())
        assert driver.machine.digest() in seen
    assert len(seen) == 7


def test_digest_covers_every_database() -> None:
    """States that differ in one key, of whichever database, differ in their digest."""
    digests = set()
    for number in range(16):
        space = Keyspace()
        space.databases[number].restore(b"k", Stored(b"v", 1))
        digests.add(state_digest(space, Machine().settings()))
        space.databases[number].store(b"k", b"w")
        digests.add(state_digest(space, Machine().settings()))
    assert len(digests) == 32


@pytest.mark.parametrize("number", [0, 1, 15])
def test_every_database_is_counted_reaped_and_walked(number: int) -> None:
    """A key of any of them is part of the account, of a snapshot, and is gone when its time has come."""
    driver = Driver()
    driver.db = number
    driver.run("SET a 1 PX 10", "SET b 2")
    database = driver.machine.space.databases[number]
    assert driver.machine.recount() == driver.machine.used_memory == database.account.shares[number] > 0
    assert driver.machine.next_deadline_ms() == NOW + 10
    copy = reborn(driver.machine)
    assert copy.digest() == driver.machine.digest()
    assert copy.space.databases[number].size == 2
    driver.pass_ms(10)
    assert (database.size, len(database.deadlines)) == (1, 0)
    assert driver.read("DBSIZE") == 1
    assert driver.machine.recount() == driver.machine.used_memory


def test_digest_covers_order() -> None:
    """Two buckets with equal entries in another order are different states."""
    first, second = together(2)
    digests = []
    for keys in ((first, second), (second, first)):
        space = Keyspace()
        for key in keys:
            space.databases[0].restore(key, Stored(b"", 1))
        digests.append(state_digest(space, Machine().settings()))
    assert digests[0] != digests[1]


class Watching:
    """A walk that has seen nothing yet."""

    def before_write(self, db: object, number: int, bucket: Bucket, key: bytes) -> None:
        """Nothing to keep."""


_STEP = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(b"abc"), st.integers(0, 4)),
    st.tuples(st.just("until"), st.sampled_from(b"abc"), st.integers(1, 9)),
    st.tuples(st.just("drop"), st.sampled_from(b"abc"), st.just(0)),
    st.tuples(st.sampled_from(["pass", "flush", "hash", "watch"]), st.just(0), st.integers(0, 5)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_STEP, max_size=40), st.sampled_from([0, 440, 650]))
def test_the_short_way_to_set_does_the_same(steps: list[tuple[str, int, int]], cap: int) -> None:
    """Whatever one replica hashes or walks meanwhile, and near the cap: versions, account, order, index."""
    short, long = Keyspace(), Keyspace()
    for space in (short, long):
        space.account.set_cap(cap)
    for what, key, number in steps:
        name = b"key" + bytes([key])
        if what == "set":
            value = b"v" * number
            is_done = short.databases[0].set_run(((b"SET", name, value),))
            reply = None if is_done else short.databases[0].store(name, value)
            assert reply == long.databases[0].store(name, value)
        elif what == "hash":
            state_digest(short, Machine().settings())
        elif what == "watch":
            short.account.observers = [Watching()] if number % 2 else []
        else:
            for space in (short, long):
                db = space.databases[0]
                if what == "until":
                    db.store(name, b"d", space.account.now + number)
                elif what == "drop":
                    db.drop(name)
                elif what == "flush":
                    db.flush()
                else:
                    space.account.now += number
    assert short.account.changes == long.account.changes
    assert (short.account.used, short.account.soonest) == (long.account.used, long.account.soonest)
    assert short.recount() == short.account.used == short.account.shares[0]
    assert list(short.databases[0].deadlines) == list(long.databases[0].deadlines)
    assert state_digest(short, Machine().settings()) == state_digest(long, Machine().settings())
