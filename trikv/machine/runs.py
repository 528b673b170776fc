"""Runs of SETs and of INCRs in C (`_runs.c` says why), if there was a compiler when trikv was installed.

Both are None if there is no such module, if it is of another version than this, or if a try shows that it
does not work here (another layout of Python's objects). Then the loop in Python does everything.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from trikv.machine import quick_bits
from trikv.machine.split import Bucket
from trikv.machine.stored import held
from trikv.machine.values import quick, quick_order

VERSION: Final = 7
"""Version of `_runs.c`, which has the same number; a test compares both with the source."""

SetRun: TypeAlias = Callable[
    [tuple[tuple[bytes, ...], ...], list[Bucket], bytearray, int, int, int, int, Bucket],
    tuple[int, int, int],
]
AddRun: TypeAlias = Callable[
    [tuple[tuple[bytes, ...], ...], list[Bucket], bytearray, int, int, int, int, Bucket, int],
    tuple[list[int], int, int],
]


def _do_it(set_run: SetRun, add_run: AddRun) -> bool:
    """Try both: new keys, a longer value for one, and a key with a deadline, before which they must stop."""
    old = held(b"", 1, 5)
    empty: Bucket = {}
    buckets: list[Bucket] = [{b"old": old}, empty]  # all but `a` belong to the first
    commands = ((b"SET", b"k", b"1"), (b"SET", b"k", b"234"), (b"SET", b"a", b""), (b"SET", b"old", b""))
    try:
        result = set_run(commands, buckets, bytearray(2), 7, 100, 10, 9, empty)
        kept = [{b"old": old, b"k": held(b"234", 9)}, {b"a": held(b"", 10)}]
        is_set = result == (3, 25, 2) and buckets == kept and not empty
        adds = ((b"INCR", b"k"), (b"INCR", b"b"), (b"INCR", b"old"))
        added = add_run(adds, buckets, bytearray(2), 10, 100, 10, 9, empty, -235)
    except Exception:  # noqa: BLE001 - after any error it is not used
        return False
    kept = [{b"old": old, b"k": held(b"-1", 11), b"b": held(b"-235", 12)}, {b"a": held(b"", 10)}]
    return is_set and added == ([-1, -235], 14, 1) and buckets == kept and not empty


def is_compiled() -> bool:
    """Whether all parts in C of the machine are used: this one, and the three others."""
    others = (quick.is_compiled, quick_order.is_compiled, quick_bits.is_compiled)
    return set_run is not None and all(others)


set_run: SetRun | None = None
add_run: AddRun | None = None
try:
    from trikv.machine import _runs
except ImportError:
    pass
else:
    if getattr(_runs, "VERSION", None) == VERSION and _do_it(_runs.set_run, _runs.add_run):
        set_run, add_run = _runs.set_run, _runs.add_run
