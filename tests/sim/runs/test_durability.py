"""Whose platters count for an acknowledgement: those that hold the entry, and those lost that held it."""

from collections.abc import Awaitable, Callable

import trio

from trikv.client.on_trio import TrioClient
from trikv.node.node import Node
from trikv.raft.core import Raft
from trikv.raft.types import DiskId, SnapshotMeta
from trikv.sim.checkers.durability import Durability
from trikv.sim.cluster import Cluster
from trikv.sim.determinism import simulate
from trikv.sim.host import SimHost
from trikv.sim.knobs import Knobs
from trikv.sim.losses import Losses
from trikv.sim.marks import Marks
from trikv.sim.run import SECRET
from trikv.sim.world import SimWorld

KNOBS = Knobs(nodes=3)
Lost = Callable[[int, int], list[DiskId]]


class Bench:
    """Three nodes, their losses, and a checker that looks at each acknowledgement."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.world = SimWorld(1)
        self.cluster = Cluster(nursery, self.world, KNOBS.nodes, self._node, self._crashed)
        self.losses = Losses(self.cluster, KNOBS.wal(), Marks(), lambda _: None)

    def _node(self, number: int, host: SimHost) -> Node:
        return Node(KNOBS.config(number), host, SECRET)

    def _crashed(self, number: int, error: BaseException) -> None:
        raise AssertionError(f"node {number}") from error

    def raft(self, number: int) -> Raft:
        """The core of a running node."""
        parts = self.cluster.parts(number)
        assert parts is not None
        return parts.raft

    def isolate(self, number: int) -> None:
        """Cut a node's cables to its peers."""
        for other in self.cluster.ids:
            if other != number:
                self.world.fabric.cut(f"node{number}", f"node{other}")

    def lose(self, number: int) -> None:
        """Lose a disk with all that it holds, within the budget. The node stays off."""
        assert self.losses.take(number)
        self.cluster.hold(number)
        self.cluster.lose_power(number)
        self.cluster.wipe(number)

    def told(self, number: int, index: int, raft: Raft, lost: Lost | None = None) -> list[str]:
        """What a checker says if node `number` now tells a client that the entry at `index` is kept."""
        failures: list[str] = []
        checker = Durability(
            lambda: [self.cluster.machine(number).volume for number in self.cluster.ids],
            KNOBS.wal(),
            lambda _, text: failures.append(text),
            every=1,
            lost=lost or self.losses.lost,
        )
        checker.acked(number, SnapshotMeta(index, raft.term, raft.membership), raft)
        assert checker.samples == 1
        return failures


def on_a_bench(scenario: Callable[[Bench, int, int, int], Awaitable[None]]) -> None:
    """Run `scenario` with a bench, its leader, a follower, and one that has been cut off from both."""

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                bench = Bench(nursery)
                bench.cluster.start()
                leader = await bench.cluster.elected()
                await trio.sleep(1)
                follower, behind = (number for number in bench.cluster.ids if number != leader)
                bench.isolate(behind)
                await scenario(bench, leader, follower, behind)
                for number in list(bench.cluster.running()):
                    bench.cluster.kill(number)
                nursery.cancel_scope.cancel()

    simulate(1, main)


async def write(bench: Bench, number: int) -> int:
    """Have a write of node `number` acknowledged; the index of its entry."""
    client = TrioClient(await bench.world.connect(f"node{number}:{KNOBS.config(number).port}"), "a node")
    await client.call("SET", "a", "1")
    return bench.raft(number).commit


def test_a_disk_lost_after_the_commit_counts_for_what_it_held() -> None:
    """A node that lags may tell its client when one of the two disks that made the majority is gone."""

    async def scenario(bench: Bench, leader: int, follower: int, _: int) -> None:
        index = await write(bench, leader)
        bench.lose(follower)
        assert bench.told(leader, index, bench.raft(leader)) == []
        assert bench.told(leader, index, bench.raft(leader), lost=lambda _, __: []) == [
            f"node {leader} acknowledged {index}; the platters of 1 node hold it"
        ]

    on_a_bench(scenario)


def test_a_lost_disk_excuses_no_entry_that_it_did_not_hold() -> None:
    """What is appended after the loss needs the platters of a majority of its own."""

    async def scenario(bench: Bench, leader: int, follower: int, _: int) -> None:
        await write(bench, leader)
        bench.lose(follower)
        with trio.move_on_after(0.2):
            await write(bench, leader)
        raft = bench.raft(leader)
        assert raft.durable_index > raft.commit
        assert bench.told(leader, raft.durable_index, raft) == [
            f"node {leader} acknowledged {raft.durable_index}; the platters of 1 node hold it"
        ]

    on_a_bench(scenario)


def test_an_entry_that_only_lost_disks_held_is_lost() -> None:
    """Two disks lost one after the other never excuse that no living one holds an entry."""

    async def scenario(bench: Bench, leader: int, follower: int, behind: int) -> None:
        index = await write(bench, leader)
        raft = bench.raft(leader)
        held = [member.disk for member in raft.membership.members if member.id != behind]
        bench.lose(follower)
        bench.cluster.hold(leader)
        bench.cluster.lose_power(leader)
        bench.cluster.wipe(leader)
        assert bench.told(behind, index, raft, lost=lambda _, __: held) == [
            f"node {behind} acknowledged {index}; the platters of 0 nodes hold it"
        ]

    on_a_bench(scenario)
