"""Snapshots of whole nodes: what a header says, what an install leaves, when one is due, what then goes."""

import json

import attrs
import pytest
import trio

from tests.node.looking import (
    SNAPSHOTS,
    crown,
    founded,
    gone,
    header,
    info,
    members_in,
    members_of,
    names,
    others,
    restart,
    until,
)
from tests.node.puppet import Puppet, identity_of, possess
from tests.node.simcluster import Client, SimCluster, run_cluster
from tests.node.test_promise_time import HOUR_MS, rising, turn_clocks
from tests.raft.cluster import snapshot_meta
from trikv.node.state.header import header_of
from trikv.raft.types import Entry, EntryKind, SnapshotMeta
from trikv.sim.volume import Keep

TERM = 100
"""Of the puppet that leads: beyond any other."""


def snapshot_of(cluster: SimCluster, number: int) -> tuple[SnapshotMeta, bytes]:
    """The newest snapshot on a node's disk: where it stands, and its bytes."""
    path = names(cluster, number, SNAPSHOTS)[-1]
    document = cluster.file(number, path)
    return header_of(json.loads(document)["node"], path).meta, document


def slow_disk(cluster: SimCluster, number: int, sync_ms: float) -> None:
    """Each of its syncs takes so long from now on."""
    traits = cluster.world.machine(f"node{number}").disk_traits
    traits.sync_ms_min = traits.sync_ms_max = sync_ms


async def write_much(client: Client, keys: range, size: int = 10_000) -> None:
    """A key an entry."""
    for number in keys:
        assert await client.call("SET", f"k{number}", "x" * size) == b"OK"


async def swap(cluster: SimCluster, number: int) -> str:
    """Give a node a blank disk, and wait until it votes; the disk's name."""
    cluster.kill(number)
    cluster.wipe(number)
    await restart(cluster, number)
    disk = identity_of(cluster, number)[0].hex()
    raft = cluster.parts(await cluster.leader()).raft
    await until(lambda: (number, disk, True) in members_of(raft.membership))
    return disk


@attrs.define
class Lagging:
    """Node 3, a leader that is a puppet, and two snapshots that are news to it."""

    cluster: SimCluster
    puppet: Puppet
    older: tuple[SnapshotMeta, bytes]
    newer: tuple[SnapshotMeta, bytes]

    async def follow(self) -> None:
        """Node 3 follows the puppet, has applied what it holds, and asks the puppet for its reads."""
        self.puppet.forget()
        await self.puppet.lead(3, TERM)
        self.puppet.reads_at = 0
        raft = self.cluster.parts(3).raft
        self.puppet.append(3, commit=raft.last_index)
        await until(lambda: self.cluster.parts(3).applier.position.index == raft.last_index)

    async def install(self) -> None:
        """The newer one, to the end."""
        meta, document = self.newer
        assert await self.puppet.send_snapshot(3, meta, document) == len(document)
        with trio.fail_after(10):
            await until(lambda: self.cluster.parts(3).applier.position.index >= meta.index)


async def lagging(cluster: SimCluster, bulk: int = 0, own: int = 0, swapped: int | None = None) -> Lagging:
    """A cluster of three or five, and what its third node missed: also that a disk was swapped, if any.

    `bulk`: megabytes that it holds itself; `own`: snapshots that it has taken, each a write ago.
    """
    await founded(cluster, 1)
    client = await cluster.connect(1)
    await write_much(client, range(bulk), 1_000_000)
    for number in range(own):
        assert await (await cluster.connect(3)).call("SAVE") == b"OK"
        assert await client.call("SET", "since", number) == b"OK"
    await cluster.converged()
    cluster.kill(3)
    for leader in (2, 1):  # it missed some terms, too
        await crown(cluster, leader)
    await client.call("FLUSHALL")
    if swapped is not None:
        await swap(cluster, swapped)
    snapshots = []
    for value in ("older", "newer"):
        assert await client.call("SET", "k", value) == b"OK"
        assert await client.call("SAVE") == b"OK"
        snapshots.append(snapshot_of(cluster, 1))
    cluster.kill(*(n for n in cluster.nodes if n not in {1, 3}))
    puppet = possess(cluster, 1)
    await restart(cluster, 3)
    found = Lagging(cluster, puppet, *snapshots)
    await found.follow()
    return found


