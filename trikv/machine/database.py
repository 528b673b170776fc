"""One database: where keys live, expire and are counted, and where cuts read them while they change.

It is `BUCKETS` insertion-ordered dicts, chosen by the top bits of the key's crc32 (PROTOCOL 18), so that a
walk can stop after any bucket and a scan can go on at a position. A `Stored` is never changed in place: a
write puts a new one. So a cut (`trikv.machine.cut`) only needs a shallow copy of a bucket before the first
write to it. Values are shared, not encoded ahead.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Protocol
from zlib import crc32

from sortedcontainers import SortedList

from trikv.machine import runs
from trikv.machine.account import Account
from trikv.machine.draws import Draws
from trikv.machine.errors import KEY_TOO_LONG, OOM, STRING_TOO_LONG
from trikv.machine.memory import ENTRY_BYTES, EXPIRY_BYTES, KEY_BYTES_MAX, VALUE_BYTES_MAX, charge
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.stored import Stored

BUCKETS = 4096
"""A million keys make 250 a bucket: copying one for a walk takes microseconds."""
BUCKET_SHIFT = 32 - 12
"""crc32 >> BUCKET_SHIFT is the bucket: buckets are consecutive ranges of the hash."""
DRAWS_MAX = 16
"""How often a random key is drawn again that turns out to be due."""
BUCKETS_COUNTED = 64
"""Buckets whose keys are counted in one step to find a key by its rank: all of them take 50 us."""
SCAN_END = 0
"""The cursor that starts and ends a scan."""

_NO_BUCKETS: list[dict[bytes, Stored]] = [{}] * BUCKETS
"""The buckets of an empty database. They are only read: the first write replaces them."""
_LARGE = 2**62
"""Fits a machine's word with room to spare. It stands for "no cap", and no change counter gets so far."""


class Hasher(Protocol):
    """Hashes one bucket, the order of its keys included."""

    def __call__(self, bucket: dict[bytes, Stored], /) -> bytes:
        """The hash of `bucket`, always the same for equal keys and entries in one order."""


