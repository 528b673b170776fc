"""Whole nodes whose disks are full or fail: nothing acknowledged is lost, nothing hangs."""

import errno

import pytest
import trio

from tests.node.counting import THINK_S, Counting, others, until
from tests.node.simcluster import Client, SimCluster, run_cluster


def fill_up(cluster: SimCluster, number: int) -> None:
    """Leave a node's disk no room for another segment."""
    volume = cluster.world.machine(f"node{number}").volume
    volume.capacity_bytes = volume.used_bytes()


def make_room(cluster: SimCluster, number: int) -> None:
    """The operator has deleted something."""
    cluster.world.machine(f"node{number}").volume.capacity_bytes = None


async def write_much(client: Client, keys: range) -> None:
    """More than two segments of the log."""
    for number in keys:
        assert await client.call("SET", f"big{number}", "x" * 20_000) == b"OK"
        await trio.sleep(THINK_S)


def test_full_disk_of_a_follower_is_no_outage_and_no_loss() -> None:
    """The cluster serves on two disks; when there is room again, the third catches up by itself."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        full = others(cluster, leader)[0]
        client = await cluster.connect(leader)
        await write_much(client, range(5))
        fill_up(cluster, full)
        await write_much(client, range(5, 45))
        held = cluster.parts(full).raft.durable_index
        assert held < cluster.parts(leader).raft.commit, "it has stopped acknowledging"
        info = await (await cluster.connect(full)).call("INFO", "persistence")
        assert b"aof_last_write_status:err" in info
        assert await (await cluster.connect(full)).call("STRLEN", "big44") == 20_000, "it serves reads"
        make_room(cluster, full)
        await until(lambda: cluster.parts(full).raft.durable_index >= cluster.parts(leader).raft.commit)
        assert await (await cluster.connect(full)).call("DBSIZE") == 45
        await cluster.converged()

    run_cluster(scenario)


def test_leader_with_a_full_disk_hands_over() -> None:
    """Clients of the others see no error; its own are sent away, safely, until there is room again."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        full = await cluster.leader()
        client = await cluster.connect(full)
        await write_much(client, range(5))
        counting = [Counting(cluster, n) for n in (1, 2, 3)]
        async with trio.open_nursery() as nursery:
            for one in counting:
                nursery.start_soon(one.run)
            fill_up(cluster, full)
            elsewhere = await cluster.connect(others(cluster, full)[0])
            await write_much(elsewhere, range(5, 30))
            assert await cluster.leader() != full
            make_room(cluster, full)
            await until(lambda: cluster.parts(full).raft.durable_index >= cluster.parts(full).raft.last_index)
            await trio.sleep(4)  # beyond the deadline of the write that met the full disk
            nursery.cancel_scope.cancel()
        assert await client.call("EXISTS", *(f"big{n}" for n in range(30))) == 30
        for number, one in zip((1, 2, 3), counting, strict=True):
            await one.check(client)
            assert one.unknown <= int(number == full)
            assert (one.refused > 5) == (number == full)
        await cluster.converged()

    run_cluster(scenario, command_deadline_ms=3000)


@pytest.mark.parametrize(
    ("code", "lack"),
    [
        (errno.EMFILE, "this process has no more files to open (ulimit -n)"),
        (errno.ENOMEM, "the system has no more memory"),
        (errno.EAGAIN, "Resource temporarily unavailable"),
    ],
)
def test_a_node_without_descriptors_or_threads_goes_on(code: int, lack: str) -> None:
    """No file can be opened: its writes, backups and saves are refused and say why; then all goes on."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        poor = await cluster.leader()
        client = await cluster.connect(poor)
        await write_much(client, range(5))
        failing = cluster.world.machine(f"node{poor}").disk_traits.broken
        failing["create"] = code
        elsewhere = await cluster.connect(others(cluster, poor)[0])
        await write_much(elsewhere, range(5, 45))
        assert await cluster.leader() != poor
        assert str(await client.call("SET", "refused", "x")) == (
            f"CLUSTERDOWN this node cannot write: {lack}; the command was not executed, use another node"
        )
        assert await client.call("PING") == b"PONG"
        del failing["create"]
        await until(lambda: cluster.parts(poor).raft.durable_index >= cluster.parts(poor).raft.last_index)
        failing["create"] = failing["open"] = failing["names"] = code
        for command in ("BACKUP", "SAVE"):
            assert str(await client.call(command)).startswith(f"ERR could not write: {lack}: no room for ")
        del failing["create"]
        for command in ("BACKUP", "SAVE"):  # done, though old files cannot be looked for
            assert not isinstance(await client.call(command), Exception)
        failing.clear()
        assert await client.call("SET", "taken", "x") == b"OK"
        assert await client.call("DBSIZE") == 46
        await cluster.converged()

    run_cluster(scenario)


def test_reads_on_a_full_disk_are_answered_or_refused_in_time() -> None:
    """A node that cannot store the new term may lag behind what a quorum confirms: it never hangs."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        full = await cluster.leader()
        client = await cluster.connect(full)
        await write_much(client, range(5))
        fill_up(cluster, full)
        elsewhere = await cluster.connect(others(cluster, full)[0])
        await write_much(elsewhere, range(5, 30))
        with trio.fail_after(25):
            reply = await client.call("STRLEN", "big29")
        assert reply == 20_000 or str(reply).startswith("CLUSTERDOWN")
        cluster.nodes[full].stop()
        with trio.fail_after(15):
            await until(lambda: full not in set(cluster.running()))
        make_room(cluster, full)
        cluster.start(full)
        assert await (await cluster.connect(full)).call("STRLEN", "big29") == 20_000
        await cluster.converged()

    run_cluster(scenario)


def test_failing_sync_stops_that_node_only() -> None:
    """EIO is never retried: the node ends with that error, the others go on, and it may be restarted."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        broken = await cluster.leader()
        cluster.doomed[broken] = []
        healthy = others(cluster, broken)
        counting = [Counting(cluster, n) for n in healthy]
        async with trio.open_nursery() as nursery:
            for one in counting:
                nursery.start_soon(one.run)
            await trio.sleep(1)
            cluster.world.machine(f"node{broken}").disk_traits.fail("sync", errno.EIO)
            await until(lambda: broken not in set(cluster.running()))
            assert "Input/output error" in repr(cluster.doomed[broken])
            before = sum(one.acked for one in counting)
            await trio.sleep(3)
            assert sum(one.acked for one in counting) > before + 20
            nursery.cancel_scope.cancel()
        assert all(one.unknown == one.refused == 0 for one in counting)
        del cluster.doomed[broken]
        cluster.start(broken)
        client = await cluster.connect(broken)
        for one in counting:
            await one.check(client)
        await cluster.converged()

    run_cluster(scenario)
