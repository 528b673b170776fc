"""The sixteen databases together: which deadline is next, what FLUSH set aside."""

from trikv.machine.account import DATABASES, NEVER, Account
from trikv.machine.database import Database
from trikv.machine.effects import NOTHING, Awaited

__all__ = ["DATABASES", "Keyspace"]


class Keyspace:
    """All databases, and what concerns more than one of them."""

    __slots__ = ("account", "databases", "hashed_next")

    def __init__(self) -> None:
        self.account = Account()
        self.databases = [Database(number, self.account) for number in range(DATABASES)]
        self.hashed_next = 0
        """The database with which the next slice of a digest begins. Not state."""

    def keys(self) -> int:
        """Keys in all databases, those due but not yet reaped included."""
        return sum(db.size for db in self.databases)

    def next_deadline_ms(self) -> int | None:
        """The earliest deadline of all, in ms of log time; it may have passed. None if no key has one."""
        if self.account.soonest == NEVER:  # asked in every turn of a node, and usually no key has one
            return None
        return min((db.deadlines[0][0] for db in self.databases if db.size and db.deadlines), default=None)

    def expire(self, keys_max: int) -> int:
        """Reap up to `keys_max` due keys and return how many."""
        account = self.account
        if account.now < account.soonest:
            return 0
        for reaped in range(keys_max):
            # By deadline, database, key: an order that follows from the state alone, so that a restored
            # replica reaps like one that replayed the log.
            heads = [(db.deadlines[0][0], db.number) for db in self.databases if db.deadlines]
            deadline, number = min(heads, default=(NEVER, 0))
            account.soonest = deadline
            if deadline > account.now:
                return reaped
            self.databases[number].reap()
        due = any(db.deadlines and db.deadlines[0][0] <= account.now for db in self.databases)
        account.tally.expiry_stops += due
        return keys_max

    def tell_of(self, awaited: Awaited) -> None:
        """From now on note the effects on what is `awaited`."""
        self.account.effects.awaited = awaited
        for db in self.databases:
            db.awaited = awaited.keys[db.number]

    def tell_nobody(self) -> None:
        """Nobody waits any more for what happens here."""
        self.account.effects.awaited = Awaited(DATABASES)
        for db in self.databases:
            db.awaited = NOTHING

    def release(self, objects: int) -> bool:
        """Free about `objects` keys, elements or index entries set aside; True while more are left."""
        return self.account.discarded.release(objects, self.account.tally)

    def pending_keys(self) -> int:
        """How many keys FLUSH set aside that are not freed yet."""
        return self.account.discarded.pending_keys

    def recount(self) -> int:
        """The account computed from all keys: a check of `Account.used`."""
        return sum(db.recount() for db in self.databases)
