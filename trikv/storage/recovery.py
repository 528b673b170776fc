"""From files back to a log, and from a log and a snapshot to a start.

`recover` reads the segments, rewrites the last one, and returns an open log. `plan` then compares the log
with the newest snapshot (PROTOCOL 8); it is pure.
"""

from collections.abc import Sequence
from itertools import pairwise

import attrs

from trikv.raft.ready import WriteJob
from trikv.raft.types import Entry, HardState, SnapshotMeta
from trikv.storage import frames
from trikv.storage.aside import AsideFile, prune, remove_unfinished
from trikv.storage.batching import LogState
from trikv.storage.disk import Disk, DiskFile
from trikv.storage.errors import LogMissing, StorageCorrupt, StrayName, room_for
from trikv.storage.layout import ASIDE, SEGMENT, TORN, WAL, names_in, obsolete, own_file
from trikv.storage.reader import PIECE_BYTES, SegmentEnd, SegmentReader
from trikv.storage.records import Contradiction, LogReplay, WalIdentity
from trikv.storage.segment import SUFFIX, Segment, SegmentFile, segment_path
from trikv.storage.wal import Wal, WalSettings

ASIDE_KEPT = 8
"""How many cut tails are kept. Each is at most a batch long; more of them would tell nothing new."""


@attrs.frozen
class Recovered:
    """A log found on disk, open for writing."""

    wal: Wal
    identity: WalIdentity
    hard_state: HardState
    base: SnapshotMeta
    entries: list[Entry]
    """Those above the base, consecutive."""
    repaired: str | None
    """What torn tail was cut and where it is kept, for the operator's log; None if none was."""


async def recover(disk: Disk, settings: WalSettings) -> Recovered:
    """Open the log in `disk`.

    Raises LogMissing if there is none, StorageCorrupt if it is damaged in a way that no crash explains,
    StrayName if something else stands among the segments, NoRoom if the last one cannot be rewritten, and
    OSError. A failed call can be repeated.
    """
    sequences = await _sequences(disk)
    replay = LogReplay()
    segments: list[Segment] = []
    number: int | None = None
    for sequence in sequences[:-1]:
        end = await _read(disk, replay, segments, sequence, number, last=False)
        number = end.next_number
    end = await _read(disk, replay, segments, sequences[-1], number, last=True)
    try:
        replay.finish()
    except Contradiction as error:
        raise StorageCorrupt(segment_path(sequences[0]), 0, str(error)) from None
    assert replay.identity is not None
    assert replay.base is not None
    # The copy first: the rewritten segment takes the place of the only other one.
    repaired = await _keep_aside(disk, sequences[-1], end)
    # What was just read may be page cache that no disk holds: a sync failed or was never reached, and the
    # pages may be marked clean, so that no later sync writes them. Only a new file is sure (RELIABILITY 15).
    file = await _rewrite(disk, settings, sequences[-1], end)
    await remove_unfinished(disk, WAL)
    await remove_unfinished(disk, ASIDE)
    state = LogState(replay.hard_state, replay.base, replay.last_index)
    wal = Wal(
        disk,
        settings,
        identity=replay.identity,
        state=state,
        segments=segments,
        file=file,
        next_number=end.next_number,
    )
    # A crash may have come between a compaction and the removal of the segments that it made obsolete.
    await wal.compact(replay.base)
    return Recovered(wal, replay.identity, replay.hard_state, replay.base, replay.entries, repaired)


async def whose_log(disk: Disk) -> WalIdentity | None:
    """Whom the log says that it belongs to, by its first segment; None if there is none. It changes nothing.

    Raises as `recover` does.
    """
    try:
        sequences = await _sequences(disk)
    except LogMissing:
        return None
    replay = LogReplay()
    await _read(disk, replay, [], sequences[0], None, last=len(sequences) == 1)
    return replay.identity


async def _sequences(disk: Disk) -> list[int]:
    sequences = []
    for name in await names_in(disk, WAL):
        if (match := SEGMENT.fullmatch(name)) is not None:
            sequences.append(int(match[1]))
        # Perhaps a renamed segment, which must not be missed.
        elif name.endswith(SUFFIX):
            raise StrayName(f"{WAL}/{name}", "it is not a log segment, whose name is 20 digits and .wal")
    if not sequences:
        raise LogMissing
    for before, after in pairwise(sequences):
        if after != before + 1:
            raise StorageCorrupt(segment_path(before + 1), 0, "the file is missing, later segments are there")
    return sequences


