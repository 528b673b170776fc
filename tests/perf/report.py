"""What was measured, as data for a file and as a table for people."""

import statistics
from collections.abc import Iterator, Sequence

import attrs

from tests.perf.arena import Run
from tests.perf.machine import Machine
from tests.perf.rows import Duel, Solo
from trikv.notation import counted

_GENERATOR_BUSY = 0.9
"""Above this part of a processor the generator may have been the limit."""


@attrs.frozen
class DuelResult:
    """Both contenders' runs, in the order they took turns."""

    duel: Duel
    base: list[Run]
    ours: list[Run]

    @property
    def ratio(self) -> float:
        """Median throughput of ours over that of the base."""
        return statistics.median(rates(self.ours)) / statistics.median(rates(self.base))

    @property
    def ratio_of_best(self) -> float:
        """Best throughput of ours over the base's best: others at work can only take away from both."""
        return max(rates(self.ours)) / max(rates(self.base))

    @property
    def pairs(self) -> list[float]:
        """The ratio of each turn."""
        return [ours / base for ours, base in zip(rates(self.ours), rates(self.base), strict=True)]


@attrs.frozen
class SoloResult:
    """A figure of its own; `values` are all that were measured, `figure` is the one that counts."""

    solo: Solo
    figure: float
    values: list[float]
    note: str = ""


@attrs.frozen
class Skipped:
    """A row that could not be measured, and why."""

    row: Duel | Solo
    why: str


@attrs.define
class Report:
    """One session of the comparison."""

    machine: Machine
    seconds: float
    rounds: int
    results: list[DuelResult | SoloResult | Skipped] = attrs.Factory(list)
    curve: dict[str, list[tuple[int, Run]]] = attrs.Factory(dict)
    """Points of the plot: runs by number of connections, by a line's name."""


def rates(runs: Sequence[Run]) -> list[float]:
    """Commands a second of each run."""
    return [run.outcome.rate for run in runs]


def table(report: Report) -> Iterator[str]:
    """The lines of a Markdown document."""
    yield str(report.machine)
    length = f"{counted(report.rounds, 'round')} of {report.seconds:g} s a contender"
    yield f"{length}, in turns, each with new servers; min-median-max"
    yield ""
    yield "| work | against | trikv | ratio (of the turns; of the best) | must | aim | |"
    yield "|---|---|---|---|---|---|---|"
    remarks: list[str] = []
    for result in report.results:
        match result:
            case DuelResult():
                yield _duel_line(result)
                remarks += _remarks(result)
            case SoloResult():
                yield _solo_line(result)
            case Skipped(row=row, why=why):
                yield f"| {row.title} | | NOT MEASURED | | {row.must:g} | {row.aim:g} | skipped |"
                remarks.append(f"SKIPPED {row.key}: {why}")
    yield ""
    yield from remarks


def _duel_line(result: DuelResult) -> str:
    duel, pairs = result.duel, result.pairs
    reached = verdict(result.ratio >= duel.must, result.ratio >= duel.aim)
    return (
        f"| {duel.title} | {_runs(result.base)} | {_runs(result.ours)} "
        f"| {result.ratio:.2f} ({min(pairs):.2f}-{max(pairs):.2f}; {result.ratio_of_best:.2f}) "
        f"| {duel.must:g} | {duel.aim:g} | {reached} |"
    )


def _solo_line(result: SoloResult) -> str:
    solo, values = result.solo, result.values
    reached = verdict(result.figure <= solo.must, result.figure <= solo.aim)
    spread = f"{min(values):.3g}-{statistics.median(values):.3g}-{max(values):.3g} {solo.unit}"
    note = f"; {result.note}" if result.note else ""
    return (
        f"| {solo.title} | | {result.figure:.3g} {solo.unit} ({spread}{note}) | "
        f"| {solo.must:g} | {solo.aim:g} | {reached} |"
    )


def verdict(must: bool, aim: bool) -> str:  # noqa: FBT001 - two facts in the order of the columns
    """Which bar a figure has reached: the one that is hoped for, the one that must be, or none."""
    return "aim" if aim else "must" if must else "BELOW"


def _runs(runs: Sequence[Run]) -> str:
    """Throughput in thousands a second, latency, and microseconds of processor time a command."""
    found = rates(runs)
    middle = [statistics.median(values) for values in zip(*map(_details, runs), strict=True)]
    p50, p99, leader, others = middle
    return (
        f"{_k(min(found))}-{_k(statistics.median(found))}-{_k(max(found))}k/s, "
        f"p50 {p50:.1f} p99 {p99:.1f} ms, cpu {leader:.0f}+{others:.0f} us"
    )


def _details(run: Run) -> tuple[float, float, float, float]:
    return run.outcome.p50_ms, run.outcome.p99_ms, run.leader_us, run.others_us


def _k(rate: float) -> str:
    return f"{rate / 1e3:.1f}"


def _remarks(result: DuelResult) -> Iterator[str]:
    """What makes a row doubtful."""
    for name, runs in (("against", result.base), ("trikv", result.ours)):
        missed = sum(run.outcome.missed_waits for run in runs)
        errors = sum(run.outcome.errors for run in runs)
        first = next((run.outcome.first_error for run in runs if run.outcome.errors), "")
        busiest = max(run.outcome.generator_cpu for run in runs)
        if missed:
            yield f"VOID {result.duel.key}, {name}: {missed} WAITs found no replica in time"
        if errors:
            yield f"VOID {result.duel.key}, {name}: {counted(errors, 'error')}, the first: {first}"
        if busiest > _GENERATOR_BUSY:
            yield f"{result.duel.key}, {name}: the generator took {busiest:.0%} of a processor: the limit?"
