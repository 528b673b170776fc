"""Whole nodes: what one client or stranger may not do to the others."""

import trio

from tests.node.counting import others, until
from tests.node.simcluster import PORT, SimCluster, run_cluster
from trikv.protocol.messages import DurableRequest, PeerMessage


def questions(cluster: SimCluster, number: int) -> list[DurableRequest]:
    """What a node asks its leader for WAIT, from now on."""
    links, asked = cluster.parts(number).links, list[DurableRequest]()
    send = links.send

    def noting_send(peer: int, message: PeerMessage) -> bool:
        if isinstance(message, DurableRequest):
            asked.append(message)
        return bool(send(peer, message))

    links.send = noting_send
    return asked


def test_a_wait_ends_with_its_connection() -> None:
    """WAIT without a limit is given up when the client has gone: nobody is asked for it any more."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        follower = others(cluster, await cluster.leader())[0]
        client = await cluster.connect(follower)
        assert await client.call("SET", "k", "v") == b"OK"
        assert await client.call("WAIT", 1, 1000) >= 1
        asked = questions(cluster, follower)
        await client.send("WAIT", 9, 0)
        await trio.sleep(3)
        assert len(asked) > 20, "again and again, or it would not hear of a disk that comes late"
        await client.stream.aclose()
        await trio.sleep(0.5)
        asked.clear()
        await trio.sleep(3)
        assert asked == []

    run_cluster(scenario)


def test_digests_are_equal_at_an_equal_index() -> None:
    """DIGEST answers the same on every node that has applied as much."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        clients = [await cluster.connect(number) for number in (1, 2, 3)]
        for count in range(50):
            await clients[count % 3].call("SET", f"k{count}", count)
        await cluster.converged()
        answers = [tuple(await client.call("DIGEST")) for client in clients]
        assert len(set(answers)) == 1
        assert len(answers[0][1]) == 32

    run_cluster(scenario)


def test_strangers_do_not_keep_peers_apart() -> None:
    """Idle connections on the peer port are pushed out by newcomers: a restarted node gets its links."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        victim = others(cluster, leader)[0]
        cluster.kill(victim)

        async def sit(number: int) -> None:
            while True:
                try:
                    stream = await cluster.world.connect(f"node{number}:{PORT + 10000}")
                    while await stream.receive_some(100):
                        pass
                except (OSError, trio.BrokenResourceError):
                    pass
                await trio.sleep(0.5)

        async with trio.open_nursery() as nursery:
            for number in (leader, others(cluster, leader)[1]):
                for _ in range(20):
                    nursery.start_soon(sit, number)
            await trio.sleep(1)
            cluster.start(victim)
            client = await cluster.connect(victim)
            with trio.fail_after(10):
                assert await client.call("SET", "k", "v") == b"OK"
            nursery.cancel_scope.cancel()

    run_cluster(scenario)


def test_a_later_stop_replaces_the_dump() -> None:
    """``dump.json`` is that of the last whole stop; a stop alone, without a majority, leaves it alone."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        for _ in range(2):
            assert await client.call("INCR", "n")
            cluster.nodes[1].stop()
            await until(lambda: 1 not in set(cluster.running()))
            assert cluster.nodes[1].dumped is True
            cluster.start(1)
            client = await cluster.connect(1)
            assert await client.call("INCR", "m")
        assert b'"k":"n","t":"string","v":"2"' in cluster.file(1, "dump.json")
        cluster.kill(2, 3)
        cluster.nodes[1].stop()
        await until(lambda: 1 not in set(cluster.running()))
        assert b'"k":"n","t":"string","v":"2"' in cluster.file(1, "dump.json")
        assert b'"complete":false' in cluster.file(1, "dump.incomplete.json")

    run_cluster(scenario)
