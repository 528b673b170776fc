"""WAIT on assembled nodes: it counts disks, of voters, that hold the connection's own last write."""

import trio

from tests.node.looking import fill_log, founded, members_of, others, until
from tests.node.puppet import Puppet, possess
from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.protocol.messages import DurableReply, JoinRequest

SLOW_MS = 600


def slow_disk(cluster: SimCluster, number: int) -> None:
    """Each of its syncs takes long from now on."""
    traits = cluster.world.machine(f"node{number}").disk_traits
    traits.sync_ms_min = traits.sync_ms_max = SLOW_MS


async def waited(client: Client, wanted: int, timeout_ms: int) -> tuple[int, float]:
    """WAIT's answer, and after how many seconds it came."""
    begun = trio.current_time()
    return await client.call("WAIT", wanted, timeout_ms), trio.current_time() - begun


def test_wait_counts_what_is_on_disk_and_not_what_was_sent() -> None:
    """A follower that has the entry, and has told so by nothing but a sync under way, does not count yet."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        slow, quick = others(cluster, leader)
        slow_disk(cluster, slow)
        for number in (leader, quick):
            client = await cluster.connect(number)
            await trio.sleep(2)
            assert await client.call("SET", "k", number) == b"OK"
            assert (await waited(client, 2, 100))[0] == 1
            held, took_s = await waited(client, 2, 0)
            assert held == 2
            assert 0.2 < took_s < 2

    run_cluster(scenario)


def test_wait_counts_the_leaders_own_disk_like_any_other() -> None:
    """The followers have committed the write before the leader's sync returns: one disk is still wanting."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        slow_disk(cluster, leader)
        for number in (leader, others(cluster, leader)[0]):
            client = await cluster.connect(number)
            await trio.sleep(2)
            assert await client.call("SET", "k", number) == b"OK"
            assert (await waited(client, 2, 100))[0] == 1
            held, took_s = await waited(client, 2, 0)
            assert held == 2
            assert 0.2 < took_s < 2

    run_cluster(scenario)


def test_wait_is_about_the_connections_own_last_write() -> None:
    """One that has not written waits for nothing; one whose write is everywhere is not kept by another's."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        early, late = await cluster.connect(leader), await cluster.connect(leader)
        assert await early.call("SET", "early", 1) == b"OK"
        assert (await waited(early, 2, 0))[0] == 2
        slow_disk(cluster, others(cluster, leader)[0])
        await trio.sleep(1)
        assert await late.call("SET", "late", 1) == b"OK"
        held, took_s = await waited(early, 2, 300)
        assert (held, took_s < 0.1) == (2, True)
        held, took_s = await waited(await cluster.connect(leader), 2, 300)
        assert (held, took_s < 0.1) == (2, True)
        assert (await waited(late, 2, 50))[0] == 1

    run_cluster(scenario)


async def deafen(cluster: SimCluster, leader: int, number: int) -> None:
    """Break the leader's own link to a node: what it tells that node meanwhile is lost in silence."""
    cluster.parts(leader).links._outgoing[number].reset()
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    assert not cluster.parts(leader).links.is_up(number)


def test_a_lost_answer_costs_wait_a_moment() -> None:
    """The follower asks again until the leader's link to it is back, within a tenth of a second."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        follower = others(cluster, leader)[0]
        client = await cluster.connect(follower)
        await trio.sleep(2)
        for timeout_ms in (1000, 0):
            assert await client.call("SET", "k", timeout_ms) == b"OK"
            await deafen(cluster, leader, follower)
            held, took_s = await waited(client, 2, timeout_ms)
            assert (held, took_s < 0.3) == (2, True)
            await trio.sleep(2)

    run_cluster(scenario)


def test_a_wait_whose_client_is_gone_ends_soon() -> None:
    """Though no answer comes: a stop does not wait for what nobody wants."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        follower = others(cluster, leader)[0]
        client = await cluster.connect(follower)
        await trio.sleep(2)
        assert await client.call("SET", "k", "v") == b"OK"
        links = cluster.parts(leader).links
        send = links.send
        links.send = lambda peer, said: isinstance(said, DurableReply) or send(peer, said)
        connections = cluster.nodes[follower]._ground.connections
        await client.stream.send_all(b"WAIT 2 0\r\n")
        await trio.sleep(1.5)
        assert connections.in_flight() == 1
        await client.aclose()
        await trio.sleep(0.15)
        assert connections.in_flight() == 0

    run_cluster(scenario)


def test_wait_does_not_count_a_learner() -> None:
    """It holds every byte, but a majority is made without it."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        await fill_log(await cluster.connect(leader))
        joining = others(cluster, leader)[1]
        puppet: Puppet = possess(cluster, joining, disk=b"the other disk..")
        await puppet.linked(leader)
        raft = cluster.parts(leader).raft

        def state() -> list[bool]:
            """Whether it votes, in a list of one; nothing while it is no member."""
            disk = puppet.disk.hex()
            return [voter for _, of, voter in members_of(raft.membership) if of == disk]

        puppet.takes = False
        while not state():
            puppet.say(leader, JoinRequest(puppet.disk, ""))
            await trio.sleep(0.05)
        await trio.sleep(6)  # it asks no more: it is not promoted
        puppet.takes = True
        client = await cluster.connect(leader)
        assert await client.call("SET", "k", "v") == b"OK"
        await until(lambda: puppet.holds >= raft.commit)
        assert (await waited(client, 2, 500))[0] == 1
        assert state() == [False]

    run_cluster(scenario)
