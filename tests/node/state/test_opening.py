"""From a data directory to where a node goes on: what is taken, what is mended, what is refused."""

from collections.abc import Callable
from typing import cast

import attrs
import msgspec
import pytest
import structlog

from tests.node.recorded_work import ORIGIN, CommittedLog
from tests.storage.memory_disk import Inode, MemoryDisk
from trikv.config import ConfigError
from trikv.host.seam import Host
from trikv.machine.batch import Hello, Submission
from trikv.machine.machine import Machine
from trikv.node.peers.founding import Adopt
from trikv.node.state.header import Header
from trikv.node.state.opening import (
    STRANGERS_SHOWN,
    OpenedLog,
    create_log,
    open_identity,
    open_log,
    tidy_up,
)
from trikv.raft.ready import WriteJob
from trikv.raft.types import HardState, Member, Membership, SnapshotMeta
from trikv.storage import identity as identity_files
from trikv.storage.errors import IdentityWithoutLog, StorageCorrupt, StrayName
from trikv.storage.identity import DiskIdentity
from trikv.storage.snapshots import SnapshotStore
from trikv.storage.wal import WalSettings

CLUSTER = b"cluster of tests"
SETTINGS = WalSettings(segment_bytes=64 << 10)


class Entropy:
    """Bytes that are never the same."""

    def __init__(self) -> None:
        self._made = 0

    def bytes(self, count: int) -> bytes:
        """The next ones."""
        self._made += 1
        return bytes([self._made]) * count


@attrs.define
class DiskHost:
    """What opening needs of a host."""

    disk: MemoryDisk = attrs.field(factory=MemoryDisk)
    entropy: Entropy = attrs.field(factory=Entropy)

    @property
    def host(self) -> Host:
        """Under the type that it stands for."""
        return cast("Host", self)


class Rig:
    """A disk of a cluster of one, its log, and a model of what was committed."""

    def __init__(self) -> None:
        self.host = DiskHost()
        self.log = CommittedLog()
        incarnation = self.log.commit(Hello(ORIGIN, b"n"))
        for number in range(1, 10):
            write = (b"SET", b"key%d" % number, b"%d" % number)
            self.log.commit(Submission(ORIGIN, incarnation, number, 0, (write,)))
        self.identity = DiskIdentity(0, b"")

    @property
    def disk(self) -> MemoryDisk:
        """The data directory."""
        return self.host.disk

    @property
    def members(self) -> Membership:
        """This disk alone."""
        return Membership((Member(ORIGIN, self.identity.disk, voter=True, address="n1:1"),))

    async def create(self, *, up_to: int | None = None) -> None:
        """A first life: an identity, a log with the first `up_to` entries, then the end of the process."""
        self.identity = await open_identity(self.host.host, ORIGIN)
        first = self.log.entries[0]
        self.log.entries[0] = msgspec.structs.replace(first, payload=msgspec.msgpack.encode(self.members))
        opened = await create_log(self.host.host, self.identity, SETTINGS, Adopt(CLUSTER, self.members, 1))
        entries = tuple(self.log.entries[:up_to])
        await opened.wal.write([WriteJob(1, HardState(1, self.identity.disk), entries=entries)])
        await opened.wal.close()
        self.identity = await open_identity(self.host.host, ORIGIN)

    async def open(self) -> OpenedLog:
        """The next life's start."""
        opened = await open_log(self.host.host, await open_identity(self.host.host, ORIGIN), SETTINGS)
        assert opened is not None
        return opened

    def machine_at(self, index: int) -> Machine:
        """The state that the log makes of nothing, at `index`."""
        machine = Machine()
        machine.apply_membership(1, [ORIGIN])
        for entry in self.log.entries[1:index]:
            machine.apply(entry.index, entry.payload)
        return machine

    def document(
        self, index: int, *, cluster: bytes = CLUSTER, named: int | None = None, saved_ms: int = 7_000
    ) -> bytes:
        """A snapshot at `index` whose header says `named`."""
        header = Header(cluster, SnapshotMeta(named or index, 1, self.members), saved_ms=saved_ms)
        walk = self.machine_at(index).walk(header.as_dict())
        return b"".join(iter(lambda: walk.step(60_000), b""))

    async def put_snapshot(self, index: int, document: bytes) -> str:
        """Store it under the name of `index`; its path."""
        store = await SnapshotStore.open(self.disk)
        file = await store.begin(index, 1)
        await file.append(document)
        return (await file.publish()).path


async def test_a_new_disk_gets_a_name_of_its_own_and_keeps_it() -> None:
    """Random, durable before it is used, the same in each life; it belongs to no cluster yet."""
    host = DiskHost()
    known = await open_identity(host.host, 3)
    assert (known.node, len(known.disk), known.cluster) == (3, 16, None)
    after = DiskHost(host.disk.crashed(lambda _: False))
    assert await open_identity(after.host, 3) == known
    assert await open_identity(DiskHost().host, 3) == known
    other = DiskHost()
    other.entropy.bytes(1)
    assert await open_identity(other.host, 3) != known


