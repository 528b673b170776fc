"""Clients that take what they can get: connections in bursts, silent, hasty, half spoken, for peers too."""

import contextlib
import resource
import select
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from tests.e2e.cluster import Cluster
from tests.ports import PEER_PORT_OFFSET

CONNECT_S = 10.0
REFUSAL = b"-ERR max number of clients reached\r\n"
HALF_A_REQUEST = b"*3\r\n$3\r\nSET\r\n$5\r\nflood\r\n$1000\r\nx"
KINDS = ("silent", "asking", "half", "hasty", "silent", "asking", "peer", "silent")
"""What the attempts do, in turn."""
CHURN = 5
"""Before each burst one in so many of its number is given up: others get their places."""


class Flood:
    """Attempts to connect to every node of a cluster. A context manager: leaving it closes all."""

    def __init__(self, cluster: Cluster) -> None:
        self._ports = sorted(cluster.ports.values())
        self._held: dict[int, tuple[socket.socket, bytearray]] = {}
        self._poll = select.poll()
        self.attempts = 0
        self.ends: Counter[str] = Counter()
        """How connections that the nodes closed ended: ``refused`` in Redis' words, ``served`` before that,
        ``silent`` where nothing was said, and whatever else was."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go(len(self._held))

    @property
    def held(self) -> int:
        """Connections that are open as far as we know."""
        return len(self._held)

    def burst(self, count: int) -> None:
        """Give some up, make `count` attempts, and look at what has become of the others."""
        self.let_go(count // CHURN)
        for _ in range(count):
            self._attempt(self._ports[self.attempts % len(self._ports)], KINDS[self.attempts % len(KINDS)])
            self.attempts += 1
        self.look()

    def let_go(self, count: int) -> None:
        """Close the oldest."""
        for fd in list(self._held)[:count]:
            self._close(fd)

    def look(self) -> None:
        """Read what the nodes have said, and count those that they have closed."""
        for fd, _ in self._poll.poll(0):
            sock, said = self._held[fd]
            try:
                data = sock.recv(65536)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                data = b""
            said += data
            if not data:
                self.ends[_what(bytes(said))] += 1
                self._close(fd)

    def _attempt(self, port: int, kind: str) -> None:
        where = ("127.0.0.1", port + (PEER_PORT_OFFSET if kind == "peer" else 0))
        sock = socket.create_connection(where, timeout=CONNECT_S)
        if kind == "hasty":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
            return
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # refused and closed already: that is read later
            if kind == "asking":
                sock.send(b"*1\r\n$4\r\nPING\r\n")
            elif kind == "half":
                sock.send(HALF_A_REQUEST)
        if kind == "peer":
            self._held[sock.fileno()] = (sock, bytearray(b"peer"))
        else:
            self._held[sock.fileno()] = (sock, bytearray())
        self._poll.register(sock, select.POLLIN)

    def _close(self, fd: int) -> None:
        sock, _ = self._held.pop(fd)
        self._poll.unregister(fd)
        sock.close()


def _what(said: bytes) -> str:
    if said.startswith(b"peer"):
        return "peer"
    if said == REFUSAL:
        return "refused"
    return "served" if said.startswith(b"+PONG\r\n") else said.decode(errors="replace") or "silent"


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process itself hold as many connections as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
