"""A client that blocks, with a time-out on everything: for tools and tests that do one thing at a time."""

import socket
import time
from collections.abc import Iterable
from typing import Any, Final, Self

from trikv.client import login
from trikv.client.commands import Argument, Command
from trikv.client.dialogue import REPLY_S_MAX, Dialogue
from trikv.client.endpoint import Address, connect
from trikv.client.replies import NEED_DATA, Push

_RECEIVE_BYTES: Final = 65_536


class BlockingClient:
    """A connection to one server. Error replies are returned as `ErrorReply` values, never raised.

    Each method that waits may raise an OSError (`trikv.client.errors`), after which the client is unusable;
    it raises TimeoutError after `timeout_s` seconds. One thread at a time may use it.
    """

    def __init__(
        self, address: Address, *, timeout_s: float = REPLY_S_MAX, password: bytes | None = None
    ) -> None:
        """Connect, and give the password if there is one. Raises OSError; Refused."""
        self.address = address
        self.socket: socket.socket = connect(address, timeout_s)
        """For code that sends its own bytes. Its time-out is set before each use."""
        self._timeout_s = timeout_s
        self._dialogue = Dialogue(str(address))
        try:
            if password is not None:
                login.check(self.call(*login.question(password)))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; harmless twice."""
        self.socket.close()

    def call(self, *args: Argument) -> Any:
        """Send one command and wait for its reply."""
        (reply,) = self.pipeline(args)
        return reply

    def pipeline(self, *commands: Command) -> list[Any]:
        """Send commands in one piece and wait for all their replies."""
        self._dialogue.demand_nothing_owed()
        deadline = self._deadline()
        self._send(commands, deadline)
        return [self._receive(deadline) for _ in commands]

    def send(self, *args: Argument) -> None:
        """Send one command without waiting; it owes one `receive`."""
        self.send_many([args])

    def send_many(self, commands: Iterable[Command]) -> None:
        """Send commands in one piece without waiting; each owes one `receive`."""
        self._send(commands, self._deadline())

    def receive(self) -> Any:
        """Wait for the next reply."""
        return self._receive(self._deadline())

    def take_pushes(self) -> list[Push]:
        """Give the push messages that came before the last reply, in order; each is given once."""
        return self._dialogue.take_pushes()

    def _deadline(self) -> float:
        return time.perf_counter() + self._timeout_s

    def _send(self, commands: Iterable[Command], deadline: float) -> None:
        data = self._dialogue.ask(commands)
        self._set_timeout(deadline)
        self.socket.sendall(data)

    def _receive(self, deadline: float) -> Any:
        while (reply := self._dialogue.next_reply()) is NEED_DATA:
            self._set_timeout(deadline)
            self._dialogue.receive(self.socket.recv(_RECEIVE_BYTES))
        return reply

    def _set_timeout(self, deadline: float) -> None:
        left_s = deadline - time.perf_counter()
        if left_s <= 0:  # a time-out of 0 would make the socket non-blocking, with a different error
            raise TimeoutError(f"{self.address}: no reply within {self._timeout_s:g} s")
        self.socket.settimeout(left_s)
