"""Runs of SETs in C (`_runs.c` says why), where a compiler was there when trikv was installed.

`set_run` is None if there is none, where it is of another version than this, or where a try shows that
it does not do here what it should (another layout of msgspec's structs). The loop in Python then does all.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from trikv.machine.account import Stored

VERSION: Final = 2
"""Of `_runs.c`, which has it too; a test holds both to the source."""

SetRun: TypeAlias = Callable[
    [tuple[tuple[bytes, ...], ...], list[dict[bytes, Stored]], bytearray, type[Stored], int, int, int],
    tuple[int, int, int],
]


def _does_it(set_run: SetRun) -> bool:
    """A new key, a longer value in its place, and a key with a deadline, which is not for it."""
    buckets: list[dict[bytes, Stored]] = [{b"old": Stored(b"", 1, 5)}, {}]  # to the first of two both belong
    commands = ((b"SET", b"k", b"1"), (b"SET", b"k", b"234"), (b"SET", b"old", b""))
    try:
        result = set_run(commands, buckets, bytearray(2), Stored, 7, 100, 10)
    except Exception:  # noqa: BLE001 - whatever it is: this one is not for us
        return False
    return result == (2, 14, 1) and buckets == [{b"old": Stored(b"", 1, 5), b"k": Stored(b"234", 9)}, {}]


set_run: SetRun | None = None
try:
    from trikv.machine import _runs
except ImportError:
    pass
else:
    if getattr(_runs, "VERSION", None) == VERSION and _does_it(_runs.set_run):
        set_run = _runs.set_run
