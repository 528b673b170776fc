"""The one place that touches Trio's private parts: virtual time, the order of tasks, tasks held aside.

Measured (RELIABILITY 2): virtual time alone is not deterministic, because Trio shuffles the tasks that are
ready. With the shuffle pinned a run repeats exactly, across processes and hash seeds. The names are private,
so Trio is pinned to one minor version; ``tests/sim/test_determinism.py`` shows whether the next one has them.
"""

import gc
import heapq
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import trio
from trio._core import _run as trio_run

from trikv.sim.guard import guarded

T = TypeVar("T")
_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"
_LONG_S = 3600.0
"""A sleep of any length: Trio cuts it short for tasks that wait for idleness."""
_LAST_CHANCE_S = 0.05
_LAST_CHANCES = 20
"""How long and how often (in real time) to wait for Trio's own socket before a standstill is a deadlock."""
_FLOAT_NOISE = 0.001
"""In ticks: the rounding error of a float must not count as the next tick."""
_LOOK_EVERY = 256
"""Turns of the scheduler between two polls of Trio's own socket, through which a Ctrl-C comes."""


class DeadlockError(Exception):
    """Every task waits, and there is no event or deadline that would wake one."""


class VirtualClock(trio.abc.Clock):
    """Time stands still while tasks run, and jumps to the next deadline or event when none can.

    Trio asks how long it may sleep exactly when no task is ready: then the clock jumps. Trio's own
    `MockClock` jumps a turn of the scheduler later, so each timed event costs two turns. It also knows only
    events of tasks; those of a world (bytes that arrive) need no task and no cancel scope here.
    """

    def __init__(self, ticks_per_s: int = 0) -> None:
        """`ticks_per_s`: jumps end at multiples of such a tick (0: anywhere), like timers of a kernel.

        Events within one tick happen in one turn of the scheduler, in an order that the seed decides.
        """
        self._now = 0.0
        self._ticks_per_s = ticks_per_s
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._standstills = 0
        self.standstill = trio.CancelScope()
        """Cancelled when every task waits and nothing would wake one."""

    def start_clock(self) -> None:
        """Nothing is to be done: virtual time begins at 0 when the clock is made."""

    def current_time(self) -> float:
        """Virtual seconds since the start."""
        return self._now

    def call_at(self, when: float, event: Callable[[], None]) -> None:
        """Call `event` when the time is `when`: between tasks, before those that wake in the same instant.

        Events of one instant go in the order in which they were asked for. `event` must not raise.
        """
        self._count += 1
        heapq.heappush(self._events, (when, self._count, event))

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Jump to the next event or deadline, and sleep for no real time."""
        if trio_run.GLOBAL_RUN_CONTEXT.runner.waiting_for_idle:
            return _LONG_S  # tasks that wait for idleness go first: time must not pass for them
        events = self._events
        following = min(deadline, events[0][0]) if events else deadline
        if following == float("inf"):
            self._standstills += 1
            if self._standstills > _LAST_CHANCES:
                self.standstill.cancel()
            return _LAST_CHANCE_S  # when a run ends, Trio wakes its own tasks through a socket
        self._standstills = 0
        if self._ticks_per_s:
            tick = math.ceil(following * self._ticks_per_s - _FLOAT_NOISE) / self._ticks_per_s
            following = max(following, tick)
        self._now = max(self._now, following)
        now = self._now
        while events and events[0][0] <= now:
            heapq.heappop(events)[2]()
        return 0


def call_at(when: float, event: Callable[[], None]) -> None:
    """`VirtualClock.call_at` of the simulation that runs. Never, if `when` is infinite."""
    if when != float("inf"):
        clock = trio_run.GLOBAL_RUN_CONTEXT.runner.clock
        assert isinstance(clock, VirtualClock), "a SimWorld needs trikv.sim.determinism.simulate"
        clock.call_at(when, event)


async def sleep_until(when: float) -> None:
    """Sleep until virtual time is `when`, even if cancelled: a disk's operation cannot be abandoned."""
    task = trio.lowlevel.current_task()
    call_at(when, lambda: trio.lowlevel.reschedule(task))
    await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)


