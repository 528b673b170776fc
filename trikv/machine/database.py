"""One database: where keys live, expire and are counted, and where cuts read them while they change.

It is `BUCKETS` insertion-ordered dicts, chosen by the top bits of the key's crc32 (PROTOCOL 18), so that a
walk can stop after any bucket and a scan can go on at a position. A bucket of very many keys is a `Split`
instead (`trikv.machine.split`). What a bucket holds is never changed in place: a write puts another. So a cut
(`trikv.machine.cut`) only needs a shallow copy of a bucket before the first write to it. Values are shared,
not encoded ahead.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar
from zlib import crc32

from sortedcontainers import SortedList

from trikv.machine import runs
from trikv.machine.account import Account
from trikv.machine.bucket_hashes import BucketHashes
from trikv.machine.deadline_index import DeadlineIndex
from trikv.machine.effects import EXPIRED, NOTHING, REMOVED, WRITTEN
from trikv.machine.errors import KEY_TOO_LONG, STRING_TOO_LONG, WrongTypeError
from trikv.machine.features import SPLIT_BUCKETS
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX
from trikv.machine.replies import CommandError
from trikv.machine.split import LEAF_KEYS_MAX, SHRINK_KEYS, Bucket, Split
from trikv.machine.stored import (
    HAS_DEADLINE,
    PACKED_BYTES_MAX,
    PLAIN_BYTES,
    Held,
    Stored,
    deadline_of,
    held,
    size_of,
    stored,
    value_bytes_of,
    value_of,
)
from trikv.machine.values.value import Value

BUCKETS = 4096
"""A million keys make 250 a bucket: copying one for a walk takes microseconds."""
BUCKET_SHIFT = 32 - 12
"""crc32 >> BUCKET_SHIFT is the bucket: buckets are consecutive ranges of the hash."""
STRING: Final = "string"
"""What TYPE calls a string."""

EMPTY: Final[Bucket] = {}
"""A bucket that nothing was ever written to. It is only read: the first write puts another in its place."""
_NO_BUCKETS: Final = [EMPTY] * BUCKETS
"""The buckets of an empty database, in the same way."""
AT_ONCE_BYTES: Final = 256 << 10
"""A database that is charged no more is freed at once by a flush, in a fraction of a millisecond: a client
that writes and flushes in turns would set aside more than could be freed beside it."""
_CHANGES_MAX = 2**59
"""No change counter gets so far. A version from there on might not be packed."""


V = TypeVar("V", bound=Value)


def _string_of(value: bytes | Value) -> bytes:
    if isinstance(value, Value):
        raise WrongTypeError
    return value


class Database:
    """One numbered database. Methods up to `growth` change no state; those from `store` on do."""

    __slots__ = (
        "_changed",
        "_deadlines_total_ms",
        "account",
        "awaited",
        "buckets",
        "deadlines",
        "hashes",
        "number",
        "size",
    )

    def __init__(self, number: int, account: Account) -> None:
        self.number = number
        self.account = account
        self.awaited = NOTHING
        """Of their changes `Account.effects` is told: whatever raises the change counter looks here."""
        self.buckets = _NO_BUCKETS
        self.size = 0
        """Keys, those due but not yet reaped included."""
        self.deadlines: DeadlineIndex = SortedList()
        self._deadlines_total_ms = 0
        """The sum of all deadlines."""
        self.hashes = BucketHashes(self.number, BUCKETS)
        """For the digest."""
        self._changed = self.hashes.changed

    def find(self, key: bytes) -> Stored | None:
        """The live entry of `key`, or None. This, `string` and `is_live` judge if it is due (PROTOCOL 21)."""
        one = self.buckets[crc32(key) >> BUCKET_SHIFT].get(key)
        if one is None:
            return None
        entry = stored(one)
        if entry.deadline and entry.deadline <= self.account.now:
            return None
        return entry

    def string(self, key: bytes) -> bytes | None:
        """The live string under `key`, in half the time of `find`; None if there is no such key.

        Raises WrongTypeError if it holds another type.
        """
        one = self.buckets[crc32(key) >> BUCKET_SHIFT].get(key)
        if one is None:
            return None
        if type(one) is bytes and not one[0] & HAS_DEADLINE:  # nearly always
            return one[PLAIN_BYTES:]
        deadline = deadline_of(one)
        return None if deadline and deadline <= self.account.now else _string_of(value_of(one))

    def string_until(self, key: bytes) -> tuple[bytes | None, int]:
        """`string`, and the deadline that it has; 0 if there is none, or no such key."""
        entry = self.find(key)
        return (None, 0) if entry is None else (_string_of(entry.value), entry.deadline)

    def value_bytes(self, key: bytes) -> int:
        """The length of the string under `key`; 0 if it is absent or holds another type."""
        one = self.buckets[crc32(key) >> BUCKET_SHIFT].get(key)
        if one is None or not self.is_live(one):
            return 0
        value = value_of(one)
        return 0 if isinstance(value, Value) else len(value)

    def type_name(self, key: bytes) -> str:
        """What TYPE calls the value of `key`, which is there."""
        one = self.buckets[crc32(key) >> BUCKET_SHIFT][key]
        value = value_of(one) if type(one) is not bytes else one
        return value.type_name if isinstance(value, Value) else STRING

    def look(self, key: bytes) -> Stored | None:
        """`find` for commands that read: Redis counts what they find and miss."""
        entry = self.find(key)
        if entry is None:
            self.account.lookups.misses += 1
        else:
            self.account.lookups.hits += 1
        return entry

    def is_live(self, one: Held) -> bool:
        """Whether the deadline of what is held has not come. A key that is due is not live, reaped or not."""
        deadline = deadline_of(one)
        return not deadline or deadline > self.account.now

    def live(self, keys: list[bytes]) -> Iterable[bytes]:
        """Those of `keys`, which are all there, that are live."""
        if not self.deadlines:
            return keys
        buckets = self.buckets
        return (key for key in keys if self.is_live(buckets[crc32(key) >> BUCKET_SHIFT][key]))

    def mean_ttl_ms(self, now_ms: int) -> int:
        """The mean time to live of the keys with a deadline, in ms; 0 if there are none."""
        return max(0, self._deadlines_total_ms // len(self.deadlines) - now_ms) if self.deadlines else 0

    def growth(self, key: bytes, value_bytes: int, deadline: int) -> int:
        """By how many bytes the account would change if `key` were stored like this; may be negative."""
        grown = self.account.charges.key(len(key), value_bytes, deadline)
        return grown - self.charged(key)

    def charged(self, key: bytes) -> int:
        """The bytes that `key` is charged, due or not; 0 if it is not there."""
        one = self.buckets[crc32(key) >> BUCKET_SHIFT].get(key)
        return 0 if one is None else self._charge(key, one)

    def _charge(self, key: bytes, one: Held) -> int:
        return self.account.charges.key(len(key), value_bytes_of(one), deadline_of(one))

    def refusal(self, key: bytes, value_bytes: int) -> CommandError | None:
        """Why such a key or value cannot be stored at any fill of memory; None if it can."""
        if value_bytes > VALUE_BYTES_MAX:
            return STRING_TOO_LONG
        if len(key) > KEY_BYTES_MAX:
            return KEY_TOO_LONG
        return None

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
        grown = account.charges.key(len(key), value_bytes, deadline)
        if old is not None:
            grown -= self._charge(key, old)
        refused = account.refusal(grown)
        if refused is None:
            self._put(number, key, old, value, deadline, grown)
        return refused

    def set_run(self, commands: Sequence[Sequence[bytes]]) -> int:
        """Carry out the beginning of `commands`, which are SETs, and return how many; each is answered OK.

        It does the same as `store` for each; 0 if it cannot. Nothing that a client or a peer can send makes
        it raise.
        """
        account, set_run = self.account, runs.set_run
        if (
            set_run is None
            or account.is_over
            or account.observers
            or account.changes > _CHANGES_MAX
            or self.buckets is _NO_BUCKETS
            or not isinstance(commands, tuple)
        ):
            return 0
        room = account.limit - account.used
        done, grown, fresh = set_run(
            commands,
            self.buckets,
            self._changed,
            account.changes,
            room,
            account.charges.entry_bytes,
            LEAF_KEYS_MAX,
            EMPTY,
        )
        if done:
            account.dirty = True
            account.changes += done
            if grown:
                account.grow(self.number, grown)
            self.size += fresh
            if self.awaited:
                account.effects.set_in_a_row(self.number, commands[:done])
        return done

    def expire_at(self, key: bytes, entry: Stored, deadline: int) -> CommandError | None:
        """Give the live `key` of this `entry` a deadline in the future; OOM if the spare room is full."""
        grown = 0 if entry.deadline else self.account.charges.expiry_bytes
        refused = self.account.refusal(grown, is_spared=True)
        if refused is None:
            self._put(crc32(key) >> BUCKET_SHIFT, key, entry, entry.value, deadline, grown)
        return refused

    def put_unchecked(self, key: bytes, value: bytes | Value, deadline: int = 0) -> None:
        """Set `key` without any check: for handlers that have checked their whole change already."""
        number = crc32(key) >> BUCKET_SHIFT
        old = self.buckets[number].get(key)
        self._put(number, key, old, value, deadline, self.growth(key, size_of(value), deadline))

    def _put(
        self,
        number: int,
        key: bytes,
        old: Held | None,
        value: bytes | Value,
        deadline: int,
        grown: int,
    ) -> None:
        """Put another value for `key`. `grown` is the account's change from `old`, due or not, to it."""
        account = self.account
        indexed = 0 if old is None else deadline_of(old)
        # A due key is absent to every command: it is reaped, and the new key goes to the end of the order.
        if old is not None and indexed and indexed <= account.now:
            self._remove(number, key, old)
            account.tally.expired_keys += 1
            grown += self._charge(key, old)
            old, indexed = None, 0
        if self._changed[number] and not account.observers:  # nearly always: this saves a call
            account.dirty = True
            bucket = self.buckets[number]
        else:
            bucket = self._changing(number, key)
        if old is None:
            self.size += 1
            if len(bucket) >= LEAF_KEYS_MAX:
                bucket = self._divided(number)
        elif type(old) is not bytes:  # what is packed is freed at once
            self._discard(old, value)
        if grown > PACKED_BYTES_MAX:
            account.discarded.make_room(grown)
        account.changes += 1
        if not isinstance(value, bytes):
            value.charged = value.charge
        bucket[key] = held(value, account.changes, deadline)
        account.grow(self.number, grown)
        if indexed != deadline:
            if indexed:
                self._forget_deadline(indexed, key)
            if deadline:
                self._index(deadline, key)
        if self.awaited:
            account.effects.touched(self.number, key, WRITTEN)

    def changing(self, key: bytes, value: V) -> V:
        """The header to change, which is `value` of the live `key` or a fork of it. Then call `changed`.

        From here on the command has changed something, whatever it does.
        """
        self._changing(crc32(key) >> BUCKET_SHIFT, key)
        account = self.account
        return value.at_epoch(account.epoch) if account.observers else value.alone()

    def changed(self, key: bytes, value: Value) -> None:
        """`value` of the live `key` is changed: the account and the key's version follow."""
        account, bucket = self.account, self.buckets[crc32(key) >> BUCKET_SHIFT]
        charges, deadline = account.charges, deadline_of(bucket[key])
        grown = charges.value(value.charge) - charges.value(value.charged)
        value.charged = value.charge
        account.changes += 1
        bucket[key] = held(value, account.changes, deadline)
        account.grow(self.number, grown)
        if self.awaited:
            account.effects.touched(self.number, key, WRITTEN)

    def restore(self, key: bytes, entry: Stored) -> bool:
        """Put an entry of a snapshot, with its version; False if the key is there already.

        Raises ValueError if it has no place in its split bucket.
        """
        bucket = self._changing(crc32(key) >> BUCKET_SHIFT, key)
        if key in bucket:
            return False
        if isinstance(entry.value, Value):
            entry.value.charged = entry.value.charge
        one = held(entry.value, entry.version, entry.deadline)
        if isinstance(bucket, dict):
            bucket[key] = one
        else:
            bucket.restore(key, one)
        self.account.grow(self.number, self._charge(key, one))
        self.size += 1
        if entry.deadline:
            self._index(entry.deadline, key)
        return True

    def restore_split(self, number: int, shape: Iterable[tuple[int, int]]) -> None:
        """Split a bucket of a snapshot before its first key. Raises ValueError if it cannot be that."""
        if not 0 <= number < BUCKETS or self.buckets[number] or self.account.feature_level < SPLIT_BUCKETS:
            raise ValueError("no bucket can be split there")
        self._changing(number, b"")
        self.buckets[number] = Split.of_shape(shape, self.account.secret)

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
        """Empty the database at once: the contents, unless they are few, are left to `Keyspace.release`."""
        account = self.account
        if self.buckets is _NO_BUCKETS:
            return
        if self.awaited:
            account.effects.emptied(self)
        account.dirty = True
        account.changes += self.size
        freed_bytes = account.shares[self.number]
        account.grow(self.number, -freed_bytes)
        # New tables instead of cleared ones: a walk keeps the old ones, and freeing them takes long.
        if freed_bytes > AT_ONCE_BYTES:
            self._set_aside()
        else:
            account.tally.freed_keys += self.size
        self.buckets = _NO_BUCKETS
        self.deadlines = SortedList()
        self._deadlines_total_ms = 0
        self.size = 0
        self.hashes = BucketHashes(self.number, BUCKETS)
        self._changed = self.hashes.changed

    def _set_aside(self) -> None:
        """Have the contents freed in slices."""
        assert isinstance(self.deadlines, SortedList), "only a fork has another, and it frees nothing"
        self.account.discarded.add_database(self.buckets, self.deadlines, self.size)

    def _index(self, deadline: int, key: bytes) -> None:
        self.deadlines.add((deadline, key))
        self._deadlines_total_ms += deadline
        self.account.soonest = min(self.account.soonest, deadline)

    def _forget_deadline(self, deadline: int, key: bytes) -> None:
        self.deadlines.remove((deadline, key))
        self._deadlines_total_ms -= deadline

    def _remove(self, number: int, key: bytes, old: Held) -> None:
        account = self.account
        bucket = self._changing(number, key)
        del bucket[key]
        if isinstance(bucket, Split):
            if (rest := bucket.undivided()) is not None:
                self.buckets[number] = rest
        elif not len(bucket) % SHRINK_KEYS:
            self.buckets[number] = bucket.copy()
        if type(old) is not bytes:
            self._discard(old, None)
        deadline = deadline_of(old)
        if deadline:
            self._forget_deadline(deadline, key)
        account.changes += 1
        account.grow(self.number, -self._charge(key, old))
        self.size -= 1
        if self.awaited:
            account.effects.touched(self.number, key, REMOVED if self.is_live(old) else EXPIRED)

    def _discard(self, old: Held, new: bytes | Value | None) -> None:
        """Have a value that goes freed in slices, unless the same value comes again.

        A string is freed at once if the new value is as long: that took longer to make.
        """
        value = value_of(old)
        if value is new:
            return
        made = 0 if new is None else size_of(new)
        if isinstance(value, Value) or made < len(value):
            discarded = self.account.discarded
            discarded.add_value(value)
            discarded.make_room(made)

    def _divided(self, number: int) -> Bucket:
        """That bucket, ready for more keys than one dict may have. It was told to observers before."""
        bucket = self.buckets[number]
        if isinstance(bucket, dict) and self.account.feature_level >= SPLIT_BUCKETS:
            bucket = self.buckets[number] = Split(self.account.secret, {0: bucket})
        return bucket

    def _changing(self, number: int, key: bytes) -> Bucket:
        """The bucket, ready for a change of `key`: observers are told, and its hash is out of date."""
        account = self.account
        account.dirty = True
        if self.buckets is _NO_BUCKETS:
            self.buckets = _NO_BUCKETS.copy()
        bucket = self.buckets[number]
        if bucket is EMPTY:
            bucket = self.buckets[number] = {}
        self._changed[number] = 1
        for observer in account.observers:
            observer.before_write(self.number, number, bucket, key)
        return bucket

    def recount(self) -> int:
        """This database's part of the account, computed from its keys: a check of `Account.shares`."""
        if self.buckets is _NO_BUCKETS:
            return 0
        return sum(self._charge(key, one) for bucket in self.buckets for key, one in bucket.items())
