"""From write jobs to batches: pure, so that what a crash can leave behind is decided in one place.

Jobs are written in their order. Within a job the order is hard state, reset, truncation, entries.
"""

from collections.abc import Sequence

import attrs

from trikv.raft.ready import WriteJob
from trikv.raft.types import Entry, HardState, SnapshotMeta
from trikv.storage import frames
from trikv.storage.records import RecordKind, encode


@attrs.frozen
class LogState:
    """What a segment header repeats of the records before it."""

    hard_state: HardState
    base: SnapshotMeta
    last_index: int


@attrs.frozen
class PendingBatch:
    """Records that will be made durable by one sync."""

    parts: list[bytes]
    size: int
    """Bytes of `parts`."""
    entries: int
    after: LogState
    """The log once these records are in it."""
    top_index: int
    """The highest entry index in it, after its last reset; 0 if it has none."""
    resets: bool
    """It holds a reset: all segments before it are obsolete."""


class _Builder:
    def __init__(self, state: LogState, batch_bytes_max: int) -> None:
        self.batches: list[PendingBatch] = []
        self._hard_state = state.hard_state
        self._base = state.base
        self._last_index = state.last_index
        self._bytes_max = batch_bytes_max
        self._begin()

    def _begin(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._entries = 0
        self._top_index = 0
        self._resets = False

    def end_batch(self) -> None:
        if self._parts:
            after = LogState(self._hard_state, self._base, self._last_index)
            self.batches.append(
                PendingBatch(self._parts, self._size, self._entries, after, self._top_index, self._resets)
            )
            self._begin()

    def job(self, job: WriteJob) -> None:
        # The hard state first: at any place where a crash cuts, the term on disk is not behind the entries'.
        if job.hard_state is not None:
            assert job.hard_state.term >= self._hard_state.term, "terms never go back"
            self._record(RecordKind.HARD_STATE, encode(job.hard_state))
            self._hard_state = job.hard_state
        if job.reset is not None:
            self._record(RecordKind.RESET, encode(job.reset))
            self._base = job.reset
            self._last_index = self._top_index = job.reset.index
            self._resets = True
        # Before the entries that replace what it cuts: recovery replays the records in this order.
        if job.truncate_from is not None:
            assert self._base.index < job.truncate_from <= self._last_index + 1, "truncation within the log"
            self._record(RecordKind.TRUNCATE, encode(job.truncate_from))
            self._last_index = job.truncate_from - 1
        for entry in job.entries:
            self._entry(entry)

    def base(self, meta: SnapshotMeta) -> None:
        assert self._base.index <= meta.index <= self._last_index, "compaction within the log"
        self._record(RecordKind.BASE, encode(meta))
        self._base = meta

    def _entry(self, entry: Entry) -> None:
        index = entry.index
        assert index == self._last_index + 1, "entries follow each other"
        head, payload = frames.entry_record(index, entry.term, entry.kind, entry.payload)
        self._make_room(len(head) + len(payload))
        self._parts += (head, payload)
        self._entries += 1
        self._last_index = index
        self._top_index = max(self._top_index, index)

    def _record(self, kind: RecordKind, payload: bytes) -> None:
        record = frames.record(kind, payload)
        self._make_room(len(record))
        self._parts.append(record)

    def _make_room(self, size: int) -> None:
        """Count a record of `size` bytes, in a new batch if the present one is full.

        Called before the record changes any state: the ended batch says how the log stands *after it*.
        """
        if self._size + size > self._bytes_max:
            self.end_batch()
        self._size += size


def batches_of(jobs: Sequence[WriteJob], state: LogState, batch_bytes_max: int) -> list[PendingBatch]:
    """Batches of at most `batch_bytes_max` bytes of records; a larger entry has a batch of its own."""
    builder = _Builder(state, batch_bytes_max)
    for job in jobs:
        builder.job(job)
    builder.end_batch()
    return builder.batches


def compaction_of(meta: SnapshotMeta, state: LogState) -> PendingBatch:
    """The batch that records a new base."""
    builder = _Builder(state, 0)
    builder.base(meta)
    builder.end_batch()
    return builder.batches[0]
