"""trikv beside Redis at the same durability, by `redis-benchmark`'s default tests.

    python -m tests.perf.redis_benchmark [--tests lpush,zadd] [--depth 1]

Fifty connections, without a pipeline and with 16 commands in one, at the leader of three trikv nodes and at a
Redis master with two replicas (`tests.perf.servers`), in turns. `redis-benchmark` itself cannot close its
writes with a WAIT, so the generator of `tests.perf.compare` asks what it would ask, of random keys and
elements.
"""

import argparse
from collections.abc import Iterable, Iterator
from typing import Final

from tests.perf.arena import Arena
from tests.perf.compare import Comparison, Effort, add_places, note, on_a_disk
from tests.perf.generator import Work
from tests.perf.operations import OPERATIONS
from tests.perf.report import Report, table
from tests.perf.rows import Contender, Duel, Side, redis

CONNECTIONS: Final = 50
DEPTH: Final = 16
MUST: Final = {1: 0.8, DEPTH: 0.5}
"""The lowest ratio that will do, by depth of the pipeline."""


def duels(names: list[str], depths: Iterable[int]) -> Iterator[Duel]:
    """Each of these operations at each depth of a pipeline: 1 is without one."""
    for depth in depths:
        for name in names:
            work = Work(name, CONNECTIONS, depth)
            base = redis(work)
            yield Duel(
                key=name if depth == 1 else f"{name}p{depth}",
                title=f"{name.upper()}{'' if depth == 1 else f', {depth} in a pipeline'}"
                f"{' / Redis with WAIT' if base.work.wait else ''}",
                base=base,
                ours=Contender(Side.TRIKV, work),
                must=MUST[depth],
                aim=1.0,
            )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.redis_benchmark", description=__doc__)
    parser.add_argument("--tests", default=",".join(OPERATIONS), help="which, of: %(default)s")
    parser.add_argument("--depth", type=int, choices=MUST, help="so many in a pipeline; without it, each")
    parser.add_argument("--seconds", type=float, default=1, help="of each run (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="of each contender (%(default)s)")
    add_places(parser)
    asked = parser.parse_args()
    names = asked.tests.split(",")
    if unknown := set(names) - set(OPERATIONS):
        raise SystemExit(f"no such test: {', '.join(sorted(unknown))}; there are {', '.join(OPERATIONS)}")
    with on_a_disk(asked.directory) as (directory, here):
        report = Report(here, asked.seconds, asked.rounds)
        with Arena(directory, asked.port, asked.redis_port) as arena:
            comparison = Comparison(arena, Effort(asked.seconds, asked.rounds), report, note)
            report.results += comparison.duels(list(duels(names, [asked.depth] if asked.depth else MUST)))
    for line in table(report):
        print(line)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    main()
