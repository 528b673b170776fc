"""Ports for a system whose nodes die: kept while nobody listens on them."""

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
    """A locked file of one name among the temporary ones, ours until released or until this process ends.

    `release` removes it. A process that is killed leaves it, unlocked, for the next one to take.
    """

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        self._path = path
        self._lock = lock

    @classmethod
    def take(cls, name: str) -> "Claim | None":
        """Lock it; None if another process has it, or another person. Raises no error."""
        path = Path(tempfile.gettempdir()) / name
        try:
            lock = path.open("ab")
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have removed it since we opened it; the next one would make and lock another.
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return cls(path, lock)
        except OSError:
            pass
        lock.close()
        return None

    def release(self) -> None:
        """Let others have it. It is removed while it is locked, so never another's."""
        self._path.unlink(missing_ok=True)
        self._lock.close()


class Ports:
    """Three client ports in a row and their peer ports, ours until released or until this process ends.

    While a node is dead nothing listens on its port: two tortures at once would take them from each other.
    A lock on a file, named by the first port, keeps other tortures away; a trial bind shows that no stranger
    is there.
    """

    def __init__(self, first: int | None = None) -> None:
        """`first`: this one and no other. Raises TortureError where it, or all, are taken."""
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
        """Let others have them."""
        if self._claimed is not None:
            self._claimed.release()
            self._claimed = None

    def _claim(self, first: int) -> str | None:
        """Take them; why not, if that cannot be."""
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
