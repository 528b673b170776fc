"""Real power cuts, the short version; the long one is ``python -m tests.power.run --cuts 20``."""

from pathlib import Path

import pytest
import trio

from tests.power.disks import unable
from tests.power.run import Campaign, Row
from tests.tools import skip_without
from trikv.torture.options import NODES

pytestmark = pytest.mark.e2e

NO_SYNC = """
import os, sys
sys.modules["trikv.host._handoff"] = None  # the part in C calls the kernel itself
real = os.fdatasync
def fdatasync(fd):
    if not os.readlink(f"/proc/self/fd/{fd}").endswith(".wal"):
        real(fd)
os.fdatasync = fdatasync
"""
"""A Python whose nodes acknowledge before their log is on the disk."""


@pytest.fixture(autouse=True)
def power() -> None:
    """Skip by name where no disk can lose power."""
    if (why := unable()) is not None:
        skip_without(why)


def ignore(_row: Row) -> None:
    """The table is for a person."""


def test_power_cuts_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """Two cuts, one under load and one while the nodes recover: all there, in order, equal on all nodes.

    That what was not synced was lost shows that the cuts were real.
    """
    campaign = Campaign(tmp_path, 1, ignore)
    findings = trio.run(campaign.run, 2)
    assert findings.problems == []
    assert findings.checked > 20
    assert [row.when for row in campaign.rows] == ["disks first", "in recovery"]
    assert [row.lost for row in campaign.rows] == [0, 0]
    assert sum(row.died for row in campaign.rows) > NODES, "unsynced files survived: these were no power cuts"


def test_a_log_that_is_not_synced_is_caught(tmp_path: Path) -> None:
    """The rig sees what it is for: nodes that do not sync their log lose acknowledged writes."""
    python = tmp_path / "python"
    python.mkdir()
    (python / "sitecustomize.py").write_text(NO_SYNC)
    campaign = Campaign(tmp_path, 1, ignore, {"PYTHONPATH": str(python)})
    findings = trio.run(campaign.run, 1)
    assert findings.lost
    assert not findings.clean
