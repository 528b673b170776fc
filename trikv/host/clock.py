"""The machine's clocks and its randomness, and what it knows of itself and of this process."""

import os
import resource
import secrets
import time
from pathlib import Path

from trikv.host import handoff
from trikv.host.seam import Descriptors, System, Usage

# CLOCK_BOOTTIME counts the time in which a machine was suspended; leases need that (PROTOCOL 13). A platform
# without it gets its monotonic clock.
_BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class RealClock:
    """The operating system's clocks: `trikv.host.seam.Clock`."""

    def boot_ms(self) -> int:
        """Milliseconds since boot, time of suspension included."""
        return time.clock_gettime_ns(_BOOT_CLOCK) // 1_000_000

    def boot_us(self) -> int:
        """Microseconds since boot, time of suspension included."""
        return time.clock_gettime_ns(_BOOT_CLOCK) // 1000

    def wall_ms(self) -> int:
        """Milliseconds since 1970; may jump when the clock is set."""
        return time.time_ns() // 1_000_000


class RealEntropy:
    """`trikv.host.seam.Entropy`, from the operating system."""

    def bytes(self, count: int) -> bytes:
        """`count` bytes that nobody can predict: fit for secrets and disk ids."""
        return secrets.token_bytes(count)

    def below(self, limit: int) -> int:
        """A uniform integer in [0, limit)."""
        return secrets.randbelow(limit)


def resident_bytes() -> int:
    """Resident memory of this process; 0 if there is no ``/proc``."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def descriptors() -> Descriptors:
    """The process's limit (``ulimit -n``), and how many are open; 0 if the system does not list them."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = None if limit == resource.RLIM_INFINITY else limit
    try:
        # Listing them opens one, which is in the list.
        return Descriptors(most, len(list(Path("/dev/fd").iterdir())) - 1)
    except OSError:
        return Descriptors(most)


def usage() -> Usage:
    """Processor time so far, and the most memory that was ever resident. Call it in the main thread."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    # Only Linux counts a single thread. Elsewhere the whole process stands for it.
    main = resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF))
    return Usage(
        own.ru_utime,
        own.ru_stime,
        children.ru_utime,
        children.ru_stime,
        main.ru_utime,
        main.ru_stime,
        _resident_peak_bytes(),
    )


def _resident_peak_bytes() -> int:
    """The peak of resident memory, from ``/proc``; 0 if unknown."""
    # Not ``ru_maxrss``, which a process inherits from the one that started it.
    try:
        status = Path("/proc/self/status").read_bytes()
    except OSError:
        return 0
    _, found, rest = status.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) * 1024 if found else 0


def system() -> System:
    """Kernel, release and processor of this machine, and its memory in bytes (0 if unknown)."""
    names = os.uname()
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES if "SC_PHYS_PAGES" in os.sysconf_names else 0
    return System(f"{names.sysname} {names.release} {names.machine}", memory_bytes, handoff.is_compiled)
