"""Processor time of other processes, by the scheduler's own account in nanoseconds, not its ticks."""

import time
from collections.abc import Iterable
from pathlib import Path

_CPUCLOCK_SCHED = 2
"""A clock's number is made of a process id and this (clock_getcpuclockid(3)); Python has no call for it."""


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
