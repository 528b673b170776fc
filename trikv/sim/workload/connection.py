"""A client's connection: bytes, answers in order, and what the client takes it for."""

from typing import Any

import hiredis

from trikv.protocol.resp import encode_command
from trikv.sim.history import Args
from trikv.sim.stream import SimStream
from trikv.sim.workload.requests import Belief


class Connection:
    """A RESP connection whose steps are counted."""

    def __init__(self, stream: SimStream, name: str, node: int) -> None:
        self.stream = stream
        self.name = name
        self.belief = Belief(node)
        self.steps = 0
        """Steps for the machine that were sent."""
        self._reader = hiredis.Reader()
        self._is_silent = True
        """Nothing was received yet."""

    async def send(self, commands: list[Args]) -> None:
        """Send all of it in one piece."""
        await self.stream.send_all(b"".join([encode_command(list(command)) for command in commands]))

    async def replies(self, count: int) -> list[Any]:
        """The next `count` replies. EOFError at the end."""
        found: list[Any] = []
        while len(found) < count:
            reply = self._reader.gets()
            if reply is False:
                data = await self.stream.receive_some(65536)
                if not data or (self._is_silent and data.startswith(b"#")):
                    raise EOFError  # the node ends what it takes for a person's, before it has heard a word
                self._is_silent = False
                self._reader.feed(bytes(data))
            elif not isinstance(reply, hiredis.PushNotification):  # a node that stops says so out of turn
                found.append(reply)
        return found
