"""What may be asked of a database: what a key holds, whether it is due, what it is charged.

Nothing here changes state. What changes it is in `trikv.machine.database`.
"""

from collections.abc import Iterable
from typing import Final, TypeVar
from zlib import crc32

from trikv.machine.account import Account
from trikv.machine.deadline_index import DeadlineIndex
from trikv.machine.errors import KEY_TOO_LONG, STRING_TOO_LONG, WrongTypeError
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX
from trikv.machine.replies import CommandError
from trikv.machine.split import Bucket
from trikv.machine.stored import (
    HAS_DEADLINE,
    KIND,
    PLAIN_BYTES,
    AnyValue,
    Held,
    Stored,
    deadline_of,
    stored,
    value_bytes_of,
    value_of,
)
from trikv.machine.values.value import Packed, Value, type_of

BUCKETS: Final = 4096
"""A million keys make 250 a bucket: copying one for a walk takes microseconds."""
BUCKET_SHIFT: Final = 32 - 12
"""crc32 >> BUCKET_SHIFT is the bucket: buckets are consecutive ranges of the hash."""
STRING: Final = "string"
"""What TYPE calls a string."""

_PLAIN_STRING: Final = HAS_DEADLINE | KIND
"""The bits of a packed value that are 0 for a string without a deadline."""

V = TypeVar("V", bound=Value)


def _string_of(value: AnyValue) -> bytes:
    if not isinstance(value, bytes):
        raise WrongTypeError
    return value


class Lookups:
    """The half of `trikv.machine.database.Database` that only looks."""

    __slots__ = ("_deadlines_total_ms", "account", "buckets", "deadlines")

    account: Account
    buckets: list[Bucket]
    """`BUCKETS` of them."""
    deadlines: DeadlineIndex
    """Of keys."""
    _deadlines_total_ms: int
    """The sum of all deadlines."""

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
        if type(one) is bytes and not one[0] & _PLAIN_STRING:  # nearly always
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
        return len(value) if isinstance(value, bytes) else 0

    def type_name(self, key: bytes) -> str:
        """What TYPE calls the value of `key`, which is there."""
        one = self.buckets[crc32(key) >> BUCKET_SHIFT][key]
        if type(one) is bytes and not one[0] & KIND:
            return STRING
        value = value_of(one)
        return STRING if isinstance(value, bytes) else type_of(value).type_name

    def value(self, key: bytes, kind: type[V]) -> V | None:
        """The live value of that type under `key`, to be looked at; None if there is no such key.

        Raises WrongTypeError if it holds another type.
        """
        one = self.buckets[crc32(key) >> BUCKET_SHIFT].get(key)
        if one is None or not self.is_live(one):
            return None
        value = value_of(one) if isinstance(one, bytes) else one.value
        if isinstance(value, kind):
            return value
        if isinstance(value, Packed) and value.code == kind.code:
            return kind.opened(value.body, self.account.epoch, self.account.secret)
        raise WrongTypeError

    def created(self, kind: type[V]) -> V:
        """An empty value of that type. Call `changed` when something is in it."""
        return kind(self.account.epoch, self.account.secret)

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
        deadline = deadline_of(one) if isinstance(one, bytes) else one.deadline
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
