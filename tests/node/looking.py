"""What whole-node tests look at: log time, the log's entries, the files of snapshots."""

import json
from typing import Any

import msgspec
import trio

from tests.node.counting import others, until
from tests.node.simcluster import Client, SimCluster
from trikv.machine.batch import Batch
from trikv.raft.types import Entry, EntryKind, Membership

SNAPSHOTS = "snapshots/"


async def founded(cluster: SimCluster, *numbers: int) -> int:
    """Start all nodes and wait until they serve; leave the office to the first of `numbers`, if any."""
    cluster.start()
    leader = await cluster.leader()
    for number in cluster.nodes:
        assert await (await cluster.connect(number)).call("SET", "founded", number) == b"OK"
    if numbers:
        await crown(cluster, numbers[0])
        leader = numbers[0]
    return leader


async def crown(cluster: SimCluster, number: int) -> None:
    """Hand leadership to a node, by Raft's own way."""
    while (leader := await cluster.leader()) != number:
        cluster.parts(leader).raft.transfer(number)
        await trio.sleep(0.1)


async def fill_log(client: Client, count: int = 100) -> None:
    """So many entries, more than a learner may lack to be promoted: one by one, none shares another's."""
    for number in range(count):
        assert await client.call("SET", "filled", number) == b"OK"


async def until_written(client: Client, key: str, value: str, *, within_s: float) -> None:
    """Ask again and again; TooSlowError where it is refused for so long."""
    with trio.fail_after(within_s):
        while await client.call("SET", key, value) != b"OK":  # noqa: ASYNC110 - it is asked each time
            await trio.sleep(0.1)


async def log_time_ms(client: Client) -> int:
    """TIME, in milliseconds."""
    seconds, micros = await client.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def entries(cluster: SimCluster, number: int) -> tuple[Entry, ...]:
    """The log of a node, as far as it is in memory."""
    raft = cluster.parts(number).raft
    return tuple(raft.entries_between(raft.first_index, raft.last_index))


def batches(cluster: SimCluster, number: int) -> list[Batch]:
    """Those of its entries that change the state."""
    kinds = [entry for entry in entries(cluster, number) if entry.kind is EntryKind.BATCH]
    return [msgspec.msgpack.decode(entry.payload, type=Batch) for entry in kinds]


def memberships(cluster: SimCluster, number: int) -> list[Membership]:
    """The memberships that its log names, in order."""
    kinds = [entry for entry in entries(cluster, number) if entry.kind is EntryKind.MEMBERSHIP]
    return [msgspec.msgpack.decode(entry.payload, type=Membership) for entry in kinds]


def names(cluster: SimCluster, number: int, directory: str = "") -> list[str]:
    """The files below a directory (``snapshots/``) of a node's data directory."""
    volume = cluster.world.machine(f"node{number}").volume
    return sorted(name for name, inode in volume.names.items() if inode and name.startswith(directory))


def header(cluster: SimCluster, number: int, path: str) -> dict[str, Any]:
    """What the node says of a snapshot, backup or dump in its first line."""
    document: dict[str, Any] = json.loads(cluster.file(number, path))
    node: dict[str, Any] = document["node"]
    return node


def members_in(node: dict[str, Any]) -> list[tuple[int, str, bool]]:
    """The members that a header names: (id, disk, whether it votes)."""
    return [(row["id"], row["disk"], row["voter"]) for row in node["membership"]]


def members_of(membership: Membership) -> list[tuple[int, str, bool]]:
    """The same of a membership."""
    return [(member.id, member.disk.hex(), member.voter) for member in membership.members]


async def info(client: Client, section: str, field: str) -> str:
    """One field of INFO."""
    text = (await client.call("INFO", section)).decode()
    return str(next(line.partition(":")[2] for line in text.split("\r\n") if line.startswith(f"{field}:")))


async def restart(cluster: SimCluster, number: int, **settings: Any) -> None:
    """Start a node anew and wait until it has joined its cluster."""
    before = cluster.nodes.get(number)
    cluster.start(number, **settings)
    await until(lambda: cluster.nodes.get(number) is not before and cluster.parts(number) is not None)


async def gone(cluster: SimCluster, *numbers: int) -> None:
    """Wait until the processes of these nodes have ended."""
    await until(lambda: not set(numbers) & set(cluster.running()))


__all__ = [
    "SNAPSHOTS",
    "batches",
    "crown",
    "entries",
    "fill_log",
    "founded",
    "gone",
    "header",
    "info",
    "log_time_ms",
    "members_in",
    "members_of",
    "memberships",
    "names",
    "others",
    "restart",
    "until",
    "until_written",
]
