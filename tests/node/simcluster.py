"""A cluster of real nodes in a simulated world, for whole-node tests under virtual time."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import trio

from trikv.client.on_trio import TrioClient
from trikv.config import NodeConfig
from trikv.node.assembly import SHIPPED, Ports
from trikv.node.node import Node
from trikv.node.state.loading import Document
from trikv.raft.roles import Role
from trikv.sim.determinism import simulate
from trikv.sim.host import SimHost
from trikv.sim.volume import Keep, Volume
from trikv.sim.world import SimWorld

PORT = 8080
SECRET = b"the secret of the tests, long enough"


class Client(TrioClient):
    """A connection to one node, that can also type."""

    async def line(self, text: str) -> str:
        """Type a line, read until the answer's end."""
        await self.stream.send_all(text.encode() + b"\r\n")
        return bytes(await self.stream.receive_some(65536)).decode()


class SimCluster:
    """Nodes 1 to `count`; each lives on the machine ``nodeN``."""

    def __init__(
        self,
        nursery: trio.Nursery,
        seed: int,
        count: int = 3,
        document: Document | None = None,
        ports: Ports = SHIPPED,
        **settings: Any,
    ) -> None:
        """`document`: what every node is told to fill an empty cluster from; `ports`: what it is made of."""
        self.world = SimWorld(seed)
        self.nodes: dict[int, Node] = {}
        self.doomed: dict[int, list[Exception]] = {}
        """Nodes that are expected to fail, and what they raised; another node's error fails the test."""
        self._nursery = nursery
        self._settings = settings
        self._document = document
        self._ports = ports
        self._ids = range(1, count + 1)

    def start(self, *numbers: int, **settings: Any) -> None:
        """Boot these nodes (all, where none is named)."""
        for number in numbers or self._ids:
            self._nursery.start_soon(self._live, number, settings)

    async def _live(self, number: int, settings: dict[str, Any]) -> None:
        try:
            await self.world.machine(f"node{number}").run(self._main(number, settings))
        except* Exception as group:
            if number not in self.doomed:
                raise
            self.doomed[number].extend(group.exceptions)

    def _main(self, number: int, settings: dict[str, Any]) -> Callable[[SimHost], Awaitable[None]]:
        peers = {n: f"node{n}:{PORT + 10000}" for n in self._ids} if len(self._ids) > 1 else {}
        chosen = {
            "node_id": number,
            "listen": f"node{number}",
            "port": PORT,
            "peer_port": PORT + 10000,
            "peers": peers,
            "segment_bytes": 256 << 10,
            **self._settings,
            **settings,
        }
        config = NodeConfig(**chosen)

        async def main(host: SimHost) -> None:
            node = self.nodes[number] = Node(config, host, SECRET, self._document, ports=self._ports)
            await node.run()

        return main

    def stand_in(self, number: int, main: Callable[[SimHost], Awaitable[None]]) -> None:
        """Let something else than a node live on a node's machine, until that is killed."""
        self._nursery.start_soon(self.world.machine(f"node{number}").run, main)

    def fill_from(self, document: Document) -> None:
        """What nodes that are started from now on are told to fill an empty cluster from."""
        self._document = document

    def kill(self, *numbers: int) -> None:
        """``kill -9``."""
        for number in numbers:
            self.world.machine(f"node{number}").kill()

    def lose_power(self, *numbers: int, keep: Keep = Keep.SOME) -> None:
        """Pull the plugs."""
        for number in numbers:
            self.world.machine(f"node{number}").lose_power(keep)

    def wipe(self, number: int) -> None:
        """Put a blank disk into a machine that is off."""
        machine = self.world.machine(f"node{number}")
        machine.volume = Volume(self.world.stream_of(f"blank disk {number}"))

    def file(self, number: int, path: str) -> bytes:
        """A file of a node's data directory, as its page cache has it."""
        inode = self.world.machine(f"node{number}").volume.names[path]
        assert inode is not None
        return bytes(inode.cache)

    def running(self) -> Iterator[int]:
        """The nodes whose process lives."""
        return (n for n in self._ids if self.world.machine(f"node{n}").is_running)

    def isolate(self, number: int, *, cut: bool = True) -> None:
        """Cut (or mend) a node's cables to its peers; its clients stay attached."""
        for other in self._ids:
            if other != number:
                change = self.world.fabric.cut if cut else self.world.fabric.heal
                change(f"node{number}", f"node{other}")

    def parts(self, number: int) -> Any:
        """The inside of a running node that has joined its cluster; None before."""
        return self.nodes[number].parts

    async def leader(self) -> int:
        """Wait for a leader that a majority follows, and name it."""
        while True:
            live = [n for n in self.running() if n in self.nodes and self.parts(n) is not None]
            for number in live:
                raft = self.parts(number).raft
                followers = [n for n in live if self.parts(n).raft.leader == number]
                if raft.role is Role.LEADER and 2 * len(followers) > len(self._ids):
                    return number
            await trio.sleep(0.01)

    async def connect(self, number: int) -> Client:
        """A client of node `number`; waits until it listens."""
        while True:
            try:
                return Client(await self.world.connect(f"node{number}:{PORT}"), f"node{number}")
            except OSError:
                await trio.sleep(0.05)

    async def converged(self) -> str:
        """Wait until all nodes have applied the same log, then demand equal states; the digest."""
        while True:
            appliers = [self.parts(n).applier for n in self._ids if self.parts(n) is not None]
            positions = {applier.position.index for applier in appliers}
            is_whole = all(applier.inside is None for applier in appliers)
            if len(appliers) == len(self._ids) and len(positions) == 1 and is_whole:
                digests: set[str] = {applier.machine.digest() for applier in appliers}
                assert len(digests) == 1, "replicas at one index hold one state"
                for applier in appliers:
                    assert applier.machine.recount() == applier.machine.used_memory
                return digests.pop()
            await trio.sleep(0.05)


def run_cluster(
    scenario: Callable[[SimCluster], Awaitable[None]], *, seed: int = 1, limit_s: float = 300, **settings: Any
) -> None:
    """Run `scenario` against a cluster (not yet started) within `limit_s` virtual seconds."""

    async def main() -> None:
        with trio.fail_after(limit_s):
            async with trio.open_nursery() as nursery:
                cluster = SimCluster(nursery, seed, **settings)
                await scenario(cluster)
                cluster.kill(*cluster.running())
                nursery.cancel_scope.cancel()

    simulate(seed, main)
