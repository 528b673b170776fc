"""Whole nodes on the simulated host: what a cluster promises, in virtual time."""

import json
from typing import Any

import pytest
import trio

from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.client.replies import ErrorReply
from trikv.errors import first_line
from trikv.machine import features

THINK_S = 0.04
"""Between a client's commands: what is tested is the faults, not how much a closed loop can push."""


def test_single_node_founds_itself_and_serves() -> None:
    """A node without peers is a cluster of its own at once."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        await cluster.leader()
        assert await client.call("SET", "k", "v") == b"OK"
        assert await client.call("GET", "k") == b"v"
        assert await client.call("INCR", "n") == 1

    run_cluster(scenario, count=1)


def test_three_blank_disks_found_one_cluster_and_any_node_serves() -> None:
    """Writes and linearizable reads on every node, leader or follower."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        clients = [await cluster.connect(n) for n in (1, 2, 3)]
        for number, client in enumerate(clients):
            assert await client.call("SET", f"k{number}", f"v{number}") == b"OK"
            for other in clients:
                assert await other.call("GET", f"k{number}") == f"v{number}".encode()
        clusters = {cluster.parts(n).identity.cluster for n in (1, 2, 3)}
        assert len(clusters) == 1
        await cluster.converged()

    run_cluster(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_increments_survive_leader_kills_exactly_once(seed: int) -> None:
    """Clients of surviving nodes see neither an error nor a double write, whoever leads when it dies."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        acked = dict.fromkeys((1, 2, 3), 0)
        unknown = 0
        async with trio.open_nursery() as nursery:

            async def increment(number: int) -> None:
                nonlocal unknown
                client = await cluster.connect(number)
                while True:
                    try:
                        reply = await client.call("INCR", "counter")
                    except OSError:
                        unknown += 1
                        client = await cluster.connect(number)
                    else:
                        assert isinstance(reply, int), reply
                        acked[number] += 1
                    await trio.sleep(THINK_S)

            for number in (1, 2, 3, 1, 2, 3):
                nursery.start_soon(increment, number)
            for _ in range(3):
                await trio.sleep(1)
                victim = await cluster.leader()
                cluster.kill(victim)
                await cluster.leader()
                await trio.sleep(0.3)
                cluster.start(victim)
                await trio.sleep(1)
            nursery.cancel_scope.cancel()
        await cluster.leader()
        total = int(await (await cluster.connect(1)).call("GET", "counter"))
        assert sum(acked.values()) > 100
        assert sum(acked.values()) <= total <= sum(acked.values()) + unknown + 6
        await cluster.converged()

    run_cluster(scenario, seed=seed)


def test_power_loss_of_all_nodes_keeps_every_acknowledged_write() -> None:
    """Everything that was answered OK is there after all three lost power under load."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        acked: list[str] = []

        async def write(number: int) -> None:
            client = await cluster.connect(number)
            for count in range(10_000):
                key = f"{number}:{count}"
                try:
                    if await client.call("SET", key, count) == b"OK":
                        acked.append(key)
                except OSError:
                    return
                await trio.sleep(THINK_S)

        async with trio.open_nursery() as nursery:
            for number in (1, 2, 3):
                nursery.start_soon(write, number)
            await trio.sleep(1.5)
            cluster.lose_power(1, 2, 3)
            nursery.cancel_scope.cancel()
        await trio.sleep(1)
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(2)
        assert len(acked) > 50
        values = await client.call("MGET", *acked)
        assert values == [key.partition(":")[2].encode() for key in acked]

    run_cluster(scenario)


def test_isolated_leader_answers_neither_reads_nor_writes() -> None:
    """A deposed leader whose clients stay attached never serves a stale value: CLUSTERDOWN or the truth."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        old = await cluster.leader()
        stuck = await cluster.connect(old)
        assert await stuck.call("SET", "k", "old") == b"OK"
        cluster.isolate(old)
        replies: list[Any] = []

        async def ask(*args: str) -> None:
            replies.append(await (await cluster.connect(old)).call(*args))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "GET", "k")
            nursery.start_soon(ask, "SET", "lost", "1")
            await trio.sleep(2)
            other = next(n for n in (1, 2, 3) if n != old)
            client = await cluster.connect(other)
            assert await client.call("SET", "k", "new") == b"OK"
        texts = sorted(str(reply) for reply in replies)
        assert [text.split()[0] for text in texts] == ["CLUSTERDOWN", "INDETERMINATE"]
        cluster.isolate(old, cut=False)
        assert await stuck.call("GET", "k") == b"new"
        await cluster.converged()

    run_cluster(scenario)


def test_follower_far_behind_is_brought_up_by_a_snapshot() -> None:
    """A node that missed more than the leader keeps in memory installs a snapshot and then follows."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        behind = next(n for n in (1, 2, 3) if n != leader)
        cluster.kill(behind)
        client = await cluster.connect(leader)
        for number in range(60):
            assert await client.call("SET", f"k{number % 20}", "x" * 10_000) == b"OK"
            await trio.sleep(0.1)
        cluster.start(behind)
        reader = await cluster.connect(behind)
        assert await reader.call("STRLEN", "k7") == 10_000
        assert cluster.parts(behind).snapshotter.newest is not None
        await cluster.converged()

    run_cluster(
        scenario,
        snapshot_log_bytes=64 << 10,
        log_tail_bytes=32 << 10,
        log_follower_bytes=64 << 10,
    )


def test_blank_disk_under_a_known_id_is_swapped_in() -> None:
    """The disk that forgot its vote comes back as a learner and is promoted by committed changes."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        client = await cluster.connect(leader)
        assert await client.call("SET", "k", "v") == b"OK"
        victim = next(n for n in (1, 2, 3) if n != leader)
        before = cluster.parts(victim).identity.disk
        cluster.kill(victim)
        cluster.wipe(victim)
        cluster.start(victim)
        while True:
            await trio.sleep(0.2)
            members = {m.id: m for m in cluster.parts(leader).raft.membership.members}
            if victim in members and members[victim].disk != before and members[victim].voter:
                break
        swapped = await cluster.connect(victim)
        assert await swapped.call("GET", "k") == b"v"
        begun = trio.current_time()
        assert await swapped.call("SET", "k", "by the new disk") == b"OK"
        assert trio.current_time() - begun < 2, "its proposals were not disowned with the old disk's row"
        await cluster.converged()

    run_cluster(scenario)


def test_keys_expire_by_log_time_on_every_node() -> None:
    """A key is gone everywhere within 20 ms of its deadline, reaped by the log, not by a reader."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        await client.call("SET", "k", "v", "PX", 500)
        await client.call("SET", "stays", "v")
        assert 0 < await client.call("PTTL", "k") <= 500
        await trio.sleep(0.53)
        for number in (1, 2, 3):
            assert await (await cluster.connect(number)).call("DBSIZE") == 1
        await cluster.converged()

    run_cluster(scenario)


def test_cap_is_decided_in_the_log() -> None:
    """OOM on every node alike, whatever its own file says; deletes make room."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1, maxmemory=200_000)
        cluster.start(2, maxmemory=200_000)
        cluster.start(3, maxmemory=200_000)
        await cluster.leader()
        client = await cluster.connect(3)
        stored = 0
        while not isinstance(reply := await client.call("SET", f"k{stored}", "x" * 1000), ErrorReply):
            stored += 1
        assert str(reply).startswith("OOM command not allowed")
        assert 100 < stored < 200
        assert await client.call("DEL", "k0", "k1") == 2
        assert await client.call("SET", "new", "x" * 1000) == b"OK"
        await cluster.converged()

    run_cluster(scenario)


async def _stopped(cluster: SimCluster, number: int) -> None:
    while cluster.world.machine(f"node{number}").is_running:  # noqa: ASYNC110 - virtual time costs nothing
        await trio.sleep(0.01)


def _dump(cluster: SimCluster, number: int) -> dict[str, Any]:
    document = json.loads(cluster.file(number, "dump.json"))
    assert isinstance(document, dict)
    return document


def test_stopping_all_nodes_dumps_every_acknowledged_write() -> None:
    """Each node's dump is complete: at or past every write that was acknowledged anywhere."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        clients = [await cluster.connect(n) for n in (1, 2, 3)]
        for count in range(30):
            assert await clients[count % 3].call("SET", f"k{count}", count) == b"OK"
        for number in (1, 2, 3):
            cluster.nodes[number].stop()
        with trio.fail_after(10):
            for number in (1, 2, 3):
                await _stopped(cluster, number)
        for number in (1, 2, 3):
            document = _dump(cluster, number)
            assert document["node"]["complete"] is True
            assert {row["k"]: row["v"] for row in document["keys"]} == {f"k{n}": str(n) for n in range(30)}

    run_cluster(scenario)


def test_typed_clients_are_warned_before_the_node_stops() -> None:
    """A ``#`` line reaches a person at the prompt before the connection closes."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        typist = await cluster.connect(2)
        assert await typist.line("set greeting hello") == "OK\r\n"
        cluster.nodes[2].stop()
        heard = b""
        while data := await typist.stream.receive_some(4096):
            heard += data
        assert heard.startswith(b"# ")
        assert b"shutting down" in heard
        await _stopped(cluster, 2)

    run_cluster(scenario)


def test_stopping_leader_hands_over_first() -> None:
    """Clients of the others wait far less than an election timeout when the leader is stopped."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        old = await cluster.leader()
        client: Client = await cluster.connect(next(n for n in (1, 2, 3) if n != old))
        cluster.nodes[old].stop()
        worst = 0.0
        while cluster.world.machine(f"node{old}").is_running:
            begun = trio.current_time()
            assert isinstance(await client.call("INCR", "n"), int)
            worst = max(worst, trio.current_time() - begun)
            await trio.sleep(0.005)
        assert worst < 0.3
        assert await cluster.leader() != old

    run_cluster(scenario)


def test_a_node_that_does_not_know_the_clusters_rules_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older release in a newer cluster says so in one line, and never disagrees about an entry."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        await (await cluster.connect(1)).call("SET", "a", 1)
        await cluster.converged()
        cluster.kill(3)
        level = features.FEATURE_LEVEL
        monkeypatch.setattr(features, "FEATURE_LEVEL", level - 1)
        cluster.doomed[3] = []
        cluster.start(3)
        with trio.fail_after(60):
            while not cluster.doomed[3]:  # noqa: ASYNC110 - virtual time
                await trio.sleep(0.1)
        assert f"feature level {level} and this release knows {level - 1}" in first_line(cluster.doomed[3][0])
        assert await (await cluster.connect(1)).call("GET", "a") == b"1"

    run_cluster(scenario)
