"""What is not state any more, and is freed in slices: to free a million keys in one step is a pause.

A key counts for one, and a long string for its bytes: to give 1 GiB back to the system takes 260 ms.

Whatever is given here is dropped reference by reference. It is never emptied in another way, because a cut
may go on to hold the same objects; then nothing is freed until that is closed.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from sortedcontainers import SortedList

from trikv.machine.split import Bucket
from trikv.machine.stored import AnyValue, Held, value_of
from trikv.machine.tally import Tally
from trikv.machine.values.value import Value

PART_OBJECTS: Final = 256
"""What a part of a value counts for: about so many elements are freed with it."""
KEY_BYTES: Final = 2048
"""So many bytes of a long string count for a key: about as long does it take to free them."""

Buckets: TypeAlias = list[Bucket]
Index: TypeAlias = SortedList[tuple[int, bytes]]


class Discarded:
    """Databases that were flushed, long strings and parts of values, and what only a cut still kept."""

    __slots__ = ("_buckets", "_indexes", "_kept", "_made", "_parts", "_strings", "pending_keys")

    def __init__(self) -> None:
        self._buckets: list[Buckets] = []
        self._indexes: list[Index] = []
        self._kept: list[Buckets] = []
        self._parts: list[list[Any]] = []
        self._strings: list[bytes] = []
        self._made = 0
        """Bytes that came since, for which none of `_strings` was freed yet."""
        self.pending_keys = 0
        """Keys of databases that are not freed yet. Kept: to count them takes longer than to free a slice."""

    def __bool__(self) -> bool:
        """Whether anything is left to be freed."""
        return bool(self._strings or self._buckets or self._indexes or self._parts or self._kept)

    def add_database(self, buckets: Buckets, indexes: Iterable[Index], keys: int) -> None:
        """The contents of a database that has `keys` keys. Nobody else changes the lists from now on."""
        self._buckets.append(buckets)
        self._indexes += indexes
        self.pending_keys += keys

    def add_kept(self, buckets: Buckets) -> None:
        """Buckets that a cut has kept. Their keys were counted elsewhere, or are still there."""
        if buckets:
            self._kept.append(buckets)

    def stop_counting(self) -> None:
        """Keys of all databases that are here count nowhere: those of a machine that was replaced."""
        self._kept += self._buckets
        self._buckets.clear()
        self.pending_keys = 0

    def add_value(self, value: AnyValue) -> None:
        """What a key does not hold any more: a long string, or the parts of a value; not what is packed."""
        if isinstance(value, Value):
            # A list of its own: a cut, or another key if it was renamed, goes on to hold the value's.
            self._parts.append(value.released())
        elif isinstance(value, bytes):
            self._strings.append(value)

    def add_parts(self, parts: list[Any]) -> None:
        """Parts that a value has dropped. Nobody else changes the list from now on."""
        self._parts.append(parts)

    def make_room(self, made: int) -> None:
        """Free long strings of about as many bytes as were `made`, which took longer than to free them.

        So an entry that makes long strings and drops them, again and again, takes no more memory than before.
        """
        strings = self._strings
        if not strings:
            return
        self._made += made
        while strings and len(strings[-1]) <= self._made:
            self._made -= len(strings.pop())
        if not strings:
            self._made = 0

    def release(self, objects: int, tally: Tally) -> bool:
        """Free about `objects` keys, elements or index entries; True while more are left."""
        while objects > 0:
            if self._strings:
                objects -= 1 + len(self._strings.pop()) // KEY_BYTES
            elif self._parts:
                objects -= self._release_part()
            elif self._buckets:
                objects -= self._release_bucket(tally)
            elif self._indexes:
                objects -= self._release_indexed()
            elif self._kept:
                objects -= 1 + len(self._dropped(self._kept))
            else:
                return False
        return bool(self)

    def _release_part(self) -> int:
        parts = self._parts[-1]
        if not parts:
            self._parts.pop()
            return 1
        parts.pop()
        return PART_OBJECTS

    def _release_bucket(self, tally: Tally) -> int:
        keys = len(self._dropped(self._buckets))
        tally.freed_keys += keys
        self.pending_keys -= keys
        return 1 + keys

    def _dropped(self, given: list[Buckets]) -> dict[bytes, Held]:
        """The next bucket, perhaps empty, out of the last that were given. Whoever forgets it frees it."""
        buckets = given[-1]
        if not buckets:
            given.pop()
            return {}
        bucket = buckets.pop()
        if not isinstance(bucket, dict):
            buckets += bucket.leaves.values()
            return {}
        for held in bucket.values():
            if type(held) is not bytes:
                self.add_value(value_of(held))
        return bucket

    def _release_indexed(self) -> int:
        index = self._indexes[-1]
        if not index:
            self._indexes.pop()
        else:
            index.pop()
        return 1
