"""The arithmetic of two builds in turns, and that each build is what it says it is."""

import math
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import attrs
import pytest

import trikv
from tests.perf import against
from tests.perf.against import ROWS, Build, Turns, cost, duel, installed, table
from tests.perf.arena import Run
from tests.perf.generator import Outcome

NOTHING = Outcome(
    answered=0,
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


def run(answered: int, leader_us: float, others_us: float) -> Run:
    """What one turn gave."""
    return Run(attrs.evolve(NOTHING, answered=answered, rate=2 * answered), leader_us, others_us)


def test_a_turn_counts_by_its_commands_and_its_time() -> None:
    """Ten of a turn in which the disk stood still took long: the mean of both turns would be 1,515 us."""
    assert cost([run(1000, 20, 10), run(10, 2000, 1000)]) == pytest.approx((30_000 + 30_000) / 1010)


def test_a_table_has_the_throughput_of_whole_rounds() -> None:
    """In one turn of the base nothing was answered: it still has a line."""
    turns = Turns(ROWS[0])
    turns.rounds.append([(run(0, 500, 100), run(100, 10, 10)), (run(200, 10, 10), run(100, 10, 10))])
    *_, line = table([turns])
    assert line.endswith("| 1.00 |")


def test_a_comparison_is_of_two_builds_and_one_of_them_is_this_one(tmp_path: Path) -> None:
    """It says so before it drives anything."""
    ours = Path(sys.executable)
    for base, problem in ((ours, "both builds are"), (Path("/bin/false"), "/bin/false has no trikv")):
        with pytest.raises(SystemExit, match=problem):
            duel(base, tmp_path, 1, seconds=1, rounds=1, say=print)
    assert installed(ours) == Path(trikv.__file__)


def test_a_build_of_another_tree_is_not_taken_for_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever calls this tree's comparison by another tree's Python would measure that one."""
    monkeypatch.setattr(against, "_REPOSITORY", tmp_path)
    with pytest.raises(SystemExit, match=f"not the trikv of {tmp_path}"):
        duel(Path(sys.executable), tmp_path, 1, seconds=1, rounds=1, say=print)


def test_a_comparison_says_which_builds_it_drives(tmp_path: Path) -> None:
    """First of all, and the same trikv by another Python is another build."""
    other = tmp_path / "python"
    said: list[str] = []
    other.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    other.chmod(0o755)
    assert duel(other, tmp_path, 1, seconds=1, rounds=0, say=said.append)
    where = trikv.__file__
    assert said == [f"base: {where} by {other}; ours: {where} by {sys.executable}"]


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
