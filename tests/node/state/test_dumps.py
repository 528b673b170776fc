"""A dump never takes the place of one that may hold more, nor of what is none of trikv's."""

import errno
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.node.counting import until
from tests.node.simcluster import SimCluster, run_cluster
from tests.node.test_whole_disks import fill_up
from tests.storage.memory_disk import MemoryDisk, MemoryFile
from tests.storage.model import run_now
from trikv.host.disk import RealDisk
from trikv.machine.machine import Machine
from trikv.node.state.dumps import DUMP, INCOMPLETE_DUMP, Held, is_superfluous, look_at, may_hold_more
from trikv.node.state.header import Header
from trikv.raft.types import Membership, SnapshotMeta
from trikv.sim.volume import Added, Inode
from trikv.storage.aside import write_whole

OURS, THEIRS = b"ours" * 4, b"others'!" * 2
HELD = st.none() | st.builds(Held, st.sampled_from([OURS, THEIRS, b""]), st.integers(0, 9))


@given(HELD, HELD, st.integers(0, 9))
def test_nothing_is_lost_by_what_is_decided(complete: Held | None, incomplete: Held | None, at: int) -> None:
    """What is replaced is an older state of the same log; what is left out is in one of the two files."""
    for held in (complete, incomplete):
        if held is not None and not may_hold_more(held, OURS, at):
            assert held.cluster == OURS
            assert held.index <= at
    if is_superfluous(complete, incomplete, OURS, at):
        assert any(
            held is not None and held.cluster == OURS and held.index >= at for held in (complete, incomplete)
        )
    assert not is_superfluous(None, None, OURS, at)
    assert not may_hold_more(None, OURS, at)


def document(cluster: bytes = OURS, index: int = 7) -> bytes:
    """A dump."""
    walk = Machine().walk(Header(cluster, SnapshotMeta(index, 1, Membership(())), complete=False).as_dict())
    return b"".join(iter(lambda: walk.step(1 << 16), b""))


@pytest.mark.parametrize(
    ("content", "held"),
    [
        (document(), Held(OURS, 7)),
        (document()[:-1], Held(OURS, 7)),
        (document()[:-90], Held()),
        (document()[: document().index(b"\n") + 1], Held()),
        (b"", Held()),
        (b"{}\n", Held()),
        (document().replace(b'"index":7', b'"index":"x"'), Held()),
        (document().replace(b"trikv-snapshot", b"other-snapshot"), Held()),
        (b"\xff" * 200_000, Held()),
    ],
)
def test_what_a_file_says_of_itself(content: bytes, held: Held) -> None:
    """By its first and last line; what is no whole dump holds nothing that is known."""
    disk = MemoryDisk()
    run_now(write_whole(disk, "", DUMP, content))
    assert run_now(look_at(disk, DUMP)) == held


def test_nothing_there_and_a_directory_there() -> None:
    """No name, no dump; a directory is none of ours."""
    disk = MemoryDisk()
    assert run_now(look_at(disk, DUMP)) is None
    run_now(disk.make_directory(DUMP))
    assert run_now(look_at(disk, DUMP)) == Held()


def a_pipe(path: Path) -> None:
    """A named pipe."""
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    """A socket that a process left."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


def a_link_to_itself(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [a_pipe, a_socket, a_link_to_itself])
async def test_what_is_no_file_is_none_of_ours(make: Callable[[Path], None], tmp_path: Path) -> None:
    """It is told from a failing disk, and renamed: the dump of a stop is written all the same."""
    make(tmp_path / DUMP)
    disk = RealDisk(str(tmp_path))
    try:
        assert await look_at(disk, DUMP) == Held()
    finally:
        disk.close()


async def stopped(cluster: SimCluster, *numbers: int) -> None:
    """Stop nodes, and wait until they have left."""
    for number in numbers:
        cluster.nodes[number].stop()
    await until(lambda: not {*numbers} & {*cluster.running()})


def keys(content: bytes) -> set[str]:
    """The keys in a dump."""
    return {row["k"] for row in json.loads(content)["keys"]}


def names(cluster: SimCluster, number: int) -> set[str]:
    """What is on a node's disk."""
    return set(cluster.world.machine(f"node{number}").volume.names)


