"""The first files of a disk, and another's files: after any crash a start that is right, or a refusal."""

import json
from collections.abc import Callable

import pytest
import trio

from tests.node.looking import SNAPSHOTS, members_of, names, restart, until, until_written
from tests.node.puppet import identity_of
from tests.node.simcluster import SimCluster, run_cluster
from trikv.sim.volume import Added, Inode, Keep, Removed

STEPS_MAX = 60
"""More operations of the disk than a start has."""


def put(cluster: SimCluster, number: int, path: str, data: bytes) -> None:
    """An operator's hand: a file of that content, durable."""
    volume = cluster.world.machine(f"node{number}").volume
    inode = Inode()
    inode.write(0, data)
    volume.change(Added(path, inode))
    volume.settle()


def lose_log(cluster: SimCluster, number: int) -> None:
    """The same hand: all segments are gone."""
    volume = cluster.world.machine(f"node{number}").volume
    for path in names(cluster, number, "wal/"):
        volume.change(Removed(path))
    volume.settle()


async def refusal(cluster: SimCluster, number: int) -> str:
    """Start a node that must not start; what it says."""
    errors = cluster.doomed[number] = []
    cluster.start(number)
    with trio.fail_after(10):
        await until(lambda: errors)
    return repr(errors)


async def serves(cluster: SimCluster, number: int, key: str) -> None:
    """It takes a write, and has it in its next life."""
    client = await cluster.connect(number)
    await until_written(client, key, "v", within_s=30)


def cut_at(step: int, number: int, keep: Keep, then: Callable[[SimCluster], object], **settings: int) -> bool:
    """Cut a node's power at that operation of its first disk; what comes then. False: it had fewer."""
    tripped: list[bool] = []

    async def scenario(cluster: SimCluster) -> None:
        def trip() -> None:
            tripped.append(True)
            cluster.lose_power(number, keep=keep)

        wire = cluster.world.machine(f"node{number}").after(step, "disk", trip)
        cluster.start()
        with trio.move_on_after(3):
            await until(lambda: tripped)
        cluster.world.machine(f"node{number}").disarm(wire)
        if tripped:
            await restart(cluster, number)
            await then(cluster)  # type: ignore[misc]

    run_cluster(scenario, **settings)
    return bool(tripped)


@pytest.mark.parametrize("keep", [Keep.NONE, Keep.ALL])
def test_a_power_cut_at_any_step_of_a_first_start_is_made_good_by_the_next(keep: Keep) -> None:
    """It starts, serves, and is the same disk from then on, of a cluster that its identity names."""

    async def then(cluster: SimCluster) -> None:
        await serves(cluster, 1, "k")
        disk, cluster_id = identity_of(cluster, 1)
        cluster.lose_power(1, keep=Keep.NONE)
        await restart(cluster, 1)
        assert await (await cluster.connect(1)).call("GET", "k") == b"v"
        assert identity_of(cluster, 1) == (disk, cluster_id)

    steps = next(step for step in range(1, STEPS_MAX) if not cut_at(step, 1, keep, then, count=1))
    assert steps > 15


@pytest.mark.parametrize("number", [1, 3])
def test_a_power_cut_at_any_step_of_a_first_start_costs_a_cluster_nothing(number: int) -> None:
    """Be it the founder's or another's: one cluster comes of it, of those three disks, all of them voters."""

    async def then(cluster: SimCluster) -> None:
        for one in (1, 2, 3):
            await serves(cluster, one, f"k{one}")
        await cluster.converged()
        disks = {one: identity_of(cluster, one) for one in (1, 2, 3)}
        assert len({cluster_id for _, cluster_id in disks.values()}) == 1
        members = members_of(cluster.parts(await cluster.leader()).raft.membership)
        assert members == [(one, disks[one][0].hex(), True) for one in (1, 2, 3)]

    steps = [step for step in range(1, 25, 3) if cut_at(step, number, Keep.SOME, then)]
    assert len(steps) == 8


def test_a_log_that_was_lost_is_noticed_from_the_first_day() -> None:
    """A disk that has been of a cluster says so, and votes in it no more once it has forgotten its votes."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        cluster.kill(2)
        lose_log(cluster, 2)
        assert "its log is gone" in await refusal(cluster, 2)

    run_cluster(scenario)


def test_an_identity_of_another_disk_is_refused() -> None:
    """Somebody has copied a file: under that name another disk's votes were given."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        cluster.kill(1, 2)
        put(cluster, 1, "identity.json", cluster.file(2, "identity.json"))
        assert "it names node 2, and the log beside it node 1" in await refusal(cluster, 1)
        document = json.loads(cluster.file(2, "identity.json"))
        document["disk"] = "00" * 16
        put(cluster, 2, "identity.json", json.dumps(document).encode())
        assert "it names another node, disk or cluster than the log" in await refusal(cluster, 2)

    run_cluster(scenario)


def test_a_snapshot_of_another_cluster_or_another_index_is_refused() -> None:
    """A node never starts from a state that is not its own."""
    strangers: list[tuple[str, bytes]] = []

    async def other(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        for number in range(50):
            assert await client.call("SET", "k", number) == b"OK"
        assert await client.call("SAVE") == b"OK"
        (path,) = names(cluster, 1, SNAPSHOTS)
        strangers.append((path, cluster.file(1, path)))

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        assert await client.call("SET", "k", "own") == b"OK"
        assert await client.call("SAVE") == b"OK"
        cluster.kill(1)
        volume = cluster.world.machine("node1").volume
        ((path, data),) = strangers
        put(cluster, 1, path, data)
        assert "the snapshot belongs to another cluster" in await refusal(cluster, 1)
        volume.change(Removed(path))
        (own,) = names(cluster, 1, SNAPSHOTS)
        put(cluster, 1, path, cluster.file(1, own))
        assert "its header names another index" in await refusal(cluster, 1)
        volume.change(Removed(path))
        del cluster.doomed[1]
        await restart(cluster, 1)
        assert await (await cluster.connect(1)).call("GET", "k") == b"own"

    run_cluster(other, seed=2, count=1)
    run_cluster(scenario, seed=1, count=1)
