"""The real disk's calls to the kernel: flags, modes, what is synced, and in which order."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.host.kernel import SYNCS, Kernel, loaded_anew
from trikv.raft.ready import WriteJob
from trikv.raft.types import Entry, EntryKind, HardState, Membership, SnapshotMeta
from trikv.storage.aside import write_whole
from trikv.storage.disk import Disk
from trikv.storage.records import WalIdentity
from trikv.storage.snapshots import SnapshotStore
from trikv.storage.wal import Wal, WalSettings

BASE = SnapshotMeta(0, 0, Membership(()))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """The watched kernel; modules that are loaded after this call it."""
    return Kernel(monkeypatch)


@pytest.fixture
def module(kernel: Kernel) -> ModuleType:
    """The disk's module over it."""
    del kernel
    return loaded_anew("trikv.host.disk")


@pytest.fixture
def disk(module: ModuleType, tmp_path: Path) -> Iterator[Disk]:
    """A data directory of its own."""
    disk = module.RealDisk(str(tmp_path / "node"))
    yield disk
    disk.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where it is."""
    return tmp_path / "node"


async def test_a_synced_write_is_all_written_and_then_synced(
    kernel: Kernel, disk: Disk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte, even if the kernel takes a few at a time; the sync is the last call before it returns."""
    pwrite = os.pwrite
    file = await disk.create("log")
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, bytes(data[:3]), at))
    kernel.forget()
    await file.write_and_sync(2, b"0123456789")
    assert [(call.name, call.path) for call in kernel.calls[:-1]] == [("pwrite", str(root / "log"))] * 4
    assert kernel.calls[-1].name in SYNCS
    assert kernel.calls[-1].path == str(root / "log")
    assert (root / "log").read_bytes() == b"\0\0" + b"0123456789"
    file.close()


async def test_a_sync_is_one_of_that_file_and_a_write_is_none(kernel: Kernel, disk: Disk, root: Path) -> None:
    """`sync` syncs; `write` alone does not wait for the device."""
    file = await disk.create("log")
    kernel.forget()
    await file.write(0, b"x")
    assert kernel.named(*SYNCS) == []
    await file.sync()
    assert [call.path for call in kernel.named(*SYNCS)] == [str(root / "log")]
    file.close()


async def test_a_new_file_is_new_and_the_owners_alone(kernel: Kernel, disk: Disk, root: Path) -> None:
    """A new file is created exclusively, for reading and writing, closed in children, with mode 0600."""
    kernel.forget()
    (await disk.create("log")).close()
    (call,) = (call for call in kernel.named("open") if call.path == str(root / "log"))
    flags, mode = call.args[1], call.args[2]
    wanted = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
    assert flags & (wanted | os.O_TRUNC | os.O_APPEND) == wanted
    assert mode == 0o600
    with pytest.raises(FileExistsError):
        await disk.create("log")
    kernel.forget()
    (await disk.open("log")).close()
    (call,) = (call for call in kernel.named("open") if call.path == str(root / "log"))
    assert call.args[1] & (os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC) == os.O_RDWR | os.O_CLOEXEC
    with pytest.raises(FileNotFoundError):
        await disk.open("none")


async def test_a_directory_is_synced_itself(kernel: Kernel, disk: Disk, root: Path) -> None:
    """The one that was named: not the file, not the one above."""
    await disk.make_directory("wal")
    for path, there in (("wal", root / "wal"), ("", root)):
        kernel.forget()
        await disk.sync_directory(path)
        assert [(call.name, call.path) for call in kernel.named(*SYNCS)] == [("fsync", str(there))]


async def test_a_new_directory_is_the_owners_and_its_name_is_durable(
    kernel: Kernel, disk: Disk, root: Path
) -> None:
    """Each level: 0700, and the directory that holds it is synced after it was made."""
    kernel.forget()
    await disk.make_directory("a/b")
    assert [(call.path, call.args[1]) for call in kernel.named("mkdir")] == [
        (str(root / "a"), 0o700),
        (str(root / "a/b"), 0o700),
    ]
    kernel.order(("mkdir", root / "a"), ("fsync", root), ("mkdir", root / "a/b"), ("fsync", root / "a"))


