"""Whether another cluster runs on the data already.

Each node would find out for itself, and end with advice that cannot help; the third might not even get so
far. So it is asked before anything is started.
"""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from trikv.cluster.plan import PlannedNode
from trikv.host.disk import LOCK_NAME


def holder_of(nodes: Iterable[PlannedNode]) -> str | None:
    """Say who holds the data of the first of `nodes` that are in use; None if, as it seems, nobody does."""
    for node in nodes:
        directory = Path(node.config.data_directory)
        try:
            lock = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # never used; or the node itself says what is wrong with it
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"{node.name}: {_process_with(lock)}"
        except OSError:
            continue  # a file system without locks
        finally:
            os.close(lock)
    return None


def _process_with(lock: int) -> str:
    """Name the process that has locked an open file, if the system tells (Linux does, of its own devices)."""
    status = os.fstat(lock)
    major, minor = os.major(status.st_dev), os.minor(status.st_dev)
    file = f"{major:02x}:{minor:02x}:{status.st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:  # 3: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
        match line.split():
            case [_, "FLOCK", _, "WRITE", pid, held, *_] if held == file and int(pid) > 0:
                return f"pid {pid}"
    return "another process"
