"""What every host must do: run over the real one (`test_real.py`) and the simulated one (`tests/sim`)."""

import errno
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol, TypeVar

import pytest
import trio

from trikv.host.seam import Host, Listening, StreamHandler, Wire

T = TypeVar("T")


class Rig(Protocol):
    """A host under test and a client's way to it."""

    @property
    def host(self) -> Host: ...
    @property
    def big_bytes(self) -> int:
        """More than one connection's buffers hold, a multiple of 4."""

    @property
    def crowd(self) -> int:
        """How many clients are many."""

    @property
    def any_address(self) -> str:
        """An address of the host with port 0."""

    async def connect(self, address: str) -> trio.abc.HalfCloseableStream:
        """A client's connection, outside the host."""

    def reset(self, stream: trio.abc.HalfCloseableStream) -> None:
        """Close the client's side with a reset."""

    def shorten_flush(self) -> float:
        """Make the host wait less for its last bytes, if waiting is real; how long it waits, in s."""


class Recorder:
    """A conversation that notes what happens to it, and does what a test tells it to."""

    def __init__(self, wire: Wire, changed: trio.lowlevel.ParkingLot) -> None:
        self.wire = wire
        self.data = bytearray()
        self.calls: list[str] = []
        self.on_received: Callable[[bytes], None] | None = None
        self._changed = changed

    def _note(self, call: str) -> None:
        assert "closed" not in self.calls
        self.calls.append(call)
        self._changed.unpark_all()

    def received(self, data: bytes) -> None:
        assert data
        self.data += data
        self._note("received")
        if self.on_received is not None:
            self.on_received(data)

    def ended(self) -> None:
        self._note("ended")

    def closed(self) -> None:
        self._note("closed")

    @property
    def is_closed(self) -> bool:
        return "closed" in self.calls


class Echo(Recorder):
    """Answers what it gets, and closes when the peer has ended."""

    def received(self, data: bytes) -> None:
        super().received(data)
        self.wire.send(data)

    def ended(self) -> None:
        super().ended()
        self.wire.close()


class Server:
    """A running `Network.serve` with the recorders of its connections."""

    def __init__(self, listening: Listening, changed: trio.lowlevel.ParkingLot) -> None:
        self.listening = listening
        self.address = listening.address
        self.recorders: list[Recorder] = []
        self.changed = changed

    async def until(self, predicate: Callable[[], bool]) -> None:
        """Wait until a call on some recorder makes `predicate` true."""
        with trio.fail_after(30):
            while not predicate():
                await self.changed.park()

    async def accepted(self, count: int = 1) -> Recorder:
        """The newest recorder, once there are `count`."""
        await self.until(lambda: len(self.recorders) >= count)
        return self.recorders[-1]


@asynccontextmanager
async def serving(rig: Rig, kind: type[Recorder] = Recorder) -> AsyncIterator[Server]:
    """Serve conversations of `kind` for the time of a block."""
    changed = trio.lowlevel.ParkingLot()
    recorders: list[Recorder] = []

    def factory(wire: Wire) -> Recorder:
        recorders.append(kind(wire, changed))
        changed.unpark_all()
        return recorders[-1]

    async with trio.open_nursery() as nursery:
        listening = await nursery.start(
            lambda task_status: rig.host.network.serve(rig.any_address, factory, task_status=task_status)
        )
        server = Server(listening, changed)
        server.recorders = recorders
        yield server
        nursery.cancel_scope.cancel()


Serving = Callable[..., AbstractAsyncContextManager[Server]]


