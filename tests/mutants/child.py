"""What one fresh process does: put the mistake in, run something, say how it went.

The process is forked from a server that has imported pytest and the libraries, but nothing of trikv: a
mutant's module is imported after the hook is there, and a start costs milliseconds instead of a second.
"""

import os
import sys
from enum import Enum
from typing import Final

import attrs
import pytest

from tests.mutants.hook import install
from tests.mutants.mutant import ROOT, BySeed, ByTest, Killer, Mutant

PRELOADED: Final = (
    "attrs",
    "hiredis",
    "hypothesis",
    "msgspec",
    "pytest",
    "pytest_trio",
    "sortedcontainers",
    "structlog",
    "trio.testing",
)
"""What the server imports for all its children."""
_QUIET: Final = ("-q", "--no-header", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:cov")
"""Plain asserts need no rewriting of test modules, which takes longer than most killers run."""


class Outcome(Enum):
    """How a killer fared against a program."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    BROKEN = "broken"
    """It could not be run at all (no such test, an import that fails): that proves nothing."""
    HUNG = "hung"
    """It did not end in time."""


@attrs.frozen
class Verdict:
    """What came of one process."""

    outcome: Outcome
    failed: tuple[tuple[str, float], ...] = ()
    """Tests that failed, with their seconds; or the seed, with what failed in which virtual second."""
    seconds: float = 0.0


class _Recorder:
    """A pytest plugin that notes what failed, and in which phase."""

    def __init__(self) -> None:
        self.failed: list[tuple[str, float]] = []
        self.broken = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test is over."""
        if report.failed:
            self.failed.append((report.nodeid.removeprefix("tests/"), report.duration))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module was read."""
        self.broken = self.broken or report.failed


def run_tests(node_ids: tuple[str, ...], *, stop_at_first: bool) -> Verdict:
    """Run tests in this process."""
    os.chdir(ROOT)
    _fix_hypothesis()
    recorder = _Recorder()
    only_first = ("-x",) if stop_at_first else ()
    code = pytest.main(
        [*_QUIET, *only_first, *(f"tests/{node_id}" for node_id in node_ids)], plugins=[recorder]
    )
    if recorder.broken or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return Verdict(Outcome.BROKEN)
    return Verdict(Outcome.CAUGHT if recorder.failed else Outcome.SURVIVED, tuple(recorder.failed))


def _fix_hypothesis() -> None:
    """The same examples each time, nothing saved, nothing made smaller: a killer kills or it does not.

    ``tests/conftest.py`` loads the profile of this name.
    """
    from hypothesis import Phase, settings

    settings.register_profile(
        "mutants",
        max_examples=50,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
    )
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"


def run_seeds(killers: tuple[BySeed, ...]) -> Verdict:
    """Run the simulator in this process, seed by seed until a run fails."""
    from trikv.sim.run import execute, plan_of

    for killer in killers:
        result = execute(plan_of(killer.seed, nodes=killer.nodes, seconds=killer.seconds))
        if not result.ok:
            return Verdict(Outcome.CAUGHT, ((f"{killer} {result.failure}", result.virtual_s),))
    return Verdict(Outcome.SURVIVED)


def attempt(mutated: Mutant | None, killers: tuple[Killer, ...], *, stop_at_first: bool = True) -> Verdict:
    """Run tests, or seeds, in this process, mutated or as it is."""
    used = install(mutated) if mutated is not None else None
    seeds = tuple(killer for killer in killers if isinstance(killer, BySeed))
    if seeds:
        verdict = run_seeds(seeds)
    else:
        tests = tuple(killer.node_id for killer in killers if isinstance(killer, ByTest))
        verdict = run_tests(tests, stop_at_first=stop_at_first)
    if mutated is not None and used != set(mutated.modules) and verdict.outcome is not Outcome.BROKEN:
        sys.stderr.write(f"never imported: {sorted(set(mutated.modules) - (used or set()))}\n")
        return Verdict(Outcome.BROKEN)
    return verdict
