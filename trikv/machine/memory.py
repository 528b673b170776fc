"""The memory account: what a key is charged, and the limits of one key.

The account decides -OOM in the log, so it may depend on nothing but the state: it is sums of lengths and
the literals below, never `sys.getsizeof`, which differs between builds. The literals were fitted to the
growth of a real process (``tests/machine/test_memory.py`` compares again on every run). They are part of
the replicated behaviour: a change needs a new feature level (PROTOCOL 22).
"""

from collections.abc import Sequence

from trikv.sizes import split_size

ENTRY_BYTES = 208
"""Per key: two bytes objects, the entry, its version number, and its share of a bucket's table."""

EXPIRY_BYTES = 112
"""Per deadline: the number, the index tuple and its place in the sorted list."""

CAP_BYTES_MAX = 1 << 50
"""The largest cap that may be asked for, 1 PiB: far above any machine, and a number that every tool can read.
The origin holds to it, not the log: an old cluster may have a larger one."""

VALUE_BYTES_MAX = 8 * 1024 * 1024
"""Longest string value; below the entry and frame limits (PROTOCOL 17)."""

KEY_BYTES_MAX = 64 * 1024
"""Longest key. Redis allows 512 MB, which no listing of keys could be sent or sliced with."""

_NUMBER_BYTES_MAX = 20
"""The longest text of a 64-bit integer."""

_DIGITS_MAX = 18
"""Of a cap: all numbers of so many fit 64 bits."""


def charge(key_bytes: int, value_bytes: int, deadline_ms: int) -> int:
    """The bytes charged for one key; `deadline_ms` 0 where it has none."""
    if deadline_ms:
        return ENTRY_BYTES + EXPIRY_BYTES + key_bytes + value_bytes
    return ENTRY_BYTES + key_bytes + value_bytes


def growth_bound(args: Sequence[bytes], keys: int) -> int:
    """More than a command can add that stores its arguments, or short numbers, under so many keys.

    Every key is charged as if it were new and had a deadline. Used for transactions, which are refused
    before any effect; a bound that is a little high only refuses a little early.
    """
    return sum(map(len, args)) + (ENTRY_BYTES + EXPIRY_BYTES) * keys + _NUMBER_BYTES_MAX


def parse_memory(text: bytes) -> int | None:
    """Bytes from Redis' notation (``100``, ``64k`` = 64,000, ``64kb`` = 65,536, ... gb), else None."""
    found = split_size(text)
    if found is None or len(found[0]) > _DIGITS_MAX:
        return None
    return int(found[0]) * found[1]
