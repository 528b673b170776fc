"""Two machines for tests of the simulated world: one dials, the other runs an echo."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from trikv.host.seam import Listening
from trikv.sim.host import Machine, SimHost
from trikv.sim.world import SimWorld


@asynccontextmanager
async def two_machines(world: SimWorld) -> AsyncIterator[tuple[SimHost, Machine]]:
    """node1's host, and node2 running an echo at node2:7."""
    one, two = world.machine("node1").boot(), world.machine("node2")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(two.run, echo_node)
        await trio.sleep(0.01)
        yield one, two
        nursery.cancel_scope.cancel()


async def echo_node(host: SimHost) -> None:
    """Serves echo."""

    async def echo(stream: trio.abc.Stream) -> None:
        try:
            while data := await stream.receive_some():
                await stream.send_all(data)
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        bound: Listening = await nursery.start(
            lambda task_status: host.network.listen(
                ("node2:7",), echo, connections_max=64, task_status=task_status
            )
        )
        assert list(bound.addresses) == ["node2:7"]
