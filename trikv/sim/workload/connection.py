"""A client's connection: answers in order, and what the client takes it for."""

from collections.abc import Iterable
from typing import Any

from trikv.client.errors import GarbledError
from trikv.client.on_trio import TrioClient
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
        self._client = TrioClient(stream, f"node{node}")

    async def send(self, commands: Iterable[Args]) -> None:
        """Send all of it in one piece. Raises OSError."""
        await self._client.send_many(commands)

    async def replies(self, count: int) -> list[Any]:
        """Wait for the next `count` replies. Raises OSError.

        Push messages are left out: a node that stops says so out of turn. Garbage is no OSError here. Who
        meets one connects again and goes on, but a node that breaks its own protocol is a finding.
        """
        try:
            return [await self._client.receive() for _ in range(count)]
        except GarbledError as error:
            raise AssertionError(f"{self.name}: {error}") from error
