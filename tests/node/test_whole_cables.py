"""Whole nodes whose cables are cut and whose processes die: nothing is lost, nothing happens twice."""

from typing import Any

import trio

from tests.node.counting import THINK_S, Counting, others
from tests.node.simcluster import SimCluster, run_cluster


def test_cable_that_is_cut_one_way_costs_no_answer() -> None:
    """A follower that hears nothing, then one that nobody hears: clients see a pause, no error."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        deaf = others(cluster, leader)[0]
        counting = [Counting(cluster, n) for n in (1, 2, 3)]
        fabric = cluster.world.fabric
        async with trio.open_nursery() as nursery:
            for one in counting:
                nursery.start_soon(one.run)
            await trio.sleep(0.5)
            fabric.cut(f"node{leader}", f"node{deaf}", both_ways=False)
            await trio.sleep(1.5)
            fabric.heal_all()
            await trio.sleep(0.5)
            fabric.cut(f"node{deaf}", f"node{leader}", both_ways=False)
            await trio.sleep(1.5)
            fabric.heal_all()
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()
        client = await cluster.connect(deaf)
        for one in counting:
            assert one.unknown == one.refused == 0
            assert one.acked > 15
            await one.check(client)
        await cluster.converged()

    run_cluster(scenario)


def test_leader_partitioned_in_the_middle_of_pipelines_counts_everything_once() -> None:
    """Pipelines of increments on all nodes: after the cut and the healing each was applied exactly once."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        done = dict.fromkeys((1, 2, 3), 0)

        async def pipeline(number: int) -> None:
            client = await cluster.connect(number)
            last = 0
            while True:
                commands = [("INCR", f"p{number}") if n % 3 else ("GET", f"p{number}") for n in range(12)]
                for command, reply in zip(commands, await client.pipeline(*commands), strict=True):
                    if command[0] == "INCR":
                        last += 1
                        assert reply == last, "in order, none lost, none twice"
                    else:
                        assert int(reply or 0) == last
                done[number] = last
                await trio.sleep(THINK_S)

        async with trio.open_nursery() as nursery:
            for number in done:
                nursery.start_soon(pipeline, number)
            for _ in range(2):
                await trio.sleep(0.7)
                old = await cluster.leader()
                cluster.isolate(old)
                await trio.sleep(2)
                cluster.isolate(old, cut=False)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert min(done.values()) > 50
        await cluster.converged()

    run_cluster(scenario)


def test_snapshot_that_passes_a_waiting_write_says_so_and_applies_it_once() -> None:
    """The follower forwarded a write, then was cut off until only a snapshot could bring it up."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        behind = others(cluster, leader)[0]
        client, writer = await cluster.connect(behind), await cluster.connect(leader)
        assert await client.call("INCR", "n") == 1
        cluster.world.fabric.cut(f"node{leader}", f"node{behind}", both_ways=False)
        other = next(n for n in others(cluster, leader) if n != behind)
        cluster.world.fabric.cut(f"node{other}", f"node{behind}", both_ways=False)
        replies: list[Any] = []

        async def increment() -> None:
            replies.append(await client.call("INCR", "n"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(increment)
            await trio.sleep(0.05)
            # What its peers have sent by now is lost with the connections, and none comes up while cut.
            cluster.parts(behind).links.reset()
            for number in range(40):
                assert await writer.call("SET", f"k{number % 7}", "x" * 10_000) == b"OK"
                await trio.sleep(0.1)
            assert await writer.call("GET", "n") == b"2", "the write itself went through"
            assert replies == []
            cluster.world.fabric.heal_all()
        assert str(replies[0]) == "INDETERMINATE the write was applied, but its reply is lost"
        assert cluster.parts(behind).snapshotter.newest is not None
        assert await client.call("INCR", "n") == 3
        await cluster.converged()

    run_cluster(scenario, snapshot_log_bytes=64 << 10, log_tail_bytes=32 << 10, log_follower_bytes=64 << 10)


def test_node_restarted_twice_in_quick_succession_keeps_counting_once() -> None:
    """Each life has an incarnation of its own; what an earlier one left under way is not mixed up with it."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        victim = others(cluster, await cluster.leader())[0]
        counting = [Counting(cluster, n) for n in (1, 2, 3)]
        async with trio.open_nursery() as nursery:
            for one in counting:
                nursery.start_soon(one.run)
            await trio.sleep(1)
            for pause in (0.02, 0.15, 0.6, 0.02):
                cluster.kill(victim)
                await trio.sleep(0.01)
                cluster.start(victim)
                await trio.sleep(pause)
            await cluster.connect(victim)
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
        client = await cluster.connect(victim)
        for number, one in zip((1, 2, 3), counting, strict=True):
            assert one.refused == 0 or number == victim
            await one.check(client)
        row = cluster.parts(victim).applier.machine.row(victim)
        assert row.incarnation == cluster.parts(victim).waiters.incarnation > 5
        await cluster.converged()

    run_cluster(scenario)


def test_five_nodes_survive_the_death_of_two() -> None:
    """The leader and a follower at once: the other three go on without an error, the dead catch up."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        dead = (leader, others(cluster, leader)[0])
        alive = [n for n in (1, 2, 3, 4, 5) if n not in dead]
        counting = [Counting(cluster, n) for n in alive]
        async with trio.open_nursery() as nursery:
            for one in counting:
                nursery.start_soon(one.run)
            await trio.sleep(0.5)
            cluster.kill(*dead)
            await trio.sleep(2)
            cluster.start(*dead)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        client = await cluster.connect(dead[0])
        for one in counting:
            assert one.unknown == one.refused == 0
            assert one.acked > 15
            await one.check(client)
        await cluster.converged()

    run_cluster(scenario, count=5)
