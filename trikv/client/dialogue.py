"""The logic of one connection, without its socket: commands in, bytes out; bytes in, replies out, in order.

    data = dialogue.ask([("SET", "k", "v"), ("GET", "k")])   # send this
    while (reply := dialogue.next_reply()) is NEED_DATA:
        dialogue.receive(...)                                # what came

Push messages are put aside, in order, until they are taken; they are never given out as a reply.
"""

from collections.abc import Iterable
from typing import Any, Final

from trikv.client.commands import Command, encode_command
from trikv.client.errors import ClosedError, FloodError, GarbledError
from trikv.client.replies import NEED_DATA, Push, is_push, new_reader

REPLY_BYTES_MAX: Final = 64 << 20
"""Far above any reply that our tools ask for; a server that sends without end is cut off."""
REPLY_S_MAX: Final = 15.0
"""How long a client waits by default. A node answers within its deadline of 10 s, at least with an error."""
PUSH_BYTES_MAX: Final = 1 << 20
"""The limit of push messages that were not taken; the user of a connection with many must take them."""
_VALUE_BYTES: Final = 64
"""Counted for each value of a push message besides its bytes: about what Python needs for one."""
_FAREWELL: Final = b"#"
"""The beginning of a node's line to people. A node that stops sends one if nothing was asked yet, because the
client may be a person. A boolean of RESP3 begins the same way, but never comes first."""


class Dialogue:
    """The bytes of one connection. `server` is the name of the other side in errors."""

    def __init__(self, server: str, *, reply_bytes_max: int = REPLY_BYTES_MAX) -> None:
        self.server = server
        self.owed = 0
        """Replies to commands that were not given out yet."""
        self._reader = new_reader()
        self._reply_bytes_max = reply_bytes_max
        self._held_bytes = 0
        """The most bytes that the reader may hold of unfinished replies."""
        self._has_heard = False
        self._pushes: list[Push] = []
        self._push_bytes = 0

    def ask(self, commands: Iterable[Command]) -> bytes:
        """Encode commands, to be sent in one piece; each of them owes a reply."""
        encoded = [encode_command(command) for command in commands]
        self.owed += len(encoded)
        return b"".join(encoded)

    def demand_nothing_owed(self) -> None:
        """Raise ConnectionError if replies are still to come, as they are after a time-out or a cancellation.

        Otherwise the next reply would be taken for the answer to a later command.
        """
        if self.owed:
            raise ConnectionError(f"{self.server}: was asked before and has not answered yet")

    def receive(self, data: bytes) -> None:
        """Take bytes from the server, b"" at the end. Raises ClosedError, FloodError."""
        if not data or (not self._has_heard and data.startswith(_FAREWELL)):
            raise ClosedError(f"{self.server}: closed the connection")
        self._has_heard = True
        self._held_bytes += len(data)
        if self._held_bytes > self._reply_bytes_max:
            raise FloodError(f"{self.server}: a reply of more than {self._reply_bytes_max} bytes")
        self._reader.feed(data)

    def next_reply(self) -> Any:
        """Give the next whole reply, or NEED_DATA. Raises GarbledError, FloodError."""
        while (reply := self._next()) is not NEED_DATA:
            # The reader frees what it has read only from time to time, so up to 1 KiB too much is counted.
            self._held_bytes = self._reader.len()
            if not is_push(reply):
                self.owed -= self.owed > 0
                return reply
            self._put_aside(reply)
        return NEED_DATA

    def take_pushes(self) -> list[Push]:
        """Give the push messages that came before the last reply given out, in order; each is given once."""
        pushes, self._pushes, self._push_bytes = self._pushes, [], 0
        return pushes

    def _next(self) -> Any:
        try:
            return self._reader.gets()
        except GarbledError as error:
            raise GarbledError(f"{self.server}: does not speak the Redis protocol") from error

    def _put_aside(self, push: Push) -> None:
        self._push_bytes += _weight(push)
        if self._push_bytes > PUSH_BYTES_MAX:
            raise FloodError(f"{self.server}: more push messages than are kept")
        self._pushes.append(push)


def _weight(value: Any) -> int:
    if isinstance(value, list):
        return _VALUE_BYTES + sum(map(_weight, value))
    return _VALUE_BYTES + (len(value) if isinstance(value, bytes) else 0)
