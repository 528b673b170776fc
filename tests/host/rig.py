"""The base of the host's contract: a rig, and conversations that record what they are told."""

import contextlib
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from trikv.host.seam import Address, Host, Listening
from trikv.host.wire import Wire

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
        """A number of clients that is large for this host."""

    @property
    def any_address(self) -> str:
        """An address of the host with port 0."""

    @property
    def another_address(self) -> str:
        """Of the same host, under another name or number, with port 0."""

    async def connect(self, address: str) -> trio.abc.HalfCloseableStream:
        """A client's connection, outside the host."""

    def reset(self, stream: trio.abc.HalfCloseableStream) -> None:
        """Close the client's side with a reset."""

    def shorten_flush(self) -> float:
        """Make the host wait less for its last bytes, if waiting is real; how long it waits, in s."""


class Recorder:
    """A conversation that records what happens to it, and does what a test tells it to."""

    def __init__(self, wire: Wire, changed: trio.lowlevel.ParkingLot) -> None:
        self.wire = wire
        self.data = bytearray()
        self.calls: list[str] = []
        self.drained_count = 0
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

    def drained(self) -> None:
        self.drained_count += 1

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
        self.address = listening.addresses[0]
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
async def serving(
    rig: Rig,
    kind: type[Recorder] = Recorder,
    addresses: tuple[Address, ...] = (),
) -> AsyncIterator[Server]:
    """Serve conversations of `kind` for the time of a block, at any address if not told where."""
    addresses = addresses or (rig.any_address,)
    changed = trio.lowlevel.ParkingLot()
    recorders: list[Recorder] = []

    def factory(wire: Wire) -> Recorder:
        recorders.append(kind(wire, changed))
        changed.unpark_all()
        return recorders[-1]

    async with trio.open_nursery() as nursery:
        listening = await nursery.start(
            lambda task_status: rig.host.network.serve(addresses, factory, task_status=task_status)
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


def descriptors() -> set[tuple[str, str]]:
    """Number and object of each descriptor that this process has open.

    Compare them as sets: the thread of an earlier test may close one meanwhile.
    """
    found = set()
    for link in Path("/dev/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the directory itself
            found.add((link.name, str(link.readlink())))
    return found
