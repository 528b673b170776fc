"""The log's promises to its writer: order, one sync a batch, full disks, failures, compaction, figures."""

import errno
import gc

import pytest
import trio

from tests.storage.memory_disk import MemoryDisk, MemoryFile
from tests.storage.model import (
    GENESIS,
    IDENTITY,
    SMALL,
    START,
    contents,
    create,
    entry,
    job,
    meta,
    reopen,
    run_now,
    segments,
)
from trikv.raft.ready import WriteJob
from trikv.raft.types import HardState
from trikv.storage.errors import DiskFull, NoRoom, WalDead
from trikv.storage.wal import Wal, WalSettings

LARGE = WalSettings(segment_bytes=1 << 16, zero_piece_bytes=1 << 14)


def syncs_during(disk: MemoryDisk) -> list[str]:
    """A list that grows by each operation on `disk` from now on."""
    seen: list[str] = []
    disk.observe = lambda kind, path: seen.append(f"{kind} {path}")
    return seen


def fill(wal: Wal, first: int, count: int) -> list[WriteJob]:
    """Write entries of 400 bytes, one job each."""
    jobs = [job(entry(index, 1, b"p" * 400)) for index in range(first, first + count)]
    for one in jobs:
        run_now(wal.write([one]))
    return jobs


def test_jobs_share_one_sync() -> None:
    """All jobs of one call are one write and one sync if they fit into a batch."""
    disk = MemoryDisk()
    wal = create(disk, LARGE)
    seen = syncs_during(disk)
    run_now(wal.write([job(entry(n, 1, b"x" * 50), number=n, term=1) for n in range(1, 20)]))
    path = segments(disk)[0]
    assert [s.split()[0] for s in seen] == ["write", "sync"]
    assert path.startswith("wal/")
    assert reopen(disk.crashed(lambda _: False), LARGE).wal.statistics().log_bytes > 19 * 50


def test_batches_are_bounded() -> None:
    """More than `batch_bytes_max` is written in several batches, each synced before the next is written."""
    disk = MemoryDisk()
    wal = create(disk, WalSettings(segment_bytes=1 << 16, zero_piece_bytes=1 << 14, batch_bytes_max=1000))
    seen = syncs_during(disk)
    run_now(wal.write([job(*[entry(n, 1, b"x" * 300) for n in range(1, 10)])]))
    assert [s.split()[0] for s in seen] == ["write", "sync"] * 3
    assert wal.statistics().batches == 3


def test_no_jobs_no_sync() -> None:
    """An empty call touches nothing."""
    disk = MemoryDisk()
    wal = create(disk)
    seen = syncs_during(disk)
    run_now(wal.write([]))
    assert seen == []


def test_term_is_on_disk_before_the_entries_of_it() -> None:
    """However a job is cut into batches, the hard state comes first."""
    disk = MemoryDisk()
    wal = create(disk)
    disk.fail = lambda kind, _path: errno.EIO if kind == "write" and wal.statistics().batches == 1 else None
    with pytest.raises(OSError, match="EIO"):
        run_now(wal.write([job(entry(1, 7, b"a" * 500), entry(2, 7, b"b" * 500), term=7)]))
    found = contents(reopen(disk.killed()))
    assert found.hard_state.term == 7
    assert len(found.entries) < 2


def test_overlapping_calls_are_refused() -> None:
    """Batch n + 1 is never written while batch n is under way."""
    disk = MemoryDisk()
    wal = create(disk)
    overlap: list[str] = []

    def again(_kind: str, _path: str) -> None:
        disk.observe = lambda _kind, _path: None
        with pytest.raises(AssertionError) as caught:
            run_now(wal.write([job(entry(2))]))
        overlap.append(str(caught.value))

    disk.observe = again
    run_now(wal.write([job(entry(1))]))
    assert "only written after" in overlap[0]


@pytest.mark.parametrize(
    "wrong",
    [
        job(entry(2)),
        job(entry(1), truncate=3),
        WriteJob(1, hard_state=HardState(0, None)),
    ],
)
def test_what_the_log_cannot_follow_is_not_written(wrong: WriteJob) -> None:
    """A gap, a truncation beyond the end, a term that goes back: bugs that must not reach the disk."""
    disk = MemoryDisk()
    wal = create(disk)
    with pytest.raises(AssertionError):
        run_now(wal.write([wrong]))
    assert contents(reopen(disk.killed())) == START


def test_compaction_beyond_the_log_is_refused() -> None:
    """Entries that do not exist cannot be compacted away."""
    wal = create(MemoryDisk())
    with pytest.raises(AssertionError):
        run_now(wal.compact(meta(1)))


