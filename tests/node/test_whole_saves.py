"""Whole nodes: SAVE, and what LASTSAVE says after a restart, an install, on a new node."""

import trio

from tests.node.asking import info_of, three_clients
from tests.node.counting import others, until
from tests.node.simcluster import Client, SimCluster, run_cluster

HOUR_MS = 3_600_000


def test_save_and_lastsave() -> None:
    """SAVE returns with a snapshot on disk; LASTSAVE and INFO tell of it; BGSAVE does not wait."""

    async def scenario(cluster: SimCluster) -> None:
        client = (await three_clients(cluster))[2]
        assert abs(await client.call("LASTSAVE") - wall_s(cluster, 3)) <= 2, "a new node says its start"
        await client.call("SET", "k", "v")
        assert await client.call("SAVE") == b"OK"
        saved = await client.call("LASTSAVE")
        assert abs(saved - wall_s(cluster, 3)) <= 2
        first = int((await info_of(client, "persistence"))["snapshot_index"])
        assert first > 0
        await client.call("SET", "k", "w")
        assert await client.call("BGSAVE") == b"Background saving started"
        await trio.sleep(1)
        assert int((await info_of(client, "persistence"))["snapshot_index"]) > first
        names = [
            name for name in cluster.world.machine("node3").volume.names if name.startswith("snapshots/")
        ]
        assert len(names) == 2
        assert all(name.endswith(".json") for name in names)

    run_cluster(scenario)


def wall_s(cluster: SimCluster, number: int) -> int:
    """A node's wall clock."""
    return cluster.world.machine(f"node{number}").clock.wall_ms() // 1000


async def last_save(client: Client) -> int:
    """LASTSAVE, which is also what INFO says."""
    saved = await client.call("LASTSAVE")
    assert (await info_of(client, "persistence"))["rdb_last_save_time"] == str(saved)
    assert isinstance(saved, int)
    return saved


def has_snapshot(cluster: SimCluster, number: int) -> bool:
    """A node has joined, and holds a snapshot."""
    parts = cluster.parts(number)
    return parts is not None and parts.snapshotter.newest is not None


def test_lastsave_survives_a_restart() -> None:
    """It is the time of the snapshot that is there, however long ago; without one, that of the start."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        await client.call("SET", "k", "v")
        await trio.sleep(30)
        await client.call("SAVE")
        saved = await last_save(client)
        assert abs(saved - wall_s(cluster, 1)) <= 1
        await trio.sleep(100)
        assert await last_save(client) == saved
        cluster.kill(1)
        await trio.sleep(1000)
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        assert await last_save(client) == saved
        await client.call("SAVE")  # nothing has changed: the snapshot is as good as one made now
        assert abs(await last_save(client) - wall_s(cluster, 1)) <= 1

    run_cluster(scenario, count=1, limit_s=3000)


def test_lastsave_of_a_node_without_a_snapshot_is_its_start() -> None:
    """Redis says so too; before the node has joined a cluster as well."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1)
        alone = await cluster.connect(1)
        started = wall_s(cluster, 1)
        await trio.sleep(50)
        assert abs(await alone.call("LASTSAVE") - started) <= 1
        cluster.start(2, 3)
        await cluster.leader()
        await trio.sleep(50)
        joined = await last_save(await cluster.connect(1))
        assert started <= joined <= started + 60

    run_cluster(scenario)


def test_lastsave_after_an_install_is_when_the_state_was_saved() -> None:
    """By the leader that sent it; the same before and after this node's next start."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        leader = await cluster.leader()
        behind = others(cluster, leader)[0]
        cluster.kill(behind)
        for number in range(60):
            assert await clients[leader - 1].call("SET", f"k{number % 20}", "x" * 10_000) == b"OK"
            await trio.sleep(0.1)
        saved = await last_save(clients[leader - 1])
        await trio.sleep(200)
        old = cluster.nodes[behind]
        cluster.start(behind)
        await until(lambda: cluster.nodes[behind] is not old and has_snapshot(cluster, behind))
        received = await last_save(await cluster.connect(behind))
        assert saved <= received <= saved + 5, "not when it was received"
        cluster.kill(behind)
        await trio.sleep(100)
        old = cluster.nodes[behind]
        cluster.start(behind)
        await until(lambda: cluster.nodes[behind] is not old and has_snapshot(cluster, behind))
        assert await last_save(await cluster.connect(behind)) == received

    small = {"snapshot_log_bytes": 64 << 10, "log_tail_bytes": 32 << 10, "log_follower_bytes": 64 << 10}
    run_cluster(scenario, limit_s=1000, **small)
