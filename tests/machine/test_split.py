"""Buckets of many keys: their shape, what follows from it, and that nothing in them takes long."""

import sys
from collections.abc import Iterable
from zlib import crc32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.machine.crafted import CRC, KEYS, crafted, paged, small_limits, with_crc
from tests.machine.driving import Driver, collect, reborn
from tests.machine.values.commands import WITH_NUMBERS
from tests.machine.values.numbers import Wide
from trikv.machine import digest, runs, split
from trikv.machine.cut import Cut
from trikv.machine.database import BUCKET_SHIFT, Database
from trikv.machine.draws import Draws
from trikv.machine.features import SPLIT_BUCKETS
from trikv.machine.importing import String, import_keys
from trikv.machine.picking import pick
from trikv.machine.snapshot import Restore, SnapshotError
from trikv.machine.split import GENERATIONS, LEAF_KEYS_MAX, LEAVES_MAX, Leaf, Split, leaves_of, secret_hash
from trikv.machine.stored import Held, held
from trikv.machine.walk import Walk

SECRET = b"12345678"
NUMBER = CRC >> BUCKET_SHIFT


def ways_of(key: bytes) -> list[int]:
    """The leaves that `key` may be in, of every generation: 1 leaf, 16, 256 ..., numbered on."""
    hashed = secret_hash(SECRET, key)
    return [
        sum(16**older for older in range(each)) + (hashed >> 20 - 4 * each) for each in range(GENERATIONS)
    ]


class Model:
    """What a split bucket is, in so many words."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self.leaves: dict[int, Leaf] = {0: {key: held(b"", 1) for key in keys}}

    def set(self, key: bytes, one: Held) -> None:
        """A key stays in its leaf; a new one goes to the first with room."""
        ways = ways_of(key)
        there = [way for way in ways if key in self.leaves.get(way, ())]
        room = [way for way in ways if len(self.leaves.get(way, ())) < 2]
        self.leaves.setdefault((there or room or ways[-1:])[0], {})[key] = one

    def drop(self, key: bytes) -> bool:
        """An empty leaf is none."""
        for way in ways_of(key):
            if self.leaves.get(way, {}).pop(key, None):
                self.leaves = {number: leaf for number, leaf in self.leaves.items() if leaf}
                return True
        return False

    def is_equal(self, other: Split) -> bool:
        """Leaves, keys, and the order of both."""
        leaves = sorted(self.leaves.items())
        return (
            [list(leaf.items()) for _, leaf in leaves] == [list(leaf.items()) for leaf in other.in_order()]
            and other.shape() == [(number, len(leaf)) for number, leaf in leaves]
            and len(other) == sum(len(leaf) for _, leaf in leaves)
            and list(other)
            == [key for key, _ in other.items()]
            == [key for _, leaf in leaves for key in leaf]
        )


_KEY = st.sampled_from(KEYS)
_STEP = st.one_of(
    st.tuples(st.sampled_from(["set", "set", "set", "del"]), _KEY),
    st.tuples(st.just("copy"), st.just(b"")),
)
_GROWTH = st.lists(_KEY, min_size=5, max_size=50, unique=True)


@settings(max_examples=100, deadline=None)
@example([*KEYS[:5]], [("del", KEYS[5])])
@given(_GROWTH, st.lists(_STEP, max_size=80))
def test_it_is_a_dict_in_parts(first: list[bytes], steps: list[tuple[str, bytes]]) -> None:
    """It holds what a dict holds; copies show their instant, whichever of both is written later."""
    with small_limits():
        model = Model(first[:2])
        one = Split(SECRET, {0: dict(model.leaves[0])})
        copies: list[tuple[Split, list[tuple[bytes, Held]]]] = []
        for version, (what, key) in enumerate([("set", key) for key in first] + steps):
            if what == "copy":
                twin = one.copy()
                if version % 2:  # the copy goes on, and the first stays as it was
                    one, twin = twin, one
                copies.append((twin, list(one.items())))
            elif what == "set":
                one[key] = held(b"", version)
                model.set(key, held(b"", version))
            elif model.drop(key):
                del one[key]
                rest = one.undivided()
                assert (rest is None) == bool(model.leaves.keys() - {0})
                if rest is not None:
                    assert rest == model.leaves.get(0, {})
                    break
            else:
                with pytest.raises(KeyError):
                    del one[key]
                with pytest.raises(KeyError):
                    one[key]
            assert model.is_equal(one)
            whole = dict(one.items())
            assert all(one.get(key) == whole.get(key) and (key in one) == (key in whole) for key in KEYS)
        for twin, items in copies:
            assert list(twin.items()) == items


def test_the_places_of_keys_are_the_same_everywhere() -> None:
    """They follow from secret and key alone, not from this process or its build."""
    assert [secret_hash(SECRET, key) for key in (b"", b"a", b"key:1")] == [640929, 1014690, 362]
    assert secret_hash(b"another!", b"a") != secret_hash(SECRET, b"a")


def test_the_limits_are_part_of_the_replicated_behaviour() -> None:
    """Two replicas of one level must put keys alike: other numbers need another level."""
    assert (LEAF_KEYS_MAX, split.GENERATION_BITS, GENERATIONS, split.HASH_BITS) == (2048, 4, 6, 20)


def test_keys_that_the_secret_does_not_tell_apart_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the leaves of all generations are full, the last one takes all; nothing is lost."""
    monkeypatch.setattr(split, "secret_hash", lambda *_: (1 << 20) - 1)
    monkeypatch.setattr(split, "LEAF_KEYS_MAX", 3)
    keys = crafted(30)
    one = Split(SECRET, {0: dict.fromkeys(keys[:3], held(b"", 1))})
    for key in keys:
        one[key] = held(b"", 2)
    assert one.shape() == [(0, 3), (16, 3), (272, 3), (4368, 3), (69904, 3), (LEAVES_MAX - 1, 15)]
    assert list(one) == keys
    for key in keys:
        del one[key]
    assert one.undivided() == {}


