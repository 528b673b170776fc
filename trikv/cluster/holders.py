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
from trikv.host.locks import locking_pid


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
            pid = locking_pid(lock)
            return f"{node.name}: {'another process' if pid is None else f'pid {pid}'}"
        except OSError:
            continue  # a file system without locks
        finally:
            os.close(lock)
    return None
