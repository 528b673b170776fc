"""A cut: some databases as they were at one instant, read in small steps while the machine goes on.

It holds references to all their buckets of then. Before the first write to one of these the cut makes a
shallow copy of it, whose values it shares with the live bucket: an entry is never changed in place. So a cut
costs a table of references, and at worst another one for each key (about 30 bytes) and the old values that
were overwritten meanwhile. FLUSH and the install of a snapshot swap whole databases. The cut keeps the old
ones and does not notice.

It begins and ends by name: `Cut(...)` and `close`. While one is open every write of the machine has to ask
it, so whoever opens one closes it, whatever happens in between.
"""

from collections.abc import Iterable, Iterator
from sys import getsizeof
from typing import Final
from zlib import crc32

from trikv.machine.account import Account
from trikv.machine.database import BUCKET_SHIFT, BUCKETS, Database
from trikv.machine.split import Bucket, Split, leaves_of
from trikv.machine.stored import Held, Stored, deadline_of, stored, value_bytes_of

STEP_KEYS: Final = 256
"""Keys that one step goes over, give or take a bucket: about 140 us with a pattern to match."""

_EMPTY: Final[dict[bytes, Held]] = {}
"""Stands for a bucket that was empty or has been let go. It is only read."""
_TABLE_BYTES: Final = getsizeof([None] * BUCKETS)
"""The memory of a cut's references to the buckets of one database."""


class _Origin:
    """Where the buckets of one database come from."""

    __slots__ = ("buckets", "database", "used", "used_at_first")

    def __init__(self, database: Database) -> None:
        self.database = database
        self.buckets = database.buckets
        """Not the database's any more once it was flushed."""
        self.used = self.used_at_first = database.account.shares[database.number]
        """About the share of the account that the cut has still to go over."""

    @property
    def was_flushed(self) -> bool:
        """Whether the database has other buckets now."""
        return self.database.buckets is not self.buckets


