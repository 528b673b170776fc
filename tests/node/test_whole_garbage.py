"""What a node leaves to Python's cyclic collector, which is off in it: nothing that grows with its work."""

import gc
from typing import Any

import trio

from tests.node.counting import others
from tests.node.simcluster import SimCluster, run_cluster

COMMANDS = 20_000
PIPELINE = 100
LEFT_MAX = 50
"""Measured: none. Room for what an exception's traceback on some rare path may tie together."""


async def _talk(cluster: SimCluster, number: int, rounds: int) -> None:
    """A connection a round: pipelines of writes, reads, transactions, errors, expiring keys."""
    for turn in range(rounds):
        client = await cluster.connect(number)
        commands: list[tuple[Any, ...]] = [("MULTI",), ("INCR", "n"), ("EXEC",), ("NOSUCH",), ("INFO",)]
        commands += [("SET", f"k{turn}:{n}", "v" * 50, "PX", 200 + n) for n in range(PIPELINE // 2)]
        commands += [("GET", f"k{turn}:{n}") for n in range(PIPELINE - len(commands))]
        await client.pipeline(*commands)
        await client.line("GET n")
        await client.stream.aclose()
        await trio.sleep(0.05)


def _collected() -> int:
    """How many objects only the collector could free; proves first that it sees one."""
    assert not gc.isenabled()
    knot: list[object] = []
    knot.append(knot)
    del knot
    return gc.collect() - 1


def test_an_hours_worth_of_commands_leaves_the_collector_next_to_nothing() -> None:
    """20,000 commands over 200 connections of a node that expires keys and takes snapshots."""
    left: list[int] = []

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        await _talk(cluster, 1, 5)
        await trio.sleep(1)
        _collected()
        await _talk(cluster, 1, COMMANDS // PIPELINE)
        assert await (await cluster.connect(1)).call("SAVE") == b"OK"
        await trio.sleep(2)
        left.append(_collected())
        assert cluster.parts(1).snapshotter.newest is not None

    run_cluster(scenario, count=1, snapshot_log_bytes=64 << 10)
    assert 0 <= left[0] <= LEFT_MAX


def test_elections_reconnects_and_snapshots_leave_a_bounded_few() -> None:
    """Three nodes, leadership handed around and links broken: the rest is bounded for each event."""
    left: list[int] = []

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        await _talk(cluster, 2, 3)
        await trio.sleep(1)
        _collected()
        for _ in range(3):
            leader = await cluster.leader()
            cluster.isolate(leader)
            for number in others(cluster, leader):
                await _talk(cluster, number, 5)
            cluster.isolate(leader, cut=False)
            cluster.parts(leader).links.reset()
            await trio.sleep(1)
        await trio.sleep(1)
        left.append(_collected())

    run_cluster(scenario, snapshot_log_bytes=64 << 10)
    assert 0 <= left[0] <= 3 * LEFT_MAX
