"""The keyspace of a fork: all that its base holds, at the cost of what is changed (PROTOCOL 66).

A fork begins with what its base has and copies it before it changes it: the list of a database's buckets at
the first write to the database, a bucket at the first write to that bucket. Values in parts are copied as
under a cut, by the account's epoch. The indexes of deadlines are overlays. Numbers are copied at once.

The base must not change while the fork is used. Nothing of the fork is left in the base: who needs it no more
drops it. All that it alone holds is freed at that moment, in a part of the time that it took to make it.
"""

from copy import copy

from trikv.machine.account import DATABASES, Account
from trikv.machine.bucket_hashes import BucketHashes
from trikv.machine.database import BUCKETS, EMPTY, Database
from trikv.machine.deadline_index import forked
from trikv.machine.discarded import Discarded
from trikv.machine.effects import NOTHING, Effects
from trikv.machine.keyspace import Keyspace
from trikv.machine.split import Bucket
from trikv.machine.tally import Tally


class _Base:
    """Observes a fork in place of the base, which may hold everything that the fork holds.

    Under an observer nothing is written but by `Database._changing`, and a value in parts is copied before it
    is changed. A fork needs just that, from the quick ways that there are and from those to come.
    """

    def before_write(self, db: object, number: int, bucket: Bucket, key: bytes) -> None:
        """Nothing is left to do: the bucket is the fork's own by now."""


class ForkedDatabase(Database):
    """A database that begins as its base is, and leaves that as it is."""

    __slots__ = ("_shared",)

    def __init__(self, base: Database, account: Account) -> None:
        self.number = base.number
        self.account = account
        self.awaited = NOTHING  # who waits is told of what happens, not of what is rehearsed
        self.buckets = self._shared = base.buckets
        """What is here as well as there is not the fork's own, and only read."""
        self.size = base.size
        self.deadlines = forked(base.deadlines)
        self._deadlines_total_ms = base._deadlines_total_ms  # noqa: SLF001 - it is a database itself
        self.field_deadlines = forked(base.field_deadlines)
        # Hashes are left behind, and all buckets are hashed again: only tests ask a fork for a digest.
        self.hashes = BucketHashes(self.number, BUCKETS, hashed=False)
        self._changed = self.hashes.changed

    def _changing(self, number: int, key: bytes) -> Bucket:
        if self.buckets is self._shared:
            self.buckets = self._shared.copy()
        bucket = self.buckets[number]
        if bucket is self._shared[number] and bucket is not EMPTY:
            self.buckets[number] = bucket.copy()
        return super()._changing(number, key)

    def _set_aside(self) -> None:
        """Let the contents go: to free them in slices would empty the base's tables."""


class ForkedKeyspace(Keyspace):
    """Databases that begin as those of `base` are, on an account that begins as its account is."""

    __slots__ = ()

    def __init__(self, base: Keyspace) -> None:
        self.account = account = _forked_account(base.account)
        self.databases = [ForkedDatabase(db, account) for db in base.databases]
        self.hashed_next = 0


def _forked_account(base: Account) -> Account:
    account = copy(base)  # all that is a number, whatever it is
    account.shares = base.shares.copy()
    account.observers = [_Base()]
    # Later than that of any value of the base: then none of them is taken for one that may be changed.
    account.epoch = base.epoch + 1
    account.discarded = Discarded()
    account.effects = Effects(DATABASES)
    account.tally = account.lookups = Tally()  # what is rehearsed did not happen
    return account
