"""Behaviour of the log whose seeded mistakes survived before these tests."""

import errno

import pytest

from tests.storage.memory_disk import MemoryDisk
from tests.storage.model import create, entry, job, reopen, run_now
from trikv.storage.errors import WalDead


def test_a_sync_that_failed_once_is_not_tried_again() -> None:
    """A second sync may succeed without having written anything: the first ends the log (RELIABILITY 15)."""
    disk = MemoryDisk()
    wal = create(disk)
    failures = [errno.EIO]
    disk.fail = lambda kind, _path: failures.pop() if kind == "sync" and failures else None
    with pytest.raises(OSError, match="EIO"):
        run_now(wal.write([job(entry(1, 1, b"lost"))]))
    with pytest.raises(WalDead):
        run_now(wal.write([job(entry(1, 1, b"lost"))]))
    assert reopen(disk.crashed(lambda _: False)).entries == []