def test_an_error_kills_the_log() -> None:
    """After EIO from a sync nothing more is written, even if the next sync would succeed."""
    disk = MemoryDisk()
    wal = create(disk)
    disk.fail = lambda kind, _path: errno.EIO if kind == "sync" else None
    with pytest.raises(OSError, match="EIO"):
        run_now(wal.write([job(entry(1))]))
    disk.fail = lambda _kind, _path: None
    seen = syncs_during(disk)
    for again in (wal.write([job(entry(1))]), wal.compact(meta(1)), wal.prepare()):
        with pytest.raises(WalDead, match="EIO"):
            run_now(again)
    run_now(wal.close())
    assert seen == []


async def test_a_cancelled_write_kills_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how much of it the disk holds, so nothing is written behind it or over it."""
    disk = MemoryDisk()
    wal = create(disk)

    async def forever(_: MemoryFile) -> None:
        await trio.sleep_forever()

    with monkeypatch.context() as patch, trio.CancelScope() as scope:
        patch.setattr(MemoryFile, "sync", forever)
        scope.cancel()
        await wal.write([job(entry(1))])
    assert scope.cancelled_caught
    seen = syncs_during(disk)
    with pytest.raises(WalDead, match="Cancelled"):
        await wal.write([job(entry(1))])
    assert seen == []


def test_closed_is_closed() -> None:
    """A closed log takes nothing and has closed its files, a half-made next segment's too."""
    disk = MemoryDisk()
    wal = create(disk)
    assert run_now(wal.prepare())
    run_now(wal.close())
    with pytest.raises(WalDead, match="closed"):
        run_now(wal.write([]))
    recovered = reopen(disk)
    assert "next.tmp" not in run_now(disk.names("wal"))
    run_now(recovered.wal.close())


def test_prepare_zeroes_in_pieces() -> None:
    """The next segment is zeroed and synced in pieces; then the switch costs two syncs and no zeroing."""
    disk = MemoryDisk()
    wal = create(disk)
    assert run_now(wal.prepare())
    seen = syncs_during(disk)
    assert not run_now(wal.prepare())
    assert [s.split()[0] for s in seen] == ["write", "sync"]
    assert not run_now(wal.prepare())
    fill(wal, 1, 3)
    seen.clear()
    fill(wal, 4, 1)
    assert [s.split()[0] for s in seen] == ["write", "sync", "rename", "sync_directory", "write", "sync"]


@pytest.mark.parametrize("where", ["create", "write", "sync"])
def test_full_disk_in_prepare_is_no_harm(where: str) -> None:
    """ENOSPC while zeroing ahead gives the space back and can be tried again; writes go on meanwhile."""
    disk = MemoryDisk()
    wal = create(disk)
    run_now(wal.prepare())
    if where == "create":
        run_now(wal.prepare())
        fill(wal, 1, 4)
    disk.fail = lambda kind, path: errno.ENOSPC if kind == where and path == "wal/next.tmp" else None
    with pytest.raises(DiskFull, match="next log segment"):
        run_now(wal.prepare())
    assert "next.tmp" not in run_now(disk.names("wal"))
    last = 4 if where == "create" else 0
    run_now(wal.write([job(entry(last + 1))]))
    disk.fail = lambda _kind, _path: None
    while run_now(wal.prepare()):
        pass
    fill(wal, last + 2, 6)
    assert reopen(disk.killed()).entries[-1].index == last + 7


def test_a_full_disk_is_not_tried_at_every_batch() -> None:
    """After a failed `prepare` the next tries wait until more of the segment is used."""
    disk = MemoryDisk()
    wal = create(disk)
    disk.room = 1024
    assert run_now(wal.prepare())
    with pytest.raises(DiskFull):
        run_now(wal.prepare())
    seen = syncs_during(disk)
    assert not run_now(wal.prepare())
    assert seen == []
    disk.room = None
    run_now(wal.write([job(entry(1, 1, b"x" * 128))]))
    assert run_now(wal.prepare())


def test_full_disk_in_a_write_can_be_repeated() -> None:
    """A write that finds no room is repeated with the same jobs, and with no others."""
    disk = MemoryDisk()
    wal = create(disk)
    disk.room = 0
    jobs = [job(*[entry(n, 1, b"p" * 400) for n in range(1, 9)]), job(number=2, term=3)]
    for _ in range(3):
        with pytest.raises(DiskFull):
            run_now(wal.write(jobs))
    assert 0 < wal.statistics().entries < 8
    disk.room = None
    with pytest.raises(AssertionError, match="same call"):
        run_now(wal.write([job(entry(1))]))


