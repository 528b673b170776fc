"""The write-ahead log: what Raft must find again after any crash, in numbered segments.

One task owns a `Wal` (the node's writer) and awaits one call before the next, so there is no lock. A method
that fails with anything except NoRoom leaves the log dead: every later call raises WalDead. What the disk
then holds is unknown, and a second ``fdatasync`` may report success for pages that were dropped (RELIABILITY
15).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs

from trikv.raft.ready import WriteJob
from trikv.raft.types import HardState, SnapshotMeta
from trikv.storage import frames
from trikv.storage.batching import LogState, PendingBatch, batches_of, compaction_of
from trikv.storage.disk import Disk
from trikv.storage.errors import NoRoom, WalDead
from trikv.storage.layout import WAL
from trikv.storage.reader import mark_of
from trikv.storage.records import FORMAT, RecordKind, SegmentHeader, WalIdentity, encode
from trikv.storage.segment import SUFFIX, NextSegment, Segment, SegmentFile, segment_path
from trikv.storage.statistics import WalStatistics


@attrs.frozen
class WalSettings:
    """Sizes of the log's parts, in bytes."""

    segment_bytes: int = 16 << 20
    """Size of a segment file. Larger ones stall syncs while they are zeroed; smaller ones mean more switches,
    of two syncs and a directory sync each."""
    zero_piece_bytes: int = 256 << 10
    """How much of the next segment one `Wal.prepare` zeroes and syncs: about as long as a batch may take."""
    batch_bytes_max: int = 1 << 20
    """Most bytes of records in one batch; what is over goes into another batch, with a sync of its own."""


