"""The writer: what shares a sync, in which order, what is reported when, and what a full disk does."""

import errno
from collections.abc import Callable, Sequence
from typing import cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trikv.node.events import Event, LogRoom, Persisted
from trikv.node.mailbox import Mailbox
from trikv.node.state.writer import Writer
from trikv.raft.ready import WriteJob
from trikv.raft.types import Membership, SnapshotMeta
from trikv.storage.errors import DiskFull
from trikv.storage.statistics import WalStatistics
from trikv.storage.wal import Wal


class ScriptedWal:
    """Stands for `Wal`: notes what it is asked for, fails as the test says, and may be slow."""

    def __init__(self) -> None:
        self.done: list[object] = []
        """Batches as lists of job numbers, compactions by their index, ``prepare``."""
        self.errors: list[Exception] = []
        """What the next operations raise, in order."""
        self.slow: trio.Event | None = None
        self.pieces = 0
        """Of the next segment, that are still to be zeroed."""
        self.prepare_errors: list[Exception] = []

    async def _operate(self, what: object) -> None:
        await trio.lowlevel.checkpoint()
        if self.slow is not None:
            await self.slow.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.done.append(what)

    async def write(self, jobs: Sequence[WriteJob]) -> None:
        """One batch."""
        await self._operate([job.number for job in jobs])

    async def compact(self, meta: SnapshotMeta) -> None:
        """Drop what is before."""
        await self._operate(meta.index)

    def statistics(self) -> WalStatistics:
        """Nothing to tell."""
        return WalStatistics(0, 0, 0, 0, 0, 0)

    async def prepare(self) -> bool:
        """Zero a piece."""
        await trio.lowlevel.checkpoint()
        if self.prepare_errors:
            raise self.prepare_errors.pop(0)
        self.done += ["prepare"] if self.pieces else []
        self.pieces = max(0, self.pieces - 1)
        return self.pieces > 0


class Rig:
    """A writer over a scripted log, with a clock that the test sets."""

    def __init__(self) -> None:
        self.wal = ScriptedWal()
        self.inbox = Mailbox[Event]()
        self.now_ms = 0
        self.writer = Writer(cast("Wal", self.wal), self.inbox, lambda: self.now_ms)

    def put(self, *numbers: int) -> None:
        """Jobs."""
        for number in numbers:
            self.writer.put(WriteJob(number))

    def compact(self, index: int) -> None:
        """A snapshot is durable."""
        self.writer.compact(SnapshotMeta(index, 1, Membership(())))

    async def settled(self, nursery: trio.Nursery, *, first: Callable[[], None] | None = None) -> list[Event]:
        """Run until nothing moves; what the driver heard."""
        await nursery.start(self.writer.run)
        if first is not None:
            first()
        await wait_all_tasks_blocked()
        return self.inbox.take_at_once()


async def test_what_comes_while_a_sync_runs_shares_the_next() -> None:
    """Group commit needs no timer: one batch for all that waits, and one word of its last job."""
    rig = Rig()
    rig.wal.slow = trio.Event()
    async with trio.open_nursery() as nursery:
        assert await rig.settled(nursery, first=lambda: rig.put(1)) == []
        rig.put(2, 3, 4)
        await wait_all_tasks_blocked()
        assert rig.wal.done == []
        rig.wal.slow.set()
        await wait_all_tasks_blocked()
        assert rig.wal.done == [[1], [2, 3, 4]]
        assert rig.inbox.take_at_once() == [Persisted(1), Persisted(4)]
        nursery.cancel_scope.cancel()


async def test_a_compaction_keeps_its_place_among_the_jobs() -> None:
    """What was put before it is durable when the old log goes; what was put behind it is written after."""
    rig = Rig()
    rig.put(1, 2)
    rig.compact(1)
    rig.compact(2)
    rig.put(3)
    async with trio.open_nursery() as nursery:
        assert await rig.settled(nursery) == [Persisted(2), Persisted(3)]
        assert rig.wal.done == [[1, 2], 1, 2, [3]]
        nursery.cancel_scope.cancel()


