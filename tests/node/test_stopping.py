"""A stop lasts as long as its dump moves, and no longer; whatever cuts it short leaves the dump before it.

The last tests carry out a stop alone, of a node that is all doubles: when its dump is written, and as what.
"""

import errno
import json
import re
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from tests.front.doubles import FakeWire
from tests.node.counting import others, until
from tests.node.recorded_work import ORIGIN
from tests.node.simcluster import Client, SimCluster, run_cluster
from tests.storage.memory_disk import MemoryDisk
from trikv.front.connections import Connections
from trikv.front.outflow import Outflow
from trikv.front.runtime_settings import RuntimeSettings
from trikv.host.seam import Listening
from trikv.machine.replies import CommandError, Streamed
from trikv.node.consensus.parts import Parts
from trikv.node.drain import Drain, StopLimits
from trikv.node.events import Barrier, Event
from trikv.node.mailbox import Mailbox
from trikv.node.outflows import Outflows
from trikv.node.state.dumps import DUMP
from trikv.node.state.snapshotter import Progress
from trikv.node.stopping import Stopping
from trikv.protocol.messages import Drained, Draining, PeerMessage
from trikv.raft.roles import Role
from trikv.raft.types import Member, Membership, SnapshotMeta
from trikv.sim.volume import Keep

STILL_S = 2.0
"""`stop_deadline_ms` of the nodes here."""
SYNC_MS = 700
"""A sync of the slow disk: a dump of many MiB takes many of them."""
VALUE_BYTES = 64 * 1024
KEYS = 128
"""8 MiB: as many syncs, nearly three times what the stop may stand still."""
MEMBERS = Membership((Member(ORIGIN, b"disk" * 4, voter=True, address="n1:1"),))
SETTINGS = {"stop_deadline_ms": int(STILL_S * 1000), "segment_bytes": 1 << 20}


async def fill(client: Client, keys: int = KEYS) -> None:
    """Data that takes the slow disk seconds to write."""
    for number in range(0, keys, 16):
        batch = range(number, min(keys, number + 16))
        replies = await client.pipeline(*(("SET", f"k{n}", "x" * VALUE_BYTES) for n in batch))
        assert replies == [b"OK"] * len(batch)


def slow_down(cluster: SimCluster, number: int, sync_ms: float = SYNC_MS) -> None:
    """From now on each sync of a node's disk takes so long."""
    traits = cluster.world.machine(f"node{number}").disk_traits
    traits.sync_ms_min = traits.sync_ms_max = sync_ms


async def gone(cluster: SimCluster, *numbers: int) -> None:
    """Wait until nodes have left."""
    await until(lambda: not {*numbers} & {*cluster.running()})


def keys_in(cluster: SimCluster, number: int) -> int:
    """How many keys a node's dump holds, which is whole."""
    document = json.loads(cluster.file(number, DUMP))
    assert document["count"] == len(document["keys"])
    assert document["node"]["complete"] is True
    return len(document["keys"])


def unfinished(cluster: SimCluster, number: int) -> list[str]:
    """What is half written on a node's disk, segments aside."""
    names = cluster.world.machine(f"node{number}").volume.names
    return [name for name in names if name.endswith(".tmp") and not name.startswith("wal/")]


async def single(cluster: SimCluster) -> Client:
    """A node of its own with the dump of an earlier stop, of one key; now it holds many."""
    cluster.start()
    await cluster.leader()
    await (await cluster.connect(1)).call("SET", "k0", "v")
    cluster.nodes[1].stop()
    await gone(cluster, 1)
    assert keys_in(cluster, 1) == 1
    cluster.start()
    await cluster.leader()
    client = await cluster.connect(1)
    await fill(client)
    return client


async def begin(cluster: SimCluster, number: int = 1) -> None:
    """Ask a node to stop, and wait until its dump has begun."""
    cluster.nodes[number].stop()
    await until(lambda: unfinished(cluster, number) == [f"{DUMP}.tmp"])


