"""Replays killers against mutants: ``python -m tests.mutants.run``; with ``--search`` it looks for them.

The unmutated program must pass every killer, and each mutant must make its own one fail. Nothing else counts
as caught: a test that cannot be found, a module that does not compile or a process that hangs prove nothing.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from tests.mutants import campaign, table, workers
from tests.mutants.catalogue import MUTANTS
from tests.mutants.child import Outcome, Verdict
from tests.mutants.mutant import ByTest, Mutant
from tests.mutants.workers import each

AT_ONCE = 2
"""The machine that runs all checks has two cores."""
SHARE_LIMIT_S = 240.0
"""For the killers of all mutants, against the program as it is."""
LIMIT_S = 90.0
"""For one killer, which takes a few seconds at most: only a hang reaches it."""
SEARCH_LIMIT_S = 600.0
"""For a package's whole unit tests."""
NEIGHBOURS = {
    "raft": ("raft", "node"),
    "storage": ("storage", "node"),
    "machine": ("machine", "node"),
    "front": ("front", "node"),
    "protocol": ("protocol", "front"),
    "node": ("node",),
    "sim": ("sim",),
    "host": ("host",),
}
"""Whose tests may catch a mistake in which package, likeliest and cheapest first."""


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command line prints


def replay(mutants: Sequence[Mutant]) -> list[str]:
    """Run every killer against its mutant, and all of them against the program as it is; what was wrong."""
    problems = []
    whole = _baseline(mutants)
    if whole is not None:
        problems.append(whole)
    for mutated, (verdict, printed) in zip(mutants, each(_kill, mutants, AT_ONCE), strict=True):
        _say(f"{verdict.outcome.value:8} {verdict.seconds:5.1f} s  {mutated.name}")
        if verdict.outcome is not Outcome.CAUGHT:
            problems.append(f"{mutated.name}: {verdict.outcome.value} by {mutated.killer}")
        if verdict.outcome is Outcome.BROKEN:
            problems.append(printed)
    return problems


def _kill(mutated: Mutant) -> tuple[Verdict, str]:
    return workers.run(mutated, (mutated.killer,), limit_s=LIMIT_S)


def _baseline(mutants: Sequence[Mutant]) -> str | None:
    """Run the killers against the unmutated program; what was wrong."""
    tests = sorted({mutated.killer for mutated in mutants}, key=str)
    work: list[tuple[ByTest, ...]] = [
        share for start in range(AT_ONCE) if (share := tuple(tests[start::AT_ONCE]))
    ]
    for verdict, printed in each(
        lambda share: workers.run(None, share, limit_s=SHARE_LIMIT_S), work, AT_ONCE
    ):
        _say(f"unmutated: {verdict.outcome.value} {verdict.seconds:.1f} s")
        if verdict.outcome is not Outcome.SURVIVED:
            return f"the unmutated program does not pass:\n{printed}"
    return None


def search(mutants: Sequence[Mutant]) -> list[str]:
    """Look for tests that catch each mutant; the names of those that nothing catches."""
    survivors = []
    for mutated, found in zip(mutants, each(_find, mutants, AT_ONCE), strict=True):
        _say(f"{mutated.name}: tests {len(found)}")
        for node_id, seconds in found[:5]:
            _say(f"    {seconds:6.2f} s  {node_id}")
        if not found:
            survivors.append(mutated.name)
    return survivors


def _find(mutated: Mutant) -> list[tuple[str, float]]:
    """Tests that catch it, the quickest first."""
    package = mutated.modules[0].split(".")[1]
    for folder in NEIGHBOURS[package]:
        verdict, _ = workers.run(mutated, (ByTest(folder),), limit_s=SEARCH_LIMIT_S, stop_at_first=False)
        if verdict.outcome is Outcome.HUNG:
            verdict, _ = workers.run(mutated, (ByTest(folder),), limit_s=SEARCH_LIMIT_S)  # at least its first
        if verdict.failed:
            return sorted(verdict.failed, key=lambda failed: failed[1])
    return []


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 0 where every mutant is caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.run", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants whose name contains TEXT")
    parser.add_argument("--search", action="store_true", help="look for killers: in the unit tests")
    parser.add_argument("--seeds", type=int, default=0, metavar="N", help="or in random runs, N at most")
    parser.add_argument("--moved", action="store_true", help="only where the recorded run catches no more")
    parser.add_argument("--table", action="store_true", help="write the table into docs/TESTING.md")
    options = parser.parse_args(arguments)
    if options.table:
        table.write()
        return 0
    chosen = [mutated for mutated in MUTANTS if options.only in mutated.name]
    if not chosen:
        parser.error(f"no mutant's name contains {options.only!r}")
    workers.prepare()
    begun = time.perf_counter()
    if options.seeds:
        problems = campaign.search(chosen, options.seeds, AT_ONCE, _say, only_moved=options.moved)
    else:
        problems = search(chosen) if options.search else replay(chosen)
        if not options.search:
            enough = 0 if options.only else campaign.CAUGHT_MIN
            problems += campaign.replay(chosen, AT_ONCE, _say, caught_min=enough)
    _say(f"mutants: {len(chosen)}, {time.perf_counter() - begun:.0f} s")
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
