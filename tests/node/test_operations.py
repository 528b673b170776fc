"""BACKUP and what it removes; what an operator has done to a directory does not end a node."""

import errno
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.node.counting import until
from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.front.seam import Asked, Digest, Held, Operation, Save, Sleep, Wait, WaitAof
from trikv.machine.replies import OK, CommandError, Reply
from trikv.node.events import Barrier, Event
from trikv.node.mailbox import Mailbox
from trikv.node.operations import DIGEST_SLICES_MAX, Operations, OperationSettings
from trikv.node.state.snapshotter import GivenUp
from trikv.raft.types import Membership, SnapshotMeta
from trikv.sim.volume import Added, Inode, Volume
from trikv.storage.errors import DiskFull

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


async def cluster_client(cluster: SimCluster) -> Client:
    """A client of a follower, in a cluster of three."""
    cluster.start()
    leader = await cluster.leader()
    return await cluster.connect(next(number for number in (1, 2, 3) if number != leader))


def test_one_file_at_a_time() -> None:
    """While a BACKUP is written, SAVE, BGSAVE and another BACKUP are told so; afterwards they go again."""

    async def scenario(cluster: SimCluster) -> None:
        first, _ = await single(cluster)
        second = await cluster.connect(1)
        await first.call("SET", "k", "v")
        replies: list[object] = []

        async def ask() -> None:
            replies.append(await first.call("BACKUP"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            with trio.fail_after(5):
                while not cluster.parts(1).snapshotter.statistics().is_walking:  # noqa: ASYNC110 - it is over in an instant
                    await trio.sleep(0.0001)
            for command in ("BACKUP", "SAVE", "BGSAVE"):
                assert str(await second.call(command)) == "ERR a backup or save is already in progress"
        assert b": 1 key at index " in replies[0]  # type: ignore[operator]
        assert await second.call("SAVE") == b"OK"

    run_cluster(scenario, count=1)


def test_bgsave_answers_at_once_and_leaves_a_snapshot() -> None:
    """What it says is Redis' text; LASTSAVE tells when it is there."""

    async def scenario(cluster: SimCluster) -> None:
        client, volume = await single(cluster)
        await client.call("SET", "k", "v")
        before = await client.call("LASTSAVE")
        await trio.sleep(2)
        assert await client.call("BGSAVE") == b"Background saving started"
        await trio.sleep(2)
        assert await client.call("LASTSAVE") > before
        assert [name for name in volume.names if name.startswith("snapshots/")]

    run_cluster(scenario, count=1)


def test_the_digest_is_the_same_on_all_nodes_at_one_index() -> None:
    """It names the index that it is of; a state of many keys is hashed in slices, and comes to the same."""

    async def scenario(cluster: SimCluster) -> None:
        client = await cluster_client(cluster)
        pairs = [word for number in range(500) for word in (f"key{number}", "v" * 100)]
        assert await client.call("MSET", *pairs) == b"OK"
        digest = await cluster.converged()
        told = [await (await cluster.connect(number)).call("DIGEST") for number in (1, 2, 3)]
        assert [one[1].decode() for one in told] == [digest] * 3
        assert len({one[0] for one in told}) == 1

    run_cluster(scenario)


def test_wait_tells_how_many_others_hold_the_last_write() -> None:
    """As soon as enough do; else when its time is up. Before any write all voters hold it, as in Redis."""

    async def scenario(cluster: SimCluster) -> None:
        client = await cluster_client(cluster)
        assert await client.call("WAIT", 9, 0) == 2
        assert await client.call("SET", "k", "v") == b"OK"
        began = trio.current_time()
        assert await client.call("WAIT", 2, 0) == 2
        assert trio.current_time() - began < 1
        assert await client.call("WAIT", 3, 300) == 2
        assert 0.3 <= trio.current_time() - began < 2
        assert await client.call("WAIT", 0, 0) >= 0

    run_cluster(scenario)


def test_wait_on_a_node_without_a_leader_knows_of_nobody() -> None:
    """Only the leader hears acknowledgements: cut off from it, a node counts none and still answers."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        number = next(number for number in (1, 2, 3) if number != leader)
        client = await cluster.connect(number)
        assert await client.call("SET", "k", "v") == b"OK"
        cluster.isolate(number)
        await trio.sleep(5)
        assert await client.call("WAIT", 1, 200) == 0

    run_cluster(scenario)


class Parts:
    """What operations work with: a driver that confirms every barrier, and parts that do as the test says."""

    def __init__(self) -> None:
        self.inbox = Mailbox[Event]()
        self.replies: list[Reply] = []
        self.problem: Exception | None = None
        """What a snapshot meets."""
        self.unhashed = 0
        """Looks that find buckets that were not hashed."""
        self.position = SnapshotMeta(7, 1, Membership(()))
        self.membership = self.position.membership
        """The Raft core's."""
        whatever: Any = self
        self.operations = Operations(
            host=whatever,
            inbox=self.inbox,
            raft=whatever,
            applier=whatever,
            snapshotter=whatever,
            stop=lambda: None,
            settings=OperationSettings("data"),
        )

    @property
    def machine(self) -> "Parts":
        """The applier's."""
        return self

    async def until_whole(self) -> None:
        """The applier's: it is inside no entry."""

    def hash_some(self, _: int) -> bool:
        """The machine's: whether something is left."""
        self.unhashed -= 1
        return self.unhashed >= 0

    def digest(self) -> str:
        """The machine's."""
        return f"{max(0, self.unhashed)} buckets late"

    async def take(self) -> None:
        """The snapshotter's."""
        await trio.lowlevel.checkpoint()
        assert self.problem is not None
        raise self.problem

    async def _confirm(self) -> None:
        while True:
            for event in await self.inbox.take():
                assert isinstance(event, Barrier)
                event.work.answered([])

    async def carry_out(self, asked: Asked) -> Reply:
        """One operation, to its end; its only reply."""
        replies: list[Reply] = []
        async with trio.open_nursery() as nursery:
            await nursery.start(self.operations.run)
            nursery.start_soon(self._confirm)
            self.operations.put(Operation("SOME", asked, replies.append))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        (reply,) = replies
        return reply


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        (GivenUp("the node stops"), "ERR nothing was written: the node stops"),
        (DiskFull("a snapshot"), "ERR could not write: the disk is full: no room for a snapshot"),
    ],
)
async def test_a_save_that_cannot_be_is_told_and_the_next_may_be_asked_for(
    problem: Exception, answer: str
) -> None:
    """What the operator or a stop has brought about ends no node, and no operation is under way for ever."""
    parts = Parts()
    parts.problem = problem
    for _ in range(2):
        assert await parts.carry_out(Save(in_background=False)) == CommandError(answer)