def test_a_stop_lasts_as_long_as_its_dump_moves(capsys: pytest.CaptureFixture[str]) -> None:
    """Far beyond the deadline, which counts from the last piece; the log tells how far it is."""

    async def scenario(cluster: SimCluster) -> None:
        await single(cluster)
        slow_down(cluster, 1)
        begun = trio.current_time()
        await begin(cluster)
        assert keys_in(cluster, 1) == 1, "the dump before stays until the new one is whole"
        await gone(cluster, 1)
        assert trio.current_time() - begun > 2 * STILL_S
        assert cluster.nodes[1].dumped is True
        assert keys_in(cluster, 1) == KEYS
        assert unfinished(cluster, 1) == []

    run_cluster(scenario, count=1, **SETTINGS)
    told = re.findall(r"writing +bytes=(\d+) file=dump.json keys=(\d+) of=128", capsys.readouterr().out)
    assert len(told) >= 4, "about once a second"
    assert [int(size) for size, _ in told] == sorted(int(size) for size, _ in told)
    assert 0 < int(told[0][1]) < int(told[-1][1]) <= KEYS


def test_a_dump_that_stands_still_is_given_up() -> None:
    """A disk that hangs holds the stop for its deadline; the dump before stays, and nothing half written."""

    async def scenario(cluster: SimCluster) -> None:
        await single(cluster)
        slow_down(cluster, 1, 1000 * 2 * STILL_S)
        begun = trio.current_time()
        await begin(cluster)
        await gone(cluster, 1)
        assert trio.current_time() - begun < 5 * STILL_S
        assert cluster.nodes[1].dumped is False
        assert keys_in(cluster, 1) == 1
        assert unfinished(cluster, 1) == []

    run_cluster(scenario, count=1, **SETTINGS)


def test_a_second_request_ends_it_at_once() -> None:
    """The dump before stays, nothing half written is left, nothing is lost."""

    async def scenario(cluster: SimCluster) -> None:
        await single(cluster)
        slow_down(cluster, 1)
        await begin(cluster)
        await trio.sleep(2)
        begun = trio.current_time()
        cluster.nodes[1].stop_now()
        await gone(cluster, 1)
        assert trio.current_time() - begun <= SYNC_MS / 1000
        assert cluster.nodes[1].dumped is False
        assert keys_in(cluster, 1) == 1
        assert unfinished(cluster, 1) == []
        cluster.start()
        await cluster.leader()
        assert await (await cluster.connect(1)).call("DBSIZE") == KEYS

    run_cluster(scenario, count=1, **SETTINGS)


@pytest.mark.parametrize("power", [False, True])
def test_a_death_in_the_middle_leaves_the_dump_before(*, power: bool) -> None:
    """After kill -9 or a power cut the next start clears away what was half written."""

    async def scenario(cluster: SimCluster) -> None:
        await single(cluster)
        slow_down(cluster, 1)
        await begin(cluster)
        await trio.sleep(2)
        if power:
            cluster.lose_power(1, keep=Keep.ALL)
        else:
            cluster.kill(1)
        assert unfinished(cluster, 1) == [f"{DUMP}.tmp"]
        cluster.start()
        await cluster.leader()
        assert unfinished(cluster, 1) == []
        assert keys_in(cluster, 1) == 1
        assert await (await cluster.connect(1)).call("DBSIZE") == KEYS

    run_cluster(scenario, count=1, **SETTINGS)


def test_a_disk_that_fills_up_in_the_middle_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """The dump before stays, the room is given back, and the node says that there is no new one."""

    async def scenario(cluster: SimCluster) -> None:
        await single(cluster)
        volume = cluster.world.machine("node1").volume
        volume.capacity_bytes = volume.used_bytes() + KEYS * VALUE_BYTES // 2
        cluster.nodes[1].stop()
        await gone(cluster, 1)
        assert cluster.nodes[1].dumped is False
        assert keys_in(cluster, 1) == 1
        assert unfinished(cluster, 1) == []

    run_cluster(scenario, count=1, **SETTINGS)
    assert re.search(
        r"no dump was written .*the disk is full: no room for dump\.json", capsys.readouterr().out
    )


def test_an_error_of_the_disk_in_the_middle_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """The log has everything; the peers are not left waiting for it."""

    async def scenario(cluster: SimCluster) -> None:
        await single(cluster)
        slow_down(cluster, 1)
        await begin(cluster)
        cluster.world.machine("node1").disk_traits.fail("sync", errno.EIO)
        await gone(cluster, 1)
        assert cluster.nodes[1].dumped is False
        assert keys_in(cluster, 1) == 1

    run_cluster(scenario, count=1, **SETTINGS)
    assert "no dump was written" in capsys.readouterr().out