def test_a_key_is_found_behind_a_leaf_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays where it is when all keys of an earlier generation were deleted; a new key fills the gap."""
    monkeypatch.setattr(split, "secret_hash", lambda *_: 0)
    monkeypatch.setattr(split, "LEAF_KEYS_MAX", 3)
    keys = crafted(10)
    one = Split(SECRET, {0: dict.fromkeys(keys[:3], held(b"", 1))})
    for key in keys[3:9]:
        one[key] = held(b"", 2)
    for key in keys[:6]:
        del one[key]
    assert one.shape() == [(17, 3)]
    assert one.undivided() is None
    one[keys[8]] = held(b"", 3)
    assert (one.get(keys[8]), one.shape()) == (held(b"", 3), [(17, 3)])
    one[keys[9]] = held(b"", 4)
    assert one.shape() == [(0, 1), (17, 3)]


@pytest.mark.parametrize("shape", [[(-1, 1)], [(LEAVES_MAX, 1)], [(0, -1)]])
def test_what_is_no_shape_is_refused(shape: list[tuple[int, int]]) -> None:
    """A document may say anything."""
    with pytest.raises(ValueError, match="split bucket"):
        Split.of_shape(shape, SECRET)


def contents(db: Database) -> list[list[Leaf]]:
    """Everything in its order, without the marks that are no state."""
    return [leaves_of(bucket) for bucket in db.buckets if bucket]


_ACT = st.one_of(
    st.tuples(st.sampled_from(["SET", "SET", "SET", "DEL", "DEL", "PX", "GETDEL"]), _KEY),
    st.tuples(st.sampled_from(["FLUSHDB", "pass", "restore", "install", "walk", "hash", "RENAME"]), _KEY),
)


def _act(driver: Driver, what: str, key: bytes) -> None:
    match what:
        case "SET" | "DEL" | "GETDEL":
            driver.call(*([what.encode(), key, b"v"] if what == "SET" else [what.encode(), key]))
        case "PX":
            driver.call(b"SET", key, b"v", b"PX", b"%d" % (len(key) % 7 + 1))
        case "RENAME":
            driver.call(b"RENAME", key, KEYS[crc32(key[:7]) % len(KEYS)])
        case "FLUSHDB":
            driver.one("FLUSHDB")
        case "pass":
            driver.pass_ms(3)
        case "hash":
            driver.machine.hash_some(3)
        case _:
            driver.machine.release(5)


@settings(max_examples=60, deadline=None)
@given(_GROWTH, st.lists(_ACT, max_size=60), st.integers(0, 2**64 - 1))
def test_replicas_that_restore_and_replicas_that_replay_agree(
    first: list[bytes], acts: list[tuple[str, bytes]], seed: int
) -> None:
    """Growth, deletes, expiry, flush, restores at any time: equal digests, orders, draws and documents."""
    with small_limits():
        replayed, restored = Driver(seed=seed), Driver(seed=seed)
        walks: list[tuple[Walk, bytes]] = []
        for what, key in [("SET", key) for key in first] + acts:
            for driver in (replayed, restored):
                _act(driver, what, key)
            if what == "walk":
                walks.append((replayed.machine.walk({}), collect(restored.machine.walk({}))))
            elif what in {"restore", "install"}:
                restored.machine = reborn(restored.machine)
        assert replayed.machine.digest() == restored.machine.digest()
        assert replayed.read("KEYS *") == restored.read("KEYS *")
        one, other = (driver.machine.space.databases[0] for driver in (replayed, restored))
        assert contents(one) == contents(other)
        for number in range(5):
            assert pick(one, Draws(number)) == pick(other, Draws(number))
        assert collect(replayed.machine.walk({})) == collect(restored.machine.walk({}))
        for walk, document in walks:
            assert collect(walk) == document, "a walk shows the instant of its start"


def driven(count: int, *, level: int = SPLIT_BUCKETS, seed: int = 99) -> Driver:
    """A machine with so many keys of one crc32."""
    driver = Driver(level=level, seed=seed)
    keys = crafted(count)
    for start in range(0, count, 500):
        driver.run(*((b"SET", key, b"v") for key in keys[start : start + 500]))
    return driver


def bucket_of(driver: Driver) -> split.Bucket:
    """The bucket of the crafted keys."""
    return driver.machine.space.databases[0].buckets[NUMBER]


def test_a_bucket_is_divided_at_its_limit_by_runs_and_by_single_commands() -> None:
    """With the part in C and without it, the same key is the first of a divided bucket."""
    digests = []
    for patched in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if patched:
                patch.setattr(runs, "set_run", None)
            driver = driven(LEAF_KEYS_MAX)
            assert isinstance(bucket_of(driver), dict)
            driver.run(*((b"SET", key, b"w") for key in crafted(LEAF_KEYS_MAX + 700)[-720:]))
            bucket = bucket_of(driver)
            assert isinstance(bucket, Split)
            assert len(bucket) == LEAF_KEYS_MAX + 700
            digests.append(driver.machine.digest())
    assert digests[0] == digests[1]


def test_a_cluster_of_before_keeps_plain_buckets() -> None:
    """Its other replicas may run a release that knows no other, and its documents stay as they were."""
    driver = driven(LEAF_KEYS_MAX + 700, level=SPLIT_BUCKETS - 1)
    assert isinstance(bucket_of(driver), dict)
    document = collect(driver.machine.walk({}))
    assert b"split" not in document.split(b"\n", 2)[1]
    assert b"bucket_seed" not in document
    assert driver.machine.settings().bucket_seed == 0
    assert reborn(driver.machine).digest() == driver.machine.digest()


def test_the_shape_follows_from_the_seed_of_the_first_entry() -> None:
    """Two clusters divide the same keys otherwise, and a later entry's seed changes nothing."""
    one, other = driven(LEAF_KEYS_MAX + 9), driven(LEAF_KEYS_MAX + 9, seed=100)
    assert list(bucket_of(one)) != list(bucket_of(other))
    assert one.machine.settings().bucket_seed == 99
    later = Driver(seed=99)
    later.seed = 7
    later.run(*((b"SET", key, b"v") for key in crafted(LEAF_KEYS_MAX + 9)))
    assert list(bucket_of(later)) == list(bucket_of(one))


