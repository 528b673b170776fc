"""Which process has locked a file: the system knows, and an operator wants to."""

import os
from pathlib import Path


def locking_pid(fd: int) -> int | None:
    """The process that has `flock`ed an open file for itself; None if the system does not tell.

    Linux tells, for its own devices and for processes of this container.
    """
    status = os.fstat(fd)
    major, minor = os.major(status.st_dev), os.minor(status.st_dev)
    file = f"{major:02x}:{minor:02x}:{status.st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:  # 3: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
        match line.split():
            case [_, "FLOCK", _, "WRITE", pid, held, *_] if held == file and int(pid) > 0:
                return int(pid)
    return None