async def read_exactly(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    """`count` bytes from `stream`."""
    data = bytearray()
    with trio.fail_after(30):
        while len(data) < count:
            piece = await stream.receive_some(min(65536, count - len(data)))
            assert piece, f"ended after {len(data)} of {count} bytes"
            data += piece
    return bytes(data)


async def read_to_end(stream: trio.abc.ReceiveStream) -> bytes:
    """All bytes until the peer ends."""
    data = bytearray()
    with trio.fail_after(30):
        while piece := await stream.receive_some(65536):
            data += piece
    return bytes(data)


def pattern(count: int) -> bytes:
    """Bytes whose order can be checked."""
    return array("I", range((count + 3) // 4)).tobytes()[:count]


class ServeContract:
    """`Network.serve`: subclasses give the fixture `rig`."""

    async def test_echo(self, rig: Rig) -> None:
        """Bytes reach the conversation and its answers the client, in order, over several turns."""
        async with serving(rig, Echo) as server, await rig.connect(server.address) as client:
            for word in (b"one", b"two", b"three"):
                await client.send_all(word)
                assert await read_exactly(client, len(word)) == word

    async def test_addresses(self, rig: Rig) -> None:
        """A wire knows both ends, and the listening knows the port that was chosen for it."""
        async with serving(rig) as server, await rig.connect(server.address):
            recorder = await server.accepted()
            assert recorder.wire.local == server.address
            assert not server.address.endswith(":0")
            host, _, port = recorder.wire.remote.rpartition(":")
            assert host
            assert int(port) > 0

    async def test_big_transfer_both_ways(self, rig: Rig) -> None:
        """Megabytes in each direction at once arrive whole and in order, however they are cut."""
        data = pattern(2 << 20)
        async with (
            serving(rig, Echo) as server,
            await rig.connect(server.address) as client,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(client.send_all, data)
            assert await read_exactly(client, len(data)) == data

    async def test_slow_reader(self, rig: Rig) -> None:
        """What a client does not read waits, is counted, and is not lost; sends stay in order meanwhile."""
        data = pattern(rig.big_bytes)
        async with serving(rig) as server, await rig.connect(server.address) as client:
            wire = (await server.accepted()).wire
            wire.send(data)
            unsent = wire.unsent_bytes()
            assert unsent > 0
            wire.send(b"after")
            assert wire.unsent_bytes() == unsent + 5
            assert await read_exactly(client, rig.big_bytes + 5) == data + b"after"
            with trio.fail_after(5):
                while wire.unsent_bytes():  # noqa: ASYNC110 - the wire tells nobody when it is empty
                    await trio.sleep(0.001)

    async def test_many_small_sends_behind_a_big_one(self, rig: Rig) -> None:
        """A queue of many pieces is sent in order."""
        data = pattern(rig.big_bytes)
        async with serving(rig) as server, await rig.connect(server.address) as client:
            wire = (await server.accepted()).wire
            wire.send(data)
            for number in range(1000):
                wire.send(b"%06d" % number)
            tail = b"".join(b"%06d" % number for number in range(1000))
            assert (await read_exactly(client, len(data) + len(tail)))[len(data) :] == tail

    async def test_empty_send(self, rig: Rig) -> None:
        """Sending nothing is nothing."""
        async with serving(rig) as server, await rig.connect(server.address) as client:
            wire = (await server.accepted()).wire
            wire.send(b"")
            wire.send(b"x")
            assert await read_exactly(client, 1) == b"x"

    async def test_pause_and_resume(self, rig: Rig) -> None:
        """A paused connection hands over nothing; after resume all of it comes, in order."""
        async with serving(rig) as server, await rig.connect(server.address) as client:
            recorder = await server.accepted()
            recorder.wire.pause()
            await client.send_all(b"held")
            async with await rig.connect(server.address) as other:
                await other.send_all(b"x")
                await server.until(lambda: len(server.recorders) == 2 and server.recorders[1].data == b"x")
                await trio.sleep(0.02)
            assert recorder.data == b""
            recorder.wire.resume()
            await server.until(lambda: recorder.data == b"held")
            recorder.wire.pause()
            recorder.wire.resume()
            await client.send_all(b"+more")
            await server.until(lambda: recorder.data == b"held+more")

    async def test_pause_from_received(self, rig: Rig) -> None:
        """Pausing inside `received` holds the next bytes."""
        async with serving(rig) as server, await rig.connect(server.address) as client:
            recorder = await server.accepted()
            recorder.on_received = lambda _: recorder.wire.pause()
            await client.send_all(b"a")
            await server.until(lambda: recorder.data == b"a")
            await client.send_all(b"b")
            await trio.sleep(0.02)
            assert recorder.data == b"a"
            recorder.wire.resume()
            await server.until(lambda: recorder.data == b"ab")

    async def test_pause_passes_back(self, rig: Rig) -> None:
        """A paused connection takes only what fits in buffers: the client's send then waits."""
        async with serving(rig) as server, await rig.connect(server.address) as client:
            recorder = await server.accepted()
            recorder.wire.pause()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.send_all, bytes(rig.big_bytes))
                await trio.sleep(0.1)
                assert len(nursery.child_tasks) == 1
                recorder.wire.resume()
            await server.until(lambda: len(recorder.data) == rig.big_bytes)

    async def test_half_close(self, rig: Rig) -> None:
        """A client that ended its side still gets its answers; then the server closes."""
        async with serving(rig) as server, await rig.connect(server.address) as client:
            recorder = await server.accepted()
            await client.send_all(b"question")
            await client.send_eof()
            await server.until(lambda: "ended" in recorder.calls)
            assert recorder.data == b"question"
            assert not recorder.is_closed
            recorder.wire.send(b"answer")
            recorder.wire.close()
            assert await read_to_end(client) == b"answer"
            await server.until(lambda: recorder.is_closed)
            assert recorder.calls.count("ended") == 1

    async def test_pause_holds_the_end_back(self, rig: Rig) -> None:
        """The end of input waits for `resume` like any other input."""
        async with serving(rig) as server, await rig.connect(server.address) as client:
            recorder = await server.accepted()
            recorder.wire.pause()
            await client.send_eof()
            await trio.sleep(0.02)
            assert recorder.calls == []
            recorder.wire.resume()
            await server.until(lambda: recorder.calls == ["ended"])
            recorder.wire.close()
            await server.until(lambda: recorder.is_closed)

    async def test_reset(self, rig: Rig) -> None:
        """A reset ends in `closed`, once, and a wire that outlives its connection is harmless."""
        async with serving(rig) as server:
            client = await rig.connect(server.address)
            recorder = await server.accepted()
            await client.send_all(b"x")
            await server.until(lambda: recorder.data == b"x")
            rig.reset(client)
            await server.until(lambda: recorder.is_closed)
            wire = recorder.wire
            wire.send(b"into the void")
            assert wire.unsent_bytes() == 0
            wire.pause()
            wire.resume()
            wire.close()
            wire.abort()
        assert recorder.calls.count("closed") == 1

    async def test_reset_with_output_waiting(self, rig: Rig) -> None:
        """A reset also ends a connection whose output is blocked."""
        async with serving(rig) as server:
            client = await rig.connect(server.address)
            recorder = await server.accepted()
            recorder.wire.send(bytes(rig.big_bytes))
            rig.reset(client)
            await server.until(lambda: recorder.is_closed)
            assert recorder.wire.unsent_bytes() == 0

    async def test_close_flushes(self, rig: Rig) -> None:
        """`close` sends what waits, and nothing that is sent after it."""
        data = pattern(rig.big_bytes)
        async with serving(rig) as server, await rig.connect(server.address) as client:
            recorder = await server.accepted()
            recorder.wire.send(data)
            recorder.wire.close()
            recorder.wire.send(b"too late")
            recorder.wire.close()
            assert await read_to_end(client) == data
            await server.until(lambda: recorder.is_closed)

    async def test_last_words_survive_unread_input(self, rig: Rig) -> None:
        """A client whose last bytes were never read still gets the answer that closes its connection."""
        async with serving(rig) as server, await rig.connect(server.address) as client:
            recorder = await server.accepted()
            recorder.wire.pause()
            await client.send_all(b"unread" * 100)
            await trio.sleep(0.02)
            recorder.wire.send(b"-ERR go away\r\n")
            recorder.wire.close()
            await server.until(lambda: recorder.is_closed)
            await client.send_all(b"more")
            assert await read_to_end(client) == b"-ERR go away\r\n"
            assert recorder.data == b""

    async def test_close_gives_up(self, rig: Rig) -> None:
        """A closed connection whose client never reads is dropped within some seconds."""
        async with serving(rig) as server, await rig.connect(server.address):
            recorder = await server.accepted()
            flush_s = rig.shorten_flush()
            recorder.wire.send(bytes(rig.big_bytes))
            recorder.wire.close()
            start = trio.current_time()
            await server.until(lambda: recorder.is_closed)
            assert flush_s - 0.05 < trio.current_time() - start < flush_s + 1

    async def test_abort(self, rig: Rig) -> None:
        """`abort` ends the connection at once; `closed` comes later, not from inside `abort`."""
        async with serving(rig) as server, await rig.connect(server.address) as client:
            recorder = await server.accepted()
            recorder.wire.send(bytes(rig.big_bytes))
            recorder.wire.abort()
            recorder.wire.abort()
            assert not recorder.is_closed
            assert recorder.wire.unsent_bytes() == 0
            await server.until(lambda: recorder.is_closed)
            with suppress(trio.BrokenResourceError):
                assert len(await read_to_end(client)) < rig.big_bytes

    async def test_close_and_abort_from_received(self, rig: Rig) -> None:
        """A conversation may end its own or another connection while it is being called."""
        async with serving(rig) as server:
            first, second = await rig.connect(server.address), await rig.connect(server.address)
            await server.accepted(2)
            one, two = server.recorders

            def end_both(_: bytes) -> None:
                one.wire.send(b"bye")
                one.wire.close()
                two.wire.abort()
                assert not one.is_closed
                assert not two.is_closed

            one.on_received = two.on_received = end_both
            await first.send_all(b"x")
            await second.send_all(b"x")
            await server.until(lambda: one.is_closed and two.is_closed)
            assert await read_to_end(first) == b"bye"
            await trio.aclose_forcefully(first)
            await trio.aclose_forcefully(second)

    async def test_close_by_the_factory(self, rig: Rig) -> None:
        """A conversation may close before it heard anything (too many clients)."""

        class Busy(Recorder):
            def __init__(self, wire: Wire, changed: trio.lowlevel.ParkingLot) -> None:
                super().__init__(wire, changed)
                wire.send(b"busy")
                wire.close()

        class Rude(Recorder):
            def __init__(self, wire: Wire, changed: trio.lowlevel.ParkingLot) -> None:
                super().__init__(wire, changed)
                wire.abort()

        for kind, words in ((Busy, b"busy"), (Rude, b"")):
            async with serving(rig, kind) as server, await rig.connect(server.address) as client:
                assert await read_to_end(client) == words
                await server.until(lambda server=server: server.recorders[0].is_closed)  # type: ignore[misc]
                assert server.recorders[0].calls == ["closed"]

    async def test_stop_accepting(self, rig: Rig) -> None:
        """After `stop_accepting` connections go on and new ones are refused."""
        async with serving(rig, Echo) as server, await rig.connect(server.address) as client:
            await server.accepted()
            server.listening.stop_accepting()
            server.listening.stop_accepting()
            await client.send_all(b"still here")
            assert await read_exactly(client, 10) == b"still here"
            with pytest.raises(OSError, match=r"."):
                await rig.connect(server.address)

    async def test_cancel_aborts_all(self, rig: Rig) -> None:
        """When the server is cancelled every conversation is closed once, and clients see the end."""
        async with serving(rig) as server:
            clients = [await rig.connect(server.address) for _ in range(5)]
            await server.accepted(5)
            server.recorders[0].wire.close()
            server.recorders[1].wire.send(bytes(rig.big_bytes))
        for recorder in server.recorders:
            assert recorder.calls.count("closed") == 1
        for client in (clients[0], *clients[2:]):
            with suppress(trio.BrokenResourceError):
                assert await read_to_end(client) == b""
            await trio.aclose_forcefully(client)
        await trio.aclose_forcefully(clients[1])

    async def test_address_is_free_after_the_end(self, rig: Rig) -> None:
        """A second server can bind the address of one that was cancelled; not while that one serves."""
        async with serving(rig) as server:
            address = server.address
            with pytest.raises(OSError, match=address):
                await rig.host.network.serve(
                    address, lambda wire: Recorder(wire, server.changed), task_status=trio.TASK_STATUS_IGNORED
                )
        async with trio.open_nursery() as nursery:
            listening = await nursery.start(
                lambda task_status: rig.host.network.serve(
                    address, lambda wire: Recorder(wire, server.changed), task_status=task_status
                )
            )
            assert listening.address == address
            nursery.cancel_scope.cancel()

    async def test_many_connections(self, rig: Rig) -> None:
        """Many clients are all served, and all are told of their end."""
        async with serving(rig, Echo) as server:
            clients = [await rig.connect(server.address) for _ in range(rig.crowd)]
            for number, client in enumerate(clients):
                await client.send_all(b"%d" % number)
            for number, client in enumerate(clients):
                assert await read_exactly(client, len(b"%d" % number)) == b"%d" % number
            for client in clients:
                await client.aclose()
            for recorder in server.recorders:
                await server.until(lambda recorder=recorder: recorder.is_closed)  # type: ignore[misc]
        assert len(server.recorders) == rig.crowd

    async def test_a_bug_ends_the_server(self, rig: Rig) -> None:
        """A conversation that raises takes the server down, and the others are still told."""

        def crash(_: bytes) -> None:
            raise RuntimeError("a bug")

        def is_the_bug(error: BaseException) -> bool:
            return isinstance(error, RuntimeError)

        recorders: list[Recorder] = []
        with pytest.raises(BaseException, match=r"bug|xception") as caught:  # noqa: PT012 - the way there
            async with serving(rig) as server:
                recorders = server.recorders
                client, other = await rig.connect(server.address), await rig.connect(server.address)
                await server.accepted(2)
                for recorder in recorders:
                    recorder.on_received = crash
                await client.send_all(b"x")
                await trio.sleep(30)
        if isinstance(caught.value, BaseExceptionGroup):
            assert caught.value.subgroup(is_the_bug)
        else:
            assert is_the_bug(caught.value)
        assert all(recorder.is_closed for recorder in recorders)
        for stream in (client, other):
            await trio.aclose_forcefully(stream)


class PeerContract:
    """`Network.listen` and `dial`."""

    async def test_streams(self, rig: Rig) -> None:
        """A dialed stream reaches a handler's stream; both ends carry bytes and see the other's end."""

        async def handler(stream: trio.abc.Stream) -> None:
            while data := await stream.receive_some(65536):
                await stream.send_all(data)

        data = pattern(1 << 20)
        async with (
            listening(rig, handler) as address,
            await rig.host.network.dial(address) as stream,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(stream.send_all, data)
            assert await read_exactly(stream, len(data)) == data

    async def test_handler_end_closes(self, rig: Rig) -> None:
        """When a handler returns its stream is closed: the dialer reads the end."""

        async def handler(stream: trio.abc.Stream) -> None:
            await stream.send_all(b"challenge")

        async with listening(rig, handler) as address, await rig.host.network.dial(address) as stream:
            assert await read_to_end(stream) == b"challenge"

    async def test_send_to_the_gone(self, rig: Rig) -> None:
        """Sending to a closed connection raises BrokenResourceError after some bytes at the latest."""
        async with listening(rig, _hang_up) as address, await rig.host.network.dial(address) as stream:
            assert await stream.receive_some(10) == b""
            with pytest.raises(trio.BrokenResourceError), trio.fail_after(30):  # noqa: PT012 - a loop
                while True:
                    await stream.send_all(b"x" * 1000)
                    await trio.sleep(0.001)

    async def test_closed_here(self, rig: Rig) -> None:
        """A stream closed at this end raises ClosedResourceError, also in a task that waits in it."""
        async with listening(rig, _stay) as address:
            stream = await rig.host.network.dial(address)
            async with trio.open_nursery() as nursery:

                async def read() -> None:
                    with pytest.raises(trio.ClosedResourceError):
                        await stream.receive_some(10)

                nursery.start_soon(read)
                await trio.testing.wait_all_tasks_blocked()
                await stream.aclose()
            with pytest.raises(trio.ClosedResourceError):
                await stream.send_all(b"x")

    async def test_nobody_listens(self, rig: Rig) -> None:
        """Dialing an address without a listener raises an OSError that names it."""
        async with listening(rig, _stay) as address:
            pass
        with pytest.raises(ConnectionRefusedError, match=address):
            await rig.host.network.dial(address)

    async def test_bounded(self, rig: Rig) -> None:
        """At most 64 connections are handled at once; the next is served when one ends."""
        handled = 0
        most = 0

        async def handler(stream: trio.abc.Stream) -> None:
            nonlocal handled, most
            handled += 1
            most = max(most, handled)
            await stream.send_all(b"hello")
            await stream.receive_some(1)
            handled -= 1

        async with listening(rig, handler) as address:
            streams = [await rig.host.network.dial(address) for _ in range(65)]
            for stream in streams[:64]:
                assert await read_exactly(stream, 5) == b"hello"
            with trio.move_on_after(0.05) as waited:
                await read_exactly(streams[64], 1)
            assert waited.cancelled_caught
            await streams[0].aclose()
            assert await read_exactly(streams[64], 5) == b"hello"
            for stream in streams[1:]:
                await stream.aclose()
        assert most == 64


async def _hang_up(stream: trio.abc.Stream) -> None:
    await stream.aclose()


async def _stay(_: trio.abc.Stream) -> None:
    await trio.sleep_forever()


@asynccontextmanager
async def listening(rig: Rig, handler: StreamHandler) -> AsyncIterator[str]:
    """Listen for peers for the time of a block."""
    async with trio.open_nursery() as nursery:
        bound: Listening = await nursery.start(
            lambda task_status: rig.host.network.listen(rig.any_address, handler, task_status=task_status)
        )
        yield bound.address
        bound.stop_accepting()
        nursery.cancel_scope.cancel()


class DiskContract:
    """`Host.disk`."""

    async def test_write_read_size(self, rig: Rig) -> None:
        """What is written is read back, with zeros in holes and a short read at the end."""
        file = await rig.host.disk.create("log")
        assert file.size() == 0
        await file.write(0, b"abc")
        await file.write_and_sync(1000, b"xyz")
        assert file.size() == 1003
        assert await file.read(0, 5) == b"abc\0\0"
        assert await file.read(998, 100) == b"\0\0xyz"
        assert await file.read(1003, 10) == b""
        assert await file.read(5000, 10) == b""
        await file.write(1, b"B")
        await file.sync()
        assert await file.read(0, 3) == b"aBc"
        file.close()

    async def test_open_sees_what_was_written(self, rig: Rig) -> None:
        """A second handle, now or after the first was closed, reads the same file."""
        file = await rig.host.disk.create("a")
        await file.write(0, b"1")
        second = await rig.host.disk.open("a")
        assert await second.read(0, 10) == b"1"
        file.close()
        file.close()
        await second.write(1, b"2")
        second.close()
        third = await rig.host.disk.open("a")
        assert await third.read(0, 10) == b"12"
        third.close()

    async def test_big_file(self, rig: Rig) -> None:
        """Megabytes in one call."""
        data = pattern(5 << 20)
        file = await rig.host.disk.create("big")
        await file.write_and_sync(7, data)
        assert await file.read(7, len(data)) == data
        file.close()

    async def test_after_close(self, rig: Rig) -> None:
        """A closed file refuses everything."""
        file = await rig.host.disk.create("a")
        file.close()
        for use in (file.write(0, b"x"), file.write_and_sync(0, b"x"), file.sync(), file.read(0, 1)):
            with pytest.raises(OSError, match="closed") as caught:
                await use
            assert caught.value.errno == errno.EBADF
        with pytest.raises(OSError, match="closed"):
            file.size()

    async def test_names(self, rig: Rig) -> None:
        """Names are sorted, per directory; an empty data directory shows none."""
        disk = rig.host.disk
        assert await disk.names("") == []
        assert await disk.names("wal") == []
        await disk.make_directory("wal/deep")
        await disk.make_directory("wal")
        for name in ("wal/2", "wal/1", "z"):
            (await disk.create(name)).close()
        assert await disk.names("") == ["wal", "z"]
        assert await disk.names("wal") == ["1", "2", "deep"]
        assert await disk.exists("wal")
        assert await disk.exists("wal/1")
        assert not await disk.exists("wal/3")
        await disk.sync_directory("wal")
        await disk.sync_directory("")

    async def test_create_and_open_errors(self, rig: Rig) -> None:
        """Create refuses a name that is there, open one that is not, both a missing directory."""
        disk = rig.host.disk
        (await disk.create("a")).close()
        with pytest.raises(FileExistsError):
            await disk.create("a")
        with pytest.raises(FileNotFoundError):
            await disk.open("b")
        with pytest.raises(FileNotFoundError):
            await disk.create("nowhere/a")
        with pytest.raises(FileNotFoundError):
            await disk.remove("b")
        with pytest.raises(FileNotFoundError):
            await disk.rename("b", "c")
        with pytest.raises(FileNotFoundError):
            await disk.sync_directory("nowhere")
        with pytest.raises(OSError, match=r"."):
            await disk.make_directory("a")

    async def test_rename_and_remove(self, rig: Rig) -> None:
        """Rename replaces; a handle goes on through rename and removal of its name."""
        disk = rig.host.disk
        old, new = await disk.create("old"), await disk.create("new")
        await old.write(0, b"old")
        await new.write(0, b"new")
        await disk.rename("old", "new")
        assert await disk.names("") == ["new"]
        assert await new.read(0, 9) == b"new"
        again = await disk.open("new")
        assert await again.read(0, 9) == b"old"
        await disk.remove("new")
        assert await disk.names("") == []
        await again.write(3, b"er")
        assert await again.read(0, 9) == b"older"
        for file in (old, new, again):
            file.close()

    async def test_cancellation_waits(self, rig: Rig) -> None:
        """A cancelled operation happens wholly or not at all, and is over when the await returns."""
        file = await rig.host.disk.create("a")
        with trio.CancelScope() as scope:
            scope.cancel()
            await file.write(0, b"never")
        assert scope.cancelled_caught
        assert file.size() == 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(file.write_and_sync, 0, bytes(1 << 20))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert file.size() == 1 << 20
        file.close()

    async def test_files_in_parallel(self, rig: Rig) -> None:
        """Operations on several files run side by side."""

        async def fill(name: str) -> None:
            file = await rig.host.disk.create(name)
            for at in range(20):
                await file.write_and_sync(at * 100, name.encode() * 10)
            assert file.size() == 1900 + len(name) * 10
            file.close()

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(fill, f"file{number}")
        assert len(await rig.host.disk.names("")) == 8

    async def test_close_during_an_operation(self, rig: Rig) -> None:
        """Closing a file while an operation runs lets that operation finish."""
        file = await rig.host.disk.create("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(file.write_and_sync, 0, b"x" * 1000)
            await trio.testing.wait_all_tasks_blocked()
            file.close()
        again = await rig.host.disk.open("a")
        assert again.size() == 1000
        again.close()


class SmallPartsContract:
    """Clock, entropy, memory."""

    async def test_clock(self, rig: Rig) -> None:
        """Both clocks advance with Trio's; boot time never goes back."""
        clock = rig.host.clock
        boot, wall = clock.boot_ms(), clock.wall_ms()
        await trio.sleep(0.02)
        assert 15 <= clock.boot_ms() - boot < 5000
        assert 15 <= clock.wall_ms() - wall < 5000
        assert wall > 1_600_000_000_000

    async def test_entropy(self, rig: Rig) -> None:
        """Bytes of the length asked for, that differ; integers in range."""
        entropy = rig.host.entropy
        assert len(entropy.bytes(16)) == 16
        assert entropy.bytes(16) != entropy.bytes(16)
        assert entropy.bytes(0) == b""
        assert {entropy.below(3) for _ in range(200)} == {0, 1, 2}

    async def test_resident_bytes(self, rig: Rig) -> None:
        """Known, or 0."""
        assert rig.host.resident_bytes() >= 0


class HostContract(ServeContract, PeerContract, DiskContract, SmallPartsContract):
    """All of it."""