class Cut:
    """The keys of some databases at one instant, between two commands. `close` it when it has been read."""

    __slots__ = (
        "_account",
        "_buckets",
        "_copies",
        "_databases",
        "_holders",
        "_numbers",
        "_passed",
        "_was_shared",
        "changes",
        "is_open",
        "keys",
        "lets_go",
        "now_ms",
    )

    def __init__(self, databases: Iterable[Database]) -> None:
        filled = [db for db in databases if db.size]
        self.keys = sum(db.size for db in filled)
        """How many keys there were, those due but not yet reaped included."""
        self.is_open = True
        self.lets_go = False
        """Set before the last pass: a bucket is let go when that has gone over it. A cut that was shared
        keeps all, because another holder may not have got there yet."""
        self._holders = 1
        self._was_shared = False
        # Lists of its own: what FLUSH sets aside is freed by emptying the database's list (`release`).
        self._buckets = {db.number: list(db.buckets) for db in filled}
        self._databases = {db.number: _Origin(db) for db in filled}
        self._numbers: dict[object, int] = {db: db.number for db in filled}
        """Their numbers of that instant, whatever SWAPDB does."""
        self._copies: dict[tuple[int, int], int] = {}
        """By database and bucket: the memory of a copy, and of its values that are gone elsewhere."""
        self._passed: list[Bucket] = []
        """What was let go that nobody else may hold, until its reader is past it."""
        self._account = filled[0].account if filled else None
        self.now_ms = self._account.now if self._account is not None else 0
        """Log time of its instant, by which keys are due."""
        self.changes = self._account.changes if self._account is not None else 0
        """The change counter of its instant: equal counters, and time, mean equal keys."""
        if self._account is not None:
            self._account.observe(self)

    def share(self) -> "Cut":
        """This cut for one holder more, who closes it, too."""
        self._holders += 1
        self._was_shared = True
        return self

    def close(self) -> None:
        """One holder has read enough. After the last one the machine tells this cut of no write any more."""
        assert self.is_open, "each holder closes it once"
        self._holders -= 1
        if self._holders:
            return
        self.is_open = False
        if self._account is not None:
            self._account.observers.remove(self)
            self._discard_kept(self._account)
            self._account = None  # breaks the cycle: a database refers to the account, the account to the cut
        self._buckets.clear()
        self._databases.clear()
        self._numbers.clear()
        self._copies.clear()

    def _discard_kept(self, account: Account) -> None:
        """Have freed in slices what nobody else holds: copies, and databases that were flushed meanwhile."""
        account.discarded.add_kept(self._passed)
        self._passed = []
        for db, buckets in self._buckets.items():
            origin = self._databases[db]
            if origin.was_flushed:
                account.discarded.add_kept(buckets)
            else:
                account.discarded.add_kept([buckets[number] for of, number in self._copies if of == db])

    def is_of(self, db: Database) -> bool:
        """Whether this shows `db` as it is now, whole, so that another reader may share it."""
        account = db.account
        return (
            self.is_open
            and not self.lets_go
            and [origin.database for origin in self._databases.values()] == [db]
            and self.changes == account.changes
            and self.now_ms == account.now
        )

    def kept(self) -> dict[int, int]:
        """As `trikv.machine.replies.Kept.kept`: all of it is one piece."""
        return {id(self): self.kept_bytes}

    @property
    def kept_bytes(self) -> int:
        """The memory that is taken only because of this cut: its tables, copies, and values that are gone."""
        flushed = sum(one.used for one in self._databases.values() if one.was_flushed)
        return _TABLE_BYTES * len(self._databases) + sum(self._copies.values()) + flushed

    def before_write(self, db: object, number: int, bucket: Bucket, key: bytes) -> None:
        """`key` of this live bucket is about to change: keep the bucket as it was.

        Nothing is kept if it was let go already, or belongs to a database that was flushed since.
        """
        of = self._numbers.get(db)
        if of is None:
            return
        held = self._buckets[of]
        kept = held[number]
        grown = 0
        if kept is bucket:
            kept = held[number] = bucket.copy() if bucket else _EMPTY
            grown = getsizeof(kept) if bucket else 0
        if isinstance(kept, Split) and isinstance(bucket, Split):
            grown += bucket.copied_bytes(key, kept)
        old = kept.get(key)
        if old is not None and bucket.get(key) is old:  # nobody else keeps this value from now on
            grown += value_bytes_of(old)
        if grown:
            self._copies[of, number] = self._copies.get((of, number), 0) + grown

    def shapes(self) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
        """The buckets that were split: database, number, `Split.shape`."""
        for db, buckets in self._buckets.items():
            for number, bucket in enumerate(buckets):
                if isinstance(bucket, Split):
                    yield db, number, bucket.shape()

    def find(self, db: Database, key: bytes) -> Stored | None:
        """The entry of `key` in `db`, one of its databases, that was live at its instant."""
        one = self._buckets[self._numbers[db]][crc32(key) >> BUCKET_SHIFT].get(key)
        entry = None if one is None else stored(one)
        return None if entry is None or 0 < entry.deadline <= self.now_ms else entry

    def entries(self) -> Iterator[tuple[int, list[tuple[bytes, Held]]]]:
        """One pass over all keys in steps: the database's number and some entries, due ones included."""
        for db, buckets in self._buckets.items():
            step: list[tuple[bytes, Held]] = []
            for number, bucket in enumerate(buckets):
                if not bucket:
                    continue
                leaves = leaves_of(bucket)
                for passed, leaf in enumerate(leaves, 1):
                    # Entries in a list of its own, because the bucket may change between two steps.
                    step += leaf.items()
                    if passed == len(leaves) and self.lets_go and not self._was_shared:
                        self._let_go(db, number)
                    whole = len(step) - len(step) % STEP_KEYS
                    for at in range(0, whole, STEP_KEYS):
                        yield db, step[at : at + STEP_KEYS]
                    del step[:whole]
                    if whole:
                        self._discard_passed()
            if self.lets_go and not self._was_shared:
                self._let_go(db, BUCKETS - 1)  # empty ones at the end are behind it, too
            if step:
                yield db, step

    def live_keys(self) -> Iterator[list[bytes]]:
        """One pass over the keys that were live at its instant, in steps, in the order of the databases."""
        now_ms = self.now_ms
        for _, entries in self.entries():
            yield [key for key, one in entries if not (deadline := deadline_of(one)) or deadline > now_ms]

    def _discard_passed(self) -> None:
        """Have freed in slices what was let go, except for the last bucket: the next step may begin in it.

        Whatever is in a step that the reader still has would be freed with that, all at once.
        """
        assert self._account is not None, "it is read while it is open"
        self._account.discarded.add_kept(self._passed[:-1])
        del self._passed[:-1]

    def _let_go(self, db: int, number: int) -> None:
        """Forget a bucket: a write to it copies nothing any more."""
        origin, buckets = self._databases[db], self._buckets[db]
        if self._copies.pop((db, number), None) is not None or origin.was_flushed:
            self._passed.append(buckets[number])
        buckets[number] = _EMPTY
        origin.used = origin.used_at_first * (BUCKETS - 1 - number) // BUCKETS
