"""What the figures were measured on: without it they say nothing."""

import os
import platform
import statistics
import time
from pathlib import Path

import attrs

from trikv.host import handoff
from trikv.machine.runs import is_compiled

_SYNCS = 100
_BLOCK = b"\0" * 512


AHEAD_HELP = "let generator and servers go before all other work (SCHED_RR; root)"


@attrs.frozen
class Machine:
    """The machine, as far as the figures depend on it."""

    processor: str
    cores: int
    kernel: str
    python: str
    compiled: bool
    """Whether trikv's part in C is there."""
    load_before: tuple[float, float, float]
    """Runnable processes over 1, 5 and 15 minutes: whoever else works here."""
    ahead: bool
    """Whether generator and servers went before all of that."""
    file_system: str
    sync_ms: float
    """Median of writing 512 bytes over zeros, then `fdatasync`."""
    sync_ms_max: float

    def __str__(self) -> str:
        """Two lines for the head of a report."""
        load = " ".join(f"{part:.1f}" for part in self.load_before)
        return (
            f"{self.processor}, {self.cores} cores, Linux {self.kernel}, Python {self.python}"
            f"{'' if self.compiled else ' (trikv without its parts in C)'}; "
            f"load before {load}{' (we went ahead)' if self.ahead else ''}\n"
            f"data on {self.file_system}; 512 bytes and fdatasync: median {self.sync_ms:.2f} ms, "
            f"worst of {_SYNCS} {self.sync_ms_max:.1f} ms"
        )


def describe(directory: Path) -> Machine:
    """Look at this machine, and at the disk below `directory`."""
    syncs = _sync_times_ms(directory / "sync")
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        kernel=platform.release(),
        python=platform.python_version(),
        compiled=is_compiled() and handoff.is_compiled,
        load_before=os.getloadavg(),
        ahead=os.sched_getscheduler(0) == os.SCHED_RR,
        file_system=file_system(directory),
        sync_ms=statistics.median(syncs),
        sync_ms_max=max(syncs),
    )


def go_ahead() -> None:
    """Let this process, and those it starts from now on, run whenever they can.

    Being nice does not make others stay out of the way: where the kernel groups processes by session, as
    Debian's does, a nice value counts inside its session only. Measured with four niced test runs elsewhere:
    a sync took 3.5 instead of 0.2 ms, Redis gave a sixth of its GETs. Raises PermissionError without root.
    """
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def file_system(directory: Path) -> str:
    """Kind and device of the file system that holds `directory`."""
    resolved = directory.resolve()
    mounts = [line.split()[:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [mount for mount in mounts if resolved.is_relative_to(mount[1])]
    device, _, kind = max(above, key=lambda mount: len(mount[1]))
    return f"{kind} of {device}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _sync_times_ms(path: Path) -> list[float]:
    """Time each of `_SYNCS` small synced writes into a file that was zeroed before, as a log segment is."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, bytes(len(_BLOCK) * _SYNCS), 0)
        os.fsync(descriptor)
        times = []
        for number in range(_SYNCS):
            start = time.perf_counter()
            os.pwrite(descriptor, _BLOCK, number * len(_BLOCK))
            os.fdatasync(descriptor)
            times.append(1e3 * (time.perf_counter() - start))
        return times
    finally:
        os.close(descriptor)
        path.unlink()
