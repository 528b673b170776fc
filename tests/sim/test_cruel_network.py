"""Faults of the simulated network: each does what it says, and can be undone."""

import attrs
import pytest
import trio

from tests.host.rig import read_exactly
from tests.sim.echo import two_machines
from trikv.host.sockets import PEER_TIMEOUT_S
from trikv.sim.determinism import simulate
from trikv.sim.fabric import Link
from trikv.sim.pipe import WINDOW_BYTES
from trikv.sim.world import SimWorld


async def ping(stream: trio.abc.Stream, data: bytes = b"ping") -> float:
    """Seconds until the echo of `data` is back."""
    start = trio.current_time()
    await stream.send_all(data)
    assert await read_exactly(stream, len(data)) == data
    return trio.current_time() - start


async def until_reset(stream: trio.abc.Stream) -> int:
    """How many bytes come before the reset."""
    got = 0
    try:
        while True:
            got += len(await stream.receive_some())
    except trio.BrokenResourceError:
        return got


def test_loss_delays_and_keeps_order() -> None:
    """Lost pieces arrive after retransmission, in order; a link that is whole again loses nothing."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            link = world.fabric.link("node1", "node2")
            link.loss = 0.3
            slowest = max([await ping(stream) for _ in range(40)])
            assert 0.2 <= slowest < PEER_TIMEOUT_S
            for number in range(10):
                await stream.send_all(b"%d" % number)
            assert await read_exactly(stream, 10) == b"0123456789"
            link.loss = 0
            assert max([await ping(stream) for _ in range(40)]) < 0.1

    simulate(1, main)


def test_loss_past_bearing_breaks_the_connection() -> None:
    """If nothing gets through for the peers' patience, the sender's connection is broken."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            world.fabric.link("node1", "node2").loss = 1.0
            await stream.send_all(b"lost")
            start = trio.current_time()
            with pytest.raises(trio.BrokenResourceError, match="timed out"):
                await stream.receive_some()
            assert trio.current_time() - start == pytest.approx(PEER_TIMEOUT_S)
            with pytest.raises(TimeoutError):
                await one.network.dial("node2:7")

    simulate(1, main)


def test_bandwidth_is_shared() -> None:
    """A limited link carries so many bytes a second, for all its connections together."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            streams = [await one.network.dial("node2:7") for _ in range(2)]
            world.fabric.link("node1", "node2").bytes_per_s = 10_000
            took: list[float] = []

            async def send(stream: trio.abc.Stream) -> None:
                took.append(await ping(stream, bytes(10_000)))

            async with trio.open_nursery() as nursery:
                for stream in streams:
                    nursery.start_soon(send, stream)
            assert took == [pytest.approx(1, abs=0.01), pytest.approx(2, abs=0.01)]

    simulate(1, main)


def test_break_in_mid_frame() -> None:
    """The reader gets a random part of what was sent, then a reset; the sender gets one too."""

    async def main(how: str, seed: int) -> int:
        world = SimWorld(seed)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            await ping(stream)
            if how == "link":
                world.fabric.link("node2", "node1").break_chance = 1.0
            else:
                world.fabric.break_mid_frame("node2", "node1")
            await stream.send_all(bytes(1000))
            got = await until_reset(stream)
            world.fabric.restore()
            again = await one.network.dial("node2:7")
            await ping(again)
            return got

    for how in ("link", "once"):
        cuts = {simulate(seed, lambda how=how, seed=seed: main(how, seed)) for seed in range(8)}  # type: ignore[misc]
        assert len(cuts) > 4
        assert all(0 <= cut <= 1000 for cut in cuts)


@pytest.mark.parametrize("way", [("node1", "node2"), ("node2", "node1")])
def test_one_way_cut_shuts_the_window_and_ends_patience(way: tuple[str, str]) -> None:
    """Cut in either direction, a sender fills its window, waits, and gives up when its patience is over."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            await ping(stream)
            world.fabric.cut(*way, both_ways=False)
            await stream.send_all(bytes(WINDOW_BYTES))
            start = trio.current_time()
            with trio.move_on_after(5) as waited:
                await stream.send_all(b"one more")
            assert waited.cancelled_caught
            with pytest.raises(trio.BrokenResourceError, match="timed out"):
                await stream.send_all(b"one more")
            assert trio.current_time() - start == pytest.approx(PEER_TIMEOUT_S, abs=0.01)
            world.fabric.heal_all()
            await trio.sleep(0.1)
            assert world.fabric.connections() == 2  # ours is not closed yet
            await stream.aclose()
            await trio.sleep(0.1)
            assert world.fabric.connections() == 0

    simulate(1, main)


