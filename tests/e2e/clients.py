"""Plain blocking clients for tests: one that types, one that speaks RESP. Nothing of trikv is in them."""

import socket
import time
from types import TracebackType
from typing import Any, Self

import hiredis

WAIT_S = 15.0
"""Longer than any deadline of a node: a test that waits this long has found something."""


class Connection:
    """A socket with a deadline on everything."""

    def __init__(self, port: int, *, wait_s: float = WAIT_S) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=wait_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait_s = wait_s

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Typist(Connection):
    """Sends lines as a person does; reads raw text."""

    def __init__(self, port: int, *, wait_s: float = WAIT_S) -> None:
        super().__init__(port, wait_s=wait_s)
        self._seen = b""

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


class Resp(Connection):
    """Speaks RESP; error replies are values."""

    def __init__(self, port: int, *, wait_s: float = WAIT_S) -> None:
        super().__init__(port, wait_s=wait_s)
        self._reader = hiredis.Reader(notEnoughData=Ellipsis)

    def command(self, *words: str | bytes | int) -> Any:
        """Send one command, give its reply."""
        self.send(*words)
        return self.reply()

    def send(self, *words: str | bytes | int) -> None:
        """Send one command."""
        self.socket.sendall(hiredis.pack_command(tuple(words)))  # type: ignore[arg-type]

    def reply(self) -> Any:
        """Give the next reply; EOFError where the node closed, TimeoutError where it is silent."""
        deadline = time.monotonic() + self._wait_s  # noqa: TID251 - real processes run in real time
        while (reply := self._reader.gets()) is Ellipsis:
            left_s = deadline - time.monotonic()  # noqa: TID251 - as above
            if left_s <= 0:
                raise TimeoutError
            self.socket.settimeout(left_s)
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._reader.feed(data)
        return reply


def parse_info(text: bytes | str) -> dict[str, str]:
    """Read INFO into its fields."""
    if isinstance(text, bytes):
        text = text.decode()
    lines = (line for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return dict(line.split(":", 1) for line in lines)
