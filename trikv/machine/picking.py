"""Drawing a key of a database at random, each as likely as any other."""

from collections.abc import Iterator
from itertools import chain, islice

from trikv.machine.database import BUCKETS, Database
from trikv.machine.draws import Draws
from trikv.machine.split import Bucket
from trikv.machine.stored import Held

DRAWS_MAX = 16
"""How often a random key is drawn again that turns out to be due."""
BUCKETS_COUNTED = 64
"""Buckets whose keys are counted in one step to find a key by its rank: all of them take 50 us."""


def pick(db: Database, draws: Draws) -> bytes | None:
    """A live key, each as likely as any other; None if there is none.

    Keys that are due but not reaped are drawn too, and then drawn again. If nearly all are due, the first
    live key behind the last one drawn is taken, and keys behind many due ones are likelier.
    """
    if not db.size:
        return None
    number = place = 0
    for _ in range(DRAWS_MAX):
        number, place = _place_of(db, draws.below(db.size))
        key, held = next(_from(db.buckets[number], place))
        if db.is_live(held):
            return key
    for offset in range(BUCKETS + 1):  # the first bucket again, for what is before the place
        bucket = db.buckets[(number + offset) % BUCKETS]
        for key, held in _from(bucket, 0 if offset else place):
            if db.is_live(held):
                return key
    return None


def _from(bucket: Bucket, place: int) -> Iterator[tuple[bytes, Held]]:
    """What a bucket holds, from that place in its order on."""
    if isinstance(bucket, dict):
        return islice(bucket.items(), place, None)
    leaves, at = bucket.in_order(), 0
    while at < len(leaves) and place >= len(leaves[at]):  # to go over all their keys would take milliseconds
        place -= len(leaves[at])
        at += 1
    return islice(chain.from_iterable(map(dict.items, leaves[at:])), place, None)


def _place_of(db: Database, rank: int) -> tuple[int, int]:
    """The bucket that holds the key of this rank, and the key's place in it; there must be such a key."""
    buckets, number = db.buckets, 0
    while rank >= (counted := sum(map(len, buckets[number : number + BUCKETS_COUNTED]))):
        rank -= counted
        number += BUCKETS_COUNTED
    while rank >= len(buckets[number]):
        rank -= len(buckets[number])
        number += 1
    return number, rank
