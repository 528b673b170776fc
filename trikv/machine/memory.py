"""The memory account: what a key is charged, and the limits of one key.

The account decides -OOM in the log, so it may depend only on the state. It is made of lengths and the
literals below, never of `sys.getsizeof`, which differs between builds. The literals were fitted to the growth
of a real process, and ``tests/machine/test_memory.py`` compares them again. They are part of the replicated
behaviour: a cluster keeps those of the level at which it was founded (PROTOCOL 22).
"""

from collections.abc import Sequence
from typing import Final

import attrs

from trikv.machine.features import PACKED_VALUES
from trikv.machine.stored import PACKED_BYTES_MAX
from trikv.size_notation import split_size

CAP_BYTES_MAX = 1 << 50
"""The largest cap that may be asked for, 1 PiB: far above any machine, and a number that every tool can read.
The origin checks it, not the log: an old cluster may have a larger one."""

VALUE_BYTES_MAX = 8 * 1024 * 1024
"""Longest string value; below the entry and frame limits (PROTOCOL 17)."""

KEY_BYTES_MAX = 64 * 1024
"""Longest key. Redis allows 512 MB, but a listing of such keys could not be sent or sliced."""

_NUMBER_BYTES_MAX = 20
"""Length of the longest text of a 64-bit integer."""

_DIGITS_MAX = 18
"""Most digits of a cap: every number of 18 digits fits 64 bits."""


@attrs.frozen
class Charges:
    """What the account charges for a key besides the bytes of its name and of its value."""

    entry_bytes: int
    """For each key: its objects, and its share of a bucket's table."""
    long_bytes: int
    """Besides, for a value that is not packed."""
    expiry_bytes: int
    """Besides, for a deadline: the number, the index tuple and its place in the sorted list."""

    def value(self, value_bytes: int) -> int:
        """The bytes charged for a value of that length."""
        return value_bytes + self.long_bytes if value_bytes > PACKED_BYTES_MAX else value_bytes

    def key(self, key_bytes: int, value_bytes: int, deadline_ms: int) -> int:
        """The bytes charged for one key; `deadline_ms` is 0 if it has none."""
        charged = self.entry_bytes + key_bytes + self.value(value_bytes)
        return charged + self.expiry_bytes if deadline_ms else charged

    def growth_bound(self, args: Sequence[bytes], keys: int, more_bytes: int = 0) -> int:
        """An upper bound of what a command adds that stores its arguments, or numbers, under `keys` keys.

        Every key is charged as if it were new, had a deadline and a long value. It serves transactions, which
        are refused before any effect: a bound that is a little too high only refuses a little early.
        """
        each = self.entry_bytes + self.long_bytes + self.expiry_bytes
        return sum(map(len, args)) + each * keys + _NUMBER_BYTES_MAX + more_bytes


_FIRST: Final = Charges(entry_bytes=208, long_bytes=0, expiry_bytes=112)
"""Up to the level at which values are packed: as if each took two bytes objects, an entry, and a number."""
_PACKED: Final = Charges(entry_bytes=136, long_bytes=64, expiry_bytes=136)


def charges_of(feature_level: int) -> Charges:
    """What a cluster of that level charges."""
    return _PACKED if feature_level >= PACKED_VALUES else _FIRST


def parse_memory(text: bytes) -> int | None:
    """Bytes from Redis' notation (``100``, ``64k`` = 64,000, ``64kb`` = 65,536, ... gb), else None."""
    found = split_size(text)
    if found is None or len(found[0]) > _DIGITS_MAX:
        return None
    return int(found[0]) * found[1]