def test_after_a_full_disk_all_is_there() -> None:
    """With room again the same call completes; compaction behaves alike."""
    disk = MemoryDisk()
    wal = create(disk)
    disk.room = 0
    jobs = [job(*[entry(n, 1, b"p" * 400) for n in range(1, 9)]), job(number=2, term=3)]
    with pytest.raises(DiskFull):
        run_now(wal.write(jobs))
    disk.room = None
    run_now(wal.write(list(jobs)))
    log = START.through(jobs)
    assert contents(reopen(disk.killed())) == log
    base = None
    for index in range(9, 60):
        run_now(wal.write([job(entry(index, 1, b"q" * 20))]))
        log = log.through([job(entry(index, 1, b"q" * 20))])
        disk.room = 0
        try:
            run_now(wal.compact(meta(index)))
        except DiskFull:
            disk.room = None
            run_now(wal.compact(meta(index)))
            base = index
        disk.room = None
        log = log.through(meta(index))
    assert base is not None
    assert contents(reopen(disk.killed())) == log


SHORTAGES = {
    errno.EMFILE: r"this process has no more files to open \(ulimit -n\)",
    errno.ENFILE: r"the system has no more files to open \(fs.file-max\)",
    errno.ENOMEM: "the system has no more memory",
    errno.EAGAIN: "EAGAIN",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full",
}


@pytest.mark.parametrize("code", SHORTAGES)
def test_a_shortage_before_anything_depends_on_it_can_be_repeated(code: int) -> None:
    """If a descriptor, a thread or memory for the next segment is lacking, the same write goes on later."""
    disk = MemoryDisk()
    wal = create(disk)
    disk.fail = lambda kind, _path: code if kind == "create" else None
    jobs = [job(*[entry(n, 1, b"p" * 400) for n in range(1, 9)]), job(number=2, term=3)]
    for _ in range(3):
        with pytest.raises(NoRoom, match=SHORTAGES[code]) as caught:
            run_now(wal.write(jobs))
        assert str(caught.value) == f"{caught.value.lack}: no room for the next log segment"
    disk.fail = lambda _kind, _path: None
    run_now(wal.write(jobs))
    assert contents(reopen(disk.crashed(lambda _: False))) == START.through(jobs)


@pytest.mark.parametrize("code", SHORTAGES)
@pytest.mark.parametrize("kind", ["sync", "rename", "sync_directory"])
def test_a_shortage_that_something_depends_on_kills(code: int, kind: str) -> None:
    """Nobody knows what a failed sync or rename left, whatever its error is: it is never tried again."""
    disk = MemoryDisk()
    wal = create(disk)
    while run_now(wal.prepare()):
        pass
    disk.fail = lambda failing, path: code if failing == kind and path != "wal/next.tmp" else None
    with pytest.raises(OSError, match=errno.errorcode[code]):
        fill(wal, 1, 20)
    disk.fail = lambda _kind, _path: None
    with pytest.raises(WalDead):
        run_now(wal.write([]))


def test_full_disk_inside_a_segment_kills() -> None:
    """The space of an allocated segment was written before: ENOSPC there is a lying disk."""
    disk = MemoryDisk()
    wal = create(disk)
    disk.fail = lambda kind, _path: errno.ENOSPC if kind == "sync" else None
    with pytest.raises(OSError, match="ENOSPC"):
        run_now(wal.write([job(entry(1))]))
    with pytest.raises(WalDead):
        run_now(wal.write([]))


def test_full_disk_at_creation() -> None:
    """A log that cannot be made is told so, and can be made later."""
    disk = MemoryDisk()
    disk.room = 1500
    with pytest.raises(DiskFull):
        create(disk)
    disk.room = None
    assert contents(reopen(crash_after_creation(disk))) == START


def crash_after_creation(disk: MemoryDisk) -> MemoryDisk:
    """Create a log, then lose all that is not durable."""
    create(disk)
    return disk.crashed(lambda _: False)


def test_a_log_is_created_once() -> None:
    """A log is never overwritten by a fresh one."""
    disk = MemoryDisk()
    create(disk)
    with pytest.raises(FileExistsError):
        create(disk)


