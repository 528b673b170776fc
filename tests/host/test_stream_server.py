"""Streams served in the general way: cases that the contract does not reach."""

from functools import partial

import pytest
import trio
import trio.testing

from trikv.host.endings import Lingering
from trikv.host.seam import Traffic
from trikv.host.stream_server import Accepted, StreamWire, serve_streams
from trikv.host.wire import Wire


class Talker:
    """Sends two pieces and closes."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.closed_calls = 0
        wire.send(b"a" * 10)
        wire.send(b"b" * 100_000)
        wire.send(b"c")

    def received(self, data: bytes) -> None:
        raise AssertionError(data)

    def ended(self) -> None:
        raise AssertionError

    def drained(self) -> None:
        """Nothing waits for it."""

    def closed(self) -> None:
        self.closed_calls += 1


async def test_a_stream_without_half_close() -> None:
    """A stream that cannot half-close (TLS) is flushed and then closed by its owner."""
    here, there = trio.testing.memory_stream_pair()

    class Whole(trio.abc.Stream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            await here.send_all(data)

        async def wait_send_all_might_not_block(self) -> None:
            await here.wait_send_all_might_not_block()

        async def receive_some(self, max_bytes: int | None = None) -> bytes:
            return bytes(await here.receive_some(max_bytes))

        async def aclose(self) -> None:
            await here.aclose()

    wire = StreamWire("peer:1", "here:2", Lingering(1), Traffic())
    talkers: list[Talker] = []

    def factory(wire: Wire) -> Talker:
        talkers.append(Talker(wire))
        wire.close()
        return talkers[-1]

    stream = Whole()
    await wire.serve(stream, factory)
    assert talkers[0].closed_calls == 1
    await stream.aclose()
    data = bytearray()
    while piece := await there.receive_some():
        data += piece
    assert data == b"a" * 10 + b"b" * 100_000 + b"c"


async def test_broken_stream_while_sending() -> None:
    """A stream that breaks under a send ends the connection quietly."""
    here, there = trio.testing.memory_stream_pair()
    await there.aclose()
    wire = StreamWire("peer:1", "here:2", Lingering(1), Traffic())
    talkers: list[Talker] = []

    def factory(wire: Wire) -> Talker:
        talkers.append(Talker(wire))
        wire.pause()
        return talkers[-1]

    with trio.fail_after(5):
        await wire.serve(here, factory)
    assert talkers[0].closed_calls == 1
    assert wire.unsent_bytes() == 0


async def test_factory_that_raises() -> None:
    """A factory that raises is a bug and is not hidden."""
    here, _ = trio.testing.memory_stream_pair()

    def factory(_: Wire) -> Talker:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await StreamWire("peer:1", "here:2", Lingering(1), Traffic()).serve(here, factory)


class Pairs:
    """An acceptor of streams in memory."""

    address = "memory:1"

    def __init__(self) -> None:
        self._send, self._accepted = trio.open_memory_channel[Accepted](10)

    def connect(self) -> trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]:
        """The client's end of a new connection."""
        there, here = trio.testing.memory_stream_pair()
        self._send.send_nowait(Accepted(here, "peer:1", "here:2"))
        return there

    async def accept(self) -> Accepted:
        return await self._accepted.receive()

    def stop_accepting(self) -> None:
        self._send.close()


async def test_a_reader_that_is_paused_again_at_once_holds_what_it_has(nursery: trio.Nursery) -> None:
    """It was woken by the `resume`, but by the time it runs the wire is paused once more."""
    acceptor = Pairs()
    wires: list[Wire] = []
    came: list[bytes] = []

    class Listener(Talker):
        def received(self, data: bytes) -> None:
            came.append(data)

    def factory(wire: Wire) -> Talker:
        wires.append(wire)
        wire.pause()
        return Listener(wire)

    await nursery.start(partial(serve_streams, [acceptor], factory, Traffic(), Lingering(1)))
    client = acceptor.connect()
    await client.send_all(b"x")
    await trio.testing.wait_all_tasks_blocked()
    (wire,) = wires
    wire.resume()
    wire.pause()
    await trio.testing.wait_all_tasks_blocked()
    assert came == []
    wire.resume()
    await trio.testing.wait_all_tasks_blocked()
    assert came == [b"x"]
    nursery.cancel_scope.cancel()


async def test_who_has_gone_holds_no_place_among_those_who_linger(nursery: trio.Nursery) -> None:
    """One of three closed connections has gone: with two places the oldest may still take its last words."""
    acceptor = Pairs()

    def factory(wire: Wire) -> Talker:
        talker = Talker(wire)
        wire.close()
        return talker

    await nursery.start(partial(serve_streams, [acceptor], factory, Traffic(), Lingering(2)))
    first, gone = acceptor.connect(), acceptor.connect()
    await trio.testing.wait_all_tasks_blocked()
    await gone.aclose()
    await trio.testing.wait_all_tasks_blocked()
    last = acceptor.connect()
    await trio.testing.wait_all_tasks_blocked()
    await first.send_all(b"still held")
    await last.send_all(b"still held")
    acceptor.connect()
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(trio.BrokenResourceError):
        await first.send_all(b"one too many")
    nursery.cancel_scope.cancel()


async def test_a_stream_is_closed_even_if_it_never_got_its_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure before the first byte is a bug and is not hidden, and it leaves no descriptor open."""
    acceptor = Pairs()

    def broken(*_: object) -> StreamWire:
        raise ValueError("a bug")

    monkeypatch.setattr("trikv.host.stream_server.StreamWire", broken)
    client = acceptor.connect()
    with trio.fail_after(5):
        with pytest.raises(ExceptionGroup):
            await serve_streams(
                [acceptor], Talker, Traffic(), Lingering(), task_status=trio.TASK_STATUS_IGNORED
            )
        assert await client.receive_some() == b""
