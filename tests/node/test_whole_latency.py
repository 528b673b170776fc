"""Nobody waits for a heartbeat: what is kept for the driver's next turn is never what a client waits for."""

import trio

from tests.node.simcluster import SimCluster, run_cluster

BEAT_S = 0.1
"""The default heartbeat interval; the simulated network and disks take a few milliseconds."""


def test_a_lone_client_of_a_follower_waits_for_no_heartbeat() -> None:
    """Its write commits by another's ack, and the follower is told as soon as its own ack has come."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        for number in sorted({1, 2, 3} - {leader}):
            client = await cluster.connect(number)
            for turn in range(60):
                begun = trio.current_time()
                assert await client.call("SET", "k", str(turn)) == b"OK"
                assert await client.call("GET", "k") == str(turn).encode()
                assert trio.current_time() - begun < BEAT_S / 2

    run_cluster(scenario)


def test_wait_counts_every_disk_and_not_only_the_majority_that_sufficed() -> None:
    """On each node, long before the next heartbeat."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        for number in (1, 2, 3):
            client = await cluster.connect(number)
            for turn in range(20):
                assert await client.call("SET", "k", str(turn)) == b"OK"
                assert await client.call("WAIT", 2, 50) == 2

    run_cluster(scenario)