def test_the_data_directory_itself_is_durable(kernel: Kernel, module: ModuleType, tmp_path: Path) -> None:
    """Even if it was there already: the life that made it may have been killed before its sync."""
    for made in (True, False):
        kernel.forget()
        module.RealDisk(str(tmp_path / "data/node")).close()
        assert bool(kernel.named("mkdir")) is made
        assert str(tmp_path / "data") in [call.path for call in kernel.named("fsync")]
        if made:
            kernel.order(
                *(("mkdir", tmp_path / "data"), ("fsync", tmp_path)),
                *(("mkdir", tmp_path / "data/node"), ("fsync", tmp_path / "data")),
            )


def test_the_data_directory_is_locked_against_everybody(
    kernel: Kernel, module: ModuleType, tmp_path: Path
) -> None:
    """Exclusively, at once or not at all, for as long as it is open."""
    disk = module.RealDisk(str(tmp_path))
    (lock,) = kernel.named("flock")
    assert lock.path == str(tmp_path / "lock")
    assert lock.args[1] == fcntl.LOCK_EX | fcntl.LOCK_NB
    descriptor = os.open(tmp_path / "lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    disk.close()
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    os.close(descriptor)


async def test_a_published_file_is_synced_renamed_and_its_name_synced(
    kernel: Kernel, disk: Disk, root: Path
) -> None:
    """In that order, and all of it before `publish` returns: whole or not there at all."""
    kernel.forget()
    await write_whole(disk, "", "identity.json", b"{}")
    aside = root / "identity.json.tmp"
    kernel.order(("pwrite", aside), ("sync", aside), ("rename", root / "identity.json"), ("fsync", root))


async def test_a_snapshot_is_durable_before_an_older_one_goes(kernel: Kernel, disk: Disk, root: Path) -> None:
    """Its directory's name, its bytes, its own name; only then is another removed."""
    kernel.forget()
    store = await SnapshotStore.open(disk, kept=1)
    for index in (1, 2):
        writer = await store.begin(index, 1)
        await writer.append(b"x" * 100)
        await writer.publish()
    first, second = (root / f"snapshots/{index:020}-{1:020}.json" for index in (1, 2))
    aside = second.with_name(second.name + ".tmp")
    kernel.order(
        *(("mkdir", root / "snapshots"), ("fsync", root), ("rename", first)),
        *(("pwrite", aside), ("sync", aside), ("rename", second), ("fsync", root / "snapshots")),
        ("unlink", first),
    )


def entry(index: int) -> Entry:
    """About a third of a segment."""
    return Entry(index, 1, EntryKind.BATCH, bytes(20_000))


async def test_a_record_is_synced_in_a_file_whose_name_is(kernel: Kernel, disk: Disk, root: Path) -> None:
    """Through the ends of segments: zeros, header, rename, directory; then the record, and its sync."""
    settings = WalSettings(segment_bytes=64 << 10)
    wal = await Wal.create(disk, settings, WalIdentity(b"c" * 16, 1, b"d" * 16), HardState(), BASE)
    kernel.order(
        *(("mkdir", root / "wal"), ("fsync", root)),
        *(("pwrite", root / "wal/next.tmp"), ("sync", root / "wal/next.tmp")),
        *(("rename", root / f"wal/{1:020}.wal"), ("fsync", root / "wal")),
    )
    await wal.write([WriteJob(1, hard_state=HardState(1))])
    segments = {root / f"wal/{1:020}.wal"}
    for index in range(1, 8):
        kernel.forget()
        await wal.write([WriteJob(index + 1, entries=(entry(index),))])
        last = kernel.named("pwrite")[-1].path
        assert kernel.calls[-1].name in {*SYNCS, "close"}
        kernel.order(("pwrite", Path(last)), ("sync", Path(last)))
        if Path(last) not in segments:
            segments.add(Path(last))
            kernel.order(
                *(("pwrite", root / "wal/next.tmp"), ("sync", root / "wal/next.tmp")),
                *(("rename", Path(last)), ("fsync", root / "wal")),
                *(("pwrite", Path(last)), ("sync", Path(last))),
            )
    assert len(segments) > 2
    kernel.forget()
    await wal.compact(SnapshotMeta(7, 1, Membership(())))
    gone = kernel.named("unlink")
    assert len(gone) == len(segments) - 1
    for call in gone:
        kernel.order(("unlink", Path(call.path)), ("fsync", root / "wal"))
    assert kernel.calls[-1].name in {"fsync", "close"}
    await wal.close()
