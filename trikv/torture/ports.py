"""Ports for a system whose nodes die: they stay ours while no process listens on them."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

from trikv.cluster.processes import taken_port
from trikv.config import PEER_PORT_OFFSET
from trikv.torture.options import NODES, PORTS
from trikv.torture.system import TortureError


class Claim:
    """A locked temporary file of a given name, ours until released or until this process ends.

    `release` removes it. A process that is killed leaves it unlocked, and the next one takes it.
    """

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        self._path = path
        self._lock = lock

    @classmethod
    def take(cls, name: str) -> "Claim | None":
        """Lock it; None if another process or another user has it. Raises no error."""
        path = Path(tempfile.gettempdir()) / name
        try:
            lock = path.open("ab")
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its owner may have removed it after we opened it; the next process would lock a new file.
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return cls(path, lock)
        except OSError:
            pass
        lock.close()
        return None

    def release(self) -> None:
        """Give it up. It is removed while it is locked, so it is never another process's file."""
        self._path.unlink(missing_ok=True)
        self._lock.close()


class Ports:
    """Three client ports in a row and their peer ports, ours until released or until this process ends.

    While a node is dead, no process listens on its port: two tortures at once would take each other's ports.
    A lock on a file, named by the first port, keeps other tortures away; a trial bind shows that no other
    program uses the ports.
    """

    def __init__(self, first: int | None = None) -> None:
        """`first`: only this one; None: any. Raises TortureError if it is taken, or if all are."""
        self.first = 0
        self._claimed: Claim | None = None
        taken = None
        for candidate in [first] if first is not None else PORTS:
            taken = self._claim(candidate)
            if taken is None:
                self.first = candidate
                return
        if first is None:
            taken = f"no three free ports from {PORTS.start} to {PORTS.stop}; give --port"
        raise TortureError(str(taken))

    def release(self) -> None:
        """Give the ports up."""
        if self._claimed is not None:
            self._claimed.release()
            self._claimed = None

    def _claim(self, first: int) -> str | None:
        """Take the ports; returns the reason if that fails."""
        self._claimed = Claim.take(f"trikv-torture-ports-{first}")
        if self._claimed is None:
            return f"port {first} is in use by another torture; give another --port"
        ports = [(first + node, f"node{node + 1}'s client port") for node in range(NODES)]
        ports += [(first + PEER_PORT_OFFSET + node, f"node{node + 1}'s peer port") for node in range(NODES)]
        taken = taken_port(ports)
        if taken is None:
            return None
        self.release()
        return taken.replace("another PORT", "another --port")
