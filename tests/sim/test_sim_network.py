"""Connections of the simulated network: latency, partitions, resets, vanished machines."""

import pytest
import trio

from tests.host.rig import read_exactly
from tests.sim.echo import echo_node, two_machines
from trikv.host.seam import Listening
from trikv.sim.determinism import simulate
from trikv.sim.world import SimWorld


def test_latency() -> None:
    """A round trip takes the latency of both directions."""

    async def main() -> None:
        world = SimWorld(1)
        world.fabric.defaults.latency_ms_min = world.fabric.defaults.latency_ms_max = 10
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            start = trio.current_time()
            await stream.send_all(b"ping")
            assert await read_exactly(stream, 4) == b"ping"
            assert trio.current_time() - start == pytest.approx(0.02)

    simulate(1, main)


@pytest.mark.parametrize(
    "ways", [("node1", "node2", True), ("node1", "node2", False), ("node2", "node1", False)]
)
def test_partition_holds_bytes_back(ways: tuple[str, str, bool]) -> None:
    """Across a cut, in either direction, nothing arrives; when it heals all does, in order."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            await stream.send_all(b"a")
            assert await read_exactly(stream, 1) == b"a"
            world.fabric.cut(ways[0], ways[1], both_ways=ways[2])
            await stream.send_all(b"b")
            with trio.move_on_after(5) as waited:
                await read_exactly(stream, 1)
            assert waited.cancelled_caught
            world.fabric.heal_all()
            await stream.send_all(b"c")
            assert await read_exactly(stream, 2) == b"bc"

    simulate(1, main)


def test_arrived_bytes_survive_a_cut() -> None:
    """What had arrived before the cut can be read during it."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            await stream.send_all(b"early")
            await trio.sleep(0.1)
            world.fabric.cut("node1", "node2")
            assert await read_exactly(stream, 5) == b"early"

    simulate(1, main)


def test_bytes_under_way_at_the_cut() -> None:
    """What was on its way when the link was cut arrives after it heals, before what was sent later."""

    async def main() -> None:
        world = SimWorld(1)
        world.fabric.defaults.latency_ms_min = world.fabric.defaults.latency_ms_max = 100
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            await stream.send_all(b"under way")
            world.fabric.cut("node1", "node2")
            await trio.sleep(1)
            await stream.send_all(b", later")
            start = trio.current_time()
            world.fabric.heal("node1", "node2")
            assert await read_exactly(stream, 16) == b"under way, later"
            assert trio.current_time() - start == pytest.approx(0.2)

    simulate(1, main)


def test_dial_across_a_cut() -> None:
    """Connecting times out while the cut lasts, and succeeds when it heals meanwhile."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            world.fabric.cut("node1", "node2")
            with pytest.raises(TimeoutError, match="node2:7"):
                await one.network.dial("node2:7")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one.network.dial, "node2:7")
                await trio.sleep(0.5)
                world.fabric.heal("node1", "node2")

    simulate(1, main)


def test_kill_is_seen_by_peers() -> None:
    """A killed process' connections end, its address refuses, and a new life serves it again."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, two):
            stream = await one.network.dial("node2:7")
            await stream.send_all(b"x")
            assert await read_exactly(stream, 1) == b"x"
            two.kill()
            assert await stream.receive_some() == b""
            with pytest.raises(ConnectionRefusedError):
                await one.network.dial("node2:7")
            await stream.send_all(b"anyone?")
            await trio.sleep(0.1)
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"no")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(two.run, echo_node)
                await trio.sleep(0.01)
                again = await one.network.dial("node2:7")
                await again.send_all(b"y")
                assert await read_exactly(again, 1) == b"y"
                nursery.cancel_scope.cancel()

    simulate(1, main)


