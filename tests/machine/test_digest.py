"""The digest of a bucket: of what it means, in steps that are short however much the bucket holds."""

from collections.abc import Iterator
from hashlib import blake2b

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.machine.crafted import crafted
from tests.machine.driving import Driver, reborn
from trikv.machine.account import DATABASES
from trikv.machine.bucket_hashes import BucketHashes
from trikv.machine.digest import PART_BYTES, PART_KEYS, _hash_bucket
from trikv.machine.split import LEAF_KEYS_MAX, Bucket, Leaf, Split
from trikv.machine.stored import held, stored

VALUE_LENGTHS = st.sampled_from(
    [0, 1, 40, 4096, 4097, PART_BYTES // 2, PART_BYTES - 1, PART_BYTES, 3 * PART_BYTES + 5]
)


def steps_of(leaf: Leaf) -> tuple[int, bytes]:
    """How many parts it took, and the hash."""
    *parts, made = _hash_bucket(leaf)
    assert parts == [None] * len(parts)
    assert made is not None
    return len(parts), made


def plain(leaf: Leaf) -> bytes:
    """The hash as it is defined: of all that is in the bucket, in one piece."""
    meant = {key: stored(one) for key, one in leaf.items()}
    return blake2b(msgspec.msgpack.encode(meant), digest_size=16).digest()


@given(st.lists(st.tuples(VALUE_LENGTHS, st.integers(1, 2**60), st.sampled_from([0, 1, 2**40])), max_size=40))
def test_a_hash_in_parts_is_that_of_the_whole(entries: list[tuple[int, int, int]]) -> None:
    """Short values and long ones, in any order, with versions and deadlines of any size."""
    leaf = {b"key:%d" % place: held(bytes(size), *rest) for place, (size, *rest) in enumerate(entries)}
    assert steps_of(leaf)[1] == plain(leaf)


@pytest.mark.parametrize("keys", [15, 16, 17, PART_KEYS, PART_KEYS + 1, 2048, 40_000, 70_000])
def test_a_hash_of_many_keys_is_that_of_the_whole(keys: int) -> None:
    """MessagePack has three heads for a map. A part has so many keys, not more."""
    leaf = {b"%d" % place: held(b"v", place + 1) for place in range(keys)}
    parts, made = steps_of(leaf)
    assert made == plain(leaf)
    assert parts == keys // PART_KEYS


def test_a_part_has_so_many_bytes() -> None:
    """One long value takes many parts; so do some that are short enough to be hashed together."""
    assert steps_of({b"k": held(bytes(8 << 20), 1)})[0] >= (8 << 20) // PART_BYTES
    leaf = {b"%d" % place: held(bytes(PART_BYTES // 4), 1) for place in range(40)}
    assert steps_of(leaf)[0] == 10
    assert (
        steps_of({bytes(PART_BYTES // 4 - 2) + b"%02d" % place: held(b"v", 1) for place in range(40)})[0]
        == 10
    )


class Busy:
    """A database with some buckets of many parts."""

    def __init__(self) -> None:
        self.driver = Driver(cap=1 << 30)
        self.keys = [crafted(1000, number << 20) for number in (5, 9, 20)]
        for keys in self.keys:
            self.driver.run(*((b"SET", key, b"v") for key in keys))

    def slices(self) -> Iterator[int]:
        """Hash ahead, less than a bucket at a time; the number of each slice that left something."""
        number = 0
        while self.driver.machine.hash_some(8):
            yield number
            number += 1

    def digest_of_another(self) -> str:
        """The digest of a machine with the same keys that was never asked before."""
        return reborn(self.driver.machine).digest()


def test_a_write_makes_void_what_was_begun_of_its_bucket() -> None:
    """The hash covers what is there at its end, though its first parts were of something else."""
    busy = Busy()
    first, *_, last = busy.keys[0]
    writes = {2: (b"SET", first, b"w"), 6: (b"DEL", last), 9: (b"SET", last, b"again")}
    for number in busy.slices():
        if number in writes:
            busy.driver.one(writes[number])
    assert busy.driver.machine.digest() == busy.digest_of_another()


def test_a_flush_makes_void_what_was_begun() -> None:
    """And what comes after it is hashed."""
    busy = Busy()
    assert busy.driver.machine.hash_some(8)
    busy.driver.run("FLUSHDB", "SET a b")
    assert busy.driver.machine.digest() == busy.digest_of_another()


def test_a_digest_that_was_prepared_goes_over_no_bucket() -> None:
    """Sixteen databases have 65,536 of them. What a write changes is put together anew."""
    busy = Busy()
    for _ in busy.slices():
        pass
    machine = busy.driver.machine
    joined = [db.hashes._joined for db in machine.space.databases]
    hashes = [
        (number, steps_of(dict(machine.space.databases[0].buckets[number].items()))[1])
        for number in (5, 9, 20)
    ]
    assert joined == [b"".join(b"0 %d %b" % one for one in hashes), *[b""] * (DATABASES - 1)]
    before = machine.digest()
    busy.driver.one((b"SET", busy.keys[1][7], b"w"))
    assert machine.digest() != before
    assert machine.digest() == busy.digest_of_another()


def test_a_digest_ends_beside_a_key_that_is_written_to_all_the_time() -> None:
    """A bucket that is void again and again is hashed in fewer and fewer slices, at last in one."""
    busy = Busy()
    parts = sum(-(-len(keys) // PART_KEYS) for keys in busy.keys)
    for number in busy.slices():
        busy.driver.one((b"SET", busy.keys[0][0], b"%d" % number))
        assert number < 2 * parts // 8
    assert busy.driver.machine.digest() == busy.digest_of_another()


def test_the_slice_that_ends_the_work_says_so() -> None:
    """Of any number of databases; a write behind it leaves one bucket, and that is one slice."""
    driver = Driver()
    for driver.db in range(DATABASES):
        driver.run(*((b"SET", b"%d" % number, b"v") for number in range(100)))
    slices = 0
    while driver.machine.hash_some(8):
        slices += 1
        driver.one((b"SET", b"0", b"%d" % slices))  # in the last database
    driver.db = 0
    assert slices <= DATABASES * 100 // 7
    driver.one("SET 0 w")
    assert not driver.machine.hash_some(1)


def test_a_hash_that_fails_is_begun_again() -> None:
    """Whoever survives the exception gets the right digest from the next one."""
    failures = [RuntimeError("a bug"), None]

    def hasher(bucket: Bucket) -> Iterator[bytes | None]:
        yield None
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        yield b"hash of %d" % len(bucket)

    hashes = BucketHashes(3, 2)
    hashes.changed[1] = 1
    with pytest.raises(RuntimeError, match="a bug"):
        hashes.some([{}, {b"k": b"v"}], hasher, 9)
    assert not hashes.is_known
    assert hashes.of_all([{}, {b"k": b"v"}], hasher) == b"3 1 hash of 1"


def test_a_bucket_that_always_changes_keeps_no_other_waiting() -> None:
    """The others are hashed meanwhile, and that one is the last."""
    busy = Busy()
    db = busy.driver.machine.space.databases[0]
    for number in busy.slices():
        busy.driver.one((b"SET", busy.keys[0][0], b"%d" % number))
        assert number < 100
    assert list(db.hashes._known) == [9, 20, 5]


def test_a_bucket_that_always_changes_keeps_no_other_database_waiting() -> None:
    """Each slice begins with another one: those that change least are known first."""
    busy = Busy()
    busy.driver.db = 1
    busy.driver.one("SET k v")
    busy.driver.db = 0
    other = busy.driver.machine.space.databases[1]
    slices = 0
    while not other.hashes.is_known:
        busy.driver.machine.hash_some(8)
        busy.driver.one((b"SET", busy.keys[0][0], b"%d" % slices))
        slices += 1
        assert slices < 5


def test_after_a_write_one_leaf_alone_is_hashed_again() -> None:
    """The others keep their hashes, and the digest is that of a replica that knows none."""
    driver = Driver()
    keys = crafted(LEAF_KEYS_MAX + 1)
    driver.run(*((b"SET", key, b"v") for key in keys))
    driver.machine.digest()
    driver.call(b"SET", keys[0], b"another")
    (bucket,) = [one for one in driver.machine.space.databases[0].buckets if isinstance(one, Split)]
    assert 0 < len(bucket.hashes) < len(bucket.numbers)
    assert driver.machine.digest() == reborn(driver.machine).digest()
