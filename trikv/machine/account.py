"""What all databases share.

The `Account` is the part of the state that consists of single numbers: log time, the account, the cap, the
change counter. Databases refer to it and it refers to none of them, so that a dropped keyspace is freed at
once, without the cyclic collector.
"""

from typing import Final, Protocol

from sortedcontainers import SortedList

from trikv.machine.features import SPARE_ROOM
from trikv.machine.stored import Stored
from trikv.machine.tally import Tally

NEVER = 2**63
"""Later than any deadline, which fits 64 signed bits."""
SPARE_PARTS: Final = 8
"""The spare room is the cap divided by this. A process takes at most 1.33 times the account, as
``tests/machine/test_memory.py`` measures; an eighth more is still within the promised 1.5 times the cap, a
quarter would not be. Part of the replicated behaviour."""


class Observer(Protocol):
    """What must hear of a bucket before it changes: an open cut."""

    def before_write(self, db: int, number: int, bucket: dict[bytes, Stored], key: bytes) -> None:
        """`key` of bucket `number` of database `db` is about to change."""


class Account:
    """What all databases share: time, the account, the change counter, and the cuts that observe them."""

    __slots__ = (
        "cap",
        "changes",
        "dirty",
        "discarded",
        "feature_level",
        "is_founded",
        "lookups",
        "now",
        "observers",
        "pending_keys",
        "soonest",
        "tally",
        "used",
    )

    def __init__(self) -> None:
        self.now = 0
        """Log time in ms: the one clock (PROTOCOL 20)."""
        self.feature_level = 0
        """Gates every change of behaviour (PROTOCOL 22); 0 before the bootstrap item."""
        self.cap = 0
        """Bytes that the account may reach, 0 for no cap."""
        self.is_founded = False
        """The cap was decided, by the bootstrap item or by CONFIG SET; a later bootstrap item is ignored."""
        self.used = 0
        """The account in bytes: the sum of `trikv.machine.memory.charge` over all keys."""
        self.changes = 0
        """It rises by one for each changed key, and becomes the key's version (PROTOCOL 23)."""
        self.dirty = False
        """Set by every mutation; the machine clears it to see whether a failing command had begun one."""
        self.soonest = NEVER
        """No deadline is earlier than this, so most batches need not ask every database. Not state."""
        self.tally = Tally()
        """Counts of what happens here. Not state."""
        self.lookups = self.tally
        """Where commands count the keys that they look for. The evaluator sets it: to `tally` for clients of
        this node."""
        self.observers: list[Observer] = []
        self.discarded: list[list[dict[bytes, Stored]] | SortedList[tuple[int, bytes]]] = []
        """What FLUSH set aside; `Keyspace.release` frees it in slices."""
        self.pending_keys = 0
        """Keys in `discarded`. Kept, because counting them takes longer than freeing a slice. Not state."""

    def has_room(self, growth: int) -> bool:
        """Whether the account may change by `growth` bytes; shrinking is always allowed."""
        return growth <= 0 or not self.cap or self.used + growth <= self.cap

    def has_spare_room(self, growth: int) -> bool:
        """`has_room` for what Redis carries out at full memory: EXPIRE, GETEX, RENAME.

        They are the way out of full memory, so the cap does not limit them. But each deadline takes memory,
        so there is a limit `spare` bytes above the cap.
        """
        return growth <= 0 or not self.cap or self.used + growth <= self.cap + self.spare

    @property
    def spare(self) -> int:
        """Bytes above the cap that are kept for the commands which `has_spare_room` names."""
        return self.cap // SPARE_PARTS if self.feature_level >= SPARE_ROOM else 0
