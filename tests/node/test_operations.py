"""BACKUP and what it removes; what an operator has done to a directory does not end a node."""

import errno

import pytest

from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.sim.volume import Added, Inode, Volume

FUTURE = "20991231T235959Z"


def put(volume: Volume, path: str, *, directory: bool = False) -> None:
    """A file or directory that somebody else made."""
    volume.change(Added(path, None if directory else Inode()))


async def backup(client: Client) -> str:
    """Make a backup; its path in the data directory."""
    told = await client.call("BACKUP")
    assert isinstance(told, bytes), told
    return told.decode().partition(": ")[0].removeprefix("data/node1/")


async def single(cluster: SimCluster) -> tuple[Client, Volume]:
    """A client of a node of its own, and its disk."""
    cluster.start()
    await cluster.leader()
    return await cluster.connect(1), cluster.world.machine("node1").volume


def test_a_backup_never_removes_what_it_has_just_written() -> None:
    """A clock that was ahead gave names that sort after it: the log's index is the order, not the date."""

    async def scenario(cluster: SimCluster) -> None:
        client, volume = await single(cluster)
        await client.call("SET", "k", "v")
        first = await backup(client)
        for number in range(12):
            put(volume, f"backups/20{60 + number}1231T235959Z-{number % 4}.json")
        await client.call("SET", "k", "w")
        second = await backup(client)
        left = sorted(name for name in volume.names if name.startswith("backups/"))
        assert {first, second} < set(left)
        assert len(left) == 3
        for index in range(100, 112):  # of a cluster that was here before: further, and older
            put(volume, f"backups/{FUTURE}-{index}.json")
        await client.call("SET", "k", "x")
        assert await backup(client) in volume.names

    run_cluster(scenario, count=1, backups_kept=3)


def test_a_backup_leaves_alone_what_is_not_its_own() -> None:
    """An operator's files and directories beside the backups, whatever they are called, stay."""
    theirs = (
        "aaa.json",
        "zzz.json",
        "notes.txt",
        "foo.tmp",
        "foo.json.tmp",
        "copy of 20260101T000000Z-1.json",
    )

    async def scenario(cluster: SimCluster) -> None:
        client, volume = await single(cluster)
        put(volume, "backups", directory=True)
        for name in theirs:
            put(volume, f"backups/{name}")
        for name in ("x.json", "19700101T000000Z-0.json"):
            put(volume, f"backups/{name}", directory=True)
        written = []
        for number in range(4):
            await client.call("SET", "k", number)
            written.append(await backup(client))
        left = {name.removeprefix("backups/") for name in volume.names if name.startswith("backups/")}
        assert {*theirs, "x.json", "19700101T000000Z-0.json"} < left
        assert set(written[-2:]) < volume.names.keys()
        assert written[0] not in volume.names
        cluster.nodes[1].stop()

    run_cluster(scenario, count=1, backups_kept=2)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR])
@pytest.mark.parametrize("command", ["BACKUP", "SAVE"])
def test_a_directory_that_may_not_be_written_is_an_error_and_no_end(number: int, command: str) -> None:
    """The client is told why; the log lies elsewhere, so the node goes on, and the next try succeeds."""

    async def scenario(cluster: SimCluster) -> None:
        client, _ = await single(cluster)
        traits = cluster.world.machine("node1").disk_traits
        await client.call("SET", "k", "v")
        traits.fail("make_directory", number)
        assert str(await client.call(command)).startswith("ERR could not write: ")
        assert await client.call("SET", "k", "w") == b"OK"
        assert not cluster.parts(1).applier.machine.space.account.observers, "no walk is left behind"
        assert not str(await client.call(command)).startswith("ERR")

    run_cluster(scenario, count=1)