async def three(cluster: SimCluster) -> tuple[int, list[int]]:
    """A filled cluster: who leads, who follows."""
    cluster.start()
    leader = await cluster.leader()
    await fill(await cluster.connect(leader))
    await until(lambda: len({cluster.parts(n).applier.position.index for n in (1, 2, 3)}) == 1)
    return leader, others(cluster, leader)


@pytest.mark.parametrize("slow_is_leader", [False, True])
def test_nobody_waits_for_a_peers_dump(*, slow_is_leader: bool) -> None:
    """All are stopped, one disk is slow: the others leave in their time, and all three dumps are complete."""

    async def scenario(cluster: SimCluster) -> None:
        leader, followers = await three(cluster)
        slow = leader if slow_is_leader else followers[0]
        quick = others(cluster, slow)
        slow_down(cluster, slow)
        begun = trio.current_time()
        for number in (1, 2, 3):
            cluster.nodes[number].stop()
        await gone(cluster, *quick)
        assert trio.current_time() - begun < STILL_S / 2, "not even until the deadline"
        assert slow in set(cluster.running())
        await gone(cluster, slow)
        assert trio.current_time() - begun > 2 * STILL_S
        assert [keys_in(cluster, number) for number in (1, 2, 3)] == [KEYS] * 3

    run_cluster(scenario, **SETTINGS)


def test_a_node_that_dumps_still_makes_a_majority() -> None:
    """Alone with one peer, in the middle of its own dump, it confirms that peer's barrier and its writes."""

    async def scenario(cluster: SimCluster) -> None:
        leader, followers = await three(cluster)
        slow, other = followers[0], followers[1]
        slow_down(cluster, slow)
        await begin(cluster, slow)
        cluster.kill(leader)
        client = await cluster.connect(other)
        assert await client.call("SET", "late", "v") == b"OK"
        assert slow in set(cluster.running())
        cluster.nodes[other].stop()
        await gone(cluster, other)
        assert slow in set(cluster.running())
        assert keys_in(cluster, other) == KEYS + 1
        await gone(cluster, slow)
        assert keys_in(cluster, slow) == KEYS

    # Of most seeds: a candidate must hear of the slow disk's vote before it tries again.
    run_cluster(scenario, seed=2, **SETTINGS)


