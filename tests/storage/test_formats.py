"""Logs of earlier versions stay readable: `tests/formats/v1/wal` was written once, for good."""

from pathlib import Path

from tests.storage.memory_disk import MemoryDisk
from tests.storage.model import (
    IDENTITY,
    MEMBERS,
    SMALL,
    START,
    Log,
    contents,
    create,
    entry,
    job,
    meta,
    run_now,
)
from trikv.raft.ready import WriteJob
from trikv.raft.types import Entry, EntryKind, SnapshotMeta
from trikv.storage.recovery import recover

GOLDEN = Path(__file__).parent.parent / "formats" / "v1" / "wal"

WORK: list[list[WriteJob] | SnapshotMeta] = [
    [job(Entry(1, 2, EntryKind.NOOP, b""), term=2)],
    [WriteJob(5, reset=SnapshotMeta(10, 2, MEMBERS), entries=(entry(11, 2, b"after the reset"),))],
    [job(Entry(12, 2, EntryKind.MEMBERSHIP, b"opaque here"), entry(13, 2, "привет".encode()))],
    [job(entry(14, 2, bytes(800)))],
    [job(entry(14, 3, b"instead" * 50), term=3, truncate=14)],
    meta(12, 2),
    [job(entry(15, 3, b"a second segment" * 40)), job(term=4), job(entry(16, 4, b"the last"))],
]


def written_today() -> tuple[MemoryDisk, Log]:
    """The same work, written by this version."""
    disk = MemoryDisk()
    wal = create(disk)
    log = START
    for work in WORK:
        run_now(wal.compact(work) if isinstance(work, SnapshotMeta) else wal.write(work))
        log = log.through(work)
    return disk, log


def test_a_log_of_format_1_is_read() -> None:
    """Every record of a log that version 1 wrote is understood."""
    disk = MemoryDisk()
    run_now(disk.make_directory("wal"))
    files = sorted(GOLDEN.iterdir())
    assert len(files) == 2
    for path in files:
        run_now(run_now(disk.create(f"wal/{path.name}")).write(0, path.read_bytes()))
    recovered = run_now(recover(disk, SMALL))
    assert recovered.identity == IDENTITY
    assert recovered.repaired is None
    assert contents(recovered) == written_today()[1]


def test_format_1_is_still_what_is_written() -> None:
    """The bytes have not drifted without a new format number."""
    disk, _ = written_today()
    today = {name: bytes(inode.cache) for name, inode in disk.names_now.items() if name.endswith(".wal")}
    assert today == {f"wal/{path.name}": path.read_bytes() for path in GOLDEN.iterdir()}
