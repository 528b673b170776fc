"""Which index a snapshot bears, when it appears, what goes because of it."""

import errno
from typing import cast

import msgspec
import pytest
import structlog
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.machine.long_work import LONG
from tests.node.recorded_work import ORIGIN, CommittedLog
from tests.storage.memory_disk import MemoryDisk
from trikv.host.seam import Host
from trikv.machine.batch import Batch, Hello, Submission
from trikv.machine.machine import Machine
from trikv.machine.snapshot import Restore
from trikv.node.audience import Audience
from trikv.node.events import Compact, Event
from trikv.node.mailbox import Mailbox
from trikv.node.peers.links import Identity, Links
from trikv.node.state.applier import Applier
from trikv.node.state.header import Header
from trikv.node.state.snapshotter import GivenUp, Snapshotter, SnapshotterSettings
from trikv.node.waiters import Waiters
from trikv.protocol.messages import SnapshotAck, SnapshotChunk
from trikv.raft.types import Entry, EntryKind, Member, Membership, SnapshotMeta
from trikv.storage.snapshots import SnapshotStore

MEMBERS = Membership((Member(ORIGIN, b"disk" * 4, voter=True, address="n1:1"),))
CLUSTER = b"cluster of tests"
PEER = 2


class Rig:
    """A snapshotter with a real applier and a disk in memory; a log of writes to apply."""

    def __init__(self, machine: Machine | None = None) -> None:
        self.log = CommittedLog()
        first = self.log.entries[0]
        self.log.entries[0] = msgspec.structs.replace(first, payload=msgspec.msgpack.encode(MEMBERS))
        self.incarnation = incarnation = self.log.commit(Hello(ORIGIN, b"n"))
        for number in range(1, 20):
            write = (b"SET", b"key%d" % number, b"%d" % number)
            self.log.commit(Submission(ORIGIN, incarnation, number, 0, (write,)))
        self.inbox = Mailbox[Event]()
        self.durable_index = 0
        self.acks: list[SnapshotAck] = []
        self.disk = MemoryDisk()
        self.applier = Applier(
            origin=ORIGIN,
            machine=machine or Machine(),
            position=SnapshotMeta(0, 0, MEMBERS),
            waiters=Waiters(),
            inbox=self.inbox,
            audience=Audience(),
            boot_ms=lambda: 0,
            boot_us=lambda: 0,
            seed=1,
        )

    def wall_ms(self) -> int:
        """A clock."""
        return 1_000

    def boot_ms(self) -> int:
        """Another one."""
        return 0

    @property
    def clock(self) -> "Rig":
        """The host's clock."""
        return self

    def send(self, peer: int, message: SnapshotAck) -> bool:
        """The link to the peer."""
        assert peer == PEER
        self.acks.append(message)
        return True

    async def snapshotter(self, settings: SnapshotterSettings | None = None) -> Snapshotter:
        """The thing under test."""
        return Snapshotter(
            host=cast("Host", self),
            store=await SnapshotStore.open(self.disk),
            applier=self.applier,
            links=cast("Links", self),
            identity=Identity(ORIGIN, b"disk" * 4, CLUSTER),
            inbox=self.inbox,
            durable_index=lambda: self.durable_index,
            newest=None,
            newest_bytes=0,
            settings=settings or SnapshotterSettings(),
        )

    def apply_up_to(self, index: int) -> None:
        """Hand the applier the next entries of the log."""
        self.applier.put(self.log.entries[self.applier.position.index : index])
        self.applier.carry_out()

    def digest_at(self, index: int) -> str:
        """The state that a replica has at `index`."""
        machine = Machine()
        machine.apply_membership(1, [ORIGIN])
        for entry in self.log.entries[1:index]:
            machine.apply(entry.index, entry.payload)
        return machine.digest()

    def stored(self) -> list[tuple[str, Machine]]:
        """Every snapshot that bears its name, loaded."""
        found = []
        for name, inode in sorted(self.disk.names_now.items()):
            if name.endswith(".json"):
                restore = Restore()
                restore.feed(bytes(inode.cache))
                found.append((name, restore.finish()[1]))
        return found


async def test_a_snapshot_bears_the_index_of_its_state_and_waits_for_the_own_disk(
    autojump_clock: MockClock,
) -> None:
    """Applied may run ahead of this node's log: the file appears only when the log has its index.

    What is written meanwhile is neither in it nor dropped from the log because of it (PROTOCOL 8).
    """
    del autojump_clock
    rig = Rig()
    snapshotter = await rig.snapshotter()
    async with trio.open_nursery() as nursery:
        await nursery.start(rig.applier.run)
        rig.apply_up_to(10)
        await wait_all_tasks_blocked()
        rig.durable_index = 8
        nursery.start_soon(snapshotter.take)
        await trio.sleep(1)
        assert rig.stored() == []
        rig.apply_up_to(20)
        await trio.sleep(1)
        rig.durable_index = 20
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    ((name, machine),) = rig.stored()
    assert (int(name.split("/")[1].split("-")[0]), machine.index) == (10, 10)
    assert machine.digest() == rig.digest_at(10)
    (compacted,) = (event for event in await rig.inbox.take() if isinstance(event, Compact))
    assert compacted.meta == SnapshotMeta(10, 1, MEMBERS)


