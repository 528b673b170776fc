"""Which random runs of the simulator catch which mutant: ``--seeds N`` asks, ``seeds.json`` remembers.

A change of the product or of the simulator moves every run, so some recorded runs stop catching what they
caught; the killers that are tests stand still. The replay therefore says which runs have moved, and fails
only where fewer than `CAUGHT_MIN` mutants are still caught by theirs: then it is time to search anew.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

import msgspec

from tests.mutants import of_machine, of_node, of_raft, of_storage, workers
from tests.mutants.child import Outcome, Verdict
from tests.mutants.mutant import BySeed, Mutant

FILE = Path(__file__).with_name("seeds.json")
CAUGHT_MIN = 30
"""So many mutants at least are caught by random runs."""
SECONDS = 5.0
"""Virtual seconds of faults in a run: most mistakes show early or not at all, and a replay has many."""
SEED_LIMIT_S = 120.0
"""For one such run, which takes about two on a quiet core."""
AIMS: tuple[tuple[tuple[Mutant, ...], tuple[str, ...]], ...] = (
    (of_raft.READS + of_node.READS + of_raft.LEASES, ("stale reads",)),
    (of_raft.SNAPSHOTS_AND_MEMBERS + of_node.SNAPSHOTS + of_machine.SNAPSHOTS, ("installs",)),
    (of_raft.ELECTIONS + of_raft.REPLICATION, ("echoes", "elections", "two minds")),
    (of_storage.MUTANTS, ("disks",)),
    (of_node.PROPOSALS + of_node.LINKS, ("cables",)),
)
"""Mistakes, and the themes that aim at their like: seeds with these are tried first."""


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a campaign knows of one mutant."""

    tried: int
    """So many seeds, of which the last caught it, if any did."""
    run: BySeed | None = None
    """The run that caught it."""
    failure: str = ""
    """As what it was caught: the class of the failure."""


def known() -> dict[str, Found]:
    """What the last campaign found, by mutant."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Found]) if FILE.exists() else {}


def keep(found: dict[str, Found]) -> None:
    """Remember that."""
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(dict(sorted(found.items()))), indent=1) + b"\n")


def nodes_of(seed: int) -> int:
    """How many nodes the cluster of a seed has, as ``trikv sim`` has it."""
    return 5 if seed % 5 == 0 else 3


class Clean:
    """Which runs the unmutated program passes: only they say anything about a mutant."""

    def __init__(self) -> None:
        self._known: dict[BySeed, bool] = {}
        self._lock = Lock()

    def __call__(self, run: BySeed) -> bool:
        """Look once."""
        with self._lock:
            known = self._known.get(run)
        if known is None:
            known = workers.run(None, (run,), limit_s=SEED_LIMIT_S)[0].outcome is Outcome.SURVIVED
            with self._lock:
                self._known[run] = known
        return known


def search(
    mutants: Sequence[Mutant],
    seeds: int,
    at_once: int,
    say: Callable[[str], None],
    *,
    only_moved: bool = False,
) -> list[str]:
    """Find for each mutant the first of `seeds` runs that catches it; the names of the survivors.

    With `only_moved`, for those alone that have a recorded run, and only where that one has moved.
    """
    clean, found, survivors = Clean(), known(), []
    themes = _themes(seeds)
    if only_moved:
        mutants = [mutated for mutated in mutants if _run_of(found, mutated) is not None]

    def catches(mutated: Mutant, run: BySeed) -> str:
        verdict, _ = workers.run(mutated, (run,), limit_s=SEED_LIMIT_S)
        return failure_of(verdict) if verdict.outcome is Outcome.CAUGHT and clean(run) else ""

    def hunt(mutated: Mutant) -> Found:
        recorded = _run_of(found, mutated) if only_moved else None
        if recorded is not None and (failure := catches(mutated, recorded)):
            return Found(found[mutated.name].tried, recorded, failure)
        tried = 0
        for seed in _in_order(mutated, themes):
            run, tried = BySeed(seed, nodes_of(seed), SECONDS), tried + 1
            if failure := catches(mutated, run):
                return Found(tried, run, failure)
        return Found(tried)

    for mutated, one in zip(mutants, workers.each(hunt, mutants, at_once), strict=True):
        found[mutated.name] = one
        say(f"{mutated.name}: " + (f"{one.run} {one.failure}" if one.run else f"none of {one.tried}"))
        if one.run is None:
            survivors.append(mutated.name)
        keep(found)
    return survivors


def failure_of(verdict: Verdict) -> str:
    """The class of what went wrong in the run that caught a mutant."""
    ((failed, _),) = verdict.failed
    return failed.rpartition(" ")[2]


def _themes(seeds: int) -> dict[int, str]:
    """By seed."""
    # In a process of its own kind: here the product may be imported, in the children that are mutated not.
    from trikv.sim.run import plan_of

    return {seed: plan_of(seed, nodes=nodes_of(seed)).theme for seed in range(1, seeds + 1)}


def _in_order(mutated: Mutant, themes: dict[int, str]) -> Iterator[int]:
    """All seeds: those that aim at such a mistake, then the others."""
    aims = next((aims for mutants, aims in AIMS if mutated in mutants), ())
    yield from (seed for seed, theme in themes.items() if theme in aims)
    yield from (seed for seed, theme in themes.items() if theme not in aims)


def replay(
    mutants: Sequence[Mutant], at_once: int, say: Callable[[str], None], *, caught_min: int = CAUGHT_MIN
) -> list[str]:
    """Run each recorded run against its mutant and against the program as it is; what was wrong."""
    found = known()
    pairs = [(mutated, run) for mutated in mutants if (run := _run_of(found, mutated)) is not None]
    runs = sorted({run for _, run in pairs}, key=str)
    problems = []
    for run, (verdict, printed) in zip(
        runs,
        workers.each(lambda run: workers.run(None, (run,), limit_s=SEED_LIMIT_S), runs, at_once),
        strict=True,
    ):
        say(f"unmutated: {verdict.outcome.value} {verdict.seconds:.1f} s  {run}")
        if verdict.outcome is not Outcome.SURVIVED:
            problems.append(f"the unmutated program does not pass {run}: {verdict.failed}\n{printed}")
    caught = 0
    attempts = workers.each(
        lambda pair: workers.run(pair[0], (pair[1],), limit_s=SEED_LIMIT_S), pairs, at_once
    )
    for (mutated, run), (verdict, _) in zip(pairs, attempts, strict=True):
        is_caught = verdict.outcome is Outcome.CAUGHT
        caught += is_caught
        say(f"{'caught' if is_caught else 'moved':8} {verdict.seconds:5.1f} s  {mutated.name}: {run}")
    say(f"{caught} of {len(pairs)} mutants caught by their random runs")
    if caught < caught_min:
        problems.append(
            f"fewer than {caught_min} by random runs: python -m tests.mutants.run --search --seeds 20 --moved"
        )
    return problems


def _run_of(found: dict[str, Found], mutated: Mutant) -> BySeed | None:
    return found[mutated.name].run if mutated.name in found else None
