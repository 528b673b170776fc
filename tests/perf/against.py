"""Two builds of trikv in turns on one machine: ``python -m tests.perf.compare --against d83d750``.

A build is a Python with trikv installed. ``--against`` takes a revision of this repository, which is checked
out and installed aside, or the path of such a Python: so are two Pythons compared too. What counts is
processor time a command, the leader's and the followers': throughput on two cores depends on who else ran.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from tests.perf.arena import Run, measured
from tests.perf.generator import Work, fill
from tests.perf.servers import Trikv

HELP = "a revision, or a Python that has trikv: drive it and this one in turns, and compare processor times"
_REPOSITORY = Path(__file__).parents[2]


@attrs.frozen
class Row:
    """One kind of load that both builds get."""

    title: str
    work: Work
    everywhere: bool = False
    """Over all three nodes rather than the leader alone."""
    reads: str = "linearizable"


ROWS = (
    Row("SET c=50", Work("set", 50)),
    Row("SET c=256", Work("set", 256)),
    Row("SET c=50, 16 in a pipeline", Work("set", 50, depth=16)),
    Row("GET c=50", Work("get", 50)),
    Row("SET c=50 over three nodes", Work("set", 50), everywhere=True),
    Row("GET c=150 over three nodes", Work("get", 150), everywhere=True),
    Row("GET c=50, reads=lease", Work("get", 50), reads="lease"),
)


@attrs.frozen
class Turns:
    """What both builds gave for one row, round by round."""

    row: Row
    base: list[Run] = attrs.Factory(list)
    ours: list[Run] = attrs.Factory(list)

    @property
    def ratios(self) -> list[float]:
        """Processor time a command of all three nodes, ours over the base's, of each round."""
        return [cost(ours) / cost(base) for base, ours in zip(self.base, self.ours, strict=True)]


def cost(run: Run) -> float:
    """Microseconds of processor time that all three nodes took for a command."""
    return run.leader_us + run.others_us


class Build(Trikv):
    """Three nodes of the build that `python` has."""

    def __init__(self, directory: Path, first_port: int, python: Path, **settings: str) -> None:
        super().__init__(directory, first_port, **settings)
        self._python = python

    def _program(self, port: int) -> list[str]:  # noqa: ARG002 - every node is of one build
        return [str(self._python), "-P", "-m", "trikv"]


def python_of(against: str, directory: Path) -> Path:
    """The Python of a build: `against` itself, or one made below `directory` for that revision.

    Raises SystemExit if `against` is neither.
    """
    if Path(against).is_file():
        return Path(against)
    tree = directory / "base"
    clone = ["git", "clone", "--quiet", "--no-checkout", str(_REPOSITORY), str(tree)]
    checkout = ["git", "-C", str(tree), "checkout", "--quiet", "--detach", against]
    for command in (clone, checkout, [str(tree / "tools/venv.sh")]):
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
            raise SystemExit(
                f"--against {against}: neither a Python nor a revision; {' '.join(command)} failed"
            )
    return tree / ".venv/bin/python"


def duel(
    base: Path, directory: Path, port: int, *, seconds: float, rounds: int, say: Callable[[str], None]
) -> list[Turns]:
    """Drive every row on both builds, in turns: new servers each round, which begins with the other build."""
    results = [Turns(row) for row in ROWS]
    for number in range(rounds):
        for reads in dict.fromkeys(row.reads for row in ROWS):
            builds = (
                Build(directory / "base-data", port, base, reads=reads),
                Build(directory / "ours-data", port + 3, Path(sys.executable), reads=reads),
            )
            with builds[0], builds[1]:
                for servers in builds:
                    fill(servers.leader())
                for turns in results:
                    if turns.row.reads == reads:
                        _turn(turns, builds, seconds, first=number % 2)
                        ratio = turns.ratios[-1]
                        say(
                            f"round {number + 1}, {turns.row.title}: {ratio:.3f} of the base's processor time"
                        )
    return results


def _turn(turns: Turns, builds: tuple[Trikv, Trikv], seconds: float, *, first: int) -> None:
    sides = [(builds[0], turns.base), (builds[1], turns.ours)]
    for servers, runs in (sides[first], sides[1 - first]):
        run = measured(servers, turns.row.work, seconds, everywhere=turns.row.everywhere)
        if run.outcome.errors:
            raise SystemExit(
                f"{turns.row.title}: {run.outcome.errors} errors, first: {run.outcome.first_error}"
            )
        runs.append(run)


def table(results: Sequence[Turns]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| work | base, us a command (leader + others) | ours | processor time, ours / base | throughput |"
    yield "|---|---|---|---|---|"
    for turns in results:
        ratios = turns.ratios
        faster = statistics.median(
            ours.outcome.rate / base.outcome.rate for base, ours in zip(turns.base, turns.ours, strict=True)
        )
        yield (
            f"| {turns.row.title} | {_costs(turns.base)} | {_costs(turns.ours)} "
            f"| {statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f}) | {faster:.2f} |"
        )


def _costs(runs: Sequence[Run]) -> str:
    leader, others = (
        statistics.median(run.leader_us for run in runs),
        statistics.median(run.others_us for run in runs),
    )
    return f"{leader:.1f} + {others:.1f}"
