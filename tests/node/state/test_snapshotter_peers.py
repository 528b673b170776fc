"""The snapshotter between its peers and its disk: what is sent, taken in, refused, given up."""

import errno

import pytest
import structlog
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.node.state.test_snapshotter import CLUSTER, MEMBERS, PEER, Rig
from trikv.node.events import Event, SnapshotReceived, TransferEnded
from trikv.node.state.header import Header
from trikv.node.state.snapshotter import SnapshotterSettings
from trikv.protocol.messages import SnapshotAck, SnapshotChunk
from trikv.raft.types import SnapshotMeta
from trikv.storage.errors import NoRoom


async def test_nothing_is_written_where_the_newest_is_as_new() -> None:
    """A SAVE right after another one: the file that is there is as good, and LASTSAVE says so."""
    rig = Rig()
    rig.durable_index = 22
    snapshotter = await rig.snapshotter()
    rig.apply_up_to(12)
    first = await snapshotter.take()
    steps = rig.disk.steps
    snapshotter._newest_saved_ms = 5
    assert await snapshotter.take() == first
    assert (snapshotter.statistics().newest_saved_ms, snapshotter.statistics().taken) == (rig.wall_ms(), 1)
    assert rig.disk.steps == steps


@pytest.mark.parametrize("step", ["make_directory", "create"])
async def test_a_snapshot_that_cannot_be_begun_leaves_no_walk_behind(step: str) -> None:
    """A walk that nobody ends would keep what the machine frees; that it failed is seen in INFO."""
    rig = Rig()
    snapshotter = await rig.snapshotter()
    rig.apply_up_to(12)
    rig.disk.fail = lambda kind, _path: errno.ENOSPC if kind == step else None
    with pytest.raises(NoRoom):
        await snapshotter.take()
    assert not rig.applier.machine.space.account.observers
    assert snapshotter.statistics().last_failed
    assert snapshotter.statistics().running_ms is None


async def test_a_stop_in_the_middle_of_a_walk_gives_up_what_was_due(autojump_clock: MockClock) -> None:
    """The disk abandons no operation: the walk may be through before it notices. No other is begun."""
    del autojump_clock
    rig = Rig()
    snapshotter = await rig.snapshotter(SnapshotterSettings(interval_s=1))
    async with trio.open_nursery() as nursery:
        rig.apply_up_to(10)
        rig.disk.observe = lambda kind, _path: (
            snapshotter.make_way(lambda _: None) if kind == "write" else None
        )
        await nursery.start(snapshotter.run)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert rig.stored() == []
    assert snapshotter.statistics().taken == 0
    assert not rig.applier.machine.space.account.observers


def ended(rig: Rig) -> list[TransferEnded]:
    """What the driver was told of transfers."""
    return [event for event in rig.inbox.take_at_once() if isinstance(event, TransferEnded)]


async def test_a_follower_is_sent_a_snapshot_that_is_new_enough(autojump_clock: MockClock) -> None:
    """One is taken for it where the newest is older than it needs; one transfer a peer, until it has all."""
    del autojump_clock
    rig = Rig()
    rig.durable_index = 22
    snapshotter = await rig.snapshotter()
    rig.apply_up_to(12)
    snapshotter.send_to(PEER, 2, 5)
    assert snapshotter.statistics().sent == 0, "before the snapshotter runs nothing is sent"
    async with trio.open_nursery() as nursery:
        await nursery.start(snapshotter.run)
        for index_min in (5, 7):
            snapshotter.send_to(PEER, 2, index_min)
        await wait_all_tasks_blocked()
        assert (snapshotter.statistics().sent, snapshotter.statistics().taken) == (1, 1)
        (chunk,) = rig.acks
        assert isinstance(chunk, SnapshotChunk)
        assert (chunk.meta.index, chunk.offset, chunk.total) == (12, 0, len(chunk.data))
        snapshotter.link_down(PEER)
        snapshotter.link_down(3)
        await trio.sleep(0.1)
        assert rig.acks == [chunk, chunk], "what was on the link is sent again"
        snapshotter.ack_came(3, SnapshotAck(2, 12, chunk.total))
        await wait_all_tasks_blocked()
        assert ended(rig) == []
        snapshotter.ack_came(PEER, SnapshotAck(2, 12, chunk.total))
        await wait_all_tasks_blocked()
        assert ended(rig) == [TransferEnded(PEER, 12, True)]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("stops", [False, True])
