"""The digest: equal on two replicas at the same index, or one of them is wrong.

It covers order, versions and deadlines of every key, origin rows, members, time and settings. The hash of a
bucket is kept until the bucket changes, so the cost of a digest is that of the buckets that changed since the
last one.
"""

from hashlib import blake2b
from typing import Final

import msgspec

from trikv.machine.keyspace import Keyspace
from trikv.machine.split import Bucket, Leaf
from trikv.machine.stored import stored
from trikv.machine.values.value import Value

_encoder = msgspec.msgpack.Encoder()


PART_KEYS: Final = 32
"""A bucket counts for a part more for each so many keys: a part takes some 50 us."""


def _hash_bucket(bucket: Bucket, parts_max: int) -> tuple[bytes | None, int]:
    if isinstance(bucket, dict):
        return _hash_leaf(bucket, parts_max)
    parts = 0
    for number in bucket.numbers:
        if number in bucket.hashes:
            continue
        leaf = bucket.leaves[number]
        if parts and parts + len(leaf) // PART_KEYS >= parts_max:
            return None, parts_max  # it is left for the next slice, whole
        made, taken = _hash_leaf(leaf, parts_max - parts)
        parts += taken + 1
        if made is None:
            return None, parts
        bucket.hashes[number] = made
    whole = blake2b(digest_size=16)
    for number in bucket.numbers:
        whole.update(b"%d " % number)
        whole.update(bucket.hashes[number])
    return whole.digest(), parts


def _hash_leaf(bucket: Leaf, parts_max: int) -> tuple[bytes | None, int]:
    # In full: the digest is of what a bucket means, not of the form in which it holds it.
    meant: dict[bytes, object] = {}
    parts = 0
    for key, held in bucket.items():
        entry = stored(held)
        value = entry.value
        if isinstance(value, Value):
            parts += value.hash_some(parts_max - parts)
            if parts >= parts_max and next(value.unhashed(), None) is not None:
                return None, parts
            meant[key] = (value.digest(), value.type_name, entry.version, entry.deadline)
        else:
            meant[key] = entry
    return blake2b(_encoder.encode(meant), digest_size=16).digest(), parts + len(bucket) // PART_KEYS


def hash_some(space: Keyspace, buckets: int) -> bool:
    """Hash up to `buckets` changed ones, or as many parts of values: so `state_digest` has less to do.

    True while more are left.
    """
    for db in space.databases:
        buckets -= db.hash_some(_hash_bucket, buckets)
        if buckets <= 0:
            return True
    return False


def state_digest(space: Keyspace, settings: msgspec.Struct) -> str:
    """32 hexadecimal digits for all databases and the settings."""
    # JSON, because MessagePack has no integers above 2**64.
    whole = blake2b(msgspec.json.encode(settings), digest_size=16)
    for db in space.databases:
        for number, bucket_hash in sorted(db.bucket_hashes(_hash_bucket).items()):
            whole.update(b"%d %d " % (db.number, number))
            whole.update(bucket_hash)
    return whole.hexdigest()
