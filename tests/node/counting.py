"""Clients that count what they were told, for whole-node tests."""

from collections.abc import Callable
from typing import Any

import trio

from tests.node.simcluster import Client, SimCluster

THINK_S = 0.05


class Counting:
    """A client of one node that increments a counter of its own and knows what it was told."""

    def __init__(self, cluster: SimCluster, number: int, key: str = "") -> None:
        self.key = key or f"counter{number}"
        self.acked = 0
        self.unknown = 0
        self.refused = 0
        self._cluster = cluster
        self._number = number

    async def run(self) -> None:
        """Increment until cancelled; connect again when the node went away."""
        client = await self._cluster.connect(self._number)
        while True:
            try:
                self._count(await client.call("INCR", self.key))
            except OSError:
                self.unknown += 1
                client = await self._cluster.connect(self._number)
            await trio.sleep(THINK_S)

    def _count(self, reply: Any) -> None:
        if isinstance(reply, int):
            self.acked += 1
        elif str(reply).startswith("INDETERMINATE"):
            self.unknown += 1
        else:
            assert str(reply).startswith("CLUSTERDOWN"), reply
            self.refused += 1

    async def check(self, client: Client) -> None:
        """Each acknowledged increment is there once; what was never acknowledged at most once."""
        value = int(await client.call("GET", self.key) or 0)
        assert self.acked <= value <= self.acked + self.unknown + 1  # one was under way at the end


async def until(holds: Callable[[], Any]) -> None:
    """Wait for something, at the pace of a patient operator."""
    while not holds():  # noqa: ASYNC110 - a test may look
        await trio.sleep(0.02)


def others(cluster: SimCluster, number: int) -> list[int]:
    """The nodes besides this one."""
    return [n for n in cluster.nodes if n != number]
