"""What a process knows of itself and its machine: where it is told, and what stands in where it is not."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools import needs
from trikv.host import clock
from trikv.host.real import RealHost

needs_proc = needs(Path("/proc/self/statm").exists(), "reads /proc")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RealHost]:
    """The real one."""
    with RealHost(str(tmp_path), lines_dropped=lambda: 7) as host:
        yield host


@needs_proc
def test_a_process_knows_what_it_has_used(host: RealHost) -> None:
    """Processor time only grows; all threads have used no less than the main one; the peak is a peak."""
    before = host.usage()
    sum(number * number for number in range(200_000))
    after = host.usage()
    assert after.user_s + after.system_s > before.user_s + before.system_s
    assert after.user_s + 0.05 >= after.main_thread_user_s > 0
    assert after.resident_peak_bytes >= host.resident_bytes() > 1 << 20
    assert host.process_id() == os.getpid()
    assert host.lines_dropped() == 7


@needs(Path("/dev/fd").exists(), "reads /dev/fd")
def test_descriptors_are_counted_against_their_limit(host: RealHost) -> None:
    """What is open just now, the look itself not included."""
    before = host.descriptors()
    assert before.most == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    with Path("/dev/null").open(), Path("/dev/null").open():
        assert host.descriptors().open == before.open + 2
    assert host.descriptors().open == before.open


def test_no_limit_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """``ulimit -n unlimited``: whoever divides descriptors is told so, not given the largest number."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert clock.descriptors().most is None


def test_a_machine_without_proc_is_told_as_far_as_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures that nobody can give are 0; what can be known is told all the same."""

    def lacking(path: Path) -> bytes:
        raise FileNotFoundError(str(path))

    monkeypatch.setattr(Path, "read_bytes", lacking)
    monkeypatch.setattr(Path, "iterdir", lacking)
    assert clock.resident_bytes() == 0
    assert clock.usage().resident_peak_bytes == 0
    assert clock.descriptors().open == 0
    assert clock.descriptors().most == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_a_status_that_does_not_tell_the_peak_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some kernels and sandboxes leave fields out."""
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"Name:\tpython\n")
    assert clock.usage().resident_peak_bytes == 0


def test_the_machine_has_a_name_and_memory(host: RealHost) -> None:
    """As ``uname`` says it, for INFO."""
    system = host.system()
    assert system.name.split()[0] == os.uname().sysname
    assert system.memory_bytes > 1 << 26