async def test_a_disk_that_fails_ends_the_node() -> None:
    """It is no reply: nobody knows what the device holds (PROTOCOL 12)."""
    parts = Parts()
    parts.problem = OSError(errno.EIO, "input/output error")
    with pytest.raises(ExceptionGroup) as raised:
        await parts.carry_out(Save(in_background=False))
    assert raised.group_contains(OSError, match="input/output error")


@pytest.mark.parametrize(("unhashed", "late"), [(0, 0), (5, 0), (10**9, 10**9 - DIGEST_SLICES_MAX)])
async def test_a_digest_is_made_in_slices_and_ends(unhashed: int, late: int) -> None:
    """Others have their turn in between; under a load that outruns it the rest is done at once."""
    parts = Parts()
    parts.unhashed = unhashed
    assert await parts.carry_out(Digest()) == [7, b"%d buckets late" % late]


def test_waitaof_tells_of_this_disk_and_of_the_others() -> None:
    """At each node, whether it leads or not: its own disk apart from the others', none counted twice."""

    async def scenario(cluster: SimCluster) -> None:
        await cluster_client(cluster)
        for number in (1, 2, 3):
            client = await cluster.connect(number)
            assert await client.call("WAITAOF", 1, 2, 0) == [1, 2]
            assert await client.call("SET", "k", "v") == b"OK"
            assert await client.call("WAITAOF", 1, 2, 0) == [1, 2]
            began = trio.current_time()
            assert await client.call("WAITAOF", 0, 3, 300) == [1, 2]
            assert 0.3 <= trio.current_time() - began < 2

    run_cluster(scenario)


