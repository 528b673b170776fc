"""What every host must do: run over the real one (`test_real.py`) and the simulated one (`tests/sim`)."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
import trio

from tests.host.rig import Rig, pattern, read_exactly, read_to_end
from tests.host.serve_contract import ServeContract
from trikv.host.seam import Listening, StreamHandler

T = TypeVar("T")


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

    async def test_send_at_once(self, rig: Rig) -> None:
        """`send_nowait` takes what fits and says how much; ``send_all`` goes on from there, in order."""
        received = bytearray()
        may_read = trio.Event()

        async def handler(stream: trio.abc.Stream) -> None:
            await may_read.wait()
            while data := await stream.receive_some(65536):
                received.extend(data)
            done.set()

        done = trio.Event()
        data = pattern(64 << 20)
        async with listening(rig, handler) as address:
            stream = await rig.host.network.dial(address)
            assert stream.send_nowait(data[:5]) == 5
            sent = 5
            while taken := stream.send_nowait(data[sent : sent + 100_000]):
                sent += taken
            assert sent < len(data), "a peer that does not read is not served without limit"
            may_read.set()
            await stream.send_all(data[sent : sent + 100_000])
            await stream.aclose()
            with trio.fail_after(30):
                await done.wait()
            assert received == data[: sent + 100_000]

    async def test_send_at_once_to_the_gone(self, rig: Rig) -> None:
        """`send_nowait` takes nothing if the connection is broken or closed; it never raises."""
        async with listening(rig, _hang_up) as address:
            stream = await rig.host.network.dial(address)
            assert await stream.receive_some(10) == b""
            with trio.fail_after(30):
                while stream.send_nowait(b"x" * 1000):  # noqa: ASYNC110 - no event tells what the kernel knows
                    await trio.sleep(0.001)
            await stream.aclose()
            assert stream.send_nowait(b"x") == 0

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
            lambda task_status: rig.host.network.listen(
                (rig.any_address,), handler, connections_max=64, task_status=task_status
            )
        )
        yield bound.addresses[0]
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
        assert boot + 15 <= clock.boot_us() // 1000 <= clock.boot_ms()
        short = clock.boot_us()
        assert 0 <= clock.boot_us() - short < 1_000_000
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

    async def test_lines_dropped(self, rig: Rig) -> None:
        """None, as long as nobody says otherwise."""
        assert rig.host.lines_dropped() == 0

    async def test_usage_and_system(self, rig: Rig) -> None:
        """Processor time never goes back, the peak is not below what is resident; nothing raises."""
        before, resident = rig.host.usage(), rig.host.resident_bytes()
        after = rig.host.usage()
        assert after.user_s + after.system_s >= before.user_s + before.system_s >= before.main_thread_user_s
        assert after.resident_peak_bytes >= resident * 0.9  # the kernel counts the two in batches of its own
        system = rig.host.system()
        assert system.memory_bytes >= resident
        assert (system.name == "") == (system.memory_bytes == 0)


class HostContract(ServeContract, PeerContract, DiskContract, SmallPartsContract):
    """All of it."""