async def _read(
    disk: Disk, replay: LogReplay, segments: list[Segment], sequence: int, number: int | None, *, last: bool
) -> SegmentEnd:
    path = segment_path(sequence)
    with own_file(path):
        file = await disk.open(path)
    try:
        end = await SegmentReader(file, path, replay).replay(sequence, number, last=last)
    finally:
        file.close()
    if replay.resets:  # a reset makes every entry of the older segments obsolete
        for segment in segments:
            segment.top_index = 0
    segments.append(Segment(sequence, end.offset, replay.top_index))
    return end


async def _keep_aside(disk: Disk, sequence: int, end: SegmentEnd) -> str | None:
    """Copy a torn tail to `aside/` before it is cut, and say so to the operator; None if nothing is torn."""
    if end.torn is None:
        return None
    source = await disk.open(segment_path(sequence))
    try:
        name = f"{sequence:020}-{end.offset}.torn"
        aside = await AsideFile.create(disk, ASIDE, name)
        for at in range(end.offset, end.torn_end, PIECE_BYTES):
            await aside.append(await source.read(at, min(PIECE_BYTES, end.torn_end - at)))
        kept = await aside.publish()
    finally:
        source.close()
    refusals = await prune(disk, ASIDE, lambda names: obsolete(names, TORN, ASIDE_KEPT, name))
    stays = "".join(f"; an old one stays: {error}" for error in refusals)
    return (
        f"{segment_path(sequence)} ended in an unfinished write at byte {end.offset} ({end.torn}); it "
        f"was never acknowledged and has been cut; a copy is in {kept}{stays}"
    )


async def _rewrite(disk: Disk, settings: WalSettings, sequence: int, end: SegmentEnd) -> SegmentFile:
    """Write the whole batches of the last segment to a new file, and put that in its place, durably."""
    path = segment_path(sequence)
    source = await disk.open(path)
    file = None
    try:
        file = await SegmentFile.begin(disk, f"{sequence:020}")
        await _copy(source, file, end, max(settings.segment_bytes, end.offset))
        await file.publish(path)
    except BaseException:
        if file is not None:
            file.file.close()
        raise
    finally:
        source.close()
    return file


async def _copy(source: DiskFile, file: SegmentFile, end: SegmentEnd, size: int) -> None:
    copied_end = end.offset - end.unpadded_bytes
    for at in range(0, copied_end, PIECE_BYTES):
        await file.append(await source.read(at, min(PIECE_BYTES, copied_end - at)))
    await file.append(frames.padding(end.unpadded_bytes))
    while file.size < size:
        await file.append(bytes(min(PIECE_BYTES, size - file.size)))
    with room_for("the last log segment"):
        await file.file.sync()


@attrs.frozen
class StartPlan:
    """What a node starts from."""

    base: SnapshotMeta
    """The log begins after it; the node's snapshot covers at least this much."""
    entries: tuple[Entry, ...]
    """Those above `base`."""
    hard_state: HardState
    reset: WriteJob | None
    """To be written first if the log was behind the snapshot: it restarts the log after it. Else None."""


def plan(
    base: SnapshotMeta, entries: Sequence[Entry], hard_state: HardState, newest: SnapshotMeta | None
) -> StartPlan:
    """Decide how a recovered log and the newest snapshot go together; StorageCorrupt if they do not.

    The log must hold the snapshot's position, as an entry or as its base. If it does not, the start begins
    with a reset.
    """
    held = newest.index if newest is not None else 0
    # A base beyond the newest snapshot: the log was compacted behind a snapshot that has been lost since.
    if base.index > held:
        raise StorageCorrupt(
            "snapshots", 0, f"the log begins after index {base.index}, the newest snapshot ends at {held}"
        )
    if newest is None:
        return StartPlan(base, tuple(entries), hard_state, None)
    if newest.index == base.index:
        if newest.term != base.term:
            raise StorageCorrupt(
                "snapshots",
                0,
                f"snapshot and log disagree about the term of committed index {held}",
            )
        return StartPlan(base, tuple(entries), hard_state, None)
    at = newest.index - base.index - 1
    if at < len(entries) and entries[at].term == newest.term:
        return StartPlan(base, tuple(entries), hard_state, None)
    # The crash came between a received snapshot's rename and the log's reset. What the log holds is older, or
    # conflicts with what the cluster has committed: it goes. Term and vote stay, or this node votes twice.
    return StartPlan(newest, (), hard_state, WriteJob(number=0, reset=newest))