def test_waitaof_on_a_node_that_is_cut_off_knows_its_own_disk() -> None:
    """Only the leader hears acknowledgements; that the write is on this disk needs nobody else."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        number = next(number for number in (1, 2, 3) if number != leader)
        client = await cluster.connect(number)
        assert await client.call("SET", "k", "v") == b"OK"
        cluster.isolate(number)
        await trio.sleep(5)
        assert await client.call("WAITAOF", 1, 0, 0) == [1, 0]
        assert await client.call("WAITAOF", 1, 1, 200) == [1, 0]

    run_cluster(scenario)


async def test_waitaof_before_the_cluster_is_known_counts_nobody() -> None:
    """As with WAIT."""
    assert await Parts().carry_out(WaitAof(1, 2, 1)) == [1, 0]


async def test_a_sleep_ends_by_itself_or_when_its_client_has_gone(autojump_clock: MockClock) -> None:
    """It delays nobody else: it is a task that waits."""
    parts = Parts()
    replies: list[tuple[float, Reply]] = []
    for abandons in (False, True):
        began = autojump_clock.current_time()
        operation = Operation("SOME", Sleep(1500), lambda reply: replies.append((trio.current_time(), reply)))
        async with trio.open_nursery() as nursery:
            await nursery.start(parts.operations.run)
            parts.operations.put(operation)
            await trio.sleep(0.25)
            operation.abandoned = abandons
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
        ended, reply = replies.pop()
        assert (round(ended - began, 3), reply) == (0.3 if abandons else 1.5, OK)


async def test_what_is_held_back_never_reaches_the_node() -> None:
    """The register of connections keeps it: there is nothing that a node could do for it."""
    with pytest.raises(ExceptionGroup):
        await Parts().carry_out(Held())


async def test_wait_before_the_cluster_is_known_counts_nobody() -> None:
    """A new disk that still waits for the cluster knows of no voter, not even of itself: 0, and never -1."""
    parts = Parts()
    assert await parts.carry_out(Wait(2, 1)) == 0


def test_a_backup_stands_though_older_ones_cannot_be_removed() -> None:
    """It is durable before anything is removed: its path is the answer, and the next one tries again."""

    async def scenario(cluster: SimCluster) -> None:
        client, volume = await single(cluster)
        traits = cluster.world.machine("node1").disk_traits
        for number in range(2):
            await client.call("SET", "k", number)
            await backup(client)
        await client.call("SET", "k", "more")
        for number in (errno.EACCES, errno.EMFILE):
            traits.fail("remove", number)
            newest = await backup(client)
            assert newest in volume.names
        traits.fail("names", errno.EACCES)
        newest = await backup(client)
        assert newest in volume.names
        await client.call("SET", "k", "still more")
        await backup(client)
        assert len([name for name in volume.names if name.startswith("backups/")]) == 1

    run_cluster(scenario, count=1, backups_kept=1)


def test_shutdown_stops_the_node_in_order() -> None:
    """The client hears OK, then its connection ends; the dump is there."""

    async def scenario(cluster: SimCluster) -> None:
        client, volume = await single(cluster)
        await client.call("SET", "k", "v")
        assert await client.call("SHUTDOWN") == b"OK"
        with trio.fail_after(20):
            await until(lambda: not list(cluster.running()))
        assert "dump.json" in volume.names

    run_cluster(scenario, count=1)
