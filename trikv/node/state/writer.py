"""The writer: the one task that owns the write-ahead log. One batch, one ``fdatasync``.

While a sync runs, jobs collect, and the next batch takes them all. That is group commit, and it needs no
timer. Jobs are done strictly in order (PROTOCOL 8). An error of the disk ends the node, except a full disk
while the next segment is allocated, because no record depends on that segment yet (PROTOCOL 12).
"""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from trikv.front.figures import WriterStatistics
from trikv.node.events import Event, LogRoom, Persisted
from trikv.node.mailbox import Mailbox
from trikv.raft.ready import WriteJob
from trikv.raft.types import SnapshotMeta
from trikv.storage.disk import Disk
from trikv.storage.errors import DirectoryGone, NoRoom
from trikv.storage.layout import WAL
from trikv.storage.wal import Wal

WATCH_INTERVAL_S = 15.0
"""Between two checks of the log's directory: rare enough to cost nothing."""


async def watch_log_directory(disk: Disk, data_directory: str) -> None:
    """Raises DirectoryGone: data synced into files that nobody can open again is not durable."""
    while True:
        await trio.sleep(WATCH_INTERVAL_S)
        if not await disk.is_in_place(WAL):
            raise DirectoryGone(f"{data_directory}/{WAL}")


class Writer:
    """Takes write jobs and compactions, reports durability to the driver."""

    RETRY_ROOM_S = 1.0
    """How often a full disk is tried again."""

    def __init__(self, wal: Wal, inbox: Mailbox[Event], boot_ms: Callable[[], int]) -> None:
        self.wal = wal
        self._inbox = inbox
        self._boot_ms = boot_ms
        self._queue: Mailbox[WriteJob | SnapshotMeta] = Mailbox()
        self._has_room = True
        self._batches = self._sync_ms_total = self._sync_ms_max = 0

    def put(self, job: WriteJob) -> None:
        """Queue a job behind all earlier ones."""
        self._queue.put(job)

    def compact(self, meta: SnapshotMeta) -> None:
        """Drop the log before a durable snapshot, in order with the jobs."""
        self._queue.put(meta)

    def statistics(self) -> WriterStatistics:
        """For INFO."""
        return WriterStatistics(
            batches=self._batches,
            sync_ms_total=self._sync_ms_total,
            sync_ms_max=self._sync_ms_max,
            has_room=self._has_room,
            log=self.wal.statistics(),
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled; OSError and StorageCorrupt end the node."""
        task_status.started()
        while True:
            work = await self._queue.take()
            await self._write_in_order(work)
            await self._zero_ahead()

    async def _write_in_order(self, work: list[WriteJob | SnapshotMeta]) -> None:
        jobs: list[WriteJob] = []
        for item in work:
            if isinstance(item, WriteJob):
                jobs.append(item)
            else:
                await self._write(jobs)
                jobs = []
                await self._until_there_is_room(partial(self.wal.compact, item))
        await self._write(jobs)

    async def _write(self, jobs: list[WriteJob]) -> None:
        if not jobs:
            return
        begun = self._boot_ms()
        await self._until_there_is_room(partial(self.wal.write, jobs))
        self._count(self._boot_ms() - begun)
        self._inbox.put(Persisted(jobs[-1].number))

    async def _until_there_is_room(self, attempt: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await attempt()  # even if the node stops, the disk completes a write that has begun
            except NoRoom as error:
                if self._has_room:
                    self._has_room = False
                    self._inbox.put(LogRoom(there=False, lack=error.lack))
                await trio.sleep(self.RETRY_ROOM_S)
            else:
                if not self._has_room:
                    self._has_room = True
                    self._inbox.put(LogRoom(there=True))
                return

    async def _zero_ahead(self) -> None:
        """Allocate the next segment in pieces, as long as no job waits."""
        try:
            while not len(self._queue) and await self.wal.prepare():
                await trio.lowlevel.checkpoint()
        except NoRoom:
            return  # the write that needs the segment will get the same error, log it, and wait for room

    def _count(self, elapsed_ms: int) -> None:
        self._batches += 1
        self._sync_ms_total += elapsed_ms
        self._sync_ms_max = max(self._sync_ms_max, elapsed_ms)
