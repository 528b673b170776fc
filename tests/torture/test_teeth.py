"""`trikv torture` catches what it is for: real nodes with a seeded mistake do not get a clean verdict."""

from pathlib import Path

import pytest
import trio

from trikv.torture import storm
from trikv.torture.nodes import SETTINGS, Trikv, plan_nodes
from trikv.torture.options import Options
from trikv.torture.ports import Ports
from trikv.torture.report import Screen
from trikv.torture.run import Stop, torture_system

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
MISTAKE = "reply before the quorum"
PLANT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.mutants.catalogue import MUTANTS
from tests.mutants.hook import install
install(next(one for one in MUTANTS if one.name == {MISTAKE!r}))
"""
"""What a node's Python does before anything else."""


def test_an_acknowledgement_before_the_quorum_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader that outlives its followers acknowledges alone, and is back last: the writes are missed."""
    monkeypatch.setattr(storm, "ALWAYS_COUNT", len(storm.ALWAYS))
    assert storm.ALWAYS[-1] == "outlive"
    python = tmp_path / "python"
    python.mkdir()
    (python / "sitecustomize.py").write_text(PLANT)
    ports = Ports()
    try:
        plan = plan_nodes(tmp_path / "data", ports, {**SETTINGS, "PYTHONPATH": str(python)})
        result = trio.run(torture_system, Trikv(plan), Options(seconds=1), Screen(), Stop())
    finally:
        ports.release()
    assert result.findings.lost, result.findings.problems
    assert sum(result.lost_by) == len(result.findings.lost)
