"""Who holds the data that a cluster is to be started on."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from trikv.cluster import command
from trikv.cluster.holders import holder_of
from trikv.cluster.plan import Plan, make_plan
from trikv.host.disk import RealDisk

KNOWN = Path("/proc/locks").is_file()


@pytest.fixture
def planned(tmp_path: Path, first_port: int) -> Plan:
    """Three nodes with data below a directory."""
    environment = {"TRIKV_DATA": str(tmp_path / "data")}
    return make_plan(port=str(first_port), max_volume=None, timeout=None, environment=environment)


@pytest.fixture
def held(planned: Plan) -> Iterator[Plan]:
    """The second node's data are in use, by this process."""
    disk = RealDisk(planned.nodes[1].config.data_directory)
    yield planned
    disk.close()


def test_data_that_nobody_uses_have_no_holder(planned: Plan, tmp_path: Path) -> None:
    """Neither data that were never used, nor those of a node that has ended; nothing is made to find out."""
    assert holder_of(planned.nodes) is None
    assert list(tmp_path.iterdir()) == []
    RealDisk(planned.nodes[0].config.data_directory).close()
    assert holder_of(planned.nodes) is None


def test_the_holder_is_named_by_its_pid(held: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system tells; otherwise that there is one. To ask takes no lock that a node could miss."""
    if KNOWN:
        assert holder_of(held.nodes) == f"node2: pid {os.getpid()}"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "1: FLOCK  ADVISORY  WRITE 7 00:00:1 0 EOF\n")
    assert holder_of(held.nodes) == "node2: another process"


def test_a_file_system_without_locks_says_nothing(held: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is left to the nodes."""

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert holder_of(held.nodes) is None


def test_a_cluster_on_data_in_use_is_one_line(held: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; it names the directory, and starts and writes nothing."""
    before = sorted(held.data.rglob("*"))
    port, environment = str(held.ports()[0][0]), {"TRIKV_DATA": str(held.data)}
    code = command.run_cluster(port=port, max_volume=None, timeout=None, environment=environment)
    shown = capsys.readouterr()
    assert (code, shown.out) == (1, "")
    assert shown.err.startswith(f"trikv: the data in {held.data} are in use by a running cluster (node2: ")
    assert shown.err.count("\n") == 1
    assert sorted(held.data.rglob("*")) == before
