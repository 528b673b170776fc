"""Processor time of other processes, by the scheduler's own account in nanoseconds, not its ticks."""

import time
from collections.abc import Iterable
from pathlib import Path

_CPUCLOCK_SCHED = 2
"""Linux makes a clock's number of a process id and this, as clock_getcpuclockid(3) does; Python has no call."""


def main_thread_ns(pid: int) -> int:
    """Nanoseconds the first thread of a process has run."""
    ran, _, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran)


def process_ns(pid: int) -> int:
    """Nanoseconds a process has run, with the threads that have ended: a node's disk threads come and go."""
    return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)


def shares(pids: Iterable[int], seconds: float) -> list[float]:
    """Let `seconds` pass; what part of one processor each process took meanwhile."""
    pids = list(pids)
    start, before = time.perf_counter(), [process_ns(pid) for pid in pids]
    time.sleep(seconds)
    after, passed_ns = [process_ns(pid) for pid in pids], (time.perf_counter() - start) * 1e9
    return [(end - begin) / passed_ns for begin, end in zip(before, after, strict=True)]