def test_a_shape_without_its_keys_is_kept_by_a_restore() -> None:
    """A key stays in its leaf while others go: a document has to say in which. Alone, the first is a dict."""
    driver = driven(LEAF_KEYS_MAX + 1)
    keys = crafted(LEAF_KEYS_MAX + 1)
    driver.run(*((b"DEL", key) for key in keys[2:-1]))
    bucket = bucket_of(driver)
    assert isinstance(bucket, Split)
    assert len(bucket) == 3
    twin = reborn(driver.machine)
    assert twin.digest() == driver.machine.digest()
    again = twin.space.databases[0].buckets[NUMBER]
    assert isinstance(again, Split)
    assert again.shape() == bucket.shape() == [(0, 2), (bucket.numbers[1], 1)]
    driver.call(b"DEL", keys[-1])
    assert isinstance(bucket_of(driver), dict)
    assert list(bucket_of(driver)) == keys[:2]
    assert driver.machine.recount() == driver.machine.used_memory


def test_documents_with_impossible_shapes_are_refused() -> None:
    """Of a bucket that there is none of, that has keys already, or in a cluster that divides none."""
    driver = driven(LEAF_KEYS_MAX + 1)
    document = collect(driver.machine.walk({}))
    opening, line, rest = document.split(b"\n", 2)
    assert line.startswith(b'{"split":[')
    key = rest.split(b"\n", 1)[0]
    for wrong, why in [
        (line.replace(b"[[0,", b"[[-1,"), "no such leaf"),
        (line.replace(b"[[0,2048]", b"[[0,2047]"), "has no place"),
        (line.replace(b"[[0,2048]", b"[[0,2048],[0,1]"), "checksum"),
        (line.replace(b'"bucket":%d' % NUMBER, b'"bucket":4096'), "no bucket"),
        (line.replace(b'"bucket":%d' % NUMBER, b'"bucket":-1'), "no bucket"),
        (line.replace(b'"db":0', b'"db":16'), "no database"),
        (key + b"\n" + line, "no bucket"),
    ]:
        with pytest.raises(SnapshotError, match=why):
            Restore().feed(b"\n".join([opening, wrong, rest]))
    with pytest.raises(SnapshotError, match="no bucket"):
        Restore().feed(b"\n".join([opening.replace(b'"feature_level":3', b'"feature_level":2'), line, b""]))