class Database:
    """One numbered database. Methods up to `bucket_hashes` change no state; those from `store` on do."""

    __slots__ = (
        "_changed",
        "_deadlines_total_ms",
        "_hashes",
        "account",
        "buckets",
        "deadlines",
        "number",
        "size",
        "used",
    )

    def __init__(self, number: int, account: Account) -> None:
        self.number = number
        self.account = account
        self.buckets = _NO_BUCKETS
        self.size = 0
        """Keys, those due but not yet reaped included."""
        self.used = 0
        """This database's part of the account."""
        self.deadlines: SortedList[tuple[int, bytes]] = SortedList()
        self._deadlines_total_ms = 0
        """The sum of all deadlines."""
        self._hashes: dict[int, bytes] = {}
        """Hashes of the filled buckets, as they were when last asked for."""
        self._changed = bytearray(BUCKETS)
        """1 for each bucket that may have changed since. No set: that would not stay in the processor's
        cache."""

    def find(self, key: bytes) -> Stored | None:
        """The live entry of `key`, or None. Only this and `is_live` judge if a key is due (PROTOCOL 21)."""
        entry = self.buckets[crc32(key) >> BUCKET_SHIFT].get(key)
        if entry is not None and entry.deadline and entry.deadline <= self.account.now:
            return None
        return entry

    def look(self, key: bytes) -> Stored | None:
        """`find` for commands that read: Redis counts what they find and miss."""
        entry = self.find(key)
        if entry is None:
            self.account.lookups.misses += 1
        else:
            self.account.lookups.hits += 1
        return entry

    def is_live(self, entry: Stored) -> bool:
        """Whether the deadline of `entry` has not come. A key that is due is not live, reaped or not."""
        return not entry.deadline or entry.deadline > self.account.now

    def mean_ttl_ms(self, now_ms: int) -> int:
        """The mean time to live of the keys with a deadline, in ms; 0 if there are none."""
        return max(0, self._deadlines_total_ms // len(self.deadlines) - now_ms) if self.deadlines else 0

    def growth(self, key: bytes, value_bytes: int, deadline: int) -> int:
        """By how many bytes the account would change if `key` were stored like this; may be negative."""
        grown = charge(len(key), value_bytes, deadline)
        old = self.buckets[crc32(key) >> BUCKET_SHIFT].get(key)
        if old is not None:
            grown -= charge(len(key), len(old.value), old.deadline)
        return grown

    def refusal(self, key: bytes, value_bytes: int) -> CommandError | None:
        """Why such a key or value cannot be stored at any fill of memory; None if it can."""
        if value_bytes > VALUE_BYTES_MAX:
            return STRING_TOO_LONG
        if len(key) > KEY_BYTES_MAX:
            return KEY_TOO_LONG
        return None

    def scan(self, position: int, count: int) -> tuple[int, list[bytes]]:
        """About `count` keys whose crc32 is at or after `position`, and the position to go on at.

        Positions are hashes, not places in a dict, so writes in between move nothing: a key that is there
        for the whole scan comes exactly once. Due keys are included.
        """
        found: list[bytes] = []
        # Buckets are ranges of the hash, so this goes on in the order of positions.
        for number in range(position >> BUCKET_SHIFT, BUCKETS):
            bucket = self.buckets[number]
            if not bucket:
                continue
            if position <= number << BUCKET_SHIFT and len(found) + len(bucket) <= count:
                found.extend(bucket)
                continue
            if len(found) >= count:
                return number << BUCKET_SHIFT, found
            last = SCAN_END
            for place, key in sorted((place, key) for key in bucket if (place := crc32(key)) >= position):
                # Keys of one hash stay together: the next page begins at a hash and would repeat some.
                if len(found) >= count and place != last:
                    return place, found
                found.append(key)
                last = place
        return SCAN_END, found

    def pick(self, draws: Draws) -> bytes | None:
        """A live key, each as likely as any other; None if there is none.

        Keys that are due but not reaped are drawn too, and then drawn again. If nearly all are due, the first
        live key behind the last one drawn is taken, and keys behind many due ones are likelier.
        """
        if not self.size:
            return None
        number = place = 0
        for _ in range(DRAWS_MAX):
            number, place = self._place_of(draws.below(self.size))
            key, entry = next(islice(self.buckets[number].items(), place, None))
            if self.is_live(entry):
                return key
        for offset in range(BUCKETS + 1):  # the first bucket again, for what is before the place
            bucket = self.buckets[(number + offset) % BUCKETS]
            for key, entry in islice(bucket.items(), 0 if offset else place, None):
                if self.is_live(entry):
                    return key
        return None

    def _place_of(self, rank: int) -> tuple[int, int]:
        """The bucket that holds the key of this rank, and the key's place in it; there must be such a key."""
        number = 0
        while rank >= (counted := sum(map(len, self.buckets[number : number + BUCKETS_COUNTED]))):
            rank -= counted
            number += BUCKETS_COUNTED
        while rank >= len(self.buckets[number]):
            rank -= len(self.buckets[number])
            number += 1
        return number, rank

    def hash_some(self, hasher: "Hasher", count: int) -> int:
        """Hash up to `count` changed buckets ahead of `bucket_hashes`; return how many it were."""
        hashed = 0
        number = self._changed.find(1)
        while number >= 0 and hashed < count:
            self._hash(number, hasher)
            hashed += 1
            number = self._changed.find(1, number)
        return hashed

    def _hash(self, number: int, hasher: "Hasher") -> None:
        self._changed[number] = 0
        bucket = self.buckets[number]
        if bucket:
            self._hashes[number] = hasher(bucket)
        else:
            self._hashes.pop(number, None)

    def bucket_hashes(self, hasher: "Hasher") -> dict[int, bytes]:
        """Hashes of all filled buckets by number; only those changed since the last call are computed."""
        self.hash_some(hasher, BUCKETS)
        return self._hashes

    def store(self, key: bytes, value: bytes, deadline: int = 0) -> CommandError | None:
        """Set `key`, or return why not: its limits, or the cap. A `deadline` must be in the future.

        An overwritten key keeps its place in the order; a due one is reaped first.
        """
        account = self.account
        number = crc32(key) >> BUCKET_SHIFT
        old = self.buckets[number].get(key)
        value_bytes = len(value)
        if value_bytes > VALUE_BYTES_MAX or len(key) > KEY_BYTES_MAX:
            return self.refusal(key, value_bytes)
        grown = (EXPIRY_BYTES if deadline else 0) + value_bytes
        if old is None:
            grown += ENTRY_BYTES + len(key)
        else:
            grown -= len(old.value) + (EXPIRY_BYTES if old.deadline else 0)
        if grown > 0 and account.cap and account.used + grown > account.cap:
            return OOM
        self._put(number, key, old, value, deadline, grown)
        return None

    def store_plain(self, key: bytes, value: bytes) -> Reply:
        """`store` without a deadline; the reply is SET's."""
        account = self.account
        number = crc32(key) >> BUCKET_SHIFT
        bucket = self.buckets[number]
        old = bucket.get(key)
        # Most writes of a busy server give a key without a deadline a value that is no longer. No limit can
        # refuse that, and no index changes, so it has a way of its own, which takes a third of the time. Both
        # ways must do the same to the state: which one is taken depends on this node's walks and hashes, too.
        if old is None or old.deadline or not self._changed[number] or account.observers:
            return self.store(key, value) or OK
        grown = len(value) - len(old.value)
        if grown > 0:
            return self.store(key, value) or OK
        account.dirty = True
        account.changes = version = account.changes + 1
        bucket[key] = Stored(value, version)
        if grown:
            account.used += grown
            self.used += grown
        return OK

    def set_run(self, commands: Sequence[Sequence[bytes]]) -> int:
        """Carry out the beginning of `commands`, which are SETs, and return how many; each is answered OK.

        It does the same as `store_plain` for each, in a third of the time; 0 if it cannot. Nothing that a
        client or a peer can send makes it raise.
        """
        account, set_run = self.account, runs.set_run
        room = min(account.cap - account.used, _LARGE) if account.cap else _LARGE
        if (
            set_run is None
            or room < 0
            or account.observers
            or account.changes > _LARGE
            or self.buckets is _NO_BUCKETS
            or not isinstance(commands, tuple)
        ):
            return 0
        done, grown, fresh = set_run(
            commands, self.buckets, self._changed, Stored, account.changes, room, ENTRY_BYTES
        )
        if done:
            account.dirty = True
            account.changes += done
            account.used += grown
            self.used += grown
            self.size += fresh
        return done

    def expire_at(self, key: bytes, entry: Stored, deadline: int) -> CommandError | None:
        """Give the live `key` of this `entry` a deadline in the future; OOM if the spare room is full."""
        grown = 0 if entry.deadline else EXPIRY_BYTES
        if not self.account.has_spare_room(grown):
            return OOM
        self._put(crc32(key) >> BUCKET_SHIFT, key, entry, entry.value, deadline, grown)
        return None

    def put_unchecked(self, key: bytes, value: bytes, deadline: int = 0) -> None:
        """Set `key` without any check: for handlers that have checked their whole change already."""
        number = crc32(key) >> BUCKET_SHIFT
        old = self.buckets[number].get(key)
        self._put(number, key, old, value, deadline, self.growth(key, len(value), deadline))

    def _put(
        self, number: int, key: bytes, old: Stored | None, value: bytes, deadline: int, grown: int
    ) -> None:
        """Put a new entry for `key`. `grown` is the account's change from `old`, due or not, to it."""
        account = self.account
        # A due key is absent to every command: it is reaped, and the new key goes to the end of the order.
        if old is not None and old.deadline and old.deadline <= account.now:
            self._remove(number, key, old)
            account.tally.expired_keys += 1
            grown += charge(len(key), len(old.value), old.deadline)
            old = None
        if self._changed[number] and not account.observers:  # nearly always: this saves a call
            account.dirty = True
            bucket = self.buckets[number]
        else:
            bucket = self._changing(number, key)
        if old is None:
            self.size += 1
            indexed = 0
        else:
            indexed = old.deadline
        account.changes += 1
        bucket[key] = Stored(value, account.changes, deadline)
        account.used += grown
        self.used += grown
        if indexed != deadline:
            if indexed:
                self._forget_deadline(indexed, key)
            if deadline:
                self._index(deadline, key)

    def restore(self, key: bytes, entry: Stored) -> bool:
        """Put an entry of a snapshot, with its version; False if the key is there already."""
        bucket = self._changing(crc32(key) >> BUCKET_SHIFT, key)
        if key in bucket:
            return False
        bucket[key] = entry
        grown = charge(len(key), len(entry.value), entry.deadline)
        self.account.used += grown
        self.used += grown
        self.size += 1
        if entry.deadline:
            self._index(entry.deadline, key)
        return True

    def drop(self, key: bytes) -> bool:
        """Remove `key`; True if it was live. A due key is reaped, and the answer is that of an absent one."""
        number = crc32(key) >> BUCKET_SHIFT
        old = self.buckets[number].get(key)
        if old is None:
            return False
        self._remove(number, key, old)
        if self.is_live(old):
            return True
        self.account.tally.expired_keys += 1
        return False

    def reap(self) -> None:
        """Remove the key with the earliest deadline; there must be one. Equal deadlines go by key."""
        _, key = self.deadlines[0]
        number = crc32(key) >> BUCKET_SHIFT
        self._remove(number, key, self.buckets[number][key])
        self.account.tally.expired_keys += 1

    def flush(self) -> None:
        """Empty the database in constant time: the contents are set aside for `Keyspace.release`."""
        account = self.account
        if self.buckets is _NO_BUCKETS:
            return
        account.dirty = True
        account.changes += self.size
        account.used -= self.used
        account.pending_keys += self.size
        # New tables instead of cleared ones: a walk keeps the old ones, and freeing them takes long.
        account.discarded.append(self.buckets)
        account.discarded.append(self.deadlines)
        self.buckets = _NO_BUCKETS
        self.deadlines = SortedList()
        self._deadlines_total_ms = 0
        self.size = self.used = 0
        self._hashes = {}
        self._changed = bytearray(BUCKETS)

    def _index(self, deadline: int, key: bytes) -> None:
        self.deadlines.add((deadline, key))
        self._deadlines_total_ms += deadline
        self.account.soonest = min(self.account.soonest, deadline)

    def _forget_deadline(self, deadline: int, key: bytes) -> None:
        self.deadlines.remove((deadline, key))
        self._deadlines_total_ms -= deadline

    def _remove(self, number: int, key: bytes, old: Stored) -> None:
        account = self.account
        bucket = self._changing(number, key)
        del bucket[key]
        if old.deadline:
            self._forget_deadline(old.deadline, key)
        freed = charge(len(key), len(old.value), old.deadline)
        account.changes += 1
        account.used -= freed
        self.used -= freed
        self.size -= 1

    def _changing(self, number: int, key: bytes) -> dict[bytes, Stored]:
        """The bucket, ready for a change of `key`: observers are told, and its hash is out of date."""
        account = self.account
        account.dirty = True
        if self.buckets is _NO_BUCKETS:
            self.buckets = [{} for _ in range(BUCKETS)]
        bucket = self.buckets[number]
        self._changed[number] = 1
        for observer in account.observers:
            observer.before_write(self.number, number, bucket, key)
        return bucket

    def recount(self) -> int:
        """This database's part of the account, computed from its keys: a check of `used`."""
        if self.buckets is _NO_BUCKETS:
            return 0
        return sum(
            charge(len(key), len(entry.value), entry.deadline)
            for bucket in self.buckets
            for key, entry in bucket.items()
        )