def test_a_node_that_knows_less_keeps_the_dump_of_one_that_knew_more() -> None:
    """Alone and without a majority it comes up with nothing, and its stop must not say so in that file."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        client = await cluster.connect(leader)
        for number in range(5):
            assert await client.call("SET", f"k{number}", "v") == b"OK"
        await until(lambda: len({cluster.parts(n).applier.position.index for n in (1, 2, 3)}) == 1)
        cluster.kill(2, 3)
        await stopped(cluster, 1)
        first = cluster.file(1, INCOMPLETE_DUMP)
        assert keys(first) == {f"k{n}" for n in range(5)}
        for _ in range(2):
            old = cluster.nodes[1]
            cluster.start(1)
            await until(lambda old=old: cluster.nodes[1] is not old and cluster.parts(1) is not None)  # type: ignore[misc]
            assert cluster.parts(1).applier.machine.keys() == 0
            await stopped(cluster, 1)
            assert cluster.nodes[1].dumped is True, "what it knows is on the disk"
            assert cluster.file(1, INCOMPLETE_DUMP) == first
        cluster.start()
        await cluster.leader()
        await stopped(cluster, 1, 2, 3)
        complete = cluster.file(1, DUMP)
        old = cluster.nodes[1]
        cluster.start(1)
        await until(lambda: cluster.nodes[1] is not old and cluster.parts(1) is not None)
        await stopped(cluster, 1)
        assert (cluster.file(1, DUMP), cluster.file(1, INCOMPLETE_DUMP)) == (complete, first)

    run_cluster(scenario)


def test_an_incomplete_dump_that_knows_more_replaces_its_predecessor() -> None:
    """Later is more: each stop without a majority leaves what that node knew."""

    async def scenario(cluster: SimCluster) -> None:
        for number in range(2):
            cluster.start()
            leader = await cluster.leader()
            assert await (await cluster.connect(leader)).call("SET", f"k{number}", "v") == b"OK"
            await until(lambda: len({cluster.parts(n).applier.position.index for n in (1, 2, 3)}) == 1)
            cluster.kill(2, 3)
            await stopped(cluster, 1)
            assert keys(cluster.file(1, INCOMPLETE_DUMP)) == {f"k{n}" for n in range(number + 1)}
        assert not [name for name in names(cluster, 1) if name.startswith("aside")]

    run_cluster(scenario)


def inode_of(content: bytes) -> Inode:
    """A file with this content."""
    inode = Inode()
    inode.write(0, content)
    return inode


@pytest.mark.parametrize(
    ("there", "name"),
    [
        (lambda: inode_of(document(THEIRS, 3)), f"dump-{THEIRS[:4].hex()}-3.json"),
        (lambda: inode_of(b"an operator's own"), "dump-2"),
        (lambda: None, "dump-2"),
    ],
    ids=["another cluster's", "no dump", "a directory"],
)
def test_what_is_no_older_state_of_this_cluster_is_set_aside(there: Callable[[], Any], name: str) -> None:
    """A new cluster in an old directory, a file of the same name: kept, and the dump is written."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        await (await cluster.connect(1)).call("SET", "k", "v")
        volume = cluster.world.machine("node1").volume
        what = there()
        volume.change(Added(DUMP, what))
        await stopped(cluster, 1)
        assert keys(cluster.file(1, DUMP)) == {"k"}
        (kept,) = (path for path in volume.names if path.startswith("aside/"))
        assert kept.startswith(f"aside/{name}")
        assert volume.names[kept] is what
        cluster.start()
        await cluster.leader()
        await stopped(cluster, 1)
        assert len([path for path in volume.names if path.startswith("aside/")]) == 1, "once is enough"

    run_cluster(scenario, count=1)


def test_what_is_in_the_way_keeps_its_name_until_the_new_dump_is_whole() -> None:
    """A full disk at the stop: the dump of the cluster that was here before is where its owner left it."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        for number in range(30):
            assert await client.call("SET", f"k{number}", "v" * 1000) == b"OK"
        there = inode_of(document(THEIRS, 3))
        cluster.world.machine("node1").volume.change(Added(DUMP, there))
        fill_up(cluster, 1)
        await stopped(cluster, 1)
        assert cluster.nodes[1].dumped is False
        assert cluster.world.machine("node1").volume.names[DUMP] is there
        assert not [name for name in names(cluster, 1) if name.startswith("aside/")]

    run_cluster(scenario, count=1)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EISDIR, errno.ESPIPE, errno.ENXIO, errno.ELOOP])
def test_what_cannot_be_opened_may_hold_anything(number: int) -> None:
    """It is no dump that this node knows of: it is set aside, not replaced; but a sick disk is told."""
    disk = MemoryDisk()
    run_now(write_whole(disk, "", DUMP, document()))
    disk.fail = lambda kind, _path: number if kind == "open" else None
    assert run_now(look_at(disk, DUMP)) == Held()
    disk.fail = lambda kind, _path: errno.EIO if kind == "open" else None
    with pytest.raises(OSError, match="EIO"):
        run_now(look_at(disk, DUMP))


@pytest.mark.parametrize(("number", "held"), [(errno.ESPIPE, Held()), (errno.EIO, None)])
def test_what_cannot_be_read_is_closed_again(
    number: int, held: Held | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe says so when it is read: it is no dump. Any other error is the disk's, and is told."""
    disk = MemoryDisk()
    run_now(write_whole(disk, "", DUMP, document()))
    closed: list[MemoryFile] = []

    async def read(_file: MemoryFile, _offset: int, _size: int) -> bytes:
        raise OSError(number, errno.errorcode[number])

    def close(file: MemoryFile) -> None:
        closed.append(file)

    monkeypatch.setattr(MemoryFile, "read", read)
    monkeypatch.setattr(MemoryFile, "close", close)
    if held is not None:
        assert run_now(look_at(disk, DUMP)) == held
    else:
        with pytest.raises(OSError, match="EIO"):
            run_now(look_at(disk, DUMP))
    assert len(closed) == 1
