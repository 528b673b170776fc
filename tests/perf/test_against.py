"""The arithmetic of two builds in turns, and that each build is what it says it is."""

import math
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import attrs
import pytest

from tests.perf.against import ROWS, Build, Turns, cost
from tests.perf.arena import Run
from tests.perf.generator import Outcome

NOTHING = Outcome(
    rate=0,
    p50_ms=1,
    p99_ms=1,
    worst_ms=1,
    worst_at_s=0,
    errors=0,
    first_error="",
    missed_waits=0,
    generator_cpu=0.1,
)


def run(rate: float, leader_us: float, others_us: float) -> Run:
    """What one turn gave."""
    return Run(attrs.evolve(NOTHING, rate=rate), leader_us, others_us)


def test_a_turn_in_which_the_disk_stood_still_hardly_counts() -> None:
    """Ten commands took long each; the thousand others decide."""
    assert cost([run(1000, 20, 10), run(10, 2000, 1000)]) == pytest.approx((30_000 + 30_000) / 1010)


def test_a_row_is_the_geometric_mean_of_its_rounds_with_the_error_that_they_show() -> None:
    """Twice and half of the base's time are equal to it, and far apart."""
    turns = Turns(ROWS[0])
    turns.rounds.append([(run(100, 10, 10), run(100, 30, 10))])
    assert turns.ratios == [2.0]
    assert math.isinf(turns.error)
    turns.rounds.append([(run(100, 30, 10), run(100, 10, 10))])
    assert turns.mean == pytest.approx(1)
    assert turns.error == pytest.approx(math.log(2))


def test_a_build_runs_what_is_installed_whatever_the_environment_says(tmp_path: Path) -> None:
    """If a PYTHONPATH counted, both could be one build, and the comparison would say that nothing changed."""
    other = tmp_path / "trikv"
    other.mkdir()
    (other / "__init__.py").touch()
    (other / "__main__.py").write_text("print('another trikv')")
    program = Build(tmp_path, 1, Path(sys.executable))._program(1)
    said = subprocess.run(
        [*program, "--version"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == version("trikv")