class Wal:
    """An open log. Made by `create` or by `recovery.recover`."""

    def __init__(
        self,
        disk: Disk,
        settings: WalSettings,
        *,
        identity: WalIdentity,
        state: LogState,
        segments: Sequence[Segment],
        file: SegmentFile,
        next_number: int,
    ) -> None:
        self.identity = identity
        self._disk = disk
        self._settings = settings
        self._mark = mark_of(identity.disk)
        self._state = state
        self._segments = deque(segments)
        self._file = file
        self._next_number = next_number
        self._next = NextSegment(disk, settings.segment_bytes, settings.zero_piece_bytes)
        self._owed: deque[PendingBatch] = deque()
        self._owed_to: Sequence[WriteJob] | SnapshotMeta = ()
        self._prepare_from_bytes = 0
        self._busy = False
        self._dead: str | None = None
        self._batches = self._entries = self._syncs = self._bytes_written = 0

    @classmethod
    async def create(
        cls,
        disk: Disk,
        settings: WalSettings,
        identity: WalIdentity,
        hard_state: HardState,
        base: SnapshotMeta,
    ) -> "Wal":
        """Make a fresh log, durable when this returns. Raises FileExistsError if there is one already."""
        await disk.make_directory(WAL)
        await disk.sync_directory("")
        if any(name.endswith(SUFFIX) for name in await disk.names(WAL)):
            raise FileExistsError("there is a log in this data directory already")
        state = LogState(hard_state, base, base.index)
        header = header_batch(identity, state, sequence=1, number=1)
        maker = NextSegment(disk, settings.segment_bytes, settings.zero_piece_bytes)
        file = await maker.take(len(header))
        # The header is synced before the file gets its number: a file with a number has a whole header.
        await file.file.write_and_sync(0, header)
        await file.publish(segment_path(1))
        segment = Segment(sequence=1, used_bytes=len(header), top_index=0)
        return cls(
            disk, settings, identity=identity, state=state, segments=[segment], file=file, next_number=2
        )

    async def write(self, jobs: Sequence[WriteJob]) -> None:
        """Make `jobs` durable, in order, in as few syncs as their size allows.

        Raises NoRoom if the next segment cannot be allocated. A part of the jobs may be durable then. The
        rest is kept, and the same call with the same jobs goes on from there. Nothing else may be written
        before that has returned.
        """
        with self._alone():
            if not self._owed:
                self._owed.extend(batches_of(jobs, self._state, self._settings.batch_bytes_max))
                self._owed_to = jobs
            assert self._owed_to == jobs, "after NoRoom the same call is repeated before any other"
            await self._write_owed()

    async def compact(self, meta: SnapshotMeta) -> None:
        """Record that the snapshot at `meta` is durable, and remove the segments that hold nothing above it.

        `meta.index` is at or below the last entry. If it is at or below the present base, nothing is
        recorded. May raise NoRoom, like `write`.
        """
        with self._alone():
            if not self._owed:
                if meta.index > self._state.base.index:
                    self._owed.append(compaction_of(meta, self._state))
                self._owed_to = meta
            assert self._owed_to == meta, "after NoRoom the same call is repeated before any other"
            await self._write_owed()

    async def prepare(self) -> bool:
        """Zero one piece of the next segment, to be called when idle; True while there is more to do.

        Raises NoRoom: nothing depended on the space yet. Calls that follow do not try again before another
        sixteenth of a segment is used.
        """
        with self._alone():
            used = self._segments[-1].used_bytes
            if used < self._prepare_from_bytes:
                return False
            try:
                return await self._next.prepare()
            except NoRoom:
                # Zeroing up to the last free byte after every batch would be the slowest way to find out that
                # nothing has changed.
                self._prepare_from_bytes = used + self._settings.segment_bytes // 16
                raise

    async def close(self) -> None:
        """Close the files. All that `write` reported is durable already."""
        self._dead = self._dead or "it was closed"
        self._next.close()
        self._file.file.close()

    def statistics(self) -> WalStatistics:
        """Figures for INFO, and for deciding when to take a snapshot (`log_bytes`)."""
        return WalStatistics(
            batches=self._batches,
            entries=self._entries,
            syncs=self._syncs + self._next.syncs,
            bytes_written=self._bytes_written,
            segments=len(self._segments),
            log_bytes=sum(segment.used_bytes for segment in self._segments),
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one call run at a time, and none after a failure. A cancelled call has failed, too."""
        if self._dead is not None:
            raise WalDead(self._dead)
        assert not self._busy, "batch n + 1 is only written after the sync of batch n has returned"
        self._busy = True
        try:
            yield
        except NoRoom:
            raise
        except BaseException as error:
            self._dead = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._busy = False

    async def _write_owed(self) -> None:
        while self._owed:
            await self._write_batch(self._owed[0])
            self._owed.popleft()  # after the write: if there is no room the same batch is owed again
        self._owed_to = ()
        await self._remove_obsolete()

    async def _write_batch(self, batch: PendingBatch) -> None:
        data = frames.seal(batch.parts, batch.size, self._next_number, self._mark)
        if self._segments[-1].used_bytes + len(data) > self._file.size:
            await self._switch(len(data))
            # Again, because the new segment's header has used up the number.
            data = frames.seal(batch.parts, batch.size, self._next_number, self._mark)
        await self._append(data)
        self._state = batch.after
        self._entries += batch.entries
        self._batches += 1
        if batch.resets:  # nothing before the reset is needed any more
            for segment in self._segments:
                segment.top_index = 0
        segment = self._segments[-1]
        segment.top_index = max(segment.top_index, batch.top_index)

    async def _append(self, data: bytes) -> None:
        segment = self._segments[-1]
        assert segment.used_bytes % frames.ALIGNMENT == 0, "batches are aligned"
        await self._file.file.write_and_sync(segment.used_bytes, data)
        segment.used_bytes += len(data)
        self._next_number += 1
        self._syncs += 1
        self._bytes_written += len(data)

    async def _switch(self, batch_bytes: int) -> None:
        """Go on in the next segment. Every batch in the present one is durable already."""
        sequence = self._segments[-1].sequence + 1
        header = header_batch(self.identity, self._state, sequence, self._next_number)
        # NoRoom can come only from here, before anything depends on the new file. The header is written over
        # zeros that the disk has already: ENOSPC there means a disk that lies, and ends the log.
        file = await self._next.take(len(header) + batch_bytes)
        # The number is given after the header is synced: a file with a number begins with a whole header.
        await file.file.write_and_sync(0, header)
        await file.publish(segment_path(sequence))
        self._syncs += 2
        self._prepare_from_bytes = 0
        self._file.file.close()
        self._file = file
        self._next_number += 1
        self._bytes_written += len(header)
        self._segments.append(Segment(sequence, used_bytes=len(header), top_index=0))

    async def _remove_obsolete(self) -> None:
        """Remove the oldest segments while nothing in them is above the base."""
        # Each removal is synced before the next: a power cut may keep any of several unsynced ones, and must
        # not leave a gap in the numbers.
        while len(self._segments) > 1 and self._segments[0].top_index <= self._state.base.index:
            await self._disk.remove(segment_path(self._segments[0].sequence))
            await self._disk.sync_directory(WAL)
            self._segments.popleft()
            self._syncs += 1


def header_batch(identity: WalIdentity, state: LogState, sequence: int, number: int) -> bytes:
    """The first batch of a segment: it repeats all that older segments would have told, so they can go."""
    header = SegmentHeader(
        FORMAT,
        identity.cluster,
        identity.node,
        identity.disk,
        sequence,
        state.hard_state,
        state.base,
        state.last_index,
    )
    record = frames.record(RecordKind.SEGMENT, encode(header))
    return frames.seal([record], len(record), number, mark_of(identity.disk))
