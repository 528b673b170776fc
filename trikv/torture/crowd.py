"""Clients in parallel: each asks, waits, notes the answer, and connects again when it was disconnected."""

from collections.abc import Callable
from typing import Any, Final

import trio

from trikv.client.dial import dial
from trikv.client.endpoint import Address
from trikv.client.errors import Refused
from trikv.client.on_trio import TrioClient
from trikv.sim.history import Args
from trikv.torture.evidence import Evidence
from trikv.torture.workload import Draw, Groups, Step

THINK_S: Final = 0.005
"""Mean pause between two steps of a client: sixteen of them then ask at most about 3,000 times per second."""
RECONNECT_S: Final = 0.05
WAIT_MS: Final = 1000
FINISH_S: Final = 20.0
"""Longer than a node may take to answer."""

Where = Callable[[int, int], Address]
"""Takes the client's number and its attempt; returns the address to connect to."""


class Crowd:
    """All clients of one run."""

    def __init__(
        self,
        evidence: Evidence,
        where: Where,
        *,
        clients: int,
        seed: int,
        password: bytes | None = None,
        replicas: int = 0,
    ) -> None:
        """`replicas`: a write counts as acknowledged once WAIT says that this many have it; 0: no WAIT."""
        self._evidence = evidence
        self._where = where
        self._password = password
        self._replicas = replicas
        self._groups = Groups(evidence.prefix)
        self._draws = [Draw(number, seed, evidence, self._groups) for number in range(clients)]
        self._attempts = [0] * clients
        self._stopping = False

    async def work(self) -> None:
        """Ask until cancelled, or until `finish` was called and all have their answers."""
        self._stopping = False
        async with trio.open_nursery() as nursery:
            for client in range(len(self._draws)):
                nursery.start_soon(self._live, client)

    def finish(self) -> None:
        """Let every client end after the answer that it waits for."""
        self._stopping = True

    async def _live(self, client: int) -> None:
        while not self._stopping:
            try:
                address = self._where(client, self._attempts[client])
                async with await dial(address, password=self._password) as link:
                    while self._stays(client, address):
                        await self._ask(client, link)
                        await trio.sleep(self._draws[client].pause_s(THINK_S))
            except (OSError, Refused):
                self._attempts[client] += 1
                await trio.sleep(RECONNECT_S)

    def _stays(self, client: int, address: Address) -> bool:
        """Whether a client may stay at its node: if the leader has moved, it changes at once."""
        return not self._stopping and self._where(client, self._attempts[client]) == address

    async def _ask(self, client: int, link: TrioClient) -> None:
        step = self._draws[client].step()
        if step.unique is not None:
            self._evidence.begin_unique(step.unique)
            replies, vouched = await self._send(link, step)
            self._evidence.end_unique(step.unique, replies, trio.current_time(), vouched=vouched)
            return
        operation = self._evidence.begin(client, step.commands, is_transaction=step.is_transaction)
        if step.counter is not None:
            self._evidence.counters.setdefault(step.counter, []).append(operation)
        if step.group is not None:
            self._evidence.groups.setdefault(step.group, []).append(operation)
        replies, vouched = await self._send(link, step)
        self._evidence.end(operation, replies, writes=step.writes, vouched=vouched)
        if step.group is not None and operation.is_ambiguous:
            self._groups.unknown(step.group)

    async def _send(self, link: TrioClient, step: Step) -> tuple[list[Any], bool]:
        """The replies, and whether enough replicas have the write. Raises OSError."""
        waits = step.writes and self._replicas > 0
        commands: list[Args] = step.on_the_wire()
        if waits:
            commands.append((b"WAIT", b"%d" % self._replicas, b"%d" % WAIT_MS))
        try:
            replies = await link.pipeline(*commands)
        except OSError:
            self._evidence.broken()
            if step.group is not None:
                self._groups.unknown(step.group)
            raise
        if not waits:
            return replies, True
        *replies, held = replies
        return replies, isinstance(held, int) and held >= self._replicas
