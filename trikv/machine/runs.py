"""Runs of SETs in C (`_runs.c` says why), if there was a compiler when trikv was installed.

`set_run` is None if there is no such module, if it is of another version than this, or if a try shows that it
does not work here (another layout of Python's objects). Then the loop in Python does everything.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from trikv.machine.split import Bucket
from trikv.machine.stored import held

VERSION: Final = 6
"""Version of `_runs.c`, which has the same number; a test compares both with the source."""

SetRun: TypeAlias = Callable[
    [tuple[tuple[bytes, ...], ...], list[Bucket], bytearray, int, int, int, int, Bucket],
    tuple[int, int, int],
]


def _does_it(set_run: SetRun) -> bool:
    """Try it: new keys, a longer value for one, and a key with a deadline, before which it must stop."""
    old = held(b"", 1, 5)
    empty: Bucket = {}
    buckets: list[Bucket] = [{b"old": old}, empty]  # `k` and `old` belong to the first
    commands = ((b"SET", b"k", b"1"), (b"SET", b"k", b"234"), (b"SET", b"a", b""), (b"SET", b"old", b""))
    try:
        result = set_run(commands, buckets, bytearray(2), 7, 100, 10, 9, empty)
    except Exception:  # noqa: BLE001 - after any error it is not used
        return False
    kept = [{b"old": old, b"k": held(b"234", 9)}, {b"a": held(b"", 10)}]
    return result == (3, 25, 2) and buckets == kept and not empty


set_run: SetRun | None = None
try:
    from trikv.machine import _runs
except ImportError:
    pass
else:
    if getattr(_runs, "VERSION", None) == VERSION and _does_it(_runs.set_run):
        set_run = _runs.set_run
