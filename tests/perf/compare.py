"""trikv beside Redis at the same durability, in turns on one machine: ``python -m tests.perf.compare``.

It prints a table of what was measured beside what has to be reached, and asserts nothing: it is the
yardstick. Whoever changes a hot path runs it before and after.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from tests.perf import against, cpu, document, failover, machine, plot, rows
from tests.perf.arena import Arena
from tests.perf.generator import Load, Outcome, Work
from tests.perf.greedy import greedy_client
from tests.perf.report import DuelResult, Report, Skipped, SoloResult, rates, table
from tests.perf.rows import Contender, Duel, Side, Solo
from tests.perf.servers import Unavailable

_GREEDY_LEAD_S = 1.0
"""A greedy client is at full greed when the polite ones are timed."""
_SETTLE_S = 3.0
"""From the last work to what counts as rest: sweeps and collections of what was done are over."""


@attrs.frozen
class Effort:
    """How long everything takes."""

    seconds: float
    rounds: int
    worst_s: float = 60
    rest_s: float = 30
    kills: int = 20

    @classmethod
    def quick(cls) -> "Effort":
        """To see that it works: the figures of single short runs say little."""
        return cls(seconds=1, rounds=1, worst_s=5, rest_s=3, kills=2)


class Comparison:
    """One session: measures row by row and fills a report."""

    def __init__(self, arena: Arena, effort: Effort, report: Report, say: Callable[[str], None]) -> None:
        self._arena = arena
        self._effort = effort
        self.report = report
        self._say = say

    def duels(self, duels: Sequence[Duel]) -> Iterator[DuelResult | Skipped]:
        """Drive both contenders of each, one after the other, once a round; every other round the other way.

        A machine that gets faster or slower by the minute, as those of a cloud do, then favours nobody.
        Every round has servers of its own: two clusters of one code, a minute apart, differ by a tenth for as
        long as they live (where their memory lies in the caches), and so do two of Redis.
        """
        results = {duel.key: DuelResult(duel, [], []) for duel in duels}
        reasons: dict[str, str] = {}
        for number in range(self._effort.rounds):
            self._arena.keep(())
            for duel in duels:
                if duel.key not in reasons:
                    try:
                        self._turn(results[duel.key], ours_first=bool(number % 2))
                    except Unavailable as reason:
                        reasons[duel.key] = str(reason)
        for duel in duels:
            yield self._skipped(duel, reasons[duel.key]) if duel.key in reasons else results[duel.key]

    def _turn(self, result: DuelResult, *, ours_first: bool) -> None:
        duel = result.duel
        self._arena.have(*{duel.base.side: None, duel.ours.side: None})
        both = [(duel.base, result.base), (duel.ours, result.ours)]
        for contender, runs in reversed(both) if ours_first else both:
            runs.append(self._arena.drive(contender, self._effort.seconds))
            where = "three nodes" if contender.everywhere else "leader"
            self._say(f"{duel.key}: {contender.side.value}, {where}: {rates(runs)[-1]:,.0f}/s")

    def _skipped(self, row: Duel | Solo, reason: str) -> Skipped:
        self._say(f"SKIPPED {row.key}: {reason}")
        return Skipped(row, reason)

    def worst(self) -> SoloResult:
        """The longest that any of fifty writers waited."""
        outcome = self._load(rows.SET_50, self._effort.worst_s)
        note = f"at {outcome.worst_at_s:.1f} of {self._effort.worst_s:g} s, p99 {outcome.p99_ms:.1f} ms"
        return SoloResult(rows.WORST, outcome.worst_ms, [outcome.worst_ms], note)

    def rest(self) -> SoloResult:
        """Processor time of nodes that nobody asks anything."""
        cluster = self._arena.trikv()
        pids = [cluster.processes[port].pid for port in cluster.ports]
        cpu.shares(pids, _SETTLE_S)
        shares = [100 * share for share in cpu.shares(pids, self._effort.rest_s)]
        return SoloResult(rows.REST, max(shares), shares)

    def failover(self) -> SoloResult:
        """Kill the leader again and again."""
        found = failover.measure(self._arena.trikv(), self._effort.kills, self._say)
        return SoloResult(rows.FAILOVER, statistics.median(found), found)

    def greedy(self) -> SoloResult:
        """Polite clients alone, and with a greedy one beside them, in turns."""
        port = self._arena.trikv().leader()
        polite = Work("set", 49)
        alone, beside, shares = [], [], []
        for _ in range(self._effort.rounds):
            alone.append(self._load(polite, self._effort.seconds).p99_ms)
            with greedy_client(port) as greedy:
                self._load(polite, _GREEDY_LEAD_S)
                before = greedy.answered()
                beside.append(self._load(polite, self._effort.seconds).p99_ms)
                shares.append((greedy.answered() - before) / self._effort.seconds)
            cpu.shares([], 1)  # the server still has the rest of a pipeline to answer
            self._say(f"greedy: p99 {alone[-1]:.1f} ms alone, {beside[-1]:.1f} beside {shares[-1]:,.0f}/s")
        ratios = [with_it / without for with_it, without in zip(beside, alone, strict=True)]
        figure = statistics.median(beside) / statistics.median(alone)
        if not all(shares):
            figure = float(
                "nan"
            )  # polite clients are quick where the greedy one is not served at all: no bar
        note = (
            f"{statistics.median(alone):.1f} to {statistics.median(beside):.1f} ms; "
            f"the greedy one got {statistics.median(shares):,.0f} commands/s"
        )
        return SoloResult(rows.GREEDY, figure, ratios, note)

    def _load(self, work: Work, seconds: float) -> Outcome:
        with Load([self._arena.trikv().leader()], work) as load:
            return load.run(seconds)

    def curve(self) -> None:
        """The points of the plot: one run each, both sides in turns."""
        for operation in ("set", "get"):
            for connections in rows.CURVE_CLIENTS:
                for side in (Side.REDIS, Side.TRIKV):
                    self._arena.have(Side.REDIS, Side.TRIKV)
                    wait = side is Side.REDIS and operation == "set"
                    run = self._arena.drive(
                        Contender(side, Work(operation, connections, wait=wait)), self._effort.seconds
                    )
                    line = f"{side.value} {operation.upper()}{'+WAIT' if wait else ''}"
                    self.report.curve.setdefault(line, []).append((connections, run))
                    self._say(f"curve: {line}, c={connections}: {run.outcome.rate:,.0f}/s")

    def run(self, keys: Sequence[str]) -> None:
        """Measure these rows in the order of the table; one that cannot be had is reported as skipped."""
        self.report.results += self.duels([duel for duel in rows.DUELS if duel.key in keys])
        solos = {"worst": self.worst, "rest": self.rest, "failover": self.failover, "greedy": self.greedy}
        for solo in rows.SOLOS:
            if solo.key in keys:
                try:
                    self.report.results.append(solos[solo.key]())
                except Unavailable as reason:
                    self.report.results.append(self._skipped(solo, str(reason)))


@contextmanager
def on_a_disk(above: Path) -> Iterator[tuple[Path, machine.Machine]]:
    """A directory of one's own below `above`, and the machine. Raises SystemExit if it is no disk's."""
    with tempfile.TemporaryDirectory(prefix="trikv-perf-", dir=above) as name:
        directory = Path(name)
        here = machine.describe(directory)
        if here.file_system.startswith("tmpfs"):
            raise SystemExit(f"{above} is in memory: syncs there cost nothing; give --directory")
        yield directory, here


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the servers are to be."""
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="a real disk (%(default)s)")
    parser.add_argument("--port", type=int, default=18400, help="first of trikv's three (%(default)s)")
    parser.add_argument("--redis-port", type=int, default=19400, help="first of Redis' (%(default)s)")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.compare", description=__doc__)
    parser.add_argument("--rows", default=",".join(rows.KEYS), help="which, of: %(default)s")
    parser.add_argument("--seconds", type=float, default=2, help="of each run (%(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=5, help="of each contender, with new servers (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="one short round: does it work?")
    parser.add_argument("--ahead", action="store_true", help=machine.AHEAD_HELP)
    parser.add_argument("--curve", action="store_true", help="also the plot's points, for --json")
    parser.add_argument("--against", help=against.HELP)
    parser.add_argument("--json", type=Path, help="write everything measured into this file")
    parser.add_argument("--document", action="store_true", help=document.HELP)
    add_places(parser)
    return parser.parse_args()


def note(line: str) -> None:
    """Tell how far it has come: on standard error, so that the table stands alone."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a command line prints


def main() -> None:
    """Measure, print, write."""
    asked = _arguments()
    keys = [key for key in asked.rows.split(",") if key]
    if unknown := set(keys) - set(rows.KEYS):
        raise SystemExit(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(rows.KEYS)}")
    effort = Effort.quick() if asked.quick else Effort(asked.seconds, asked.rounds)
    if asked.ahead:
        machine.go_ahead()
    with on_a_disk(asked.directory) as (directory, here):
        if asked.against:
            base = against.python_of(asked.against, directory)
            turns = against.duel(
                base, directory, asked.port, seconds=effort.seconds, rounds=effort.rounds, say=note
            )
            print(here, *against.table(turns), sep="\n")  # noqa: T201 - a command line prints
            return
        report = Report(here, effort.seconds, effort.rounds)
        with Arena(directory, asked.port, asked.redis_port) as arena:
            comparison = Comparison(arena, effort, report, note)
            comparison.run(keys)
            if asked.curve:
                comparison.curve()
    as_data = attrs.asdict(report, value_serializer=lambda _, __, value: _plain(value))
    for line in table(report):
        print(line)  # noqa: T201 - a command line prints
    if asked.document and report.results:
        document.write("comparison", table(report))
    if asked.document and report.curve:
        document.DRAWING.write_text(plot.svg(as_data["curve"]))
    if asked.json:
        asked.json.write_text(json.dumps(as_data, indent=1) + "\n")


def _plain(value: object) -> object:
    return value.value if isinstance(value, Side) else value


if __name__ == "__main__":
    main()
