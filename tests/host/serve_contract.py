"""The contract of serving clients: every host keeps it, hub and streams, real and simulated."""

from contextlib import suppress

import attrs
import pytest
import trio

from tests.host.rig import Echo, Recorder, Rig, pattern, read_exactly, read_to_end, serving
from trikv.host.wire import Wire


class ServeContract:
    """`Network.serve`: subclasses give the fixture `rig`."""

    async def test_echo(self, rig: Rig) -> None:
        """Bytes reach the conversation and its answers the client, in order, over several turns."""
        async with serving(rig, Echo) as server, await rig.connect(server.address) as client:
            for word in (b"one", b"two", b"three"):
                await client.send_all(word)
                assert await read_exactly(client, len(word)) == word

    async def test_traffic_is_counted(self, rig: Rig) -> None:
        """Bytes that conversations were given and that the kernel took, of all connections, are counted."""
        traffic = rig.host.network.traffic
        async with serving(rig, Echo) as server, await rig.connect(server.address) as client:
            before = attrs.astuple(traffic)
            await client.send_all(b"x" * 10)
            await read_exactly(client, 10)
            expected = (before[0] + 10, before[1] + 10, before[2] + 1, before[3] + 1)
            with trio.fail_after(10):
                while attrs.astuple(traffic) != expected:  # noqa: ASYNC110 - a stream counts when it has sent
                    await trio.sleep(0.001)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.send_all, b"y" * 300_000)
                await read_exactly(client, 300_000)
            with trio.fail_after(10):
                while traffic.sent_bytes != before[1] + 300_010:  # noqa: ASYNC110 - the same
                    await trio.sleep(0.001)
            assert traffic.received_bytes == before[0] + 300_010

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
        """Bytes that a client does not read wait, are counted, and are not lost; sends stay in order."""
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

    async def test_those_who_linger_are_bounded(self, rig: Rig) -> None:
        """Closed connections whose clients stay are held only up to a limit; the oldest go first."""
        rig.host.network.lingering.most = 3
        async with serving(rig) as server:
            clients = [await rig.connect(server.address) for _ in range(8)]
            await server.accepted(8)
            recorders = sorted(server.recorders, key=lambda one: one.wire.remote)
            for recorder in recorders[:4]:  # all is sent: they are drained
                recorder.wire.send(b"bye")
                recorder.wire.close()
            await server.until(lambda: all(one.is_closed for one in recorders[:4]))
            for recorder in recorders[4:]:  # much is not sent yet: they are flushed
                recorder.wire.send(bytes(rig.big_bytes // 2))
                recorder.wire.close()
            await server.until(lambda: sum(one.is_closed for one in recorders[4:]) == 1)
            assert sum(one.wire.unsent_bytes() > 0 for one in recorders[4:]) == 3
            for client in clients:
                await trio.aclose_forcefully(client)
            await server.until(lambda: all(one.is_closed for one in recorders))

    async def test_those_who_linger_are_bounded_however_many_serve(self, rig: Rig) -> None:
        """Two servers of one host share the limit: the newest at one ends what waits longest at the other."""
        lingering = rig.host.network.lingering
        lingering.most = 2
        async with serving(rig) as one, serving(rig) as another:
            clients = [await rig.connect(server.address) for server in (one, another, another)]
            await one.accepted()
            await another.accepted(2)
            oldest, *others = [one.recorders[0], *another.recorders]
            for recorder in (oldest, *others):
                assert not oldest.is_closed
                recorder.wire.send(bytes(rig.big_bytes // 2))
                recorder.wire.close()
            await one.until(lambda: oldest.is_closed)
            assert [recorder.wire.unsent_bytes() > 0 for recorder in (oldest, *others)] == [False, True, True]
            assert lingering.count() == 2
            for client in clients:
                await trio.aclose_forcefully(client)
            await another.until(lambda: all(recorder.is_closed for recorder in others))
        assert lingering.count() == 0

    async def test_several_addresses(self, rig: Rig) -> None:
        """All get the same port if the system chooses it; all stop accepting together."""
        host = rig.any_address.rpartition(":")[0]
        async with serving(rig, Echo, addresses=(rig.any_address, rig.another_address)) as server:
            first, second = server.listening.addresses
            assert first.startswith(f"{host}:")
            assert first.rpartition(":")[2] == second.rpartition(":")[2] != "0"
            for address in (first, second):
                async with await rig.connect(address) as client:
                    await client.send_all(b"x")
                    assert await read_exactly(client, 1) == b"x"
                    assert server.recorders[-1].wire.local == address
            client = await rig.connect(second)
            await server.accepted(3)
            server.listening.stop_accepting()
            for address in (first, second):
                with pytest.raises(OSError, match=r"."):
                    await rig.connect(address)
            await client.send_all(b"still here")
            assert await read_exactly(client, 10) == b"still here"
            await trio.aclose_forcefully(client)

    async def test_all_addresses_or_none(self, rig: Rig) -> None:
        """If one of several cannot be bound, none is."""
        async with serving(rig, addresses=(rig.another_address,)) as server:
            free = rig.any_address.rpartition(":")[0] + ":" + server.address.rpartition(":")[2]
            with pytest.raises(OSError, match=server.address):
                await rig.host.network.serve(
                    (free, server.address),
                    lambda wire: Recorder(wire, server.changed),
                    task_status=trio.TASK_STATUS_IGNORED,
                )
            with pytest.raises(OSError, match=r"."):
                await rig.connect(free)

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
                    (address,),
                    lambda wire: Recorder(wire, server.changed),
                    task_status=trio.TASK_STATUS_IGNORED,
                )
        async with trio.open_nursery() as nursery:
            listening = await nursery.start(
                lambda task_status: rig.host.network.serve(
                    (address,), lambda wire: Recorder(wire, server.changed), task_status=task_status
                )
            )
            assert list(listening.addresses) == [address]
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
