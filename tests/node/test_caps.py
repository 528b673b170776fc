"""Caps that differ between the nodes' files: one cap is in force, and it came by the log (PROTOCOL 22)."""

from tests.node.simcluster import SimCluster, run_cluster


def test_files_that_name_different_caps_make_no_replicas_differ() -> None:
    """The founder's holds everywhere, also for a node that starts again with yet another one."""

    async def scenario(cluster: SimCluster) -> None:
        for number, cap in ((1, 300_000), (2, 200_000), (3, 100_000)):
            cluster.start(number, maxmemory=cap)
        await cluster.leader()
        client = await cluster.connect(2)
        assert await client.call("SET", "k", "v") == b"OK"
        await cluster.converged()
        caps = {cluster.parts(number).applier.machine.maxmemory for number in cluster.nodes}
        assert len(caps) == 1
        assert caps <= {100_000, 200_000, 300_000}

    run_cluster(scenario)
