"""Machines under a fault schedule: pauses, clocks that drift and jump, crashes at an exact step."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.sim.echo import two_machines
from trikv.sim.determinism import simulate
from trikv.sim.host import SimHost
from trikv.sim.volume import Keep
from trikv.sim.world import SimWorld


def test_a_paused_process_does_nothing_and_resumes() -> None:
    """While paused no task of it runs, new ones and due timers included; others go on; then it goes on."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")
        ticks: list[float] = []

        async def tick() -> None:
            while True:
                await trio.sleep(1)
                ticks.append(round(trio.current_time(), 3))

        async def node(_: SimHost) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tick)
                while True:
                    with trio.move_on_after(1.5):
                        await trio.sleep_forever()
                    ticks.append(-1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(machine.run, node)
            await trio.sleep(2.1)
            assert ticks == [1.0, -1, 2.0]
            machine.pause()
            machine.pause()
            assert machine.is_paused
            await trio.sleep(10)
            assert ticks == [1.0, -1, 2.0]
            machine.resume()
            machine.resume()
            assert not machine.is_paused
            await trio.sleep(0.1)
            assert sorted(ticks[3:]) == [-1, 12.1]
            await trio.sleep(1)
            assert ticks[5:] == [13.1]
            machine.kill()

    simulate(1, main)


def test_pause_takes_ready_tasks_too() -> None:
    """A task that was ready when its process was paused takes no step afterwards."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")
        steps = 0

        async def node(_: SimHost) -> None:
            nonlocal steps
            while True:
                await trio.lowlevel.checkpoint()
                steps += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(machine.run, node)
            for _ in range(10):
                await trio.lowlevel.checkpoint()
            machine.pause()
            await trio.lowlevel.checkpoint()
            frozen_at = steps
            assert frozen_at > 5
            await trio.sleep(1)
            assert steps == frozen_at
            machine.resume()
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            assert steps > frozen_at
            machine.kill()

    simulate(1, main)


def test_network_queues_for_a_paused_process() -> None:
    """Bytes sent to a paused process wait in its kernel and are read when it resumes."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, two):
            stream = await one.network.dial("node2:7")
            two.pause()
            await stream.send_all(b"wake up")
            accepted = await one.network.dial("node2:7")
            with trio.move_on_after(5) as waited:
                await stream.receive_some()
            assert waited.cancelled_caught
            two.resume()
            assert await stream.receive_some() == b"wake up"
            await accepted.send_all(b"me too")
            assert await accepted.receive_some() == b"me too"

    simulate(1, main)


def test_a_paused_process_that_takes_nothing_loses_its_peer() -> None:
    """A peer whose window stays shut gives up, like a real one after TCP_USER_TIMEOUT."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, two):
            stream = await one.network.dial("node2:7")
            two.pause()
            start = trio.current_time()
            with pytest.raises(trio.BrokenResourceError, match="timed out"):
                await stream.send_all(bytes(1_000_000))
            assert trio.current_time() - start == pytest.approx(10, abs=0.1)
            two.resume()

    simulate(1, main)


@pytest.mark.parametrize("crash", ["kill", "lose_power"])
def test_a_paused_process_can_be_killed(crash: str) -> None:
    """A crash ends a paused process; the machine can boot again; pausing what is off does nothing."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")

        async def node(_: SimHost) -> None:
            await trio.sleep_forever()

        for _ in range(2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(machine.run, node)
                await trio.sleep(1)
                machine.pause()
                await trio.sleep(1)
                getattr(machine, crash)()
            machine.pause()
            machine.resume()
            assert not machine.is_paused
        assert machine.lives == 2

    simulate(1, main)


def test_drift_and_jumps() -> None:
    """A fast clock counts more, under both clocks; a wall clock jumps; power loss resets boot time."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")
        clock = machine.clock
        wall = clock.wall_ms()
        await trio.sleep(10)
        assert (clock.boot_ms(), clock.wall_ms() - wall) == (10_000, 10_000)
        clock.drift_ppm = 10_000
        await trio.sleep(100)
        assert (clock.boot_ms(), clock.wall_ms() - wall) == (111_000, 111_000)
        clock.drift_ppm = -500_000
        await trio.sleep(2)
        assert clock.boot_ms() == 112_000
        clock.jump_wall(-3_600_000)
        assert clock.wall_ms() - wall == 112_000 - 3_600_000
        clock.boot_offset_ms -= 50_000
        assert clock.boot_ms() == 112_000, "never back"
        machine.boot()
        machine.kill()
        assert clock.boot_ms() == 112_000, "a process that dies does not reboot its machine"
        machine.lose_power()
        assert clock.boot_ms() == 0
        clock.drift_ppm = 0
        await trio.sleep(1)
        assert clock.boot_ms() == 1000
        assert clock.wall_ms() - wall == 113_000 - 3_600_000

    simulate(1, main)


async def writer(host: SimHost) -> None:
    """Writes, renames and talks, in a known order."""
    stream = await host.network.dial("node2:7")
    for number in range(3):
        file = await host.disk.create("new")
        await file.write_and_sync(0, b"%d" % number)
        await host.disk.rename("new", "current")
        await host.disk.sync_directory("")
        await stream.send_all(b"%d" % number)
    raise AssertionError("the machine was to crash before")


@pytest.mark.parametrize(
    ("step", "count", "survives"),
    [
        ("disk", 1, None),
        ("sync_directory", 1, b"0"),
        ("rename", 2, b"0"),
        ("sync", 2, b"0"),
        ("disk", 10, b"1"),
        ("send", 1, b"0"),
        ("send", 3, b"2"),
    ],
)
def test_crash_at_an_exact_step(step: str, count: int, survives: bytes | None) -> None:
    """Power lost at the n-th disk operation or send: what was durable by then is there, and no more."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            del one
            world.machine("node1").kill()
            machine = world.machine("node1")
            machine.disarm(machine.after(1, "write", lambda: pytest.fail("disarmed")))
            wire = machine.after(count, step, lambda: machine.lose_power(Keep.NONE))
            await machine.run(writer)
            assert not machine.is_running
            machine.disarm(wire)
            disk = machine.boot().disk
            assert await disk.exists("current") == (survives is not None)
            if survives is not None:
                assert await (await disk.open("current")).read(0, 9) == survives

    simulate(1, main)


def test_a_tripwire_may_strike_another_machine() -> None:
    """Any action is possible: here one machine's send ends the other in the same instant."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, two):
            stream = await one.network.dial("node2:7")
            world.machine("node1").after(2, "send", two.kill)
            await stream.send_all(b"a")
            assert two.is_running
            await stream.send_all(b"b")
            assert not two.is_running

    simulate(1, main)


def test_same_pause_same_trace() -> None:
    """Pauses are part of what the seed repeats."""

    def run(body: Callable[[SimWorld], Awaitable[None]]) -> str:
        async def main() -> str:
            world = SimWorld(5)
            await body(world)
            return world.trace_hash()

        return simulate(5, main)

    async def body(world: SimWorld) -> None:
        async with two_machines(world) as (one, two), trio.open_nursery() as nursery:

            async def talk() -> None:
                stream = await one.network.dial("node2:7")
                for number in range(20):
                    await stream.send_all(b"%d" % number)
                    await stream.receive_some()

            for _ in range(5):
                nursery.start_soon(talk)
            await trio.sleep(0.003)
            two.pause()
            await trio.sleep(1)
            two.resume()

    assert run(body) == run(body)