def test_a_header_says_index_term_and_members_of_its_entry() -> None:
    """Term by term, whatever the last entry is, on each node: what another's log says of that index."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster)
        for leader in (1, 2, 3, 1):
            await crown(cluster, leader)
            for written in (False, True):
                if written:
                    assert await (await cluster.connect(leader)).call("INCR", "n")
                for number in (1, 2, 3):
                    assert await (await cluster.connect(number)).call("SAVE") == b"OK"
                    node = header(cluster, number, names(cluster, number, SNAPSHOTS)[-1])
                    told = snapshot_meta(cluster.parts(others(cluster, number)[0]).raft, node["index"])
                    assert (node["index"], node["term"]) == (told.index, told.term)
                    assert members_in(node) == members_of(told.membership)
                    assert node["term"] == cluster.parts(leader).raft.term

    run_cluster(scenario)


def test_a_header_names_the_members_after_a_swap() -> None:
    """Who was let in stands there as what he is; and a node that starts from it alone knows him."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        swapped = others(cluster, leader)[0]
        raft, disk = cluster.parts(leader).raft, await swap(cluster, swapped)
        await cluster.converged()
        for number in (1, 2, 3):
            assert await (await cluster.connect(number)).call("SAVE") == b"OK"
            node = header(cluster, number, names(cluster, number, SNAPSHOTS)[-1])
            assert members_in(node) == members_of(raft.membership)
        await trio.sleep(1)
        cluster.kill(1, 2, 3)
        cluster.start()
        await cluster.leader()
        for number in (1, 2, 3):
            assert (swapped, disk, True) in members_of(cluster.parts(number).raft.membership)
        await cluster.converged()

    run_cluster(scenario)


def test_after_an_install_all_is_the_snapshots() -> None:
    """State, position and newest snapshot; a backup made then repeats what the leader said of it."""

    async def scenario(cluster: SimCluster) -> None:
        three = await lagging(cluster, swapped=4)
        await three.install()
        meta, document = three.newer
        client = await cluster.connect(3)
        assert await client.call("GET", "k") == b"newer"
        assert await info(client, "persistence", "snapshot_index") == str(meta.index)
        assert await client.call("LASTSAVE") > 0
        assert snapshot_of(cluster, 3) == (meta, document)
        told = (await client.call("BACKUP")).decode()
        node = header(cluster, 3, told.partition(": ")[0].removeprefix("data/node1/"))
        assert (node["index"], node["term"]) == (meta.index, meta.term)
        assert members_in(node) == members_of(meta.membership)

    run_cluster(scenario, count=5)


def test_an_installed_snapshot_is_on_disk_before_the_leader_hears_of_it() -> None:
    """The power goes as the last answer leaves: the next life starts from the snapshot, not from less."""

    async def scenario(cluster: SimCluster) -> None:
        three = await lagging(cluster)
        meta, document = three.newer
        assert await three.puppet.send_snapshot(3, meta, document) == len(document)
        cluster.lose_power(3, keep=Keep.NONE)
        await trio.sleep(0.5)
        await restart(cluster, 3)
        await three.follow()
        assert await (await cluster.connect(3)).call("GET", "k") == b"newer"
        assert cluster.parts(3).applier.position == meta
        three.puppet.append(3, Entry(meta.index + 1, TERM, EntryKind.NOOP, b""), commit=meta.index + 1)
        await until(lambda: cluster.parts(3).applier.position.index == meta.index + 1)
        await until(lambda: cluster.parts(3).raft.durable_index == meta.index + 1)
        cluster.lose_power(3, keep=Keep.NONE)
        await trio.sleep(0.5)
        await restart(cluster, 3)
        assert cluster.parts(3).raft.last_index == meta.index + 1

    run_cluster(scenario)


def test_log_time_goes_on_from_an_installed_snapshot() -> None:
    """Who leads right after one has no stamp in his log: the snapshot's is the last, whatever clocks say."""

    async def scenario(cluster: SimCluster) -> None:
        three = await lagging(cluster)
        await three.install()
        stamp_ms = json.loads(three.newer[1])["machine"]["now_ms"]
        turn_clocks(cluster, -HOUR_MS)
        three.puppet.resign()
        await until(lambda: cluster.parts(3).raft.leader == 3)
        assert await (await cluster.connect(3)).call("SET", "next", "stamp") == b"OK"
        assert 0 <= rising(cluster, 3)[0] - stamp_ms < 60_000

    run_cluster(scenario)


