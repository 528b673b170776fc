"""A leader whose disk is full: it gives the office away, refuses what it cannot store, and recovers."""

from typing import Any

import trio

from tests.node.looking import founded, others, until, until_written
from tests.node.puppet import possess
from tests.node.simcluster import Client, SimCluster, run_cluster
from tests.node.test_whole_disks import fill_up, make_room
from trikv.raft.messages import Heartbeat, TimeoutNow

FULL = "CLUSTERDOWN this node cannot write: the disk is full; the command was not executed, use another node"


async def meet_the_end(cluster: SimCluster, number: int) -> list[Any]:
    """Fill a node's disk, and write by it until it says so; the answers to what was under way then."""
    fill_up(cluster, number)
    replies: list[Any] = []

    async def write(client: Client) -> None:
        replies.append(await client.call("SET", "filler", "x" * 20_000))

    async with trio.open_nursery() as nursery:
        while b"aof_last_write_status:err" not in await _persistence(cluster, number):
            nursery.start_soon(write, await cluster.connect(number))
            await trio.sleep(0.02)
        nursery.cancel_scope.deadline = trio.current_time() + 0.5
    return replies


async def _persistence(cluster: SimCluster, number: int) -> bytes:
    text: bytes = await (await cluster.connect(number)).call("INFO", "persistence")
    return text


def test_the_office_is_given_away_at_once() -> None:
    """Not after an election timeout: others' clients hardly notice."""

    async def scenario(cluster: SimCluster) -> None:
        full = await founded(cluster)
        terms = {cluster.parts(full).raft.term}
        await meet_the_end(cluster, full)
        with trio.fail_after(0.3):
            await until(lambda: cluster.parts(full).raft.leader not in {None, full})
        terms.add(cluster.parts(full).raft.term)
        assert len(terms) == 2
        client = await cluster.connect(others(cluster, full)[0])
        assert await client.call("SET", "k", "v") == b"OK"

    run_cluster(scenario)


def test_what_is_refused_did_not_happen_and_what_is_there_is_read() -> None:
    """The error may be answered by sending again elsewhere: nothing is counted twice. Reads go on."""

    async def scenario(cluster: SimCluster) -> None:
        full = await founded(cluster)
        client = await cluster.connect(full)
        assert await client.call("INCR", "n") == 1
        await meet_the_end(cluster, full)
        refused = await client.pipeline(*[("INCR", "n")] * 5)
        assert {str(reply) for reply in refused} == {FULL}
        elsewhere = await cluster.connect(others(cluster, full)[0])
        assert await elsewhere.call("INCR", "n") == 2
        make_room(cluster, full)
        await until(lambda: cluster.parts(full).raft.durable_index >= cluster.parts(full).raft.commit)
        assert await client.call("GET", "n") == b"2"

    run_cluster(scenario)


def test_writes_are_taken_again_when_there_is_room() -> None:
    """By itself and soon: nobody has to start the node anew."""

    async def scenario(cluster: SimCluster) -> None:
        full = await founded(cluster)
        client = await cluster.connect(full)
        await meet_the_end(cluster, full)
        assert str(await client.call("SET", "k", "v")) == FULL
        make_room(cluster, full)
        await until_written(client, "k", "v", within_s=3)
        assert b"aof_last_write_status:ok" in await _persistence(cluster, full)
        await cluster.converged()

    run_cluster(scenario)


def test_a_sole_node_reads_on_and_writes_again() -> None:
    """There is nobody to give the office to, and nothing would be gained by leaving it."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        client = await cluster.connect(1)
        assert await client.call("SET", "k", "v") == b"OK"
        await meet_the_end(cluster, 1)
        for _ in range(5):
            assert await client.call("GET", "k") == b"v"
            assert str(await client.call("SET", "k", "w")) == FULL
            await trio.sleep(1)
        make_room(cluster, 1)
        await until_written(client, "k", "w", within_s=3)
        assert await client.call("GET", "k") == b"w"

    run_cluster(scenario, count=1, command_deadline_ms=2_000)


def test_an_office_that_nobody_takes_is_left() -> None:
    """A leader that cannot write is none: it falls silent, so that whoever can may stand."""

    async def scenario(cluster: SimCluster) -> None:
        full = await founded(cluster)
        puppets = []
        for number in others(cluster, full):
            puppets.append(possess(cluster, number))
            await puppets[-1].welcomed(full)
            await trio.sleep(0.5)
        await meet_the_end(cluster, full)
        assert any(puppet.heard(TimeoutNow) for puppet in puppets)
        await trio.sleep(3)
        for puppet in puppets:
            puppet.forget()
        await trio.sleep(2)
        assert not any(puppet.heard(Heartbeat) for puppet in puppets)
        assert cluster.parts(full).raft.leader is None

    run_cluster(scenario, command_deadline_ms=2_000)
