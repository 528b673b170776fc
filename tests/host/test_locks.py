"""Whose lock it is that a file has."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools import needs
from trikv.host.locks import locking_pid


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    """An open file."""
    fd = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    yield fd
    os.close(fd)


@needs(Path("/proc/locks").is_file(), "looks at /proc/locks")
def test_the_process_that_holds_it_is_found(file: int) -> None:
    """While it holds it. One of many that read together is not the one to be stopped."""
    assert locking_pid(file) is None
    fcntl.flock(file, fcntl.LOCK_EX)
    assert locking_pid(file) == os.getpid()
    fcntl.flock(file, fcntl.LOCK_SH)
    assert locking_pid(file) is None


@pytest.mark.parametrize("pid", ["0", "-1"])
def test_a_process_that_cannot_be_seen_has_no_number(
    file: int, pid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of another container is shown as 0, and one of another machine as -1."""
    status = os.fstat(file)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    line = f"1: FLOCK  ADVISORY  WRITE {pid} {place} 0 EOF\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: line)
    assert locking_pid(file) is None
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: line.replace(f"WRITE {pid}", "WRITE 77"))
    assert locking_pid(file) == 77


def test_a_system_that_does_not_tell(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""

    def absent(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    assert locking_pid(file) is None
