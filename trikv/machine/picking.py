"""Drawing a key of a database at random, each as likely as any other."""

from collections.abc import Iterator
from itertools import chain, islice

from trikv.machine.database import BUCKETS, Database
from trikv.machine.draws import Draws
from trikv.machine.replies import CommandError
from trikv.machine.split import Bucket
from trikv.machine.stored import Held

DRAWS_MAX = 16
"""How often a random key is drawn again that turns out to be due."""
LOOKED_AT_MAX = 1_000
"""Keys that are looked at one after another if no draw was live: a few milliseconds."""
HIDDEN = CommandError("TRYAGAIN nearly all keys here have expired and are about to be removed; ask again")
BUCKETS_COUNTED = 64
"""Buckets whose keys are counted in one step to find a key by its rank: all of them take 50 us."""


def pick(db: Database, draws: Draws) -> bytes | CommandError | None:
    """A live key, each as likely as any other; None if there is none.

    Keys that are due but not reaped are drawn too, and then drawn again. If nearly all are due, the first
    live key behind the last one drawn is taken, and keys behind many due ones are likelier. If there is none
    among `LOOKED_AT_MAX`, it is one of those that have a deadline still to come; and `HIDDEN` if no key has:
    to go over a million due keys would take seconds, and None would say that there is no other.
    """
    due = db.deadlines.bisect_left((db.account.now + 1, b""))
    if due == db.size:
        return None
    number = place = 0
    for _ in range(DRAWS_MAX):
        number, place = _place_of(db, draws.below(db.size))
        key, held = next(_from(db.buckets[number], place))
        if db.is_live(held):
            return key
    for key, held in islice(_behind(db, number, place), LOOKED_AT_MAX):
        if db.is_live(held):
            return key
    coming = len(db.deadlines) - due
    return db.deadlines[due + draws.below(coming)][1] if coming else HIDDEN


def _behind(db: Database, number: int, place: int) -> Iterator[tuple[bytes, Held]]:
    """All keys, from that place in that bucket on, again and again; there must be a key."""
    yield from _from(db.buckets[number], place)
    while True:
        number = (number + 1) % BUCKETS
        yield from _from(db.buckets[number], 0)


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
