"""The log under crashes: at every operation of a recorded run, in every way a disk may forget."""

from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.memory_disk import MemoryDisk
from tests.storage.model import START, Log, contents, create, entry, job, meta, reopen, run_now, segments
from trikv.raft.ready import WriteJob
from trikv.raft.types import Entry, EntryKind, HardState, SnapshotMeta
from trikv.storage.wal import Wal

Work = Sequence[WriteJob] | SnapshotMeta


def recorded_run() -> list[Work]:
    """Every kind of record, segments that fill up, and payloads that are zeros."""
    return [
        [job(entry(1), term=2)],
        [job(entry(2, 2, b"x" * 300), entry(3, 2, bytes(400)))],
        [job(entry(4, 2)), job(entry(5, 2, b"y" * 700), number=2)],
        [job(term=3)],
        [job(entry(4, 3, b"z" * 90), number=3, truncate=4)],
        [job(*[entry(index, 3, b"e" * 200) for index in range(5, 12)])],
        meta(6, 3),
        [job(*[entry(index, 3, bytes(index * 20)) for index in range(12, 20)])],
        meta(15, 3),
        [job(entry(18, 4, b"tail"), term=4, truncate=18)],
        [job(entry(19, 4, b"larger than a segment" * 150))],
        [WriteJob(9, reset=meta(40, 4), entries=(entry(41, 4, b"after"),))],
        [job(entry(42, 4, b"w" * 500)), job(term=5), job(entry(43, 5, b"v" * 555))],
    ]