async def test_a_snapshot_that_waits_for_the_own_disk_holds_up_no_dump(autojump_clock: MockClock) -> None:
    """On a full disk the log may never be durable so far: a stop gives the snapshot up, whoever asked."""
    del autojump_clock
    rig = Rig()
    snapshotter = await rig.snapshotter()
    refused: list[str] = []

    async def save() -> None:
        try:
            await snapshotter.take()
        except GivenUp as problem:
            refused.append(str(problem))

    async with trio.open_nursery() as nursery:
        rig.apply_up_to(10)
        rig.durable_index = 8
        nursery.start_soon(save)
        await trio.sleep(1)
        snapshotter.make_way(lambda _: None)
        with trio.fail_after(1):
            meta, _ = await snapshotter.write_document(lambda _: "dump.json")
    assert meta.index == 10
    assert refused == ["the node stops, and its log is not durable up to 10 yet"]
    assert [name for name, _ in rig.stored()] == ["dump.json"]


async def test_a_directory_that_may_not_be_written_ends_no_node(autojump_clock: MockClock) -> None:
    """What an operator did to snapshots/ says nothing of the device: the timer tries again."""
    del autojump_clock
    rig = Rig()
    rig.disk.fail = lambda kind, path: errno.EACCES if (kind, path[:9]) == ("create", "snapshots") else None
    snapshotter = await rig.snapshotter(SnapshotterSettings(interval_s=1))
    async with trio.open_nursery() as nursery:
        rig.apply_up_to(10)
        rig.durable_index = 10
        with structlog.testing.capture_logs() as lines:
            await nursery.start(snapshotter.run)
            await trio.sleep(5)
        assert "no snapshot: the log grows until one can be written" in {line["event"] for line in lines}
        assert snapshotter.statistics().last_failed
        rig.disk.fail = lambda _kind, _path: None
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    assert [name.partition("/")[0] for name, _ in rig.stored()] == ["snapshots"]


async def test_a_snapshot_is_not_named_by_what_is_durable_but_by_what_is_applied() -> None:
    """The log on disk is usually ahead of the machine."""
    rig = Rig()
    rig.durable_index = 22
    snapshotter = await rig.snapshotter()
    async with trio.open_nursery() as nursery:
        await nursery.start(rig.applier.run)
        rig.apply_up_to(12)
        await wait_all_tasks_blocked()
        meta = await snapshotter.take()
        nursery.cancel_scope.cancel()
    ((name, machine),) = rig.stored()
    assert (meta.index, machine.index, f"{12:020}" in name) == (12, 12, True)


@pytest.mark.parametrize(("cluster", "offset"), [(CLUSTER, 0), (b"somebody else's!", -1)])
async def test_a_snapshot_of_another_cluster_is_refused(cluster: bytes, offset: int) -> None:
    """Secrets may be shared by mistake, states never: the sender hears no, and no file is left."""
    rig = Rig()
    meta = SnapshotMeta(len(rig.log.entries), 1, MEMBERS)
    walk = rig.log.machine.walk(Header(cluster, meta).as_dict())
    document = b"".join(iter(lambda: walk.step(60_000), b""))
    snapshotter = await rig.snapshotter()
    async with trio.open_nursery() as nursery:
        await nursery.start(snapshotter.run)
        snapshotter.chunk_came(PEER, b"d", SnapshotChunk(2, meta, 0, len(document), document))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert rig.acks == [SnapshotAck(2, meta.index, -1 if offset else len(document))]
    assert len(rig.stored()) == (0 if offset else 1)


@pytest.mark.parametrize("is_dump", [False, True])
async def test_no_document_is_begun_inside_an_entry(autojump_clock: MockClock, *, is_dump: bool) -> None:
    """It waits until the entry is whole: what is written is the state of its index, and no half of one."""
    assert autojump_clock.autojump_threshold == 0
    rig = Rig(machine=Machine(LONG))
    rig.apply_up_to(len(rig.log.entries))
    rig.durable_index = 99
    snapshotter = await rig.snapshotter()
    work = Submission(ORIGIN, rig.incarnation, 20, 0, ((b"WORK", b"k", b"5"),))
    payload = msgspec.msgpack.encode(Batch(1_000, 7, (work,)))
    entry = Entry(len(rig.log.entries) + 1, 1, EntryKind.BATCH, payload)
    rig.applier.SLICE_MS = 0
    rig.applier.put([entry])
    rig.applier.carry_out()
    assert rig.applier.inside is not None
    async with trio.open_nursery() as nursery:
        if is_dump:
            nursery.start_soon(snapshotter.write_document, lambda _: "dump.json")
        else:
            nursery.start_soon(snapshotter.take)
        await wait_all_tasks_blocked()
        assert not any(name.endswith(".json") for name in rig.disk.names_now)
        nursery.start_soon(rig.applier.run)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    (document,) = [inode for name, inode in rig.disk.names_now.items() if name.endswith(".json")]
    restore = Restore()
    restore.feed(bytes(document.cache))
    machine = restore.finish()[1]
    assert machine.index == entry.index
    assert machine.read(0, [(b"STRLEN", b"k")]) == [5]
