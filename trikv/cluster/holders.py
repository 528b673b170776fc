"""Whether another cluster runs on the data already.

Each node would find that out by itself, and end with advice that cannot help. So this is asked before
anything is started.
"""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from trikv.cluster.plan import PlannedNode
from trikv.host.disk import LOCK_NAME


def holder_of(nodes: Iterable[PlannedNode]) -> str | None:
    """The process that uses the data of one of `nodes`, in words for a person; None if none seems to."""
    for node in nodes:
        directory = Path(node.config.data_directory)
        try:
            lock = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue  # never used, or wrong in a way that the node itself will tell
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
    """The process that has locked an open file, if the system tells. Linux does, for its own devices."""
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
