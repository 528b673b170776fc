"""A log as a list, with which the write-ahead log is compared."""

from collections.abc import Awaitable, Iterator, Sequence
from typing import TypeVar

import attrs

from tests.storage.memory_disk import MemoryDisk
from trikv.raft.ready import WriteJob
from trikv.raft.types import Entry, EntryKind, HardState, Member, Membership, SnapshotMeta
from trikv.storage.layout import WAL
from trikv.storage.records import WalIdentity
from trikv.storage.recovery import Recovered, recover
from trikv.storage.wal import Wal, WalSettings

T = TypeVar("T")

DISK_ID = bytes(range(16))
IDENTITY = WalIdentity(b"cluster-of-tests", 1, DISK_ID)
MEMBERS = Membership((Member(1, DISK_ID, voter=True, address="127.0.0.1:18080"),))
SMALL = WalSettings(segment_bytes=2048, zero_piece_bytes=1024, batch_bytes_max=600)
GENESIS = SnapshotMeta(0, 0, MEMBERS)


def run_now(awaitable: Awaitable[T]) -> T:
    """Run a coroutine that never really waits, as all do on a MemoryDisk."""
    try:
        next(iter(awaitable.__await__()))
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("it waited")


def entry(index: int, term: int = 1, payload: bytes = b"payload") -> Entry:
    """A batch entry."""
    return Entry(index, term, EntryKind.BATCH, payload)


def job(*entries: Entry, number: int = 1, term: int | None = None, truncate: int | None = None) -> WriteJob:
    """A write job; `term` makes it carry a hard state."""
    hard_state = None if term is None else HardState(term, DISK_ID)
    return WriteJob(number, hard_state=hard_state, truncate_from=truncate, entries=entries)


def meta(index: int, term: int = 1) -> SnapshotMeta:
    """A snapshot's position."""
    return SnapshotMeta(index, term, MEMBERS)


@attrs.frozen
class Log:
    """The contents of a log."""

    hard_state: HardState
    base: SnapshotMeta
    entries: tuple[Entry, ...] = ()

    @property
    def last_index(self) -> int:
        """Index of the last entry, or of the base."""
        return self.base.index + len(self.entries)

    def term_at(self, index: int) -> int:
        """The term of an entry or of the base."""
        return self.base.term if index == self.base.index else self.entries[index - self.base.index - 1].term

    def through(self, work: Sequence[WriteJob] | SnapshotMeta) -> "Log":
        """The log after all of `work`."""
        return list(self.steps(work))[-1]

    def steps(self, work: Sequence[WriteJob] | SnapshotMeta) -> Iterator["Log"]:
        """The log after each record of `work`, none of them first: what a crash may leave."""
        log = self
        yield log
        if isinstance(work, SnapshotMeta):
            if work.index > log.base.index:
                yield attrs.evolve(log, base=work, entries=log.entries[work.index - log.base.index :])
            return
        for one in work:
            if one.hard_state is not None:
                log = attrs.evolve(log, hard_state=one.hard_state)
                yield log
            if one.reset is not None:
                log = attrs.evolve(log, base=one.reset, entries=())
                yield log
            if one.truncate_from is not None:
                log = attrs.evolve(log, entries=log.entries[: one.truncate_from - log.base.index - 1])
                yield log
            for new in one.entries:
                log = attrs.evolve(log, entries=(*log.entries, new))
                yield log


START = Log(HardState(1, None), GENESIS)


def contents(recovered: Recovered) -> Log:
    """What recovery found."""
    return Log(recovered.hard_state, recovered.base, tuple(recovered.entries))


def create(disk: MemoryDisk, settings: WalSettings = SMALL) -> Wal:
    """A fresh log that holds START."""
    return run_now(Wal.create(disk, settings, IDENTITY, START.hard_state, START.base))


def reopen(disk: MemoryDisk, settings: WalSettings = SMALL) -> Recovered:
    """Recover, checking what must hold of every recovery."""
    recovered = run_now(recover(disk, settings))
    assert recovered.identity == IDENTITY
    assert [e.index for e in recovered.entries] == [
        recovered.base.index + 1 + n for n in range(len(recovered.entries))
    ]
    return recovered


def segments(disk: MemoryDisk) -> list[str]:
    """The paths of the segments on `disk`."""
    return [f"{WAL}/{name}" for name in run_now(disk.names(WAL)) if name.endswith(".wal")]


def damaged(disk: MemoryDisk, path: str, offset: int, data: bytes) -> MemoryDisk:
    """A copy of `disk` in which the file at `path` reads as `data` at `offset`."""
    copy = disk.killed()
    inode = copy.names_now[path]
    inode.cache[offset : offset + len(data)] = data
    inode.platter[offset : offset + len(data)] = data
    return copy