def test_a_backup_under_way_is_finished_first() -> None:
    """A client's BACKUP that the stop meets is progress too: it is answered, and the dump follows."""

    async def scenario(cluster: SimCluster) -> None:
        client = await single(cluster)
        slow_down(cluster, 1)
        replies: list[bytes] = []

        async def backup() -> None:
            replies.append(await client.call("BACKUP"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(backup)
            await until(lambda: unfinished(cluster, 1))
            cluster.nodes[1].stop()
            await gone(cluster, 1)
        assert replies[0].endswith(
            b": 128 keys at index %d" % json.loads(cluster.file(1, DUMP))["node"]["index"]
        )
        assert keys_in(cluster, 1) == KEYS

    run_cluster(scenario, count=1, **SETTINGS)


class Leaving:
    """What `Stopping` needs of a node that follows; notes when the dump is written, and as what."""

    def __init__(self) -> None:
        self.inbox = Mailbox[Event]()
        self.dumps: list[bool] = []
        self.links = self.proposals = self.raft = self.snapshotter = self.reads = self
        self.host = self.applier = self.identity = self
        self.disk = MemoryDisk()
        self.cluster = b"cluster of tests"
        self.position = SnapshotMeta(1, 1, MEMBERS)
        self.membership = MEMBERS
        self.role = Role.FOLLOWER
        self.drain = Drain()
        self.slices = 0
        self.told: list[PeerMessage] = []
        self.outflows = Outflows(boot_us=lambda: 0, cap=lambda: 0)
        settings = RuntimeSettings(timeout_s=0, typed_timeout_s=0, maxclients=1, requirepass="")
        self.connections = Connections(settings)

    def peers(self) -> list[int]:
        """Two of them."""
        return [2, 3]

    def is_up(self, peer: int) -> bool:
        """Only one is there."""
        return peer == 2

    def send(self, peer: int, message: PeerMessage) -> bool:
        """A link."""
        if peer == 2:
            self.told.append(message)
        return True

    def waiting(self) -> int:
        """Nothing waits."""
        return 0

    def stop_accepting(self) -> None:
        """The listener's."""

    def make_way(self, moved: Callable[[Progress], None]) -> None:
        """The snapshotter's: it takes no more."""
        self.moved = moved

    async def write_document(
        self,
        path_of: Callable[[SnapshotMeta], str],
        *,
        complete: bool,
        make_room: Callable[[], Awaitable[None]],
    ) -> tuple[SnapshotMeta, int]:
        """The dump."""
        await make_room()
        meta = SnapshotMeta(1, 1, MEMBERS)
        assert path_of(meta) == ("dump.json" if complete else "dump.incomplete.json")
        self.dumps.append(complete)
        return meta, 0

    def __len__(self) -> int:
        """As the reads: none."""
        return 0

    def stop(self) -> Stopping:
        """The phases."""
        whatever: Any = self
        parts, listening = cast("Parts", whatever), cast("Listening", whatever)
        return Stopping(parts, self.connections, self.outflows, listening, StopLimits())


@pytest.mark.parametrize("is_confirmed", [True, False])
async def test_the_dump_waits_for_its_barrier(autojump_clock: MockClock, *, is_confirmed: bool) -> None:
    """What was acknowledged anywhere before the stop is applied first, or the dump says it is incomplete."""
    del autojump_clock
    node = Leaving()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.stop().run)
        with trio.fail_after(1):
            (barrier,) = await node.inbox.take()
        assert isinstance(barrier, Barrier)
        await trio.sleep(1)
        assert node.dumps == []
        if is_confirmed:
            barrier.work.answered([])
        else:
            barrier.work.failed(CommandError("CLUSTERDOWN"))
    assert node.dumps == [is_confirmed]


@pytest.mark.parametrize("peer_stops", [True, False])
async def test_the_barrier_waits_for_peers_that_stop_as_well(
    autojump_clock: MockClock, *, peer_stops: bool
) -> None:
    """What a slower node acknowledges while the whole cluster stops is in everybody's dump."""
    del autojump_clock
    node = Leaving()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.stop().run)
        await trio.sleep(0.2)
        assert node.told == [Draining(), Draining(is_quiet=True)]
        if peer_stops:
            node.drain.heard(2, Draining())
            await trio.sleep(1)
            assert len(node.inbox) == 0
            node.drain.heard(2, Draining(is_quiet=True))
        with trio.fail_after(0.2):
            (barrier,) = await node.inbox.take()
        assert isinstance(barrier, Barrier)
        barrier.work.answered([])
        node.drain.heard(2, Drained())
    assert node.dumps == [True]


async def test_peers_hear_that_all_clients_are_answered_when_they_are(autojump_clock: MockClock) -> None:
    """Not only what the log or a question has counts: a SAVE, a read that waits to be served."""
    del autojump_clock
    node = Leaving()
    node.connections.began()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.stop().run)
        await trio.sleep(1)
        assert node.told == [Draining()]
        node.connections.finished()
        await trio.sleep(0.1)
        assert node.told == [Draining(), Draining(is_quiet=True)]
        nursery.cancel_scope.cancel()


async def test_a_stop_ends_long_reads(autojump_clock: MockClock) -> None:
    """At its announcement: they may take as long as their clients like."""
    del autojump_clock
    node = Leaving()
    ended: list[str] = []
    kept: Any = SimpleNamespace(close=lambda: None)
    streamed = Streamed(iter(()), kept, lambda _: CommandError("ERR"))
    taker: Any = SimpleNamespace(end_slow=ended.append)
    node.outflows.put(Outflow(iter(()), taker, FakeWire(), 1, [streamed]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.stop().run)
        await trio.sleep(0.001)
        assert ended == ["this node is shutting down"]
        nursery.cancel_scope.cancel()


async def test_a_stop_at_once_knows_of_a_dump_that_is_there(autojump_clock: MockClock) -> None:
    """Cut short while it still waits for a peer, a stop has its dump; cut short before, it has none."""
    del autojump_clock
    for confirms in (True, False):
        node = Leaving()
        node.drain.heard(2, Draining(is_quiet=True))  # and never says more
        stop = node.stop()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop.run)
            (barrier,) = await node.inbox.take()
            assert isinstance(barrier, Barrier)
            if confirms:
                barrier.work.answered([])
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert stop.dumped is confirms