class _NoWires:
    """Trio's I/O manager, which asks the kernel only if there is time to wait: a simulation has no sockets.

    Trio asks the kernel in every turn, and that would cost more than most turns.
    """

    def __init__(self, real: Any) -> None:
        self._real = real
        self._turns = 0

    def get_events(self, timeout: float) -> Any:
        """The kernel's events; nearly always none, without asking it."""
        self._turns += 1
        return self._real.get_events(timeout) if timeout > 0 or not self._turns % _LOOK_EVERY else []

    def process_events(self, events: Any) -> None:
        """Wake the tasks that wait for `events`."""
        if events:
            self._real.process_events(events)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Freezer(trio.abc.Instrument):
    """Holds the runnable tasks of frozen owners aside: SIGSTOP for a part of a Trio program.

    A task belongs to the owner that `owner` has in its context; tasks inherit the context from those that
    start them. A frozen task that is running, or picked for this turn, goes on to its next await, in the same
    instant. What wakes it later (data, a deadline, a cancellation) is decided when it happens and takes
    effect when it is thawed, like signals and timers of a stopped process.
    """

    def __init__(self, owner: ContextVar[Any]) -> None:
        self._owner = owner
        self._held: dict[int, list[trio.lowlevel.Task]] = {}
        self._frozen: dict[int, object] = {}

    def freeze(self, owner: object) -> None:
        """Let none of the owner's tasks run until `thaw`. Harmless twice."""
        if id(owner) in self._frozen:
            return
        if not self._frozen:
            trio.lowlevel.add_instrument(self)
        self._frozen[id(owner)] = owner
        held = self._held[id(owner)] = []
        ready = trio_run.GLOBAL_RUN_CONTEXT.runner.runq
        for task in list(ready):
            if task.context.get(self._owner) is owner:
                ready.remove(task)
                held.append(task)

    def thaw(self, owner: object) -> None:
        """Let the owner's tasks go on. Does nothing if they were not frozen."""
        if self._frozen.pop(id(owner), None) is not None:
            trio_run.GLOBAL_RUN_CONTEXT.runner.runq.extend(self._held.pop(id(owner)))
            if not self._frozen:
                trio.lowlevel.remove_instrument(self)

    def is_frozen(self, owner: object) -> bool:
        """Whether the owner's tasks are held, between `freeze` and `thaw`."""
        return id(owner) in self._frozen

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        """Take a task that Trio has just made ready back from the end of its queue, if it is frozen."""
        held = self._held.get(id(task.context.get(self._owner)))
        if held is not None:
            last = trio_run.GLOBAL_RUN_CONTEXT.runner.runq.pop()
            assert last is task
            held.append(task)


@contextmanager
def pinned(seed: int) -> Iterator[None]:
    """Inside, Trio runs schedule by `seed`, and the cyclic collector is off."""
    allowed = getattr(trio_run, _SWITCH)
    state = trio_run._r.getstate()  # noqa: SLF001 - see the module's docstring
    collecting = gc.isenabled()
    setattr(trio_run, _SWITCH, True)  # declared Final there, and yet Hypothesis' plugin sets it as well
    trio_run._r.seed(seed)  # noqa: SLF001 - the same
    # It would run finalizers at moments that depend on the heap. It is off in a node, too.
    gc.disable()
    try:
        yield
    finally:
        setattr(trio_run, _SWITCH, allowed)
        trio_run._r.setstate(state)  # noqa: SLF001 - the same
        if collecting:
            gc.enable()
            gc.collect()


def simulate(seed: int, main: Callable[[], Awaitable[T]], *, ticks_per_s: int = 0) -> T:
    """Run `main` under virtual time that jumps whenever all tasks wait, scheduled by `seed`.

    The real world is out of its reach: see `trikv.sim.guard`. Raises `DeadlockError`.
    """
    clock = VirtualClock(ticks_per_s)

    async def apart() -> T:
        runner = trio_run.GLOBAL_RUN_CONTEXT.runner
        runner.io_manager = cast("Any", _NoWires(runner.io_manager))
        with guarded(), clock.standstill:
            return await main()
        raise DeadlockError(f"all tasks wait for ever at {clock.current_time():.6f} s")

    with pinned(seed):
        return trio.run(apart, clock=clock)
