"""The one place that touches Trio's private scheduler, so that a seed decides the order of tasks.

Measured (RELIABILITY 2): `MockClock` alone is not deterministic, because Trio shuffles the tasks that are
ready. Pinning the shuffle makes a run repeat exactly, across processes and hash seeds. The names are
private: Trio is pinned to one minor version; ``tests/sim/test_determinism.py`` is the canary for the next.
"""

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio
from trio._core import _run as trio_run
from trio.testing import MockClock

T = TypeVar("T")
_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"


@contextmanager
def pinned(seed: int) -> Iterator[None]:
    """Trio runs inside schedule by `seed`, and the cyclic collector is off.

    The collector runs finalizers at moments that depend on the heap; it is off in a node anyway. What a run
    leaves behind is collected after it.
    """
    allowed = getattr(trio_run, _SWITCH)
    state = trio_run._r.getstate()  # noqa: SLF001 - see the module's docstring
    collecting = gc.isenabled()
    setattr(trio_run, _SWITCH, True)  # declared Final there, and yet Hypothesis' plugin sets it as well
    trio_run._r.seed(seed)  # noqa: SLF001 - the same
    gc.disable()
    try:
        yield
    finally:
        setattr(trio_run, _SWITCH, allowed)
        trio_run._r.setstate(state)  # noqa: SLF001 - the same
        if collecting:
            gc.enable()
            gc.collect()


def simulate(seed: int, main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` under virtual time that jumps whenever all tasks wait, scheduled by `seed`."""
    with pinned(seed):
        return trio.run(main, clock=MockClock(autojump_threshold=0))
