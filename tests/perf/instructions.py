"""Instructions a command of two builds: ``python -m tests.perf.instructions --against d83d750``.

On a machine that others use too, the same build's processor time a command differs by a tenth between two
minutes. The instructions of fixed work (`tests.perf.fixed_work`) differ by a thousandth. They say less:
nothing of caches, the kernel, sockets and threads, and the simulator's own are among them, the same for both.
So they tell in which direction a change went, and `tests.perf.compare --against` by how much.

It needs valgrind, and a minute for each build and row. Nothing else may be in the trees than what is
committed: the base is a fresh checkout.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from tests.perf import against
from tests.perf.fixed_work import CLIENTS, ROUNDS_OF_KEYS, WORKS

_SCRIPT = Path(__file__).with_name("fixed_work.py")
_OURS = Path(__file__).parents[2]
FEW, MANY = 10, 40
"""Commands of a client: what both runs have in common, such as imports and the founding, is taken off."""
_COLLECTED = re.compile(r"Collected\s*:\s*(\d+)")


@attrs.frozen
class Counted:
    """One row."""

    work: str
    base: int
    """Instructions a command, of all three nodes and the simulator."""
    ours: int

    @property
    def ratio(self) -> float:
        """Ours over the base's."""
        return self.ours / self.base


def of_run(told: str) -> int:
    """The instructions that callgrind tells. Raises ValueError if it tells none: what it ran has failed."""
    found = _COLLECTED.search(told)
    if found is None:
        raise ValueError(f"the run under valgrind failed:\n{told[-2000:]}")
    return int(found[1])


def rounds(depth: int) -> tuple[int, int]:
    """How often each client asks in the short run and in the long one, with `depth` commands at a time.

    The short run has written all keys, and the rest is at least as many commands in pipelines as alone.
    """
    return (FEW, MANY) if depth == 1 else (ROUNDS_OF_KEYS, ROUNDS_OF_KEYS + -(-(MANY - FEW) // depth))


def count(tree: Path, python: Path, work: str) -> int:
    """Instructions a command for `work` of the nodes in `tree`. Raises ValueError if they cannot do it."""
    few, many = rounds(WORKS[work].depth)

    def run(times: int) -> int:
        valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        told = subprocess.run(
            [*valgrind, str(python), "-P", str(_SCRIPT), work, str(times)],
            env=os.environ | {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        return of_run(told.stderr)

    return (run(many) - run(few)) // ((many - few) * CLIENTS * WORKS[work].depth)


def table(rows: list[Counted]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| work | base, instructions a command | ours | ours / base |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| {row.work} | {row.base:,} | {row.ours:,} | {row.ratio:.3f} |"


def main(arguments: list[str]) -> None:
    """Count every row of both builds, two at a time."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.instructions")
    parser.add_argument("--against", required=True, help="a revision of this repository")
    asked = parser.parse_args(arguments)
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed: apt-get install valgrind")
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(2) as pool:
        python = against.python_of(asked.against, Path(directory))
        base = python.parents[2]
        counts = [
            (
                work,
                pool.submit(count, base, python, work),
                pool.submit(count, _OURS, Path(sys.executable), work),
            )
            for work in WORKS
        ]
        rows = [Counted(work, theirs.result(), ours.result()) for work, theirs, ours in counts]
    sys.stdout.write("\n".join(table(rows)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
