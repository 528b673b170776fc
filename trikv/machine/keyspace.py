"""The sixteen databases together: which deadline is next, what FLUSH set aside."""

from typing import Final

from trikv.machine.account import DATABASES, NEVER, Account
from trikv.machine.database import Database
from trikv.machine.effects import NOTHING, Awaited

__all__ = ["DATABASES", "Keyspace"]

FIELD_KEYS: Final = 2
"""A due field counts for so many due keys: in a hash of a million each takes 8 us, and 23 us under a cut."""


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
        """The earliest deadline of all, in ms of log time; it may have passed. None if nothing has one."""
        if self.account.soonest == NEVER:  # asked in every turn of a node, and usually nothing has one
            return None
        deadline = self._next_due()[0]
        return None if deadline == NEVER else deadline

    def _next_due(self) -> tuple[int, int, bool]:
        """The earliest deadline, `NEVER` if there is none, its database, and whether a field has it.

        By deadline, database, and keys before fields: an order that follows from the state alone, so that a
        restored replica reaps like one that replayed the log (PROTOCOL 68). Equal ones go by the key.
        """
        least = (NEVER, 0, False)
        for db in self.databases:
            if db.size:
                if db.deadlines:
                    least = min(least, (db.deadlines[0][0], db.number, False))
                if db.field_deadlines:
                    least = min(least, (db.field_deadlines[0][0], db.number, True))
        return least

    def expire(self, keys_max: int) -> int:
        """Reap up to `keys_max` due keys, or fewer and due fields of others. Returns how many of both."""
        account = self.account
        if account.now < account.soonest:
            return 0
        reaped, room = 0, keys_max
        while True:
            account.soonest, number, is_of_field = self._next_due()
            if account.soonest > account.now:
                return reaped
            if room <= 0:
                account.tally.expiry_stops += 1
                return reaped
            db = self.databases[number]
            if is_of_field:
                fields = db.reap_fields(-(-room // FIELD_KEYS))
                reaped += fields
                room -= FIELD_KEYS * fields
            else:
                db.reap()
                reaped += 1
                room -= 1

    def swap(self, one: int, other: int) -> None:
        """Let two databases have each other's keys. Cuts and holds of either go on to see what they saw."""
        account, awaited = self.account, self.account.effects.awaited.keys
        first, second = self.databases[one], self.databases[other]
        account.dirty = True
        if first is second:
            return
        account.changes += 1
        account.effects.swapped(first, second)
        account.shares[one], account.shares[other] = account.shares[other], account.shares[one]
        for number, db in ((other, first), (one, second)):
            db.renumber(number, db.awaited if db.awaited is NOTHING else awaited[number])
            self.databases[number] = db

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
