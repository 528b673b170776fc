"""SCAN's pages: some keys of a database, and the position to go on at.

A position is a crc32, and in a split bucket a leaf in front of it: keys come in the order of bucket, leaf,
crc32. None of these changes while a key is there (`trikv.machine.split`), so writes in between move nothing.
"""

from collections.abc import Iterator
from typing import Final
from zlib import crc32

from trikv.machine.database import BUCKET_SHIFT, BUCKETS, Database
from trikv.machine.split import Bucket, Leaf

SCAN_END: Final = 0
"""The cursor that starts and ends a scan."""
CRC_BITS: Final = 32
"""The lower bits of a cursor. The leaf is above them, so cursors are as short as can be if nothing is split;
with it they have 53 bits, which fit a double."""
_CRC_MASK: Final = (1 << CRC_BITS) - 1


def scan(db: Database, cursor: int, count: int) -> tuple[int, list[bytes]]:
    """About `count` keys from `cursor` on, at most a leaf more, and the cursor to go on at.

    A key that is there for the whole scan comes exactly once. Due keys are included.
    """
    found: list[bytes] = []
    position, from_leaf = cursor & _CRC_MASK, cursor >> CRC_BITS
    first = position >> BUCKET_SHIFT
    # Buckets are ranges of the hash, so this goes on in the order of positions.
    for number in range(first, BUCKETS):
        bucket = db.buckets[number]
        if not bucket:
            continue
        start = number << BUCKET_SHIFT
        for place, leaf in _leaves(bucket, from_leaf if number == first else 0):
            # In the leaf that the cursor was in, only what is behind it.
            least = position if number == first and place == from_leaf else start
            if least == start and len(found) + len(leaf) <= count:
                found.extend(leaf)
                continue
            if len(found) >= count:
                return place << CRC_BITS | start, found
            last = -1
            for hashed, key in sorted((hashed, key) for key in leaf if (hashed := crc32(key)) >= least):
                # Keys of one hash stay together: the next page begins at a hash and would repeat some.
                if len(found) >= count and hashed != last:
                    return place << CRC_BITS | hashed, found
                found.append(key)
                last = hashed
    return SCAN_END, found


def _leaves(bucket: Bucket, first: int) -> Iterator[tuple[int, Leaf]]:
    """The leaves of a bucket from that number on, with their numbers; a dict is one of number 0."""
    if isinstance(bucket, dict):
        return iter([] if first else [(0, bucket)])
    return ((number, bucket.leaves[number]) for number in bucket.numbers if number >= first)
