"""Blocking clients for tests: one that types, one that speaks RESP."""

import socket
from types import TracebackType
from typing import Self

from trikv.client.blocking import BlockingClient
from trikv.client.endpoint import Address

WAIT_S = 15.0
"""Longer than any deadline of a node: a test that waits this long has found something."""


class Typist:
    """Sends lines as a person does; reads raw text. A deadline is on everything."""

    def __init__(self, port: int, *, wait_s: float = WAIT_S) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=wait_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seen = b""

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def type(self, line: str | bytes) -> None:
        """Send one line."""
        data = line.encode() if isinstance(line, str) else line
        self.socket.sendall(data + b"\r\n")

    def ask(self, line: str | bytes) -> str:
        """Send one line, give the one line it is answered with."""
        self.type(line)
        return self.line()

    def line(self) -> str:
        """Give the next line, without its end; EOFError where the node closed."""
        while b"\n" not in self._seen:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self._seen.decode(errors="replace"))
            self._seen += data
        line, _, self._seen = self._seen.partition(b"\n")
        return line.rstrip(b"\r").decode()

    def rest(self) -> str:
        """Give everything up to the end of the connection."""
        while data := self.socket.recv(65536):
            self._seen += data
        rest, self._seen = self._seen, b""
        return rest.decode()


class Resp(BlockingClient):
    """Speaks RESP to a node of this machine."""

    def __init__(self, port: int, *, wait_s: float = WAIT_S) -> None:
        super().__init__(Address("127.0.0.1", port), timeout_s=wait_s)
