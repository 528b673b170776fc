"""Two builds of trikv in turns on one machine: ``python -m tests.perf.compare --against d83d750``.

A build is a Python with trikv installed. ``--against`` takes a revision of this repository, which is checked
out and installed aside, or the path of such a Python: so are two Pythons compared too. What counts is
processor time a command, the leader's and the followers': throughput on two cores depends on who else ran.

A build differs from itself by a tenth from one start of its servers to the next, and a shared machine changes
from one second to the next. So every round has new servers, and drives both builds in short turns.
"""

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import attrs

from tests.perf.arena import Run, measured
from tests.perf.generator import Work
from tests.perf.operations import fill
from tests.perf.servers import Trikv

HELP = "a revision, or a Python that has trikv: drive it and this one in turns, and compare processor times"
TURNS = 5
"""How often a round drives each row on each build: a machine changes, and both have to meet the same one."""
_SETTLE_S = 3.0
"""From the last fill to the first turn: what it has left to do would be counted as the first row's."""
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
    """What both builds gave for one row."""

    row: Row
    rounds: list[list[tuple[Run, Run]]] = attrs.Factory(list)
    """By round, the base's run and ours of each turn."""

    @property
    def ratios(self) -> list[float]:
        """Processor time a command of all three nodes, ours over the base's, of each round."""
        base = [cost([base for base, _ in turns]) for turns in self.rounds]
        ours = [cost([ours for _, ours in turns]) for turns in self.rounds]
        return [mine / its for its, mine in zip(base, ours, strict=True)]

    @property
    def mean(self) -> float:
        """The geometric mean of `ratios`."""
        return statistics.geometric_mean(self.ratios)

    @property
    def error(self) -> float:
        """The standard error of `mean`, by how far the rounds are apart; infinite after a single one."""
        if len(self.rounds) < 2:
            return math.inf
        return self.mean * statistics.stdev(map(math.log, self.ratios)) / math.sqrt(len(self.rounds))


def cost(runs: Sequence[Run]) -> float:
    """Microseconds of processor time that all three nodes took for a command of `runs`.

    All time by all commands: the mean of the turns would be that of one in which the disk stood still, with
    few commands and each of them dear.
    """
    spent = sum((run.leader_us + run.others_us) * run.outcome.answered for run in runs)
    return spent / sum(run.outcome.answered for run in runs)


class Build(Trikv):
    """Three nodes of the build that `python` has."""

    def __init__(self, directory: Path, first_port: int, python: Path, **settings: str) -> None:
        super().__init__(directory, first_port, **settings)
        self._python = python

    def _program(self, port: int) -> list[str]:  # noqa: ARG002 - every node is of one build
        return [str(self._python), "-I", "-m", "trikv"]


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


def installed(python: Path) -> Path:
    """Where the trikv is that this Python runs, whatever the environment and the directory say.

    Raises SystemExit if it has none.
    """
    ask = [str(python), "-I", "-c", "import trikv; print(trikv.__file__)"]
    told = subprocess.run(ask, capture_output=True, text=True, check=False)
    if told.returncode:
        raise SystemExit(f"{python} has no trikv: {told.stderr[-500:]}")
    return Path(told.stdout.strip())


def _two(base: Path, ours: Path) -> str:
    """Which trikv each of these Pythons runs.

    Raises SystemExit if that of `ours` is not this repository's, or both are one.
    """
    there, here = installed(base), installed(ours)
    if not here.is_relative_to(_REPOSITORY):
        raise SystemExit(f"{ours} runs {here}, not the trikv of {_REPOSITORY}: call it by that one's Python")
    if (there, base) == (here, ours):
        raise SystemExit(f"both builds are {here} by {ours}")
    return f"base: {there} by {base}; ours: {here} by {ours}"


def duel(
    base: Path, directory: Path, port: int, *, seconds: float, rounds: int, say: Callable[[str], None]
) -> list[Turns]:
    """Drive every row on both builds, for `seconds` on each in a round, which has new servers.

    Raises SystemExit if a build is not what it should be, or answers nothing or errors.
    """
    ours = Path(sys.executable)
    say(_two(base, ours))
    results = [Turns(row) for row in ROWS]
    for number in range(rounds):
        for reads in dict.fromkeys(row.reads for row in ROWS):
            builds = (
                Build(directory / "base-data", port, base, reads=reads),
                Build(directory / "ours-data", port + 3, ours, reads=reads),
            )
            with builds[0], builds[1]:
                for servers in builds if number % 2 else builds[::-1]:
                    fill(servers.leader())
                time.sleep(_SETTLE_S)
                for result in results:
                    if result.row.reads != reads:
                        continue
                    turns = _round(result.row, builds, seconds / TURNS, first=number % 2)
                    result.rounds.append(turns)
                    of_base = f"{result.ratios[-1]:.3f} of the base's processor time"
                    say(f"round {number + 1}, {result.row.title}: {of_base}")
    return results


def _round(row: Row, builds: tuple[Trikv, Trikv], seconds: float, *, first: int) -> list[tuple[Run, Run]]:
    """The turns of a row. Each begins with the other build than the one before; `first` begins the first."""
    turns = []
    for turn in range(TURNS):
        begins = (first + turn) % 2
        runs = {side: _driven(row, builds[side], seconds) for side in (begins, 1 - begins)}
        turns.append((runs[0], runs[1]))
    if not all(any(run.outcome.answered for run in side) for side in zip(*turns, strict=True)):
        raise SystemExit(f"{row.title}: nothing was answered in {TURNS} turns of {seconds} s")
    return turns


def _driven(row: Row, servers: Trikv, seconds: float) -> Run:
    run = measured(servers, row.work, seconds, everywhere=row.everywhere)
    if run.outcome.errors:
        raise SystemExit(f"{row.title}: {run.outcome.errors} errors, first: {run.outcome.first_error}")
    return run


def table(results: Sequence[Turns]) -> Iterator[str]:
    """The lines of a Markdown table: means with their standard errors, the least and the greatest round."""
    yield "| work | base, us a command (leader + others) | ours | processor time, ours / base | throughput |"
    yield "|---|---|---|---|---|"
    for result in results:
        ratios = result.ratios
        base, ours = zip(*chain.from_iterable(result.rounds), strict=True)
        faster = statistics.median(map(_faster, result.rounds))
        yield (
            f"| {result.row.title} | {_costs(base)} | {_costs(ours)} "
            f"| {result.mean:.3f} +- {result.error:.3f} ({min(ratios):.3f}-{max(ratios):.3f}) "
            f"| {faster:.2f} |"
        )


def _faster(turns: Sequence[tuple[Run, Run]]) -> float:
    base = sum(base.outcome.rate for base, _ in turns)
    return sum(ours.outcome.rate for _, ours in turns) / base


def _costs(runs: Sequence[Run]) -> str:
    leader, others = (
        statistics.median(run.leader_us for run in runs),
        statistics.median(run.others_us for run in runs),
    )
    return f"{leader:.1f} + {others:.1f}"
