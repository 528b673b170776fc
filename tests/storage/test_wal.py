"""The log, written and read back."""

import pytest

from tests.storage.memory_disk import MemoryDisk
from trikv.raft.ready import WriteJob
from trikv.raft.types import Entry, EntryKind, HardState, Membership, SnapshotMeta
from trikv.storage.recovery import recover
from trikv.storage.wal import Wal, WalIdentity, WalSettings


async def test_smoke() -> None:
    """What was written is there after kill -9, across segments and a compaction."""
    disk = MemoryDisk()
    ident = WalIdentity(b"c" * 16, 1, b"d" * 16)
    st = WalSettings(segment_bytes=4096, zero_piece_bytes=1024, batch_bytes_max=2000)
    base = SnapshotMeta(0, 0, Membership(()))
    wal = await Wal.create(disk, st, ident, HardState(1, None), base)
    for i in range(1, 50):
        hard = HardState(i, b"v" * 16) if i % 5 == 0 else None
        entries = (Entry(i, i, EntryKind.BATCH, bytes(i * 10)),)
        await wal.write([WriteJob(i, hard, entries=entries)])
        if i % 3:
            await wal.prepare()
    await wal.compact(SnapshotMeta(30, 30, Membership(())))
    r = await recover(disk.killed(), st)
    assert r.base.index == 30
    assert [e.index for e in r.entries] == list(range(31, 50))
    assert r.hard_state == HardState(45, b"v" * 16)
    assert r.repaired is None
    with pytest.raises(FileExistsError):
        await Wal.create(disk, st, ident, HardState(1, None), base)