async def test_a_follower_gets_none_that_cannot_be_written(autojump_clock: MockClock, *, stops: bool) -> None:
    """On a full disk, or because the node stops: Raft hears that it ended, and asks again when it must."""
    del autojump_clock
    rig = Rig()
    snapshotter = await rig.snapshotter()
    rig.apply_up_to(12)
    if not stops:
        rig.disk.fail = lambda kind, _path: errno.ENOSPC if kind == "create" else None
    async with trio.open_nursery() as nursery:
        await nursery.start(snapshotter.run)
        with structlog.testing.capture_logs() as lines:
            snapshotter.send_to(PEER, 2, 5)
            await trio.sleep(0.5)
            snapshotter.make_way(lambda _: None)
            await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    assert ended(rig) == [TransferEnded(PEER, 0, False)]
    assert rig.acks == []
    errors = [line["event"] for line in lines if line["log_level"] == "error"]
    assert errors == ([] if stops else ["a follower gets no snapshot until one can be written"])


async def test_a_snapshot_that_is_here_already_is_not_taken_in_again() -> None:
    """Loaded and waiting for Raft, or passed by the log: the sender hears that it is whole."""
    rig = Rig()
    meta = SnapshotMeta(len(rig.log.entries), 1, MEMBERS)
    walk = rig.log.machine.walk(Header(CLUSTER, meta).as_dict())
    document = b"".join(iter(lambda: walk.step(60_000), b""))
    snapshotter = await rig.snapshotter()
    chunk = SnapshotChunk(2, meta, 0, len(document), document)
    async with trio.open_nursery() as nursery:
        await nursery.start(snapshotter.run)

        async def hear() -> list[type[Event]]:
            snapshotter.chunk_came(PEER, b"d", chunk)
            await wait_all_tasks_blocked()
            assert rig.acks.pop() == SnapshotAck(2, meta.index, len(document))
            assert not rig.acks
            assert not snapshotter.is_receiving
            return [type(event) for event in rig.inbox.take_at_once()]

        assert await hear() == [SnapshotReceived]
        assert await hear() == []
        swap = snapshotter.take_loaded(meta)
        assert swap.machine.digest() == rig.log.machine.digest()
        assert await hear() == [SnapshotReceived], "Raft took it and lost it again"
        snapshotter.forget_loaded(meta)
        snapshotter.forget_loaded(meta)
        rig.apply_up_to(meta.index)
        rig.inbox.take_at_once()
        assert await hear() == []
        nursery.cancel_scope.cancel()


async def test_a_snapshot_that_is_not_what_was_announced_is_refused() -> None:
    """Its header says another index than the leader did: it never becomes the state, and no file is left."""
    rig = Rig()
    meta = SnapshotMeta(len(rig.log.entries), 1, MEMBERS)
    walk = rig.log.machine.walk(Header(CLUSTER, SnapshotMeta(meta.index - 1, 1, MEMBERS)).as_dict())
    document = b"".join(iter(lambda: walk.step(60_000), b""))
    snapshotter = await rig.snapshotter()
    async with trio.open_nursery() as nursery:
        await nursery.start(snapshotter.run)
        snapshotter.chunk_came(PEER, b"d", SnapshotChunk(2, meta, 0, len(document), document))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert rig.acks == [SnapshotAck(2, meta.index, -1)]
    assert rig.stored() == []
    assert rig.inbox.take_at_once() == []
