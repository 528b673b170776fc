"""The two that are compared: a redis-server, and the whole front of a trikv node over a real machine."""

import socket
from typing import Any, Final, TypeAlias

import attrs

from tests.differential.words import Command
from tests.front.doubles import Client
from trikv.client.commands import encode_command

_END: Final = b"\r\n"


class IncompleteError(Exception):
    """A part of the reply has not come yet."""


@attrs.frozen
class Shown:
    """A reply as it was sent: the mark of its type, and what was behind it.

    That is a text for ``+``, ``-`` and ``,``, bytes for a bulk string, a tuple of replies for an array, a set
    or a map, in turns; None for each of both nulls of RESP2 and the one of RESP3.
    """

    mark: str
    of: Any

    def __repr__(self) -> str:
        return f"{self.mark}{self.of!r}"

    @property
    def is_error(self) -> bool:
        """Whether it is one."""
        return self.mark == "-"

    @property
    def rows(self) -> "tuple[Shown, ...]":
        """What an aggregate holds; nothing of what is none, and of a null."""
        return self.of if isinstance(self.of, tuple) else ()


Read: TypeAlias = tuple[Shown, int]
"""A reply, and where the next one begins."""


def read(data: bytes, at: int = 0) -> Read:
    """The reply that begins at `at`. Raises IncompleteError."""
    end = data.find(_END, at)
    if end < 0:
        raise IncompleteError
    mark, head, at = chr(data[at]), data[at + 1 : end], end + 2
    if mark in "+-,:#_(":
        return Shown(mark, head.decode("latin-1")), at
    if mark == "$":
        size = int(head)
        if size < 0:
            return Shown(mark, None), at
        if len(data) < at + size + 2:
            raise IncompleteError
        return Shown(mark, data[at : at + size]), at + size + 2
    assert mark in "*~%", data[:80]
    count = int(head) * (2 if mark == "%" else 1)
    if count < 0:
        return Shown(mark, None), at
    rows = []
    for _ in range(count):
        one, at = read(data, at)
        rows.append(one)
    return Shown(mark, tuple(rows)), at


class Redis:
    """One connection to a redis-server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def begin(self, version: int) -> None:
        """Nothing is stored, and that is the protocol."""
        for command in ((b"RESET",), (b"HELLO", b"%d" % version), (b"FLUSHALL",)):
            assert not self.ask(command).is_error

    def ask(self, command: Command) -> Shown:
        """The reply of one command."""
        self._socket.sendall(encode_command(command))
        data = b""
        while True:
            data += self._socket.recv(1 << 20)
            try:
                reply, end = read(data)
            except IncompleteError:
                continue
            assert end == len(data), (command, data[end:])
            return reply


class Trikv:
    """A client of a node of one, which is new."""

    def __init__(self, version: int, now_ms: int) -> None:
        self._client = Client()
        self._client.service.now_ms = now_ms
        assert not self.ask((b"HELLO", b"%d" % version)).is_error

    def ask(self, command: Command) -> Shown:
        """The reply of one command."""
        data = self._client.ask(*command)
        reply, end = read(data)
        assert end == len(data), (command, data[end:])
        return reply

    def is_accounted_for(self) -> bool:
        """Whether what the account has been told with every change is what all values take."""
        machine = self._client.service.machine
        return machine.used_memory == machine.recount()
