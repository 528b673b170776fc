"""The memory account: what a key is charged, and the limits of one key.

The account decides -OOM in the log, so it may depend only on the state. It is made of lengths and the
literals below, never of `sys.getsizeof`, which differs between builds. The literals were fitted to the growth
of a real process, and ``tests/machine/test_memory.py`` compares them again. They are part of the replicated
behaviour: a change needs a new feature level (PROTOCOL 22).
"""

from collections.abc import Sequence

from trikv.size_notation import split_size

ENTRY_BYTES = 208
"""Bytes per key: two bytes objects, the entry, its version number, and its share of a bucket's table."""

EXPIRY_BYTES = 112
"""Bytes per deadline: the number, the index tuple and its place in the sorted list."""

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


def charge(key_bytes: int, value_bytes: int, deadline_ms: int) -> int:
    """The bytes charged for one key; `deadline_ms` is 0 if it has none."""
    if deadline_ms:
        return ENTRY_BYTES + EXPIRY_BYTES + key_bytes + value_bytes
    return ENTRY_BYTES + key_bytes + value_bytes


def growth_bound(args: Sequence[bytes], keys: int) -> int:
    """An upper bound of what a command adds that stores its arguments, or short numbers, under `keys` keys.

    Every key is charged as if it were new and had a deadline. It serves transactions, which are refused
    before any effect: a bound that is a little too high only refuses a little early.
    """
    return sum(map(len, args)) + (ENTRY_BYTES + EXPIRY_BYTES) * keys + _NUMBER_BYTES_MAX


def parse_memory(text: bytes) -> int | None:
    """Bytes from Redis' notation (``100``, ``64k`` = 64,000, ``64kb`` = 65,536, ... gb), else None."""
    found = split_size(text)
    if found is None or len(found[0]) > _DIGITS_MAX:
        return None
    return int(found[0]) * found[1]
