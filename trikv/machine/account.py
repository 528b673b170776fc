"""What all databases share.

The `Account` is the part of the state that consists of single numbers: log time, the account, the cap, the
change counter. Databases refer to it and it refers to none of them, so that a dropped keyspace is freed at
once, without the cyclic collector.
"""

from typing import Final, Protocol

from trikv.machine.discarded import Discarded
from trikv.machine.effects import Effects
from trikv.machine.errors import OOM
from trikv.machine.features import SPARE_ROOM, SPLIT_BUCKETS
from trikv.machine.memory import charges_of
from trikv.machine.replies import CommandError
from trikv.machine.split import Bucket
from trikv.machine.tally import Tally

DATABASES = 16
"""The number in Redis' default configuration."""

NEVER = 2**63
"""Later than any deadline, which fits 64 signed bits."""
NO_LIMIT: Final = 2**62
"""More bytes than any account can reach, in place of a cap."""
SPARE_PARTS: Final = 8
"""The spare room is the cap divided by this. A process takes at most 1.33 times the account, as
``tests/machine/test_memory.py`` measures; an eighth more is still within the promised 1.5 times the cap, a
quarter would not be. Part of the replicated behaviour."""
SEED_BYTES: Final = 8
"""Of the number that `Account.secret` is made of."""


class Observer(Protocol):
    """What must hear of a bucket before it changes: an open cut."""

    def before_write(self, db: object, number: int, bucket: Bucket, key: bytes) -> None:
        """`key` of bucket `number` of database `db` is about to change.

        The database itself, because SWAPDB gives it another number.
        """


class Account:
    """What all databases share: time, the account, the change counter, and the cuts that observe them."""

    __slots__ = (
        "cap",
        "changes",
        "charges",
        "copied_bytes",
        "dirty",
        "discarded",
        "effects",
        "epoch",
        "feature_level",
        "holds",
        "is_founded",
        "is_over",
        "limit",
        "lookups",
        "now",
        "observers",
        "secret",
        "shares",
        "soonest",
        "tally",
        "used",
    )

    def __init__(self) -> None:
        self.now = 0
        """Log time in ms: the one clock (PROTOCOL 20)."""
        self.feature_level = 0
        """Gates every change of behaviour (PROTOCOL 22); 0 before the bootstrap item."""
        self.secret = b""
        """Decides where keys of one crc32 are (`trikv.machine.split`). No client ever sees it."""
        self.charges = charges_of(0)
        """What a key is charged, at this level."""
        self.cap = 0
        """Bytes that the account may reach, 0 for no cap; `set_cap` changes it."""
        self.limit = NO_LIMIT
        """The same, or a number that is never reached."""
        self.is_founded = False
        """The cap was decided, by the bootstrap item or by CONFIG SET; a later bootstrap item is ignored."""
        self.used = 0
        """The account in bytes: the sum of `trikv.machine.memory.Charges.key` over all keys."""
        self.shares = [0] * DATABASES
        """How much of it belongs to each database."""
        self.is_over = False
        """The account is above the cap, as it is if the cap was lowered, or after a deadline (`spare`)."""
        self.changes = 0
        """It rises by one for each changed key, and becomes the key's version (PROTOCOL 23)."""
        self.dirty = False
        """Set by every mutation; the machine clears it to see whether a failing command had begun one."""
        self.copied_bytes = 0
        """What commands that copy values have copied since the evaluator last paused for that. Not state."""
        self.soonest = NEVER
        """No deadline is earlier than this, so most batches need not ask every database. Not state."""
        self.tally = Tally()
        """Counts of what happens here. Not state."""
        self.lookups = self.tally
        """Where commands count the keys that they look for. The evaluator sets it: to `tally` for clients of
        this node."""
        self.observers: list[Observer] = []
        self.discarded = Discarded()
        """What FLUSH set aside, and parts of deleted values; `Keyspace.release` frees them in slices."""
        self.effects = Effects(DATABASES)
        """What the present entry did that somebody waits to hear. Not state."""
        self.epoch = 0
        """Rises with every cut and every hold (`trikv.machine.values.value`). Not state."""
        self.holds = 0
        """How many values are held by readers (`trikv.machine.hold`). Not state."""

    def grow(self, database: int, grown: int) -> None:
        """Let the account change by `grown` bytes, which belong to that database. Only this changes it."""
        self.used = used = self.used + grown
        self.shares[database] += grown
        self.is_over = used > self.limit

    def observe(self, observer: Observer) -> None:
        """Tell `observer` of every write from now on: the state is as it should see it until then."""
        self.epoch += 1
        self.observers.append(observer)

    def set_cap(self, cap: int) -> None:
        """Decide the cap in bytes, 0 for none."""
        self.cap = cap
        self.limit = min(cap or NO_LIMIT, NO_LIMIT)
        self.is_over = self.used > self.limit

    def set_level(self, feature_level: int, bucket_seed: int) -> None:
        """Carry out the rules of that level from now on. It is done before any key is there.

        `bucket_seed`: 64 bits that nobody can guess, the same on all replicas.
        """
        self.feature_level = feature_level
        if feature_level >= SPLIT_BUCKETS:
            self.secret = bucket_seed.to_bytes(SEED_BYTES, "big")
        self.charges = charges_of(feature_level)

    def refusal(self, growth: int, *, is_spared: bool = False) -> CommandError | None:
        """OOM if the account may not change by `growth` bytes, else None; shrinking is always allowed.

        `is_spared`: what Redis carries out at full memory, which is EXPIRE, GETEX and RENAME. They are the
        way out of full memory, so the cap does not limit them. But each deadline takes memory, so there is a
        limit `spare` bytes above the cap.
        """
        limit = self.limit + self.spare if is_spared else self.limit
        return OOM if 0 < growth > limit - self.used else None

    @property
    def bucket_seed(self) -> int:
        """The number that `secret` is made of; 0 where the level's rules know of none."""
        return int.from_bytes(self.secret, "big")

    @property
    def spare(self) -> int:
        """Bytes above the cap that are kept for the commands which `refusal` spares."""
        return self.cap // SPARE_PARTS if self.feature_level >= SPARE_ROOM else 0