def power_cuts(disk: MemoryDisk) -> Iterator[MemoryDisk]:
    """What the disk may look like after a power cut now."""
    changes = len(disk.changes)
    touched = disk.unsynced_sectors()
    for kept in range(changes + 1):
        yield disk.crashed(lambda _: False, kept)
    yield disk.crashed(lambda _: True, changes)
    for sector in range(min(touched, 5)):
        yield disk.crashed({sector}.__contains__, changes)
        yield disk.crashed(set(range(touched)).difference({sector}).__contains__, changes)
    size = max((len(data) for inode in disk.names_now.values() for _, data in inode.writes), default=0)
    if size:
        for prefix in {1, 31, 32, 33, size // 2, size - 33, size - 1}:
            yield disk.crashed(lambda _: False, changes, max(0, prefix))


def perform(wal: Wal, work: Work) -> None:
    """Do one piece of work."""
    run_now(wal.compact(work) if isinstance(work, SnapshotMeta) else wal.write(work))


def goes_on(disk: MemoryDisk, legal: list[Log]) -> None:
    """The disk recovers to one of the legal logs, takes more, and recovers to exactly that."""
    recovered = reopen(disk)
    found = contents(recovered)
    assert found in legal
    term = max(found.hard_state.term, found.term_at(found.last_index)) + 1
    more = [job(entry(found.last_index + 1, term, b"more"), term=term)]
    run_now(recovered.wal.write(more))
    again = reopen(disk.crashed(lambda _: False))
    assert contents(again) == found.through(more)
    assert again.repaired is None


def test_cut_at_every_operation() -> None:
    """After a power cut or a kill at any operation, all that was acknowledged is there, in a legal state."""
    disk = MemoryDisk()
    wal = create(disk)
    legal = [START]
    crashes = 0

    def crash(_kind: str, _path: str) -> None:
        nonlocal crashes
        for crashed in (disk.killed(), *power_cuts(disk)):
            goes_on(crashed, legal)
            crashes += 1

    disk.observe = crash
    acknowledged = START
    for work in recorded_run():
        legal = list(acknowledged.steps(work))
        perform(wal, work)
        acknowledged = acknowledged.through(work)
        legal = [acknowledged]
        run_now(wal.prepare())
    assert crashes > 500
    assert acknowledged.last_index == 43


@pytest.mark.parametrize("payload_bytes", range(20, 520, 20))
def test_a_segment_begins_with_what_was_written_before_it(payload_bytes: int) -> None:
    """Wherever a batch and a segment end between the records of a job, the next header tells no more."""
    disk = MemoryDisk()
    wal = create(disk)
    jobs = [job(entry(n, n, b"p" * payload_bytes), number=n, term=n) for n in range(1, 60)]
    run_now(wal.write(jobs))
    assert len(segments(disk)) > 1
    assert contents(reopen(disk.killed())) == START.through(jobs)


def test_crash_while_recovering() -> None:
    """Recovery can be cut short anywhere, any number of times, and loses nothing by it."""
    disk = MemoryDisk()
    wal = create(disk)
    work = [job(entry(1), entry(2, 1, b"q" * 900), term=1)]
    run_now(wal.write(work))
    acknowledged = START.through(work)
    torn = [job(entry(3, 1, b"t" * 500))]
    left: list[MemoryDisk] = []

    def cut(kind: str, _path: str) -> None:
        if kind == "sync":
            left.append(disk.crashed(lambda number: number == 0))

    disk.observe = cut
    run_now(wal.write(torn))
    (start,) = left
    seen = 0

    def crash(_kind: str, _path: str) -> None:
        nonlocal seen
        for crashed in (start.killed(), *power_cuts(start)):
            assert contents(reopen(crashed)) == acknowledged
            seen += 1

    start.observe = crash
    recovered = reopen(start)
    assert contents(recovered) == acknowledged
    assert recovered.repaired is not None
    assert seen > 20
    assert len(run_now(start.names("aside"))) == 1


def test_tail_from_the_page_cache_is_not_trusted() -> None:
    """What a failed sync left in the page cache, and recovery read, is on the platter before it is used."""
    disk = MemoryDisk()
    wal = create(disk)
    disk.fail = lambda kind, _path: 5 if kind == "sync" else None
    try:
        run_now(wal.write([job(entry(1, 1, b"cached only"))]))
    except OSError:
        pass
    else:
        raise AssertionError("the failed sync must be told")
    disk.fail = lambda _kind, _path: None
    found = contents(reopen(disk))
    assert found.entries == (entry(1, 1, b"cached only"),)
    assert contents(reopen(disk.crashed(lambda _: False))) == found


@st.composite
def works(draw: st.DrawFn) -> list[Work]:
    """A legal sequence of jobs and compactions."""
    log = START
    result: list[Work] = []
    for _ in range(draw(st.integers(1, 12))):
        term = log.hard_state.term
        kind = draw(st.sampled_from(["append", "append", "append", "replace", "vote", "compact", "reset"]))
        work: Work
        if kind == "compact" and log.entries:
            index = draw(st.integers(log.base.index, log.last_index))
            work = meta(index, log.term_at(index))
        elif kind == "reset":
            work = [WriteJob(1, reset=meta(log.last_index + draw(st.integers(0, 5)), term))]
        elif kind == "vote":
            work = [WriteJob(1, hard_state=HardState(term + draw(st.integers(0, 1)), b"v" * 16))]
        else:
            first = log.last_index + 1
            if kind == "replace":
                first = draw(st.integers(log.base.index + 1, log.last_index + 1))
                term += 1
            payloads = draw(st.lists(st.binary(max_size=40) | st.integers(0, 900).map(bytes), max_size=4))
            new: tuple[Entry, ...] = tuple(
                Entry(first + n, term, EntryKind.BATCH, payload) for n, payload in enumerate(payloads)
            )
            work = [
                WriteJob(
                    1,
                    hard_state=HardState(term, None) if kind == "replace" else None,
                    truncate_from=first if kind == "replace" else None,
                    entries=new,
                )
            ]
        result.append(work)
        log = log.through(work)
    return result


@settings(max_examples=30, deadline=None)
@given(works(), st.integers(0, 2**32), st.booleans())
def test_any_run_with_crashes(run: list[Work], seed: int, prepares: bool) -> None:  # noqa: FBT001 - drawn
    """Any sequence of jobs, with random crashes in between, equals the same sequence on a list."""
    chance = Random(seed)
    disk = MemoryDisk()
    wal = create(disk)
    log = START
    for work in run:
        legal = list(log.steps(work))
        crashes: list[MemoryDisk] = []

        def sample(
            _kind: str, _path: str, disk: MemoryDisk = disk, crashes: list[MemoryDisk] = crashes
        ) -> None:
            if len(crashes) < 2 and chance.random() < 0.2:
                keep = {number for number in range(100) if chance.random() < 0.5}
                crashes.append(disk.crashed(keep.__contains__, chance.randint(0, len(disk.changes))))

        disk.observe = sample
        perform(wal, work)
        if prepares:
            run_now(wal.prepare())
        disk.observe = lambda _kind, _path: None
        for crashed in crashes:
            goes_on(crashed, legal)
        log = log.through(work)
        if chance.random() < 0.2:
            disk = disk.crashed(lambda _: False) if chance.random() < 0.5 else disk.killed()
            recovered = reopen(disk)
            assert contents(recovered) == log
            wal = recovered.wal
    assert contents(reopen(disk.killed())) == log
