"""The host's contract over the simulator, with whole and with chopped reads."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import trio

from tests.host.contract import HostContract
from tests.host.rig import Rig
from trikv.sim.determinism import simulate
from trikv.sim.host import SimHost
from trikv.sim.stream import SimStream
from trikv.sim.world import SimWorld

C = TypeVar("C", bound=type)


@attrs.frozen
class SimRig:
    """A simulated host and clients of its world."""

    world: SimWorld
    host: SimHost
    crowd: int = 300
    any_address: str = "node1:0"
    another_address: str = "alias:0"
    big_bytes: int = 1 << 20

    async def connect(self, address: str) -> trio.abc.HalfCloseableStream:
        return await self.world.connect(address)

    def reset(self, stream: trio.abc.HalfCloseableStream) -> None:
        assert isinstance(stream, SimStream)
        stream.reset()

    def shorten_flush(self) -> float:
        return 5.0


def simulated(make_rig: Callable[[], Rig]) -> Callable[[C], C]:
    """Give a class every test of the contract as a synchronous test that runs in virtual time.

    pytest-trio takes a clock only from a test's own arguments, which the contract does not have.
    """

    def wrapped(test: Callable[[Any, Rig], Awaitable[None]]) -> Callable[[Any], None]:
        def run(self: object) -> None:
            async def main() -> None:
                await test(self, make_rig())

            simulate(1, main)

        run.__doc__ = test.__doc__
        return run

    def decorate(cls: C) -> C:
        for name in dir(HostContract):
            if name.startswith("test_"):
                setattr(cls, name, wrapped(getattr(HostContract, name)))
        return cls

    return decorate


def plain() -> SimRig:
    """Links that deliver all that has arrived."""
    world = SimWorld(1)
    return SimRig(world, world.machine("node1").boot())


def chopped() -> SimRig:
    """Slow links whose reads return a few bytes at a time."""
    world = SimWorld(2)
    world.fabric.defaults.chunk_bytes_max = 20_000
    world.fabric.defaults.latency_ms_max = 4
    return SimRig(world, world.machine("node1").boot(), crowd=100)


@simulated(plain)
class TestPlain:
    """Everything, over plain links."""


@simulated(chopped)
class TestChopped:
    """Everything, over bad ones."""