def test_keys_of_a_divided_bucket_can_be_loaded_into_another_cluster() -> None:
    """Which has a secret and shapes of its own: the line of the shape says nothing there."""
    driver = driven(LEAF_KEYS_MAX + 1)
    loaded = Driver(seed=5)
    found = [item for item in import_keys([collect(driver.machine.walk({}))]) if isinstance(item, String)]
    assert {item.db for item in found} == {0}
    loaded.run(*(item.command for item in found))
    assert set(bucket_of(loaded)) == set(bucket_of(driver))


def test_the_digest_covers_the_shape() -> None:
    """Equal keys in an equal order, but in other leaves, are another state: the next key would part them."""
    keys = [key for key in crafted(500) if ways_of(key)[1] == 1][:3]
    one, other = (Split(SECRET, {0: dict.fromkeys(keys[:2], held(b"", 1)), at: {}}) for at in (1, 17))
    for each, at in ((one, 1), (other, 17)):
        each._writable(at)[keys[2]] = held(b"", 1)
    assert list(one.items()) == list(other.items())
    hashes = [list(digest._hash_bucket(each))[-1] for each in (one, other)]
    assert hashes[0] != hashes[1]


def test_a_copy_shares_the_leaves() -> None:
    """It takes the memory of a few references, and the first write to a leaf that of one leaf more."""
    driver = driven(20_000)
    one = bucket_of(driver)
    assert isinstance(one, Split)
    twin = one.copy()
    assert all(a is b for a, b in zip(one.in_order(), twin.in_order(), strict=True))
    key = list(one)[-1]
    expected = sys.getsizeof(one.in_order()[-1])
    assert one.copied_bytes(key, twin) == expected > 1000
    one[key] = held(b"", 1)
    assert one.copied_bytes(key, twin) == 0
    new = crafted(20_001)[-1]
    assert one.copied_bytes(new, twin) > 0
    assert [a is b for a, b in zip(one.in_order(), twin.in_order(), strict=True)].count(False) == 1


MANY = 20_000


def test_no_step_goes_over_all_keys_of_one_crc32() -> None:
    """Writes beside a cut, walks, digests, SCAN, KEYS and freeing take one leaf at a time."""
    driver = driven(MANY)
    db = driver.machine.space.databases[0]
    keys = crafted(MANY)
    bucket = bucket_of(driver)
    assert isinstance(bucket, Split)
    assert max(map(len, bucket.in_order())) <= LEAF_KEYS_MAX
    slices = 1
    while driver.machine.hash_some(64):
        slices += 1
    assert slices >= MANY // (2 * LEAF_KEYS_MAX)
    assert list(bucket.hashes) == bucket.numbers, "nothing is left for the digest itself"
    cut = Cut([db])
    before = cut.kept_bytes
    driver.call(b"SET", keys[0], b"w")
    assert len(bucket.hashes) == len(bucket.numbers) - 1, "one leaf is hashed again"
    longest = max(map(sys.getsizeof, bucket.in_order()))
    assert 0 < cut.kept_bytes - before < longest + sys.getsizeof(bucket) + 100
    steps = list(cut.entries())
    assert max(len(step) for _, step in steps) <= 256
    assert sum(len(step) for _, step in steps) == MANY
    cut.close()
    pages = list(paged(db, 10))
    assert max(map(len, pages)) <= 10 + LEAF_KEYS_MAX
    assert sorted(key for page in pages for key in page) == sorted(keys)
    driver.one("FLUSHALL")
    slices = 1
    while driver.machine.release(64):
        slices += 1
    assert slices > MANY // LEAF_KEYS_MAX


