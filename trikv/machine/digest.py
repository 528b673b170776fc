"""The digest: equal on two replicas at the same index, or one of them is wrong.

It covers order, versions and deadlines of every key, origin rows, members, time and settings. The hash of a
bucket is kept until the bucket changes, so the cost of a digest is that of the buckets that changed since the
last one.

A bucket is hashed in parts of some 50 us, however many keys it has and however long their values are: whoever
asks for a digest may prepare it in slices.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain
from typing import Final

import msgspec

from trikv.machine.keyspace import Keyspace
from trikv.machine.split import Bucket, Leaf
from trikv.machine.stored import Stored, stored
from trikv.machine.values.value import Packed

_encode = msgspec.msgpack.Encoder().encode


PART_KEYS: Final = 32
"""The most keys of a part."""
PART_BYTES: Final = 1 << 16
"""The bytes of keys and values at which a part ends. From here on MessagePack has one head for a string."""


def _hash_bucket(bucket: Bucket) -> Iterator[bytes | None]:
    """The hash of `bucket`, after None for each part that was hashed before."""
    if isinstance(bucket, dict):
        yield from _hash_leaf(bucket)
        return
    for number in bucket.numbers:
        if number not in bucket.hashes:
            for made in _hash_leaf(bucket.leaves[number]):
                if made is not None:
                    bucket.hashes[number] = made
                yield None
    whole = blake2b(digest_size=16)
    for number in bucket.numbers:
        whole.update(b"%d " % number)
        whole.update(bucket.hashes[number])
    yield whole.digest()


def _hash_leaf(leaf: Leaf) -> Iterator[bytes | None]:
    """As `_hash_bucket`. The hash is that of the MessagePack of a map: keys, and what they hold.

    In full: the digest is of what a bucket means, not of the form in which it holds it.
    """
    running = blake2b(_map_head(len(leaf)), digest_size=16)
    some: dict[bytes, object] = {}
    room = PART_BYTES
    for key, held in leaf.items():
        entry = stored(held)
        value = entry.value
        if isinstance(value, Packed):
            some[key] = (value.body, value.code, entry.version, entry.deadline)
            room -= len(key) + len(value.body)
        elif not isinstance(value, bytes):
            for _ in value.hash_parts():
                yield None
            some[key] = (value.digest(), value.type_name, entry.version, entry.deadline)
        elif len(value) < PART_BYTES:
            some[key] = entry
            room -= len(key) + len(value)
        else:
            running.update(_of_map(some))
            some = {}
            for piece in chain([_encode(key)], _pieces(entry, value)):
                running.update(piece)
                yield None
        if room <= 0 or len(some) == PART_KEYS:
            running.update(_of_map(some))
            some = {}
            room = PART_BYTES
            yield None
    running.update(_of_map(some))
    yield running.digest()


def _map_head(size: int) -> bytes:
    """What MessagePack puts in front of a map of that many entries."""
    if size < 1 << 4:
        return bytes([0x80 | size])
    return b"\xde" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xdf" + size.to_bytes(4, "big")


def _of_map(some: dict[bytes, object]) -> memoryview:
    """The entries of a map without its head, as they are in the middle of a longer one."""
    return memoryview(_encode(some))[len(_map_head(len(some))) :]


def _pieces(entry: Stored, value: bytes) -> Iterator[bytes | memoryview]:
    """The MessagePack of `entry`, with a long string in pieces of `PART_BYTES`, none of them copied."""
    short = _encode(Stored(b"", entry.version, entry.deadline))
    array_head, rest = short[:1], short[1 + len(_encode(b"")) :]
    yield array_head + b"\xc6" + len(value).to_bytes(4, "big")
    view = memoryview(value)
    for start in range(0, len(value), PART_BYTES):
        yield view[start : start + PART_BYTES]
    yield rest


def hash_some(space: Keyspace, parts: int) -> bool:
    """Hash up to `parts` parts of what has changed: so `state_digest` has less to do.

    True while more are left.
    """
    first = space.hashed_next
    # Each slice begins with another one: a bucket that changes all the time must not keep the others waiting.
    for db in space.databases[first:] + space.databases[:first]:
        parts -= db.hashes.some(db.buckets, _hash_bucket, parts)
        if parts <= 0:
            space.hashed_next = (db.number + 1) % len(space.databases)
            break
    if not all(db.hashes.is_known for db in space.databases):
        return True
    for db in space.databases:
        db.hashes.joined()
    return False


def state_digest(space: Keyspace, settings: msgspec.Struct) -> str:
    """32 hexadecimal digits for all databases and the settings."""
    # JSON, because MessagePack has no integers above 2**64.
    whole = blake2b(msgspec.json.encode(settings), digest_size=16)
    for db in space.databases:
        whole.update(db.hashes.of_all(db.buckets, _hash_bucket))
    return whole.hexdigest()
