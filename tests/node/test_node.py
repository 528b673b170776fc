"""A node as whoever embeds it sees it: what it tells, in which order it starts, and how it ends."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio

from tests.node.simcluster import PORT, SECRET, SimCluster, run_cluster
from trikv.config import ConfigError, NodeConfig
from trikv.node.node import Node
from trikv.sim.host import SimHost


def node_of(host: SimHost, node_id: int = 1, *, alone: bool = True) -> Node:
    """A node on that machine."""
    peers = {} if alone else {1: "node1:18080", 2: "node2:18080"}
    return Node(
        NodeConfig(node_id=node_id, listen="node1", port=PORT, peer_port=18080, peers=peers), host, SECRET
    )


def on_a_machine(main: Callable[[SimHost, SimCluster], Awaitable[None]]) -> None:
    """Run `main` as the process of node 1's machine."""

    async def scenario(cluster: SimCluster) -> None:
        await cluster.world.machine("node1").run(lambda host: main(host, cluster))

    run_cluster(scenario)


def test_it_starts_with_its_address_and_ends_with_its_dump() -> None:
    """Started means a member that serves; idle is who handles nothing more."""

    async def main(host: SimHost, cluster: SimCluster) -> None:
        node = node_of(host)
        assert (node.parts, node.works, node.input_bytes, node.dumped) == (None, 0, 0, None)
        async with trio.open_nursery() as nursery:
            assert await nursery.start(node.run) == f"node1:{PORT}"
            assert node.parts is not None
            client = await cluster.connect(1)
            assert await client.call("SET", "a", 1) == b"OK"
            works = node.works
            assert await client.call("GET", "a") == b"1"
            assert node.works == works + 1
            node.stop()
        assert node.dumped is True

    on_a_machine(main)


def test_a_stop_at_once_leaves_no_dump() -> None:
    """Nothing acknowledged is lost by that: it is in the log."""

    async def main(host: SimHost, cluster: SimCluster) -> None:
        node = node_of(host)
        async with trio.open_nursery() as nursery:
            await nursery.start(node.run)
            assert await (await cluster.connect(1)).call("SET", "a", 1) == b"OK"
            node.stop_now()
        assert node.dumped is False
        async with trio.open_nursery() as nursery:
            await nursery.start(node_of(host).run)
            assert await (await cluster.connect(1)).call("GET", "a") == b"1"
            nursery.cancel_scope.cancel()

    on_a_machine(main)


def test_a_cancelled_node_stops_by_phases() -> None:
    """Whoever embeds it cancels the nursery; the dump is written all the same."""

    async def main(host: SimHost, _: SimCluster) -> None:
        node = node_of(host)
        async with trio.open_nursery() as nursery:
            await nursery.start(node.run)
            nursery.cancel_scope.cancel()
        assert node.dumped is True

    on_a_machine(main)


def test_a_node_that_waits_for_the_others_serves_and_can_be_stopped() -> None:
    """It has no parts yet, answers with an error, and ends without a dump of nothing."""

    async def main(host: SimHost, cluster: SimCluster) -> None:
        node = node_of(host, alone=False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.run)
            client = await cluster.connect(1)
            assert str(await client.call("GET", "a")).startswith("CLUSTERDOWN")
            assert (node.parts, node.works) == (None, 0)
            node.stop()
        assert node.dumped is None

    on_a_machine(main)


def test_nobody_is_served_by_a_node_that_refuses_to_start() -> None:
    """What may refuse comes before the port: a probe that finds it open has found a node."""

    async def main(host: SimHost, cluster: SimCluster) -> None:
        async def knock() -> None:
            while True:
                with suppress(OSError):
                    await cluster.world.connect(f"node1:{PORT}")
                    raise AssertionError("somebody answers")
                await trio.sleep(0.0005)

        async with trio.open_nursery() as nursery:
            await nursery.start(node_of(host).run)
            nursery.cancel_scope.cancel()
        with pytest.RaisesGroup(ConfigError, flatten_subgroups=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(knock)
                nursery.start_soon(node_of(host, node_id=2).run)

    on_a_machine(main)