def test_keys_of_a_divided_bucket_expire() -> None:
    """From the last leaf as from the first, whichever is due first."""
    driver = driven(LEAF_KEYS_MAX + 1)
    first, *_, last = crafted(LEAF_KEYS_MAX + 1)
    driver.run((b"PEXPIRE", last, b"5"), (b"PEXPIRE", first, b"6"))
    driver.pass_ms(5)
    assert driver.run((b"EXISTS", last, first), (b"DBSIZE",)) == [1, LEAF_KEYS_MAX]
    driver.pass_ms(1)
    assert driver.run((b"EXISTS", last, first), (b"DBSIZE",)) == [0, LEAF_KEYS_MAX - 1]
    assert isinstance(bucket_of(driver), dict)


def test_values_in_a_divided_bucket_are_hashed_part_by_part() -> None:
    """A leaf is hashed when all parts of its values are, a few in each slice."""
    with small_limits():
        driver = Driver(table=WITH_NUMBERS, seed=99)
        db = driver.machine.space.databases[0]
        for key in crafted(5):
            value = Wide(0, b"")
            for number in range(2000):
                value.add(number)
            db.put_unchecked(key, value)
        slices = 1
        while driver.machine.hash_some(3):
            slices += 1
        assert slices > 10
        restore = Restore(WITH_NUMBERS)
        restore.feed(collect(driver.machine.walk({})))
        assert restore.finish()[1].digest() == driver.machine.digest()


def test_a_slice_of_the_digest_counts_keys() -> None:
    """Many buckets that are all as long as they may be are not hashed in one slice."""
    driver = Driver()
    for number in range(8):
        driver.run(*((b"SET", key, b"v") for key in crafted(1500, number << BUCKET_SHIFT)))
    slices = 1
    while driver.machine.hash_some(64):
        slices += 1
    assert slices >= 8 * 1500 // (64 * digest.PART_KEYS + 1500) > 2


def test_every_key_of_a_divided_bucket_is_picked() -> None:
    """In its order, by rank, in a database with other keys around it, due ones never."""
    with small_limits():
        driver = Driver(seed=3)
        db = driver.machine.space.databases[0]
        for key in [*crafted(30), b"a", b"b", with_crc(b"z", 0), with_crc(b"y", 0xFFFFFFFF)]:
            db.store(key, b"")
        assert {pick(db, Draws(number)) for number in range(1000)} == {
            key for bucket in db.buckets for key in bucket
        }
        for bucket in db.buckets:
            for key in list(bucket)[1:] if isinstance(bucket, Split) else bucket:
                db.expire_at(key, db.find(key) or pytest.fail("it is there"), driver.now + 1)
        driver.machine.space.account.now += 1
        assert pick(db, Draws(1)) == next(iter(bucket_of(driver)))


def test_values_of_a_divided_bucket_go_leaf_by_leaf_when_a_cut_lets_go() -> None:
    """What a snapshot has passed is counted no more, only once the whole bucket is behind it."""
    driver = driven(3000)
    walk = driver.machine.walk({})
    cut = walk._cut
    pieces = [walk.step(20_000)]
    kept = cut.kept_bytes
    driver.call(b"DEL", crafted(1)[0])
    assert cut.kept_bytes > kept
    while piece := walk.step(20_000):
        pieces.append(piece)
    assert b"".join(pieces).count(b'"n":') == 3000


def test_a_copy_has_hashes_of_its_own() -> None:
    """Both know those of the leaves that they share; what one forgets or computes is nothing to the other."""
    keys = [b"%d" % number for number in range(3)]
    one = Split(SECRET, {0: dict.fromkeys(keys, held(b"", 1))})
    one.hashes[0] = b"known"
    twin = one.copy()
    twin[keys[0]] = held(b"changed", 2)
    assert (one.hashes, twin.hashes) == ({0: b"known"}, {})
    twin.hashes[0] = b"another"
    assert one.hashes == {0: b"known"}


@pytest.mark.parametrize("count", [2_000, 3_000])
def test_the_memory_of_keys_that_are_gone_comes_back(count: int) -> None:
    """A dict never shrinks by itself: what a bucket takes follows the keys that it has."""
    driver = Driver()
    keys = crafted(count)
    driver.run(*[(b"SET", key, b"v") for key in keys])
    database = driver.machine.space.databases[0]
    full = sum(map(sys.getsizeof, leaves_of(database.buckets[NUMBER])))
    driver.run(*[(b"DEL", key) for key in keys[100:]])
    left = sum(map(sys.getsizeof, leaves_of(database.buckets[NUMBER])))
    assert left < full / 7
    assert database.size == 100
    driver.run(*[(b"DEL", key) for key in keys])
    bucket = database.buckets[NUMBER]
    assert isinstance(bucket, dict)
    assert sys.getsizeof(bucket) == sys.getsizeof({})
