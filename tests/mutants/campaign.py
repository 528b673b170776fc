"""Which random runs of the simulator catch which mutant: ``--seeds N`` asks, ``seeds.json`` remembers.

That is knowledge about the simulator's power, not a gate: a change of the product moves every run, so the
seeds are found anew now and then (nightly), while the killers of the replay are tests that stand still.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tests.mutants import workers
from tests.mutants.child import Outcome
from tests.mutants.mutant import BySeed, Mutant

FILE = Path(__file__).with_name("seeds.json")
SEED_LIMIT_S = 40.0
"""For one run of ten virtual seconds, which takes about two on a quiet core."""


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a campaign knows of one mutant."""

    tried: int
    """So many seeds, from 1 up, of which the last caught it, if any did."""
    run: str = ""
    """The run that caught it, and the class of the failure; empty where none did."""


def known() -> dict[str, Found]:
    """What the last campaign found, by mutant."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Found]) if FILE.exists() else {}


def search(mutants: Sequence[Mutant], seeds: int, at_once: int, say: Callable[[str], None]) -> list[str]:
    """Find for each mutant the first of `seeds` runs that catches it; the names of the survivors."""
    clean = {3: _clean(3, seeds, at_once), 5: []}
    if any(_nodes(mutated) == 5 for mutated in mutants):
        clean[5] = _clean(5, seeds, at_once)
    say(f"{len(clean[3])} of {seeds} seeds pass on the program as it is")
    found = known()
    survivors = []

    def hunt(mutated: Mutant) -> Found:
        killers = tuple(clean[_nodes(mutated)])
        verdict, _ = workers.run(mutated, killers, limit_s=SEED_LIMIT_S * len(killers))
        if verdict.outcome is not Outcome.CAUGHT:
            return Found(len(killers))
        ((run, _),) = verdict.failed
        return Found([run.startswith(f"{killer} ") for killer in killers].index(True) + 1, run)

    for mutated, one in zip(mutants, workers.each(hunt, mutants, at_once), strict=True):
        found[mutated.name] = one
        say(f"{mutated.name}: {one.run or f'none of {one.tried}'}")
        if not one.run:
            survivors.append(mutated.name)
        FILE.write_bytes(msgspec.json.format(msgspec.json.encode(dict(sorted(found.items())))) + b"\n")
    return survivors


def _nodes(mutated: Mutant) -> int:
    return 5 if "(5 nodes)" in mutated.name else 3


def _clean(nodes: int, seeds: int, at_once: int) -> list[BySeed]:
    """The runs that the unmutated program passes: only they say anything about a mutant."""
    runs = [BySeed(seed, nodes) for seed in range(1, seeds + 1)]
    verdicts = workers.each(lambda run: workers.run(None, (run,), limit_s=SEED_LIMIT_S)[0], runs, at_once)
    return [run for run, verdict in zip(runs, verdicts, strict=True) if verdict.outcome is Outcome.SURVIVED]
