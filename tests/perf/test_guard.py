"""Nothing on a hot path becomes a tenth dearer unnoticed: counts of fixed work against recorded ones.

Counts, never times: they are the same on a busy machine. ``TRIKV_REWRITE=1`` records what is counted now as
``tests/perf/counts.json``; do so when it became cheaper too, for the guard is only as good as its record.

The record is of the oldest promised Python, and newer ones are held to it, too: they call less (3.12 has no
function for a comprehension).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.perf.counts import Measured
from tests.tools import needs
from tests.versions import promised
from trikv.host import handoff
from trikv.machine.runs import is_compiled

RECORD = Path(__file__).with_name("counts.json")
HEADROOM = 1.1
"""Room for what a change of batching moves without anything being dearer."""
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def _count(hash_seed: str) -> "subprocess.Popen[bytes]":
    """Count in a fresh process: what earlier tests left in caches would be counted too."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.perf.counts"],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


pytestmark = needs(
    is_compiled() and handoff.is_compiled, "NOT COMPILED: the record is of trikv with its parts in C"
)


@pytest.fixture(scope="module")
def counted() -> list[Measured]:
    """The counts of two processes with different orders of sets."""
    processes = [_count("1"), _count("2")]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return [json.loads(output) for output in outputs]


def test_counts_are_the_same_whatever_the_hash_seed(counted: list[Measured]) -> None:
    """Two processes with different hash seeds count the same: a guard that flakes is soon switched off."""
    assert counted[0] == counted[1]


def test_no_work_became_a_tenth_dearer(counted: list[Measured]) -> None:
    """Calls, the driver's turns, entries, syncs and bytes a command stay within a tenth of the record."""
    if os.environ.get("TRIKV_REWRITE"):
        assert promised()[0] == VERSION, "a newer Python calls less: the record must hold for the oldest one"
        RECORD.write_text(json.dumps({"python": VERSION, "counts": counted[0]}, indent=1) + "\n")
    record = json.loads(RECORD.read_text())
    assert record["python"] == promised()[0]
    dearer = [
        f"{work}: {what} {count:g}, recorded {record['counts'][work][what]:g}"
        for work, counts in counted[0].items()
        for what, count in counts.items()
        if not what.startswith(" ") and count > HEADROOM * record["counts"][work][what]
    ]
    assert not dearer, _explain(dearer, counted[0], record["counts"])


def _explain(dearer: list[str], now: Measured, then: Measured) -> str:
    """What became dearer, and where the calls are that were not."""
    moved = [
        f"  {work}{what}: {now[work].get(what, 0):g}, recorded {then[work].get(what, 0):g}"
        for work in now
        for what in sorted(now[work].keys() | then[work].keys())
        if what.startswith(" ") and now[work].get(what, 0) > then[work].get(what, 0)
    ]
    return "\n".join([*dearer, "calls by package that grew:", *moved])
