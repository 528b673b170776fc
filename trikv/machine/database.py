"""One database: where keys live, expire and are counted, and where cuts read them while they change.

It is `BUCKETS` insertion-ordered dicts, chosen by the top bits of the key's crc32 (PROTOCOL 18), so that a
walk can stop after any bucket and a scan can go on at a position. A bucket of very many keys is a `Split`
instead (`trikv.machine.split`). What a bucket holds is never changed in place: a write puts another. So a cut
(`trikv.machine.cut`) only needs a shallow copy of a bucket before the first write to it. Values are shared,
not encoded ahead.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeGuard
from zlib import crc32

from sortedcontainers import SortedList

from trikv.machine import runs
from trikv.machine.account import Account
from trikv.machine.bucket_hashes import BucketHashes
from trikv.machine.deadline_index import DeadlineIndex
from trikv.machine.effects import EXPIRED, NOTHING, REMOVED, WRITTEN, Names
from trikv.machine.features import SPLIT_BUCKETS
from trikv.machine.lookups import BUCKET_SHIFT, BUCKETS, Lookups, V
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX
from trikv.machine.replies import CommandError
from trikv.machine.split import LEAF_KEYS_MAX, SHRINK_KEYS, Bucket, Split
from trikv.machine.stored import (
    PACKED_BYTES_MAX,
    AnyValue,
    Held,
    Stored,
    deadline_of,
    held,
    indexed_of,
    is_in_parts,
    size_of,
    stored,
    value_of,
)
from trikv.machine.values.value import Value

__all__ = ["AT_ONCE_BYTES", "BUCKETS", "BUCKET_SHIFT", "EMPTY", "Database"]

EMPTY: Final[Bucket] = {}
"""A bucket that nothing was ever written to. It is only read: the first write puts another in its place."""
_NO_BUCKETS: Final = [EMPTY] * BUCKETS
"""The buckets of an empty database, in the same way."""
AT_ONCE_BYTES: Final = 256 << 10
"""A database that is charged no more is freed at once by a flush, in a fraction of a millisecond: a client
that writes and flushes in turns would set aside more than could be freed beside it."""
_CHANGES_MAX = 2**59
"""No change counter gets so far. A version from there on might not be packed."""


class Database(Lookups):
    """One numbered database. What it inherits changes no state."""

    __slots__ = (
        "_changed",
        "awaited",
        "field_deadlines",
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
        self.deadlines = SortedList()
        self._deadlines_total_ms = 0
        self.field_deadlines: DeadlineIndex = SortedList()
        """Of keys in whose value an element has a deadline: the earliest of these."""
        self.hashes = BucketHashes(self.number, BUCKETS)
        """For the digest."""
        self._changed = self.hashes.changed

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
        if runs.set_run is None or not self._can_run(commands):
            return 0
        done, grown, fresh = runs.set_run(*self._for_run(commands))
        self._has_run(commands[:done], grown, fresh)
        return done

    def add_run(self, commands: Sequence[Sequence[bytes]], difference: int) -> list[int]:
        """The same of commands that each add `difference` to a number; returns the totals."""
        if runs.add_run is None or not self._can_run(commands):
            return []
        totals, grown, fresh = runs.add_run(*self._for_run(commands), difference)
        self._has_run(commands[: len(totals)], grown, fresh)
        return totals

    def _can_run(self, commands: Sequence[Sequence[bytes]]) -> TypeGuard[tuple[tuple[bytes, ...], ...]]:
        account = self.account
        return not (
            account.is_over
            or account.observers
            or account.changes > _CHANGES_MAX
            or self.buckets is _NO_BUCKETS
            or not isinstance(commands, tuple)
        )

    def _for_run(
        self, commands: tuple[tuple[bytes, ...], ...]
    ) -> tuple[tuple[tuple[bytes, ...], ...], list[Bucket], bytearray, int, int, int, int, Bucket]:
        account = self.account
        room, entry_bytes = account.limit - account.used, account.charges.entry_bytes
        return commands, self.buckets, self._changed, account.changes, room, entry_bytes, LEAF_KEYS_MAX, EMPTY

    def _has_run(self, done: Sequence[Sequence[bytes]], grown: int, fresh: int) -> None:
        if not done:
            return
        account = self.account
        account.dirty = True
        account.changes += len(done)
        if grown:
            account.grow(self.number, grown)
        self.size += fresh
        if self.awaited:
            account.effects.set_in_a_row(self.number, done)

    def expire_at(self, key: bytes, entry: Stored, deadline: int) -> CommandError | None:
        """Give the live `key` of this `entry` a deadline in the future; OOM if the spare room is full."""
        grown = 0 if entry.deadline else self.account.charges.expiry_bytes
        refused = self.account.refusal(grown, is_spared=True)
        if refused is None:
            self._put(crc32(key) >> BUCKET_SHIFT, key, entry, entry.value, deadline, grown)
        return refused

    def put_unchecked(self, key: bytes, value: AnyValue, deadline: int = 0) -> None:
        """Set `key` without any check: for handlers that have checked their whole change already."""
        number = crc32(key) >> BUCKET_SHIFT
        old = self.buckets[number].get(key)
        self._put(number, key, old, value, deadline, self.growth(key, size_of(value), deadline))

    def _put(
        self,
        number: int,
        key: bytes,
        old: Held | None,
        value: AnyValue,
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
        before = soonest = 0
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
            before = indexed_of(old)
        if grown > PACKED_BYTES_MAX:
            account.discarded.make_room(grown)
        account.changes += 1
        if isinstance(value, Value):
            value.charged = value.charge
            soonest = value.indexed = value.soonest
        if before != soonest:
            self._index_fields(before, soonest, key)
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

        If it is in parts, the command has changed something from here on, whatever it does, so it looks and
        refuses before. A small one is its own copy, of which nobody else knows.
        """
        if value.is_small:
            return value
        self._changing(crc32(key) >> BUCKET_SHIFT, key)
        account = self.account
        if account.observers or account.holds:
            return value.at_epoch(account.epoch)
        return value.alone()

    def twin(self, key: bytes, value: V) -> V:
        """A value for another key that shares the parts of `value`, which is that of the live `key`.

        The key's own is made ready for that, which is no change of it.
        """
        mine = self.changing(key, value)
        number = crc32(key) >> BUCKET_SHIFT
        if mine is not value:
            entry = stored(self.buckets[number][key])
            self.buckets[number][key] = held(mine, entry.version, entry.deadline)
        return mine.twin(self.account.epoch)

    def changed(
        self, key: bytes, value: Value, *, is_spared: bool = False, times: int = 1
    ) -> CommandError | None:
        """`value` of `key` is changed, or new: the account and the key's version follow.

        It keeps the key's deadline. An empty value goes, with its key. Returns OOM if there is no room for
        one that was small or new; then it is as if nothing had happened. `is_spared`: see `Account.refusal`.
        `times`: how many commands have changed it, each once.
        """
        number = crc32(key) >> BUCKET_SHIFT
        old = self.buckets[number].get(key)
        if not value.count:
            # It lost its last element, which is a change of its own, before it goes.
            if self.awaited and old is not None and self.is_live(old):
                self.account.effects.touched(self.number, key, WRITTEN)
            self.drop(key)
            return None
        if old is not None and not isinstance(old, bytes) and is_in_parts(old.value) and self.is_live(old):
            self.account.changes += times - 1
            self._went_on(number, key, old, value)
            return None
        form = value.packed() or value
        deadline = deadline_of(old) if old is not None and self.is_live(old) else 0
        grown = self.growth(key, size_of(form), deadline)
        refused = self.account.refusal(grown, is_spared=is_spared)
        if refused is None:
            self.account.changes += times - 1
            self._put(number, key, old, form, deadline, grown)
        return refused

    def replace(self, key: bytes, value: Value) -> CommandError | None:
        """Give `key` a value that nobody else has, without a deadline, in place of whatever it holds.

        An empty one deletes the key. Returns why not: the key's limit, or OOM.
        """
        if not value.count:
            self.drop(key)
            return None
        number = crc32(key) >> BUCKET_SHIFT
        form = value.packed() or value
        grown = self.growth(key, size_of(form), 0)
        refused = self.refusal(key, 0) or self.account.refusal(grown)
        if refused is None:
            self._put(number, key, self.buckets[number].get(key), form, 0, grown)
        return refused

    def _went_on(self, number: int, key: bytes, old: Held, value: Value) -> None:
        """The value in parts of the live `key` is changed; the parts that it lost are nobody's concern."""
        account, charges = self.account, self.account.charges
        grown = charges.value(value.charge) - charges.value(value.charged)
        value.charged = value.charge
        if value.deadlines is not None or value.indexed:
            before, value.indexed = value.indexed, value.soonest
            if before != value.indexed:
                self._index_fields(before, value.indexed, key)
        account.changes += 1
        self.buckets[number][key] = held(value, account.changes, deadline_of(old))
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
            entry.value.indexed = entry.value.soonest
            self._index_fields(0, entry.value.indexed, key)
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

    def reap_fields(self, most: int) -> int:
        """Remove due fields of the key in which one has the earliest deadline; there must be one.

        Up to `most` of them go together, as one change of the key, the earliest first. Returns how many. A
        key that is due itself goes whole, and counts for one.
        """
        account = self.account
        _, key = self.field_deadlines[0]
        old = self.buckets[crc32(key) >> BUCKET_SHIFT][key]
        if not self.is_live(old):
            self.drop(key)
            return 1
        value = value_of(old)
        assert isinstance(value, Value), "nothing else is in the index"
        value = self.changing(key, value)
        gone = value.reap(account.now, most)
        self.note_expired(gone)
        self.changed(key, value)
        return len(gone)

    def note_expired(self, strings: Sequence[bytes]) -> None:
        """Fields with these values were taken out because they were due: count them, free long ones later."""
        account = self.account
        account.tally.expired_fields += len(strings)
        for each in strings:
            if len(each) > PACKED_BYTES_MAX:
                account.discarded.add_value(each)

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
        self.field_deadlines = SortedList()
        self.size = 0
        self.hashes = BucketHashes(self.number, BUCKETS)
        self._changed = self.hashes.changed

    def renumber(self, number: int, awaited: Names) -> None:
        """Be database `number` from now on, with all keys; `awaited` is what is awaited there."""
        self.number = number
        self.awaited = awaited
        self.hashes.renumber(number)

    def _set_aside(self) -> None:
        """Have the contents freed in slices."""
        assert isinstance(self.deadlines, SortedList), "only a fork has another, and it frees nothing"
        assert isinstance(self.field_deadlines, SortedList), "the same"
        indexes = self.deadlines, self.field_deadlines
        self.account.discarded.add_database(self.buckets, indexes, self.size)

    def _index(self, deadline: int, key: bytes) -> None:
        self.deadlines.add((deadline, key))
        self._deadlines_total_ms += deadline
        self.account.soonest = min(self.account.soonest, deadline)

    def _forget_deadline(self, deadline: int, key: bytes) -> None:
        self.deadlines.remove((deadline, key))
        self._deadlines_total_ms -= deadline

    def _index_fields(self, before: int, soonest: int, key: bytes) -> None:
        """The earliest deadline in the value of `key` was `before` and is `soonest` now; 0: there is none."""
        if before:
            self.field_deadlines.remove((before, key))
        if soonest:
            self.field_deadlines.add((soonest, key))
            self.account.soonest = min(self.account.soonest, soonest)

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
            self._index_fields(indexed_of(old), 0, key)
        deadline = deadline_of(old)
        if deadline:
            self._forget_deadline(deadline, key)
        account.changes += 1
        account.grow(self.number, -self._charge(key, old))
        self.size -= 1
        if self.awaited:
            account.effects.touched(self.number, key, REMOVED if self.is_live(old) else EXPIRED)

    def _discard(self, old: Held, new: AnyValue | None) -> None:
        """Have a value that goes freed in slices, unless the same value comes again.

        A string is freed at once if the new value is as long: that took longer to make.
        """
        value = value_of(old)
        if value is new:
            return
        made = 0 if new is None else size_of(new)
        if isinstance(value, Value) or made < size_of(value):
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
            observer.before_write(self, number, bucket, key)
        return bucket

    def recount(self) -> int:
        """This database's part of the account, computed from all elements: a check of `Account.shares`."""
        if self.buckets is _NO_BUCKETS:
            return 0
        return sum(self._recount_key(key, one) for bucket in self.buckets for key, one in bucket.items())

    def _recount_key(self, key: bytes, one: Held) -> int:
        value = value_of(one)
        size = value.recounted() if isinstance(value, Value) else size_of(value)
        return self.account.charges.key(len(key), size, deadline_of(one))