def test_a_snapshot_of_ones_own_that_an_install_has_overtaken_is_dropped() -> None:
    """It was begun before and is done after: it never takes the newer one's place, and leaves no file."""

    async def scenario(cluster: SimCluster) -> None:
        three = await lagging(cluster, bulk=4)
        client = await cluster.connect(3)
        older = cluster.parts(3).applier.position.index
        slow_disk(cluster, 3, 400)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, "SAVE")
            await until(lambda: any(f"{older:020}" in name for name in names(cluster, 3, SNAPSHOTS)))
            meta, document = three.newer
            three.puppet.send_piece(3, meta, document, 0, len(document))
        slow_disk(cluster, 3, 1)
        await until(lambda: cluster.parts(3).applier.position.index >= meta.index)
        await trio.sleep(2)
        assert snapshot_of(cluster, 3) == three.newer
        assert await info(client, "persistence", "snapshot_index") == str(meta.index)
        assert not any(name.endswith(".tmp") for name in names(cluster, 3, SNAPSHOTS))

    run_cluster(scenario)


def test_an_old_leaders_snapshot_is_answered_and_not_stored() -> None:
    """A chunk of what is held already, late or sent again: the sender hears that all is there."""

    async def scenario(cluster: SimCluster) -> None:
        three = await lagging(cluster)
        await three.install()
        await trio.sleep(0.5)
        before = names(cluster, 3, SNAPSHOTS)
        for meta, document in (three.older, three.newer):
            assert await three.puppet.send_snapshot(3, meta, document) == len(document)
            await trio.sleep(0.5)
        client = await cluster.connect(3)
        assert names(cluster, 3, SNAPSHOTS) == before
        assert await info(client, "persistence", "snapshot_index") == str(three.newer[0].index)
        assert await client.call("GET", "k") == b"newer"

    run_cluster(scenario)


def test_a_damaged_snapshot_is_refused_and_the_next_one_taken() -> None:
    """Nothing of it stays, neither a file nor half a machine."""

    async def scenario(cluster: SimCluster) -> None:
        three = await lagging(cluster)
        meta, document = three.newer
        assert b'"newer"' in document
        damaged = document.replace(b'"newer"', b'"wrong"')
        assert await three.puppet.send_snapshot(3, meta, damaged) == -1
        await trio.sleep(0.5)
        assert names(cluster, 3, SNAPSHOTS) == []
        three.puppet.forget()
        await three.install()
        assert await (await cluster.connect(3)).call("GET", "k") == b"newer"

    run_cluster(scenario)


