"""Counts what fixed work makes a cluster do: calls, driver's turns, log entries, syncs. Counts, never times.

Three real nodes in the simulated world, whose runs repeat exactly: the same program makes the same calls on
every machine, however busy. ``python -m tests.perf.counts`` prints them as JSON. Calls of functions written
in C count too (for the caller); the simulator's own do not. What the real host costs (sockets, threads) is
not in it.
"""

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeAlias

import structlog
import trio

import trikv
from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.node.driver import Driver
from trikv.sim.life import OWNER

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


class Calls:
    """A profile function that counts calls, by node and package."""

    def __init__(self) -> None:
        self.by_node: dict[str, Counter[str]] = {}
        self.turns: Counter[str] = Counter()
        """Of each node's driver."""
        self._packages: dict[CodeType, str | None] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Note one event, as `sys.setprofile` reports it."""
        if event not in {"call", "c_call"}:
            return
        owner = OWNER.get()
        code = frame.f_code
        if code not in self._packages:
            self._packages[code] = _package(code.co_filename)
        package = self._packages[code]
        if owner is None or package is None:
            return
        node = owner.name.partition(",")[0]  # "node1, life 1"
        self.by_node.setdefault(node, Counter())[package] += 1
        if code is Driver.turn.__code__ and event == "call":
            self.turns[node] += 1

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what happens in the block, in whichever task."""
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)


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
    after, own = _log_of(cluster, leader), calls.by_node[f"node{leader}"]
    counts = {
        "calls, leader": sum(own.values()),
        "calls, followers": sum(
            sum(counter.values()) for counter in calls.by_node.values() if counter is not own
        ),
        "driver's turns, leader": calls.turns[f"node{leader}"],
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