def test_compaction_removes_whole_segments() -> None:
    """Segments with nothing above the base go, oldest first, each removal durable before the next."""
    disk = MemoryDisk()
    wal = create(disk)
    jobs = fill(wal, 1, 20)
    before = wal.statistics()
    seen = syncs_during(disk)
    run_now(wal.compact(meta(11)))
    removals = [s.split()[0] for s in seen[2:]]
    assert removals == ["remove", "sync_directory"] * (len(removals) // 2)
    after = wal.statistics()
    assert after.segments == before.segments - len(removals) // 2
    assert after.log_bytes < before.log_bytes
    log = START.through(jobs).through(meta(11))
    assert contents(reopen(disk.crashed(lambda _: False))) == log
    run_now(wal.compact(meta(5)))
    assert contents(reopen(disk.killed())) == log


def test_interrupted_compaction_is_finished_at_start() -> None:
    """Segments that a crash left behind after the base was recorded are removed by recovery."""
    disk = MemoryDisk()
    wal = create(disk)
    fill(wal, 1, 20)
    disk.fail = lambda kind, _path: errno.EIO if kind == "remove" else None
    with pytest.raises(OSError, match="EIO"):
        run_now(wal.compact(meta(20)))
    left = disk.killed()
    count = len(segments(left))
    assert contents(reopen(left)).base == meta(20)
    assert len(segments(left)) == 1 < count


def test_reset_drops_the_log_and_keeps_the_vote() -> None:
    """After a snapshot was installed the log restarts behind it; term and vote stay, old segments go."""
    disk = MemoryDisk()
    wal = create(disk)
    run_now(wal.write([job(term=4)]))
    fill(wal, 1, 12)
    run_now(wal.write([WriteJob(9, reset=meta(100, 4))]))
    assert len(segments(disk)) == 1
    recovered = reopen(disk.killed())
    assert recovered.hard_state == HardState(4, IDENTITY.disk)
    assert recovered.base == meta(100, 4)
    assert recovered.entries == []
    run_now(recovered.wal.write([job(entry(101, 4))]))


def test_reset_to_an_earlier_index() -> None:
    """A reset below entries that conflict with it drops those and their segments, now or after a restart."""
    disk = MemoryDisk()
    wal = create(disk)
    fill(wal, 1, 12)
    run_now(wal.write([WriteJob(9, reset=meta(3, 1))]))
    assert len(segments(disk)) == 1
    fill(wal, 4, 9)
    disk.fail = lambda kind, _path: errno.EIO if kind == "remove" else None
    with pytest.raises(OSError, match="EIO"):
        run_now(wal.write([WriteJob(9, reset=meta(3, 1))]))
    left = disk.killed()
    assert len(segments(left)) > 1
    assert contents(reopen(left)).base == meta(3)
    assert len(segments(left)) == 1


def test_truncation_below_removed_segments() -> None:
    """A truncation to an index in segments that are gone is replayed without them."""
    disk = MemoryDisk()
    wal = create(disk)
    work = [job(*[entry(n, 1, b"o" * 400) for n in range(1, 9)])]
    run_now(wal.write(work))
    replaced = [job(entry(3, 2, b"n"), term=2, truncate=3)]
    run_now(wal.write(replaced))
    log = START.through(work).through(replaced)
    for one in ([job(*[entry(n, 2, b"m" * 400) for n in range(4, 12)])], meta(9, 2)):
        run_now(wal.write(one) if isinstance(one, list) else wal.compact(one))
        log = log.through(one)
    assert contents(reopen(disk.killed())) == log


def test_an_entry_larger_than_a_segment() -> None:
    """A segment is made as large as the batch that needs it."""
    disk = MemoryDisk()
    wal = create(disk)
    work = [job(entry(1, 1, b"L" * 10_000), entry(2))]
    run_now(wal.write(work))
    recovered = reopen(disk.killed())
    assert contents(recovered) == START.through(work)
    run_now(recovered.wal.write([job(entry(3))]))


def test_recovery_without_room() -> None:
    """If the last segment cannot be rewritten, that is said, and a later start succeeds."""
    disk = MemoryDisk()
    run_now(create(disk).write([job(entry(1))]))
    disk.room = 100
    with pytest.raises(DiskFull, match="next log segment"):
        reopen(disk)
    disk.room = None
    disk.fail = lambda kind, path: errno.ENOSPC if kind == "sync" and path.endswith(".tmp") else None
    with pytest.raises(DiskFull, match="last log segment"):
        reopen(disk)
    disk.fail = lambda kind, _path: errno.ENOSPC if kind == "create" else None
    with pytest.raises(DiskFull):
        reopen(disk)
    disk.fail = lambda _kind, _path: None
    assert len(reopen(disk).entries) == 1


def test_statistics_add_up() -> None:
    """Figures count what was done since the log was opened."""
    disk = MemoryDisk()
    wal = create(disk)
    fill(wal, 1, 2)
    run_now(wal.prepare())
    figures = wal.statistics()
    assert (figures.batches, figures.entries, figures.syncs, figures.segments) == (2, 2, 3, 1)
    data = bytes(disk.names_now[segments(disk)[0]].cache)
    assert figures.log_bytes == len(data.rstrip(b"\0"))
    assert figures.bytes_written < figures.log_bytes
    assert len(data) == SMALL.segment_bytes
    assert GENESIS.index == 0


def test_writing_leaves_no_cycles() -> None:
    """The cyclic collector is off in a node: writing, switching and compacting must not need it."""
    disk = MemoryDisk()
    wal = create(disk)
    fill(wal, 1, 10)
    gc.collect()
    gc.disable()
    try:
        for index in range(11, 211):
            run_now(wal.write([job(entry(index, 1, b"p" * 100))]))
            if index % 20 == 0:
                run_now(wal.compact(meta(index)))
            run_now(wal.prepare())
        assert gc.collect() < 10
    finally:
        gc.enable()
