"""Processor time of other processes, by the scheduler's own account in nanoseconds, not its ticks."""

import time
from collections.abc import Iterable
from pathlib import Path


def threads_ns(pid: int) -> dict[int, int]:
    """Nanoseconds each thread of a process has run, by thread id."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        ran, _, _ = (task / "schedstat").read_text().split()
        found[int(task.name)] = int(ran)
    return found


def process_ns(pid: int) -> int:
    """Nanoseconds all living threads of a process have run."""
    return sum(threads_ns(pid).values())


def shares(pids: Iterable[int], seconds: float) -> list[float]:
    """Let `seconds` pass; what part of one processor each process took meanwhile."""
    pids = list(pids)
    start, before = time.perf_counter(), [process_ns(pid) for pid in pids]
    time.sleep(seconds)
    after, passed_ns = [process_ns(pid) for pid in pids], (time.perf_counter() - start) * 1e9
    return [(end - begin) / passed_ns for begin, end in zip(before, after, strict=True)]