def test_power_loss_is_silent() -> None:
    """Peers of an unplugged machine hear nothing; when it is back it answers old connections by resets."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, two):
            talking, quiet = [await world.connect("node2:7", source="node1") for _ in range(2)]
            two.lose_power()
            await talking.send_all(b"hello?")
            with trio.move_on_after(60) as waited:
                await talking.receive_some()
            assert waited.cancelled_caught
            with pytest.raises(TimeoutError):
                await one.network.dial("node2:7")
            two.boot()
            with pytest.raises(trio.BrokenResourceError):
                await talking.receive_some()
            await quiet.send_all(b"and me?")
            with pytest.raises(trio.BrokenResourceError):
                await quiet.receive_some()
            two.kill()

    simulate(1, main)


def test_chopped_reads() -> None:
    """With `chunk_bytes_max` reads return small parts, and nothing is lost."""

    async def main() -> None:
        world = SimWorld(1)
        world.fabric.defaults.chunk_bytes_max = 3
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            await stream.send_all(b"0123456789")
            pieces: list[bytes] = []
            while len(b"".join(pieces)) < 10:
                pieces.append(bytes(await stream.receive_some()))
            assert b"".join(pieces) == b"0123456789"
            assert max(map(len, pieces)) <= 3
            assert len(pieces) > 3

    simulate(1, main)


def test_one_task_a_direction() -> None:
    """Two tasks that send, or that receive, on one stream at once are a bug, as on Trio's own."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, two):
            stream = await one.network.dial("node2:7")
            two.lose_power()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.receive_some)
                nursery.start_soon(stream.send_all, bytes(200_000))
                await trio.sleep(1)
                with pytest.raises(trio.BusyResourceError):
                    await stream.receive_some()
                with pytest.raises(trio.BusyResourceError):
                    await stream.send_all(b"x")
                with trio.move_on_after(1) as waited:
                    await stream.wait_send_all_might_not_block()
                assert waited.cancelled_caught
                nursery.cancel_scope.cancel()

    simulate(1, main)


def test_nothing_is_kept_of_closed_connections() -> None:
    """Hundreds of connections one after another leave nothing behind in the world."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            for _ in range(500):
                await (await one.network.dial("node2:7")).aclose()
            await trio.sleep(1)
            assert world.fabric.connections() == 0
            assert len(world._net.machine("node1").streams) <= 64

    simulate(1, main)


def test_backlog() -> None:
    """Connections nobody accepts wait; past the limit none is answered; they are reset with the listener."""

    async def main() -> None:
        world = SimWorld(1)
        host = world.machine("node1").boot()
        async with trio.open_nursery() as nursery:

            async def one_at_a_time(_: trio.abc.Stream) -> None:
                await trio.sleep_forever()

            bound: Listening = await nursery.start(
                lambda task_status: host.network.listen(
                    ("node1:7",), one_at_a_time, connections_max=64, task_status=task_status
                )
            )
            streams = [await world.connect("node1:7") for _ in range(64 + 1024)]
            with pytest.raises(TimeoutError):
                await world.connect("node1:7")
            bound.stop_accepting()
            with pytest.raises(trio.BrokenResourceError):
                await streams[-1].receive_some()
            nursery.cancel_scope.cancel()

    simulate(1, main)


def test_giving_up_a_dial() -> None:
    """A caller who stops waiting for the answer leaves no open end: the other side reads the end."""

    async def main() -> None:
        world = SimWorld(1)
        world.fabric.defaults.latency_ms_min = world.fabric.defaults.latency_ms_max = 100
        ended = trio.Event()

        async def handler(stream: trio.abc.Stream) -> None:
            assert await stream.receive_some() == b""
            ended.set()

        host = world.machine("node1").boot()
        async with trio.open_nursery() as nursery:
            await nursery.start(
                lambda task_status: host.network.listen(
                    ("node1:7",), handler, connections_max=64, task_status=task_status
                )
            )
            with trio.move_on_after(0.15) as gave_up:
                await world.connect("node1:7")
            assert gave_up.cancelled_caught
            with trio.fail_after(5):
                await ended.wait()
            nursery.cancel_scope.cancel()

    simulate(1, main)


def test_sending_after_the_end() -> None:
    """A half-closed stream refuses to send, and still receives."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await world.connect("node2:7", source="node1")
            await stream.wait_send_all_might_not_block()
            await stream.send_all(b"last")
            await stream.send_eof()
            await stream.send_eof()
            with pytest.raises(trio.ClosedResourceError):
                await stream.send_all(b"x")
            assert await read_exactly(stream, 4) == b"last"
            stream.reset()
            stream.reset()
            stream.shut()
            stream.vanish()
            assert one.resident_bytes() == 0

    simulate(1, main)
