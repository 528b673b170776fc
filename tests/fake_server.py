"""A small RESP server in a thread, that can be told to lie, to fall silent, to refuse and to die."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Self

import hiredis  # noqa: TID251 - a server's side: requests are read here

from trikv.client.endpoint import Address

Store = dict[bytes, bytes]
Handler = Callable[[list[bytes]], bytes | None]
"""Gives the reply's bytes; None: say nothing, ever."""


def bulk(value: bytes | None) -> bytes:
    """Encode a bulk string, or RESP2's null."""
    return b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value)


def honest(store: Store) -> Handler:
    """A handler that does what Redis does, for the commands of the mix."""

    def handle(args: list[bytes]) -> bytes:
        name, *rest = args
        match name.upper():
            case b"SET":
                store[rest[0]] = rest[1]
                return b"+OK\r\n"
            case b"MSET":
                store.update(zip(rest[::2], rest[1::2], strict=True))
                return b"+OK\r\n"
            case b"GET":
                return bulk(store.get(rest[0]))
            case b"MGET":
                return b"*%d\r\n" % len(rest) + b"".join(bulk(store.get(key)) for key in rest)
            case b"DEL":
                return b":%d\r\n" % (store.pop(rest[0], None) is not None)
            case b"INCR":
                store[rest[0]] = b"%d" % (int(store.get(rest[0], b"0")) + 1)
                return b":%b\r\n" % store[rest[0]]
            case b"APPEND":
                store[rest[0]] = store.get(rest[0], b"") + rest[1]
                return b":%d\r\n" % len(store[rest[0]])
            case b"STRLEN":
                return b":%d\r\n" % len(store.get(rest[0], b""))
            case b"PING":
                return b"+PONG\r\n"
            case _:
                return b"-ERR unknown command\r\n"

    return handle


class FakeServer:
    """Serves `handler` on a free loopback port until `close`, or until it has served `die_after` commands.

    Dying is sudden: the listener and every connection close with commands unanswered.
    """

    def __init__(self, handler: Handler, *, die_after: int | None = None, port: int = 0) -> None:
        self._handler = handler
        self._left = die_after
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.setblocking(False)
        self.address = Address("127.0.0.1", self._listener.getsockname()[1])
        self.served = 0
        self.accepted = 0
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._connections: dict[socket.socket, hiredis.Reader] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Die now, if not dead already."""
        with contextlib.suppress(OSError):
            self._wake.send(b"x")
        self._thread.join(5)
        self._wake.close()
        self._woken.close()

    def _run(self) -> None:
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.fileobj is self._woken:
                        return
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        assert isinstance(key.fileobj, socket.socket)
                        self._serve(key.fileobj)
                    if self._left is not None and self._left <= 0:
                        return
        finally:
            self._selector.close()
            self._listener.close()
            for connection in self._connections:
                connection.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self.accepted += 1
        self._connections[connection] = hiredis.Reader()
        self._selector.register(connection, selectors.EVENT_READ)

    def _serve(self, connection: socket.socket) -> None:
        reader = self._connections[connection]
        try:
            data = connection.recv(65_536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            del self._connections[connection]
            connection.close()
            return
        reader.feed(data)
        replies = []
        while (args := reader.gets()) is not False:
            if self._left is not None:
                if self._left <= 0:
                    break
                self._left -= 1
            self.served += 1
            if (reply := self._handler(args)) is not None:
                replies.append(reply)
        with contextlib.suppress(OSError):
            connection.sendall(b"".join(replies))
