"""BACKUP, SAVE and BGSAVE hold every write that was acknowledged, anywhere, before they were asked for."""

import json

import pytest
import trio

from tests.node.looking import SNAPSHOTS, founded, names, others, until
from tests.node.simcluster import SimCluster, run_cluster

DIRECTORIES = {"BACKUP": "backups/", "SAVE": SNAPSHOTS, "BGSAVE": SNAPSHOTS}


@pytest.mark.parametrize("command", DIRECTORIES)
def test_a_file_holds_what_was_acknowledged_elsewhere_before_it_was_asked_for(command: str) -> None:
    """A follower that has not heard of the write is asked: the file waits until it has."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        behind = others(cluster, leader)[0]
        cluster.isolate(behind)
        assert await (await cluster.connect(leader)).call("SET", "k", "acknowledged") == b"OK"
        await (await cluster.connect(behind)).send(command)
        await trio.sleep(1)
        assert names(cluster, behind, DIRECTORIES[command]) == []
        cluster.isolate(behind, cut=False)
        await until(lambda: [n for n in names(cluster, behind, DIRECTORIES[command]) if n.endswith(".json")])
        (path,) = names(cluster, behind, DIRECTORIES[command])
        document = json.loads(cluster.file(behind, path))
        assert {row["k"]: row["v"] for row in document["keys"]}["k"] == "acknowledged"

    run_cluster(scenario)


@pytest.mark.parametrize("command", ["BACKUP", "SAVE"])
def test_without_a_majority_there_is_an_error_and_no_file(command: str) -> None:
    """A file that may lack something looks like one that does not; afterwards the next one is made."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        alone = others(cluster, leader)[0]
        cluster.isolate(alone)
        client = await cluster.connect(alone)
        assert str(await client.call(command)).startswith("CLUSTERDOWN")
        assert names(cluster, alone, DIRECTORIES[command]) == []
        cluster.isolate(alone, cut=False)
        await until(lambda: cluster.parts(alone).raft.leader is not None)
        assert not str(await client.call(command)).startswith(("ERR", "CLUSTERDOWN"))
        assert len(names(cluster, alone, DIRECTORIES[command])) == 1

    run_cluster(scenario, command_deadline_ms=1_000)


def test_one_file_at_a_time() -> None:
    """Whoever asks for another meanwhile is told so; after it, it is his turn."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        traits = cluster.world.machine(f"node{leader}").disk_traits
        traits.sync_ms_min = traits.sync_ms_max = 100
        clients = [await cluster.connect(leader) for _ in range(3)]
        replies: list[str] = []

        async def ask(number: int, command: str) -> None:
            replies.append(str(await clients[number].call(command)))

        async with trio.open_nursery() as nursery:
            for number, command in enumerate(("BACKUP", "SAVE", "BACKUP")):
                nursery.start_soon(ask, number, command)
        busy = [reply for reply in replies if reply.startswith("ERR a backup or save is already")]
        assert len(busy) == 2
        assert await clients[0].call("SAVE") == b"OK"

    run_cluster(scenario)
