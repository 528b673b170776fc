"""Many clients that each begin a request and never finish it: one loop, cheap enough for two thousand.

As a program, which keeps its work away from a test's own clients::

    python -m tests.e2e.crowd COUNT PORT...

sends until its standard input ends, then prints what became of them as JSON.
"""

import contextlib
import json
import resource
import selectors
import socket
import sys
import time
from collections.abc import Callable

import attrs

PIECE_BYTES = 64 << 10
AGAIN_S = 3.0
"""A client that was closed comes back after so long."""
CONNECT_EACH = 50
"""New connections between two looks: a node's backlog is 128 or so."""
TOLD = b"ERR too much input waits on this node"
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


def one_mebibyte() -> bytes:
    """A SET of 1 MiB without its last bytes."""
    return b"*3\r\n$3\r\nSET\r\n$5\r\nstorm\r\n$1048576\r\n" + b"s" * ((1 << 20) - 1)


@attrs.define
class Fates:
    """What became of the connections of a crowd."""

    connected: int = 0
    sent_bytes: int = 0
    told: int = 0
    """Closed with the error that says why."""
    untold: int = 0
    """Closed without."""
    heard: bytes = b""
    """The first answer."""


@attrs.define(eq=False)
class _Member:
    port: int
    sock: socket.socket | None = None
    sent: int = 0
    heard: bytes = b""
    again_s: float = 0.0


class Crowd:
    """Clients that send `request` as far as they are let, spread over `ports`, and come back when closed."""

    def __init__(self, ports: list[int], count: int, request: bytes) -> None:
        self.fates = Fates()
        self._request = memoryview(request)
        self._members = [_Member(ports[at % len(ports)]) for at in range(count)]
        self._absent = list(self._members)
        self._selector = selectors.DefaultSelector()

    def run(self, until: Callable[[], bool], *, extra: int | None = None) -> None:
        """Go on until `until` says so, asked many times a second. `extra`: a descriptor worth waking for."""
        if extra is not None:
            self._selector.register(extra, READ, None)
        while not until():
            self._connect()
            for key, events in self._selector.select(0.05):
                if key.data is not None:
                    self._serve(key.data, events)

    def connected(self) -> int:
        """How many are connected now."""
        return sum(member.sock is not None for member in self._members)

    def close(self) -> None:
        """All go."""
        for member in self._members:
            if member.sock is not None:
                member.sock.close()
        self._selector.close()

    def _connect(self) -> None:
        now = time.monotonic()  # noqa: TID251 - real clients in real time
        due = [member for member in self._absent if member.again_s <= now][:CONNECT_EACH]
        for member in due:
            self._absent.remove(member)
            sock = socket.socket()
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(("127.0.0.1", member.port))
            member.sock, member.sent, member.heard = sock, 0, b""
            self.fates.connected += 1
            self._selector.register(sock, READ | WRITE, member)

    def _serve(self, member: _Member, events: int) -> None:
        sock = member.sock
        assert sock is not None
        try:
            if events & READ:
                data = sock.recv(4096)
                member.heard += data
                if not data:
                    self._gone(member)
                    return
            if events & WRITE:
                sent = sock.send(self._request[member.sent : member.sent + PIECE_BYTES])
                member.sent += sent
                self.fates.sent_bytes += sent
                if member.sent == len(self._request):
                    self._selector.modify(sock, READ, member)
        except BlockingIOError:
            pass
        except OSError:
            with contextlib.suppress(OSError):  # what was said before the reset is there to be read
                member.heard += sock.recv(4096)
            self._gone(member)

    def _gone(self, member: _Member) -> None:
        assert member.sock is not None
        self._selector.unregister(member.sock)
        member.sock.close()
        member.sock = None
        member.again_s = time.monotonic() + AGAIN_S  # noqa: TID251 - as above
        self._absent.append(member)
        if TOLD in member.heard:
            self.fates.told += 1
            self.fates.heard = self.fates.heard or member.heard
        elif member.sent:
            self.fates.untold += 1


def allow_descriptors(count: int) -> bool:
    """Let this process open `count` files; False where the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return count <= hard


def main(count: int, ports: list[int]) -> None:
    """The program."""
    assert allow_descriptors(count + 100)
    crowd = Crowd(ports, count, one_mebibyte())
    watch = selectors.DefaultSelector()
    watch.register(sys.stdin, READ)
    crowd.run(lambda: bool(watch.select(0)), extra=sys.stdin.fileno())
    fates = attrs.asdict(crowd.fates) | {"heard": crowd.fates.heard.decode(), "open": crowd.connected()}
    crowd.close()
    sys.stdout.write(json.dumps(fates) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), [int(port) for port in sys.argv[2:]])
