"""What an element of a collection takes in memory, beside Redis on the same data.

    python -m tests.perf.element_bytes

By each type, in many small collections and in a large one: how much a process grew (its resident memory), for
each element; trikv's account of it; and the ratio of the two processes. Both start anew for each row, so that
nothing reuses what another row left. A node keeps the end of its log in memory: as much as its INFO says is
not counted, because it does not grow with the data. A small collection's key counts as part of its elements.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from tests.e2e.single import Single
from tests.perf import operations
from tests.perf.collection_pauses import KINDS, NODE
from tests.perf.report import verdict
from tests.redis_server import RedisServer
from trikv.client.commands import Command

RATIO_MAX: Final = 2.5
SHAPES: Final = ((50_000, 10), (10_000, 100), (1, 1_000_000))
"""Collections, and elements of each."""
_SETTLE_S: Final = 1.0
"""For what the last commands have left to do."""
_HEAD: Final = (
    "| bytes an element | Redis | trikv | its account | ratio | must | |",
    "|---|---|---|---|---|---|---|",
)

Add = Callable[[bytes, Sequence[int]], Command]


def add_integers(key: bytes, numbers: Sequence[int]) -> Command:
    """The command that adds whole numbers to a set, which Redis packs as such."""
    return (b"SADD", key, *numbers)


def adding() -> Iterator[tuple[str, Add]]:
    """The types by name, and how each gets elements."""
    for kind in KINDS:
        yield kind.name, kind.add
    yield "set of integers", add_integers


def resident_bytes(pid: int) -> int:
    """The memory that a process has now, without what is swapped."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, kib = line.partition(":")
        if name == "VmRSS":
            return int(kib.split()[0]) * 1024
    raise ProcessLookupError(f"process {pid} has no memory: it has ended")


def fill(port: int, add: Add, collections: int, elements: int) -> None:
    """Make so many collections of so many elements each; none is in two of them."""
    operations.send_piped(
        port,
        (
            command
            for number in range(collections)
            for command in operations.in_batches(
                partial(add, b"collection:%09d" % number), range(number * elements, (number + 1) * elements)
            )
        ),
    )


@attrs.frozen
class Taken:
    """Bytes an element, in one row."""

    name: str
    redis: float
    trikv: float
    account: float

    def __str__(self) -> str:
        ratio = self.trikv / self.redis
        reached = verdict(ratio <= RATIO_MAX, ratio <= RATIO_MAX)
        cells = (*(f"{each:.0f}" for each in (self.redis, self.trikv, self.account)), f"{ratio:.2f}")
        return f"| {self.name} | {' | '.join(cells)} | {RATIO_MAX:g} | {reached} |"


def redis_growth(work: Callable[[int], None]) -> int:
    """How many bytes a new redis-server grows by `work`, which gets its port."""
    with RedisServer() as server:
        server.connect().close()
        time.sleep(_SETTLE_S)
        before = resident_bytes(server._process.pid)
        work(server.port)
        time.sleep(_SETTLE_S)
        return resident_bytes(server._process.pid) - before


def trikv_growth(work: Callable[[int], None]) -> tuple[int, int]:
    """The same of a new node, without its log; and by how much its account grew."""
    with tempfile.TemporaryDirectory() as directory, Single(Path(directory), *NODE) as node:
        node.wait_until_it_leads()

        def now() -> tuple[int, int]:
            time.sleep(_SETTLE_S)
            info = node.info()
            log_bytes = int(info["mem_log_bytes"])
            return resident_bytes(node.process.pid) - log_bytes, int(info["used_memory"])

        before = now()
        work(node.port)
        after = now()
        return after[0] - before[0], after[1] - before[1]


def measured(name: str, add: Add, collections: int, elements: int) -> Taken:
    """One row."""
    work = partial(fill, add=add, collections=collections, elements=elements)
    total = collections * elements
    redis = redis_growth(work)
    trikv, account = trikv_growth(work)
    shape = f"{collections:,} of {elements:,}" if collections > 1 else f"one of {elements:,}"
    return Taken(f"{name}, {shape}", redis / total, trikv / total, account / total)


def main() -> None:
    """Print a table, line by line as they come."""
    for line in _HEAD:
        sys.stdout.write(f"{line}\n")
    for name, add in adding():
        for collections, elements in SHAPES:
            sys.stdout.write(f"{measured(name, add, collections, elements)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
