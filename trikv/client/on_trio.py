"""A client over any kind of Trio stream: a socket's (`trikv.client.dial`), or a simulated network's."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import trio

from trikv.client.commands import Argument, Command
from trikv.client.dialogue import REPLY_BYTES_MAX, Dialogue
from trikv.client.replies import NEED_DATA, Push

_RECEIVE_BYTES: Final = 65_536


class TrioClient:
    """A connection to one server. Error replies are returned as `ErrorReply` values, never raised.

    Each method that waits may raise an OSError (`trikv.client.errors`), after which the client is unusable;
    it raises TimeoutError after `timeout_s` seconds. Only `receive` may be cancelled and called again. One
    task at a time may use it.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        server: str,
        *,
        timeout_s: float = math.inf,
        reply_bytes_max: int = REPLY_BYTES_MAX,
    ) -> None:
        """`server` is the name of the other side in errors."""
        self.stream = stream
        """For code that sends its own bytes, or closes the stream in its own way."""
        self._timeout_s = timeout_s
        self._dialogue = Dialogue(server, reply_bytes_max=reply_bytes_max)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close without waiting for anything; harmless twice. Never raises a cancellation of the caller.

        So the rest of a ``finally`` after it is also carried out.
        """
        with trio.CancelScope(shield=True) as at_once:
            at_once.cancel()
            await self.stream.aclose()

    async def call(self, *args: Argument) -> Any:
        """Send one command and wait for its reply."""
        (reply,) = await self.pipeline(args)
        return reply

    async def pipeline(self, *commands: Command) -> list[Any]:
        """Send commands in one piece and wait for all their replies."""
        self._dialogue.demand_nothing_owed()
        with self._in_time():
            await self.stream.send_all(self._dialogue.ask(commands))
            return [await self._receive() for _ in commands]

    async def send(self, *args: Argument) -> None:
        """Send one command without waiting for its reply; it owes one `receive`."""
        await self.send_many([args])

    async def send_many(self, commands: Iterable[Command]) -> None:
        """Send commands in one piece without waiting for replies; each owes one `receive`."""
        with self._in_time():
            await self.stream.send_all(self._dialogue.ask(commands))

    async def receive(self) -> Any:
        """Wait for the next reply."""
        with self._in_time():
            return await self._receive()

    def take_pushes(self) -> list[Push]:
        """Give the push messages that came before the last reply, in order; each is given once."""
        return self._dialogue.take_pushes()

    async def _receive(self) -> Any:
        while (reply := self._dialogue.next_reply()) is NEED_DATA:
            self._dialogue.receive(bytes(await self.stream.receive_some(_RECEIVE_BYTES)))
        return reply

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Turn Trio's exceptions for a lost connection or a time-out into an OSError."""
        try:
            with trio.move_on_after(self._timeout_s) as scope:
                yield
        except trio.BrokenResourceError as error:
            raise ConnectionError(
                f"{self._dialogue.server}: {str(error) or 'the connection broke'}"
            ) from error
        if scope.cancelled_caught:
            raise TimeoutError(f"{self._dialogue.server}: no reply within {self._timeout_s:g} s")