def test_a_snapshot_that_is_begun_gives_way_to_another() -> None:
    """A new leader's comes in the middle of the old one's: each is whole or it is nothing."""

    async def scenario(cluster: SimCluster) -> None:
        three = await lagging(cluster)
        meta, document = three.older
        three.puppet.send_piece(3, meta, document, 0, len(document) // 2)
        await until(lambda: any(".tmp" in name for name in names(cluster, 3, SNAPSHOTS)))
        await three.install()
        assert await (await cluster.connect(3)).call("GET", "k") == b"newer"
        assert names(cluster, 3, SNAPSHOTS) == [names(cluster, 3, SNAPSHOTS)[-1]]

    run_cluster(scenario)


def test_the_log_before_a_snapshot_goes_and_nothing_is_written_twice() -> None:
    """SAVE removes the segments that it covers; with no news since, it writes no other file."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        await write_much(client, range(60))
        assert len(names(cluster, 1, "wal/")) > 5
        assert await client.call("SAVE") == b"OK"
        await trio.sleep(1)
        assert len([name for name in names(cluster, 1, "wal/") if name.endswith(".wal")]) <= 2
        (path,) = names(cluster, 1, SNAPSHOTS)
        volume = cluster.world.machine("node1").volume
        file = volume.names[path]
        assert await client.call("SAVE") == b"OK"
        assert volume.names[path] is file
        cluster.kill(1)
        cluster.start(1)
        assert await (await cluster.connect(1)).call("DBSIZE") == 60

    run_cluster(scenario, count=1, segment_bytes=64 << 10)


def test_a_snapshot_is_due_after_so_many_bytes_since_the_last() -> None:
    """Not before, and not again for a few bytes more."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        await write_much(client, range(5))
        await trio.sleep(3)
        assert names(cluster, 1, SNAPSHOTS) == []
        await write_much(client, range(4))
        await trio.sleep(3)
        (first,) = names(cluster, 1, SNAPSHOTS)
        for number in range(5):
            assert await client.call("SET", "small", number) == b"OK"
            await trio.sleep(1.1)
        assert names(cluster, 1, SNAPSHOTS) == [first]

    run_cluster(scenario, count=1, snapshot_log_bytes=64 << 10)


def test_a_snapshot_is_due_after_a_while_with_any_change() -> None:
    """And after no while at all without one."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        assert await client.call("SET", "k", "v") == b"OK"
        await trio.sleep(7)
        (first,) = names(cluster, 1, SNAPSHOTS)
        await trio.sleep(20)
        assert names(cluster, 1, SNAPSHOTS) == [first]
        assert await client.call("SET", "k", "w") == b"OK"
        await trio.sleep(7)
        assert len(names(cluster, 1, SNAPSHOTS)) == 2

    run_cluster(scenario, count=1, snapshot_interval_s=5)


def test_no_room_for_a_snapshot_is_no_end() -> None:
    """The log grows, SAVE says why not, writes go on; when there is room, the snapshot comes by itself."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        await write_much(client, range(20))
        volume = cluster.world.machine("node1").volume
        await trio.sleep(0.5)  # the next segment is there
        volume.capacity_bytes = volume.used_bytes() + 50_000
        await write_much(client, range(6))
        assert str(await client.call("SAVE")).startswith("ERR could not write: the disk is full")
        await trio.sleep(15)
        assert await client.call("SET", "k", "v") == b"OK"
        assert names(cluster, 1, SNAPSHOTS) == []
        volume.capacity_bytes = None
        await trio.sleep(15)
        assert len(names(cluster, 1, SNAPSHOTS)) == 1

    run_cluster(scenario, count=1, snapshot_log_bytes=220_000, segment_bytes=1 << 20)


def test_a_follower_gets_a_snapshot_that_reaches_the_log() -> None:
    """The newest may end before the log in memory begins: then another is taken for it."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        behind = others(cluster, leader)[0]
        client = await cluster.connect(leader)
        assert await client.call("SAVE") == b"OK"
        cluster.kill(behind)
        await write_much(client, range(20))
        await trio.sleep(2)
        raft = cluster.parts(leader).raft
        assert raft.first_index > snapshot_of(cluster, leader)[0].index + 1, "there is a gap"
        cluster.start(behind)
        with trio.fail_after(20):
            await cluster.converged()

    run_cluster(scenario, log_tail_bytes=16 << 10, log_follower_bytes=32 << 10)


def test_a_stop_gives_up_the_snapshot_under_way() -> None:
    """The dump does not wait for it, and what was begun leaves no file."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        await write_much(client, range(10), 400_000)
        slow_disk(cluster, 1, 500)
        await until(lambda: any(".tmp" in name for name in names(cluster, 1, SNAPSHOTS)))
        cluster.nodes[1].stop()
        await gone(cluster, 1)
        assert names(cluster, 1, SNAPSHOTS) == []
        assert not any(name.endswith(".tmp") and name != "wal/next.tmp" for name in names(cluster, 1))
        assert header(cluster, 1, "dump.json")["complete"] is True

    run_cluster(scenario, count=1, snapshot_log_bytes=3 << 20)


@pytest.mark.parametrize("keep", [Keep.NONE, Keep.ALL])
def test_an_end_between_a_snapshot_and_the_logs_cut_costs_nothing(keep: Keep) -> None:
    """The file has its name, the log does not know of it yet: the next life goes on behind it."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        await write_much(client, range(20))
        machine = cluster.world.machine("node1")

        def end() -> None:
            assert names(cluster, 1, SNAPSHOTS)[-1].endswith(".json")
            cluster.lose_power(1, keep=keep)

        def renamed() -> None:
            machine.after(1, "sync_directory", end)

        machine.after(1, "rename", renamed)
        await client.send("SAVE")
        await gone(cluster, 1)
        cluster.start(1)
        client = await cluster.connect(1)
        assert await client.call("DBSIZE") == 20
        assert await client.call("SET", "k", "v") == b"OK"
        meta, _ = snapshot_of(cluster, 1)
        assert 0 < meta.index < cluster.parts(1).applier.position.index

    run_cluster(scenario, count=1)


@pytest.mark.parametrize("delay_ms", range(0, 1200, 150))
def test_an_install_and_a_snapshot_of_ones_own_end_at_once(delay_ms: int) -> None:
    """Whichever is done first: both are done, the newer is the newest, and files too many go once."""

    async def scenario(cluster: SimCluster) -> None:
        three = await lagging(cluster, own=2)
        client = await cluster.connect(3)
        assert len(names(cluster, 3, SNAPSHOTS)) == 2
        slow_disk(cluster, 3, 200)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, "SAVE")
            await trio.sleep(delay_ms / 1000)
            meta, document = three.newer
            three.puppet.send_piece(3, meta, document, 0, len(document))
        slow_disk(cluster, 3, 1)
        await until(lambda: cluster.parts(3).applier.position.index >= meta.index)
        await trio.sleep(2)
        assert snapshot_of(cluster, 3) == three.newer
        assert await info(client, "persistence", "snapshot_index") == str(meta.index)
        assert len(names(cluster, 3, SNAPSHOTS)) == 2
        assert await client.call("GET", "k") == b"newer"

    run_cluster(scenario)