async def test_a_full_disk_is_told_once_and_tried_again(autojump_clock: MockClock) -> None:
    """No job is lost or skipped; the driver hears when there is room again, before it hears of the job."""
    del autojump_clock
    rig = Rig()
    rig.wal.errors = [DiskFull("the next segment") for _ in range(3)]
    rig.put(1)
    async with trio.open_nursery() as nursery:
        await nursery.start(rig.writer.run)
        began_s = trio.current_time()
        assert await rig.inbox.take() == [LogRoom(there=False, lack="the disk is full")]
        rig.put(2)
        heard = await rig.inbox.take()
        assert trio.current_time() - began_s == pytest.approx(3 * Writer.RETRY_ROOM_S)
        await wait_all_tasks_blocked()
        heard += rig.inbox.take_at_once()
        assert heard == [LogRoom(there=True), Persisted(1), Persisted(2)]
        assert rig.wal.done == [[1], [2]]
        nursery.cancel_scope.cancel()


async def test_a_compaction_waits_for_room_as_well(autojump_clock: MockClock) -> None:
    """It writes a record of its own: what is put behind it must not overtake it."""
    del autojump_clock
    rig = Rig()
    rig.wal.errors = [DiskFull("the next segment")]
    rig.compact(7)
    rig.put(1)
    async with trio.open_nursery() as nursery:
        await nursery.start(rig.writer.run)
        await trio.sleep(2)
        assert rig.wal.done == [7, [1]]
        nursery.cancel_scope.cancel()


async def test_any_other_error_ends_the_node_and_reports_nothing() -> None:
    """After a sync that failed nobody knows what the disk holds: it is never tried again (PROTOCOL 12)."""
    rig = Rig()
    rig.wal.errors = [OSError(errno.EIO, "input/output error")]
    rig.put(1, 2)
    with pytest.raises(ExceptionGroup) as raised:
        async with trio.open_nursery() as nursery:
            await nursery.start(rig.writer.run)
    assert raised.group_contains(OSError, match="input/output error")
    assert rig.wal.done == []
    assert len(rig.inbox) == 0


async def test_the_next_segment_is_zeroed_only_while_nothing_waits() -> None:
    """A job that comes between two pieces is written first; then zeroing goes on where it was."""
    rig = Rig()
    rig.wal.pieces = 4
    rig.put(1)
    async with trio.open_nursery() as nursery:
        await nursery.start(rig.writer.run)
        while rig.wal.done.count("prepare") < 2:
            await trio.lowlevel.checkpoint()
        rig.put(2)
        await wait_all_tasks_blocked()
        assert rig.wal.done[:3] == [[1], "prepare", "prepare"]
        assert rig.wal.done.index([2]) < 5
        assert rig.wal.done.count("prepare") == 4
        nursery.cancel_scope.cancel()


async def test_no_room_for_the_next_segment_is_left_to_the_write_that_needs_it() -> None:
    """Nothing depends on it yet: nobody is told, and what fits is written."""
    rig = Rig()
    rig.wal.prepare_errors = [DiskFull("the next segment"), DiskFull("the next segment")]
    rig.put(1)
    async with trio.open_nursery() as nursery:
        assert await rig.settled(nursery) == [Persisted(1)]
        rig.put(2)
        await wait_all_tasks_blocked()
        assert rig.inbox.take_at_once() == [Persisted(2)]
        nursery.cancel_scope.cancel()


async def test_batches_and_their_times_are_counted() -> None:
    """INFO shows how many jobs shared how many syncs, and how long these took."""
    rig = Rig()
    async with trio.open_nursery() as nursery:
        for numbers, took_ms in (((1, 2, 3), 40), ((4,), 10)):
            rig.wal.slow = trio.Event()
            rig.put(*numbers)
            if not rig.wal.done:
                await nursery.start(rig.writer.run)
            await wait_all_tasks_blocked()
            rig.now_ms += took_ms
            rig.wal.slow.set()
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    counted = rig.writer.statistics()
    assert (counted.batches, counted.sync_ms_total, counted.sync_ms_max) == (2, 50, 40)