async def test_another_nodes_directory_is_refused_in_words_that_help() -> None:
    """Both ways out are named: the directory's own node, or a directory of its own."""
    host = DiskHost()
    await open_identity(host.host, 3)
    with pytest.raises(ConfigError, match=r"belongs to node 3, not to node 1; start it with --node-id 3, or"):
        await open_identity(host.host, 1)


async def test_an_identity_that_the_log_contradicts_is_corrupt() -> None:
    """One bit of its file may make of a node another: the log beside it knows better."""
    rig = Rig()
    await rig.create()
    known = await identity_files.load(rig.disk)
    assert known is not None
    await identity_files.save(rig.disk, attrs.evolve(known, node=ORIGIN + 1))
    with pytest.raises(StorageCorrupt, match=f"names node {ORIGIN + 1}, and the log beside it node {ORIGIN}"):
        await open_identity(rig.host.host, ORIGIN)
    with pytest.raises(ConfigError, match=f"belongs to node {ORIGIN + 1}, not to node {ORIGIN + 2}"):
        await open_identity(rig.host.host, ORIGIN + 2)


@pytest.mark.parametrize("damage", ["a flipped bit", "a stray name"])
async def test_another_nodes_log_is_nothing_to_mend_whatever_is_wrong_with_it(damage: str) -> None:
    """Advice to refill would set aside the data of a node that has no part in the mistake."""
    rig = Rig()
    await rig.create()
    (segment,) = [inode for path, inode in rig.disk.names_now.items() if path.startswith("wal/")]
    if damage == "a flipped bit":
        segment.cache[140] ^= 1
    else:
        await rig.disk.create("wal/copy.wal")
    with pytest.raises(ConfigError, match=f"belongs to node {ORIGIN}, not to node {ORIGIN + 1}"):
        await open_identity(rig.host.host, ORIGIN + 1)
    with pytest.raises((StorageCorrupt, StrayName)):
        await rig.open()


async def test_a_blank_disk_has_no_log_and_a_lost_one_is_no_blank_disk() -> None:
    """Votes that were given are forgotten with the log: such a disk must not start as if it had none."""
    rig = Rig()
    identity = await open_identity(rig.host.host, ORIGIN)
    assert await open_log(rig.host.host, identity, SETTINGS) is None
    await rig.create()
    for name in [name for name in rig.disk.names_now if name.startswith("wal/")]:
        await rig.disk.remove(name)
    with pytest.raises(IdentityWithoutLog, match="its log is gone"):
        await rig.open()


async def test_a_node_goes_on_where_its_log_ends() -> None:
    """Without a snapshot: the members it began with, all entries, its vote, an empty machine."""
    rig = Rig()
    await rig.create()
    assert rig.identity.cluster == CLUSTER
    opened = await rig.open()
    assert (opened.cluster, opened.base) == (CLUSTER, SnapshotMeta(0, 0, rig.members))
    assert opened.entries == tuple(rig.log.entries)
    assert (opened.hard_state.term, opened.hard_state.vote) == (1, rig.identity.disk)
    assert (opened.machine.index, opened.snapshot, opened.snapshot_saved_ms) == (0, None, 0)


async def test_a_new_log_is_founded_with_what_all_its_members_know() -> None:
    """The feature level that was agreed is for the first leader; a later start knows nothing of it."""
    rig = Rig()
    identity = await open_identity(rig.host.host, ORIGIN)
    opened = await create_log(rig.host.host, identity, SETTINGS, Adopt(CLUSTER, rig.members, 3))
    assert opened.founding_level == 3
    await opened.wal.close()
    assert (await rig.open()).founding_level == 1


async def test_an_identity_that_a_crash_left_without_its_cluster_is_mended() -> None:
    """The log is made first: what it says of the disk is saved again, and the start goes on."""
    rig = Rig()
    await rig.create()
    await identity_files.save(rig.disk, attrs.evolve(rig.identity, cluster=None))
    await rig.open()
    assert await identity_files.load(rig.disk) == rig.identity


@pytest.mark.parametrize(
    "change",
    [
        lambda identity: attrs.evolve(identity, disk=b"another disk...."),
        lambda identity: attrs.evolve(identity, cluster=b"another cluster."),
    ],
    ids=["disk", "cluster"],
)
async def test_an_identity_that_contradicts_the_log_is_refused(
    change: Callable[[DiskIdentity], DiskIdentity],
) -> None:
    """Under that name another disk's votes were given."""
    rig = Rig()
    await rig.create()
    await identity_files.save(rig.disk, change(rig.identity))
    with pytest.raises(StorageCorrupt, match="it names another node, disk or cluster than the log"):
        await rig.open()


