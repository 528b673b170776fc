"""Counts what fixed work makes a cluster do: calls, driver's turns, log entries, syncs. Counts, never times.

Three real nodes in the simulated world, whose runs repeat exactly: the same program makes the same calls on
every machine, however busy. ``python -m tests.perf.counts`` prints them as JSON. Calls of functions written
in C count too (for the caller); the simulator's own do not. What the real host costs (sockets, threads) is
not in it.
"""

import json
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeAlias

import structlog
import trio

import trikv
from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.node.consensus.driver import Driver
from trikv.sim.life import OWNER, Life

CLIENTS = 20
EACH = 10
COMMANDS = CLIENTS * EACH
WINDOW_S = 1.0
"""All is counted over as much virtual time, so that what rest costs can be taken off what work costs."""
VALUE = "v" * 64

Measured: TypeAlias = dict[str, dict[str, float]]
"""For each piece of work: what was counted, by name."""
_Work: TypeAlias = Callable[[list[Client]], Coroutine[None, None, None]]


_TRIKV, _TRIO = Path(trikv.__file__).parent, Path(trio.__file__).parent
_TESTS = Path(__file__).parents[1]


_CALLS = frozenset({"call", "c_call"})
"""Events of `sys.setprofile`; a call into C is told with its caller's frame, and so is its caller's."""


class Calls:
    """Counts calls, by node and function, where `counting`."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[Life | None, int, str], int] = defaultdict(int)
        self._codes: dict[int, CodeType] = {}
        """By identity: a code object's own hash would take longer than all else."""

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what happens in the block, in whichever task."""
        counts, codes, owner = self._counts, self._codes, OWNER.get

        def profile(frame: FrameType, event: str, _: Any) -> None:
            if event in _CALLS:
                code = frame.f_code
                codes[id(code)] = code
                counts[owner(), id(code), event] += 1

        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(None)

    def of(self, function: Callable[..., object], node: str) -> int:
        """How often a node called `function`, one written in Python."""
        wanted = id(function.__code__)
        return sum(
            count
            for (owner, code, event), count in self._counts.items()
            if code == wanted and event == "call" and owner is not None and _node(owner) == node
        )

    def by_node(self) -> dict[str, Counter[str]]:
        """Calls by package and node, the product's alone."""
        found: dict[str, Counter[str]] = {}
        for (owner, code, _), count in self._counts.items():
            package = _package(self._codes[code].co_filename)
            if owner is not None and package is not None:
                found.setdefault(_node(owner), Counter())[package] += count
        return found


def _node(owner: Life) -> str:
    return owner.name.partition(",")[0]  # of "node1, life 1"


def _package(filename: str) -> str | None:
    """The package a function belongs to, such as ``raft``; None where it is not the product's."""
    path = Path(filename)
    if path.is_relative_to(_TRIKV):
        package = path.relative_to(_TRIKV).parts[0]
        return None if package == "sim" else package.removesuffix(".py")
    if path.is_relative_to(_TESTS):
        return None
    return "trio" if path.is_relative_to(_TRIO) else "others"


def _each(make: Callable[[Client, int], Coroutine[None, None, None]]) -> _Work:
    """All clients at once."""

    async def work(clients: list[Client]) -> None:
        async with trio.open_nursery() as nursery:
            for number, client in enumerate(clients):
                nursery.start_soon(make, client, number)

    return work


def _one_by_one(*command: str) -> _Work:
    async def talk(client: Client, number: int) -> None:
        for turn in range(EACH):
            await client.call(command[0], f"key:{number}:{turn}", *command[1:])

    return _each(talk)


def _pipelined(*command: str) -> _Work:
    async def talk(client: Client, number: int) -> None:
        await client.pipeline(*((command[0], f"key:{number}:{turn}", *command[1:]) for turn in range(EACH)))

    return _each(talk)


WORKS: dict[str, _Work] = {
    "set": _one_by_one("SET", VALUE),
    "set, pipelined": _pipelined("SET", VALUE),
    "get": _one_by_one("GET"),
    "get, pipelined": _pipelined("GET"),
}


async def _measure(cluster: SimCluster, found: Measured) -> None:
    """Count rest, then each piece of work the second time it is done, when nothing is new to any cache."""
    cluster.start()
    leader = await cluster.leader()
    clients = [await cluster.connect(leader) for _ in range(CLIENTS)]
    found["a second of rest"] = resting = await _count(cluster, leader, _nothing(), WINDOW_S)
    for name, work in WORKS.items():
        await work(clients)
        total = await _count(cluster, leader, work(clients), COMMANDS)
        found[name] = {
            what: count - resting.get(what, 0) * WINDOW_S / COMMANDS for what, count in total.items()
        }


async def _nothing() -> None:
    """Rest."""


async def _count(
    cluster: SimCluster, leader: int, work: Coroutine[None, None, None], units: float
) -> dict[str, float]:
    """Let `work` be done and the rest of the window pass; what was counted, divided by `units`."""
    await trio.sleep(WINDOW_S)
    calls, before = Calls(), _log_of(cluster, leader)
    with calls.counting():
        end = trio.current_time() + WINDOW_S
        await work
        assert trio.current_time() < end, "the work did not fit the window"
        await trio.sleep_until(end)
    after, by_node = _log_of(cluster, leader), calls.by_node()
    name = f"node{leader}"
    own = by_node.pop(name)
    counts = {
        "calls, leader": sum(own.values()),
        "calls, followers": sum(sum(counter.values()) for counter in by_node.values()),
        "driver's turns, leader": calls.of(Driver.turn, name),
        **{what: after[what] - before[what] for what in after},
        **{f"  leader, {package}": count for package, count in sorted(own.items())},
    }
    return {what: count / units for what, count in counts.items()}


def _log_of(cluster: SimCluster, leader: int) -> dict[str, int]:
    """The leader's log: what was written and how often it was synced."""
    wal = cluster.parts(leader).writer.wal.statistics()
    return {"entries": wal.entries, "syncs": wal.syncs, "bytes": wal.bytes_written}


def measure() -> Measured:
    """Run the script; counts for each command, those of rest for each second."""
    found: Measured = {}

    async def scenario(cluster: SimCluster) -> None:
        await _measure(cluster, found)

    run_cluster(scenario)
    return {
        work: {name: round(value, 3) for name, value in measures.items()} for work, measures in found.items()
    }


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    json.dump(measure(), sys.stdout, indent=1)