def test_window_reopens_when_acks_return() -> None:
    """A cut of the way back shorter than the patience stops a sender, and healing lets it go on."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            world.fabric.cut("node2", "node1", both_ways=False)
            await stream.send_all(bytes(WINDOW_BYTES))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, bytes(1000))
                await trio.sleep(5)
                assert stream._out.room_bytes() <= 0  # type: ignore[attr-defined]
                world.fabric.heal_all()
                assert len(await read_exactly(stream, WINDOW_BYTES + 1000)) == WINDOW_BYTES + 1000

    simulate(1, main)


def test_half_open() -> None:
    """Forgotten by a middlebox, a connection is silent until its ends give up; a new one works at once."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            await ping(stream)
            world.fabric.strand("node1", "node2")
            await stream.send_all(b"lost")
            await ping(await one.network.dial("node2:7"))
            start = trio.current_time()
            with pytest.raises(trio.BrokenResourceError, match="timed out"):
                await stream.receive_some()
            assert trio.current_time() - start == pytest.approx(PEER_TIMEOUT_S, abs=0.1)

    simulate(1, main)


def test_break_all() -> None:
    """All connections between two machines are reset, wherever their tasks wait."""

    async def main() -> None:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            streams = [await one.network.dial("node2:7") for _ in range(3)]
            async with trio.open_nursery() as nursery:

                async def read(stream: trio.abc.Stream) -> None:
                    with pytest.raises(trio.BrokenResourceError, match="reset"):
                        await stream.receive_some()
                    await stream.aclose()

                for stream in streams:
                    nursery.start_soon(read, stream)
                await trio.sleep(1)
                world.fabric.break_all("node1", "node2")
            await trio.sleep(0.1)
            assert world.fabric.connections() == 0

    simulate(1, main)


def test_bridge() -> None:
    """Groups are cut from each other; a machine of no group reaches all; restoring mends everything."""
    fabric = SimWorld(1).fabric
    fabric.partition(("a", "b"), ("d", "e"))
    cut = {(one, other) for one in "abcde" for other in "abcde" if fabric.link(one, other).is_cut}
    assert cut == {(x, y) for x, y in [*zip("aabb", "dede", strict=True), *zip("ddee", "abab", strict=True)]}
    fabric.link("a", "c").loss = 0.5
    fabric.restore()
    assert all(fabric.link(one, other) == Link() for one in "abcde" for other in "abcde")


def test_data_overtakes_between_connections() -> None:
    """Bytes of a new connection may arrive before bytes of an abandoned one."""

    async def main() -> None:
        world = SimWorld(1)
        seen: list[bytes] = []

        async def note(stream: trio.abc.Stream) -> None:
            while data := await stream.receive_some():
                seen.append(bytes(data))

        host = world.machine("node1").boot()
        async with trio.open_nursery() as nursery:
            await nursery.start(
                lambda task_status: host.network.listen(
                    ("node1:7",), note, connections_max=64, task_status=task_status
                )
            )
            first = await world.connect("node1:7")
            world.fabric.link("client", "node1").latency_ms_min = 500
            world.fabric.link("client", "node1").latency_ms_max = 500
            await first.send_all(b"first")
            await first.aclose()
            world.fabric.restore()
            second = await world.connect("node1:7")
            await second.send_all(b"second")
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        assert seen == [b"second", b"first"]

    simulate(1, main)


def test_trouble_leaves_the_latencies_alone() -> None:
    """A link that loses and breaks draws from a stream of its own: the pieces it spares travel as before."""

    async def main(changed: Link) -> list[float]:
        world = SimWorld(1)
        async with two_machines(world) as (one, _):
            stream = await one.network.dial("node2:7")
            for field in attrs.fields(Link):
                setattr(world.fabric.link("node1", "node2"), field.name, getattr(changed, field.name))
            return [round(await ping(stream), 6) for _ in range(20)]

    plain = simulate(1, lambda: main(Link()))
    lossy = simulate(1, lambda: main(Link(loss=0.2)))
    assert [one for one in lossy if one < 0.2] == [
        good for good, bad in zip(plain, lossy, strict=True) if bad < 0.2
    ]
    assert plain != lossy
