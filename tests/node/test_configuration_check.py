"""Does what is configured fit what the disk says? In one line, before anything is served."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.node.counting import until
from tests.node.simcluster import SimCluster, run_cluster
from trikv.config import ConfigError
from trikv.errors import first_line, leaves
from trikv.node.configuration_check import contradiction, latest_membership
from trikv.raft.membership import encode_membership
from trikv.raft.types import Entry, EntryKind, Member, Membership
from trikv.sim.volume import Volume

ADDRESSES = {number: f"host{number}:1808{number}" for number in range(1, 6)}
IDS = st.sets(st.sampled_from(sorted(ADDRESSES)), max_size=4)


def members(*numbers: int) -> Membership:
    """A membership of these nodes."""
    return Membership(
        tuple(Member(n, bytes([n]) * 16, voter=True, address=ADDRESSES[n]) for n in sorted(numbers))
    )


def peers(*numbers: int) -> dict[int, str]:
    """What the configuration says."""
    return {number: ADDRESSES[number] for number in numbers}


@given(IDS, IDS)
def test_every_member_must_be_configured(configured: set[int], held: set[int]) -> None:
    """A member that is not among the peers could never be reached; peers beyond the members may join."""
    node = 1
    configured = configured | {node} if configured else configured
    told = contradiction(node, peers(*configured), members(*held))
    fits = held <= configured if configured else held == {node}
    assert (told is None) == fits
    if told is not None:
        assert "\n" not in told
        assert told.startswith("peers: ")
        assert "data-directory" in told


def test_the_line_gives_the_peers_to_start_with() -> None:
    """It can be copied; an address that the log does not know is left to the reader."""
    held = Membership((*members(1, 2).members, Member(3, b"d" * 16, voter=True, address="")))
    told = contradiction(1, {}, held) or ""
    assert "nodes 1, 2, 3" in told
    assert "--peers 1=host1:18081,2=host2:18082,3=HOST:PEERPORT" in told


def test_the_latest_membership_counts() -> None:
    """That of the last entry of its kind, committed or not; without one that of the base."""
    entries = [
        Entry(5, 1, EntryKind.MEMBERSHIP, encode_membership(members(1, 2))),
        Entry(6, 1, EntryKind.BATCH, b"x"),
        Entry(7, 1, EntryKind.MEMBERSHIP, encode_membership(members(1, 2, 4))),
        Entry(8, 1, EntryKind.BATCH, b"x"),
    ]
    assert latest_membership(members(3), entries) == members(1, 2, 4)
    assert latest_membership(members(3), entries[3:]) == members(3)


def files(volume: Volume) -> dict[str, bytes]:
    """What is on a disk, but for what is unfinished."""
    return {
        path: bytes(inode.cache)
        for path, inode in volume.names.items()
        if inode is not None and not path.endswith(".tmp")
    }


def refusal(cluster: SimCluster, number: int) -> ConfigError:
    """Why a node did not start."""
    (group,) = cluster.doomed[number]
    error = next(leaves(group))
    assert isinstance(error, ConfigError), error
    return error


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"peers": {}}, "peers: none are given"),
        ({"peers": {1: "node1:1", 4: "node4:1"}}, "peers: names nodes 1, 4"),
        ({"node_id": 2}, "node_id: this data directory belongs to node 1"),
    ],
)
def test_a_cluster_directory_with_another_configuration_is_refused(
    settings: dict[str, object], said: str
) -> None:
    """The node ends with that line, has changed nothing, and starts again as it should."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        assert await (await cluster.connect(leader)).call("SET", "k", "v") == b"OK"
        cluster.kill(1, 2, 3)
        volume = cluster.world.machine("node1").volume
        before = files(volume)
        cluster.doomed[1] = []
        cluster.start(1, **settings)
        await until(lambda: cluster.doomed[1])
        assert first_line(refusal(cluster, 1)).startswith(said)
        after = files(volume)
        assert after == before, "nothing has changed"
        del cluster.doomed[1]
        cluster.start()
        await cluster.leader()
        assert await (await cluster.connect(1)).call("GET", "k") == b"v"

    run_cluster(scenario)


def test_a_swapped_disk_is_no_contradiction() -> None:
    """Started again in the middle of its joining, with members that do not name it yet, it goes on."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        victim = next(n for n in (1, 2, 3) if n != leader)
        cluster.kill(victim)
        cluster.wipe(victim)
        for _ in range(6):
            cluster.start(victim)
            await trio.sleep(0.25)
            cluster.kill(victim)
        cluster.start(victim)
        await until(lambda: all(m.voter for m in cluster.parts(leader).raft.membership.members))
        await until(lambda: len(cluster.parts(leader).raft.membership.members) == 3)
        await cluster.converged()

    run_cluster(scenario)
