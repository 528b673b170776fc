"""The canary: one seed, one run, in any process, under any hash seed. Fails if Trio's scheduler changes."""

import gc
import os
import subprocess
import sys

import pytest
import trio
from trio._core import _run as trio_run

from trikv.sim.determinism import pinned, simulate

SCRIPT = """
import sys
import trio
from trikv.sim.determinism import simulate
from trikv.sim.world import SimWorld

class Echo:
    def __init__(self, wire):
        self.wire = wire
    def received(self, data):
        self.wire.send(data.upper())
    def ended(self):
        self.wire.close()
    def drained(self):
        pass
    def closed(self):
        pass

async def node(host):
    async def write(number):
        file = await host.disk.create(f"{number}")
        for at in range(5):
            await file.write_and_sync(at * 100, host.entropy.bytes(100))
    async with trio.open_nursery() as nursery:
        async def serve(task_status):
            await host.network.serve(("node1:80",), Echo, task_status=task_status)
        await nursery.start(serve)
        for number in range(20):
            nursery.start_soon(write, number)

async def client(world, number):
    await trio.sleep(0.01)
    stream = await world.connect("node1:80", source=f"client{number}")
    for word in range(10):
        await stream.send_all(b"%d" % word)
        await stream.receive_some()
        world.record("client", number, word)
    await stream.aclose()

async def main():
    world = SimWorld(int(sys.argv[1]))
    machine = world.machine("node1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(machine.run, node)
        for number in range(25):
            nursery.start_soon(client, world, number)
        await trio.sleep(1)
        machine.lose_power()
    for name, inode in machine.volume.names.items():
        world.record(name, bytes(inode.cache) if inode else "")
    print(world.events, world.trace_hash())

simulate(int(sys.argv[1]), main)
"""


def trace(seed: int, hash_seed: int) -> str:
    """The trace hash of a run in a new process."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seed)], check=True, capture_output=True, text=True, env=environment
    ).stdout.strip()


def test_same_seed_same_trace() -> None:
    """Two processes with two hash seeds agree on a run of 60 tasks; another seed gives another run."""
    first = trace(7, 1)
    assert trace(7, 2) == first
    assert int(first.split()[0]) > 800
    assert trace(8, 1) != first


def test_order_of_tasks_follows_the_seed() -> None:
    """Two thousand tasks that are all ready run in an order that the seed decides."""

    async def main() -> list[int]:
        order: list[int] = []

        async def one(number: int) -> None:
            await trio.lowlevel.checkpoint()
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(2000):
                nursery.start_soon(one, number)
        return order

    assert simulate(1, main) == simulate(1, main) != simulate(2, main)


def test_pins_are_taken_back() -> None:
    """After a run Trio's scheduler and the collector are as they were, also when the run failed."""
    allowed, state = trio_run._ALLOW_DETERMINISTIC_SCHEDULING, trio_run._r.getstate()
    assert gc.isenabled()

    async def main() -> None:
        assert not gc.isenabled()
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        simulate(1, main)
    assert gc.isenabled()
    assert allowed == trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    assert trio_run._r.getstate() == state
    gc.disable()
    try:
        with pinned(1):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_virtual_time_costs_nothing() -> None:
    """A day of sleeping is over at once."""

    async def main() -> float:
        await trio.sleep(86_400)
        return trio.current_time()

    assert simulate(1, main) == pytest.approx(86_400)
