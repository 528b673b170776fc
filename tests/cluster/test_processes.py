"""Nodes as processes: what is made for them lasts, and their logs stay short at no cost."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from tests.host.kernel import Kernel
from trikv.cluster import command, processes
from trikv.cluster.command import Supervisor
from trikv.cluster.plan import Plan, make_plan
from trikv.cluster.processes import NodeProcess, bound_log, open_log


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Three nodes in directories that are not there yet."""
    environment = {"TRIKV_DATA": str(tmp_path / "deep" / "data")}
    return make_plan(port=None, max_volume=None, timeout=None, environment=environment)


async def test_the_directories_of_a_node_are_durable(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut right after the first writes takes no name on the way to them, and the next one neither."""
    monkeypatch.setattr(processes, "program", lambda: [shutil.which("true")])
    home = plan.data.parents[1]
    kernel = Kernel(monkeypatch)
    for node in plan.nodes[:2]:
        process = await NodeProcess.start(node, plan)
        assert await process.wait() == 0
    data = plan.data
    kernel.order(
        *(("mkdir", data.parent), ("fsync", home), ("mkdir", data), ("fsync", data.parent)),
        *(("mkdir", data / "node1"), ("fsync", data), ("open", data / "node1" / "node.log")),
        *(("mkdir", data / "node2"), ("fsync", data), ("open", data / "node2" / "node.log")),
    )
    for directory in (data.parent, data, data / "node1"):
        assert directory.stat().st_mode & 0o777 == 0o700
    assert (data / "node1" / "node.log").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that is too long, beside an older one."""
    monkeypatch.setattr(processes, "LOG_BYTES_MAX", 5)
    (tmp_path / "node.log").write_text("the present one")
    (tmp_path / "node.log.1").write_text("the older one")
    return tmp_path / "node.log"


def full_disk(*_: object) -> NoReturn:
    """A copy for which there is no room."""
    raise OSError(errno.ENOSPC, "No space left on device")


def contents(directory: Path) -> dict[str, str]:
    """Every file."""
    return {file.name: file.read_text() for file in directory.iterdir()}


def test_a_long_log_replaces_the_older_one(log: Path) -> None:
    """Its writer goes on in the same file; a short one is left as it is, and one that is absent, too."""
    with open_log(log) as writer:
        bound_log(log)
        writer.write(b"more")
    bound_log(log)
    assert contents(log.parent) == {"node.log": "more", "node.log.1": "the present one"}
    assert (log.parent / "node.log.1").stat().st_mode & 0o777 == 0o600
    log.unlink()
    bound_log(log)
    assert contents(log.parent) == {"node.log.1": "the present one"}


def test_a_full_disk_costs_no_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older one is replaced once the copy is whole; what was copied till then gives its room back."""
    before = contents(log.parent)
    monkeypatch.setattr(shutil, "copyfileobj", full_disk)
    with pytest.raises(OSError, match="No space left"):
        bound_log(log)
    assert contents(log.parent) == before


def a_pipe(path: Path) -> None:
    """Which has no end to seek for."""
    os.mkfifo(path)


def a_device(path: Path) -> None:
    """As somebody makes who wants no log."""
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [a_pipe, a_device])
def test_what_is_no_file_is_left_alone(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A pipe or a device in the place of a log cannot grow."""
    make(tmp_path / "node.log")
    bound_log(tmp_path / "node.log")
    assert [path.name for path in tmp_path.iterdir()] == ["node.log"]


def test_a_pipe_is_a_log_if_somebody_reads_it(tmp_path: Path) -> None:
    """Without a reader it is refused in one line, instead of waiting for one; a full pipe is waited for."""
    log = tmp_path / "node.log"
    a_pipe(log)
    with pytest.raises(OSError, match="it is a pipe that nobody reads"):
        open_log(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_log(log) as writer:
            assert os.get_blocking(writer.fileno())
            writer.write(b"said")
        assert os.read(reader, 10) == b"said"
    finally:
        os.close(reader)


async def test_after_a_failure_the_disk_is_let_alone(
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Each try takes what room is left: one a minute, and one line in all."""
    del autojump_clock
    tries: list[float] = []

    def refused(_: Path) -> NoReturn:
        tries.append(trio.current_time())
        full_disk()

    monkeypatch.setattr(command, "bound_log", refused)
    with trio.move_on_after(10 * 60):
        await Supervisor(plan)._bound_logs()
    assert 5 <= len(tries) <= 10
    (line,) = capsys.readouterr().out.splitlines()
    assert line == f"{plan.nodes[0].log_file} grows and cannot be set aside: No space left on device"