async def test_a_torn_last_batch_is_told_and_the_start_goes_on() -> None:
    """A crash leaves it so: nobody was told that it is durable. A copy of what was cut is named."""
    rig = Rig()
    await rig.create()
    opened = await rig.open()
    torn: list[MemoryDisk] = []

    def cut(kind: str, path: str) -> None:
        if kind == "sync" and path.startswith("wal/"):
            torn.append(rig.disk.crashed(lambda _: False, prefix=20))

    rig.disk.observe = cut
    await opened.wal.write([WriteJob(2, HardState(2, None))])
    rig.host.disk = torn[0]
    with structlog.testing.capture_logs() as lines:
        again = await rig.open()
    assert (again.entries, again.hard_state.term) == (tuple(rig.log.entries), 1)
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert line["event"] == "the last batch of the log was torn, as a crash leaves it"
    assert line["cut"]


async def test_a_node_goes_on_from_its_newest_snapshot_and_the_log_behind_it() -> None:
    """The machine is the snapshot's; when it was saved is what the snapshot says, for LASTSAVE."""
    rig = Rig()
    await rig.create()
    await rig.put_snapshot(4, rig.document(4))
    document = rig.document(9)
    await rig.put_snapshot(9, document)
    opened = await rig.open()
    assert opened.machine.index == 9
    assert opened.machine.digest() == rig.machine_at(9).digest()
    assert opened.snapshot == SnapshotMeta(9, 1, rig.members)
    assert (opened.snapshot_bytes, opened.snapshot_saved_ms) == (len(document), 7_000)
    assert opened.entries[-1] == rig.log.entries[-1]


async def test_a_snapshot_that_tells_no_moment_has_that_of_its_log_time() -> None:
    """An old version's: the last stamp is at most as late, and all that it tells."""
    rig = Rig()
    await rig.create()
    await rig.put_snapshot(9, rig.document(9, saved_ms=0))
    opened = await rig.open()
    assert opened.snapshot_saved_ms == opened.machine.now_ms > 0


async def test_a_snapshot_beyond_the_log_makes_it_begin_again_behind_it() -> None:
    """It was installed, and the power went before the log was reset: what it lacks would be a gap."""
    rig = Rig()
    await rig.create(up_to=5)
    await rig.put_snapshot(9, rig.document(9))
    opened = await rig.open()
    assert (opened.base.index, opened.entries) == (9, ())
    await opened.wal.close()
    again = await rig.open()
    assert (again.base.index, again.entries, again.machine.index) == (9, (), 9)


async def test_a_snapshot_of_another_cluster_is_refused() -> None:
    """Somebody has put it there: it is to be moved away, and no refill is called for."""
    rig = Rig()
    await rig.create()
    await rig.put_snapshot(9, rig.document(9, cluster=b"somebody else's!"))
    with pytest.raises(
        StorageCorrupt, match=r"another cluster than the log\. It was put there by hand: move it"
    ):
        await rig.open()


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document[: len(document) // 2],
        lambda document: document.replace(b"key5", b"key\xff", 1),
        lambda document: document.replace(b"key5", b"kex5", 1),
        lambda document: document + b"x",
        lambda _: b"",
        lambda _: b"not a snapshot\n" * 40_000,
    ],
    ids=["half of it", "a byte that is no text", "another byte", "one too many", "empty", "something else"],
)
async def test_a_damaged_snapshot_is_never_loaded(damage: Callable[[bytes], bytes]) -> None:
    """It is named, with the place and the way out; nothing of it becomes the state."""
    rig = Rig()
    await rig.create()
    path = await rig.put_snapshot(9, rig.document(9))
    rig.disk.names_now[path] = Inode(damage(rig.document(9)))
    with pytest.raises(StorageCorrupt, match="is corrupt at byte") as raised:
        await rig.open()
    assert raised.value.file == path


async def test_a_snapshot_under_another_ones_name_is_refused() -> None:
    """Its header tells; and a header that lies is found out by the state behind it."""
    rig = Rig()
    await rig.create()
    path = await rig.put_snapshot(9, rig.document(8))
    with pytest.raises(StorageCorrupt, match="its header names another index than its file name"):
        await rig.open()
    rig.disk.names_now[path] = Inode(rig.document(8, named=9))
    with pytest.raises(StorageCorrupt, match="its state is that of index 8"):
        await rig.open()


async def test_what_an_earlier_life_left_half_written_is_removed_and_strangers_are_named() -> None:
    """Nothing that is not trikv's is touched; of many names some are shown, and how many more there are."""
    host = DiskHost()
    for number in range(STRANGERS_SHOWN + 3):
        host.disk.names_now[f"notes{number:02}.txt"] = Inode(b"theirs")
    host.disk.names_now["dump.json.tmp"] = Inode(b"half")
    with structlog.testing.capture_logs() as lines:
        await tidy_up(host.host)
    (line,) = lines
    assert line["event"] == "not trikv's, left alone"
    assert line["paths"].startswith("notes00.txt, notes01.txt")
    assert line["paths"].endswith("notes07.txt, 3 more")
    assert len(host.disk.names_now) == STRANGERS_SHOWN + 3
    with structlog.testing.capture_logs() as lines:
        await tidy_up(DiskHost().host)
    assert lines == []
