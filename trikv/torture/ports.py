"""Ports for a system whose nodes die: kept while nobody listens on them."""

import fcntl
import tempfile
from pathlib import Path
from typing import IO

from trikv.cluster.processes import taken_port
from trikv.config import PEER_PORT_OFFSET
from trikv.torture.options import NODES, PORTS
from trikv.torture.system import TortureError


class Ports:
    """Three client ports in a row and their peer ports, ours until released or until this process ends.

    While a node is dead nothing listens on its port: two tortures at once would take them from each other.
    A lock on a file, named by the first port, keeps other tortures away; a trial bind shows that no stranger
    is there.
    """

    def __init__(self, first: int | None = None) -> None:
        """`first`: this one and no other. Raises TortureError where it, or all, are taken."""
        self.first = 0
        self._lock: IO[bytes] | None = None
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
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _claim(self, first: int) -> str | None:
        """Take them; why not, if that cannot be."""
        path = Path(tempfile.gettempdir()) / f"trikv-torture-ports-{first}"
        try:
            self._lock = path.open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or another person's file
            self.release()
            return f"port {first} is in use by another torture; give another --port"
        ports = [(first + node, f"node{node + 1}'s client port") for node in range(NODES)]
        ports += [(first + PEER_PORT_OFFSET + node, f"node{node + 1}'s peer port") for node in range(NODES)]
        taken = taken_port(ports)
        if taken is None:
            return None
        self.release()
        return taken.replace("another PORT", "another --port")
