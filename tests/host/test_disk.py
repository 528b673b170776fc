"""The data directory on a real file system: what is noticed of what others do to it."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.kernel import descriptors, target_of
from tests.tools import needs
from trikv.host.disk import DataDirectoryUnusable, RealDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[RealDisk]:
    """A data directory of its own, with a directory that was used."""
    disk = RealDisk(str(tmp_path / "data"))
    yield disk
    disk.close()


async def test_directories_are_in_place_until_somebody_moves_them(disk: RealDisk, tmp_path: Path) -> None:
    """What was put in the place of one, or of the whole, is noticed; of what was never used nothing is."""
    root = tmp_path / "data"
    await disk.make_directory("wal")
    await disk.sync_directory("wal")
    assert await disk.is_in_place("wal")
    assert await disk.is_in_place("")
    assert await disk.is_in_place("never/used")
    (root / "wal").rename(root / "moved")
    assert not await disk.is_in_place("wal")
    (root / "wal").mkdir()
    assert not await disk.is_in_place("wal"), "another one under the same name"
    await disk.sync_directory("wal")
    assert await disk.is_in_place("wal"), "the one that is held from now on"
    root.rename(tmp_path / "elsewhere")
    assert not await disk.is_in_place("wal")
    root.write_text("a file")
    assert not await disk.is_in_place("wal")
    root.unlink()
    shutil.copytree(tmp_path / "elsewhere", root)
    assert not await disk.is_in_place(""), "a copy is not what this process has locked"


async def test_while_nobody_can_tell_a_directory_is_taken_to_be_in_place(
    disk: RealDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that ended because a look failed would end for nothing; its next write meets what is wrong."""

    def fail(_: Path) -> os.stat_result:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(Path, "stat", fail)
    assert await disk.is_in_place("wal")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EMFILE, errno.EIO])
async def test_a_name_that_could_not_be_synced_is_the_disks_failure(
    disk: RealDisk, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Never a shortage, after which it would be tried again: the second sync may say yes to what is lost."""

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="could not be made durable") as caught:
            await disk.make_directory("wal")
    assert caught.value.errno == errno.EIO


async def test_a_name_may_be_a_file_or_a_directory_or_nothing(disk: RealDisk) -> None:
    """`exists` tells of both; a directory that is not there has no names."""
    await disk.make_directory("a/b")
    (await disk.create("a/file")).close()
    assert [await disk.exists(name) for name in ("a", "a/b", "a/file", "c")] == [True, True, True, False]
    assert await disk.names("a") == ["b", "file"]
    assert await disk.names("c") == []
    assert await disk.names("") == ["a"], "the lock is not shown"


async def test_only_a_file_can_be_opened(disk: RealDisk, tmp_path: Path) -> None:
    """A pipe nobody writes to, or a device, is refused at once, and its descriptor is closed."""
    root = tmp_path / "data"
    os.mkfifo(root / "pipe")
    (root / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(OSError, match="No such device or address") as caught:
            await disk.open(name)
        assert caught.value.errno == errno.ENXIO
    if Path("/proc/self/fd").exists():  # noqa: ASYNC240 - no disk is asked
        assert {target_of(fd) for fd in descriptors()}.isdisjoint({str(root / "pipe"), "/dev/zero"})


async def test_a_closed_file_is_used_no_more(disk: RealDisk) -> None:
    """Closing it again is harmless, and nothing reaches a descriptor that may be another file's by then."""
    file = await disk.create("f")
    await file.write_and_sync(0, b"abc")
    assert (file.size(), await file.read(1, 100)) == (3, b"bc")
    file.close()
    file.close()
    with pytest.raises(OSError, match="f is closed"):
        file.size()
    with pytest.raises(OSError, match="f is closed"):
        await file.read(0, 1)


@pytest.mark.parametrize("made", ["file", "directory below a file"])
def test_a_file_in_the_place_of_the_data_directory_is_told(tmp_path: Path, made: str) -> None:
    """It must not pass for success, wherever on the way it stands."""
    place = tmp_path / "data"
    place.write_text("somebody's")
    with pytest.raises(NotADirectoryError, match="is not a directory"):
        RealDisk(str(place if made == "file" else place / "below"))
    assert place.read_text() == "somebody's"


@needs(Path("/proc/self").exists(), "looks at /proc")
@pytest.mark.parametrize("place", ["/proc", "/proc/trikv", "/proc/trikv/node1", "/sys/trikv"])
def test_a_place_for_no_data_is_told(place: str) -> None:
    """In one line, with what to do: root may write everywhere, and not there."""
    with pytest.raises(DataDirectoryUnusable) as caught:
        RealDisk(place)
    assert str(caught.value.strerror).startswith(f"data directory {place} cannot be made or written (")
    assert "give another path" in str(caught.value)


def test_a_full_disk_is_no_wrong_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another path would not mend it: it stays the error that it is."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        RealDisk(str(tmp_path / "data"))
    assert not isinstance(caught.value, DataDirectoryUnusable)


def test_a_data_directory_may_be_closed_twice(tmp_path: Path) -> None:
    """And another process may have it then."""
    disk = RealDisk(str(tmp_path))
    disk.close()
    disk.close()
    RealDisk(str(tmp_path)).close()
