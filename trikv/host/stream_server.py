"""Serving conversations over any Trio stream, a few tasks a connection: the general way.

The hub (`trikv.host.hub`) is faster and needs epoll and bare TCP. This one serves where there is no epoll,
where the stream is not a socket (TLS), and in the simulator, whose streams are made of memory. Both keep
the contract of `trikv.host.seam` and pass the same tests.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
import trio

from trikv.host.seam import Conversation, ConversationFactory, Listening, StreamHandler, Traffic
from trikv.host.wires import DRAIN_S, FLUSH_S

READ_BYTES = 65536
WRITE_BYTES = 65536
"""Handed to the stream at once; `unsent_bytes` falls in steps of this."""
PEER_CONNECTIONS_MAX = 64
"""Accepted peer connections served at once: two a peer in the largest cluster, and room for strangers,
which are closed within 5 s by the node."""


@attrs.frozen
class Accepted:
    """A new connection."""

    stream: trio.abc.Stream
    remote: str
    local: str


class Acceptor(Protocol):
    """A bound address that yields streams. It handles what fails before a stream exists."""

    address: str

    async def accept(self) -> Accepted:
        """The next connection. `trio.ClosedResourceError` once `stop_accepting` was called."""

    def stop_accepting(self) -> None:
        """Close the listening side."""


class StreamWire:
    """`trikv.host.seam.Wire` over a stream. Its methods only set state; two tasks act on it."""

    def __init__(self, remote: str, local: str, traffic: Traffic) -> None:
        self.remote = remote
        self._traffic = traffic
        self.local = local
        self._queue: deque[bytes | memoryview] = deque()
        self._unsent_bytes = 0
        self._paused = False
        self._closing = False
        self._flushed = False
        self._may_read = trio.Event()
        self._may_write = trio.Event()
        self._reading = trio.CancelScope()
        self._serving = trio.CancelScope()

    def send(self, data: bytes) -> int:
        """Queue `data`."""
        if not self._closing and data:
            self._queue.append(data)
            self._unsent_bytes += len(data)
            self._may_write.set()
        return self._unsent_bytes

    def unsent_bytes(self) -> int:
        """What the stream has not taken."""
        return self._unsent_bytes

    def pause(self) -> None:
        """Hold the reader before its next read, or what that read brings."""
        if not self._paused:
            self._paused = True
            self._may_read = trio.Event()

    def resume(self) -> None:
        """Let it go on."""
        if self._paused:
            self._paused = False
            self._may_read.set()

    def close(self) -> None:
        """Stop the reader; the writer ends when all is sent."""
        if not self._closing:
            self._closing = True
            self._reading.cancel()
            self._may_write.set()
            self._serving.deadline = trio.current_time() + FLUSH_S

    def abort(self) -> None:
        """Stop both."""
        self._closing = True
        self._queue.clear()
        self._unsent_bytes = 0
        self._serving.cancel()

    async def serve(self, stream: trio.abc.Stream, factory: ConversationFactory) -> None:
        """Live through one connection."""
        conversation = factory(self)
        try:
            with self._serving:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, stream, conversation)
                    await self._write(stream)
                self._flushed = not self._serving.cancel_called
        finally:
            self.abort()
            conversation.closed()
        if self._flushed:
            with trio.move_on_after(DRAIN_S):
                await _drain(stream)

    async def _read(self, stream: trio.abc.Stream, conversation: Conversation) -> None:
        with self._reading:
            while True:
                try:
                    data = await stream.receive_some(READ_BYTES)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.abort()
                    return
                while self._paused:
                    await self._may_read.wait()
                if self._closing:
                    return
                if not data:
                    conversation.ended()
                    return
                self._traffic.received_bytes += len(data)
                self._traffic.reads += 1
                conversation.received(bytes(data))

    async def _write(self, stream: trio.abc.Stream) -> None:
        """Send until the queue of a closing wire is empty."""
        while True:
            while self._queue:
                piece = self._take()
                try:
                    await stream.send_all(piece)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.abort()
                    await trio.lowlevel.checkpoint()
                    return
                self._traffic.sent_bytes += len(piece)
                self._traffic.writes += 1
                self._unsent_bytes = max(0, self._unsent_bytes - len(piece))
            if self._closing:
                return
            self._may_write = trio.Event()
            await self._may_write.wait()

    def _take(self) -> bytes | memoryview:
        """The next bytes to hand over: many small answers as one, a big one in pieces."""
        piece = self._queue.popleft()
        if len(piece) > WRITE_BYTES:
            view = memoryview(piece)
            self._queue.appendleft(view[WRITE_BYTES:])
            return view[:WRITE_BYTES]
        if not self._queue:
            return piece
        pieces = [piece]
        taken_bytes = len(piece)
        while self._queue and taken_bytes + len(self._queue[0]) <= WRITE_BYTES:
            piece = self._queue.popleft()
            pieces.append(piece)
            taken_bytes += len(piece)
        return b"".join(pieces)


async def _drain(stream: trio.abc.Stream) -> None:
    """Say that no more will come, and throw away what does, so that no reset overtakes the last words."""
    try:
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
            while await stream.receive_some(READ_BYTES):
                pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


async def serve_streams(
    acceptor: Acceptor,
    factory: ConversationFactory,
    traffic: Traffic,
    *,
    task_status: trio.TaskStatus[Listening],
) -> None:
    """Give each connection a conversation, until cancelled."""

    async def one(accepted: Accepted) -> None:
        try:
            await StreamWire(accepted.remote, accepted.local, traffic).serve(accepted.stream, factory)
        finally:
            await trio.aclose_forcefully(accepted.stream)

    await _accept_all(acceptor, one, task_status=task_status)


async def listen_streams(
    acceptor: Acceptor,
    handler: StreamHandler,
    *,
    connections_max: int,
    task_status: trio.TaskStatus[Listening],
) -> None:
    """Give each peer connection a task of `handler`, at most `connections_max` at once, until cancelled.

    Beyond the limit new connections wait unaccepted: strangers cost no memory here.
    """
    slots = trio.Semaphore(connections_max)

    async def one(accepted: Accepted) -> None:
        try:
            await handler(accepted.stream)
        finally:
            slots.release()
            await trio.aclose_forcefully(accepted.stream)

    await _accept_all(acceptor, one, task_status=task_status, slots=slots)


async def _accept_all(
    acceptor: Acceptor,
    serve_one: Callable[[Accepted], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[Listening],
    slots: trio.Semaphore | None = None,
) -> None:
    try:
        async with trio.open_nursery() as nursery:
            task_status.started(acceptor)
            try:
                while True:
                    if slots is not None:
                        await slots.acquire()
                    nursery.start_soon(serve_one, await acceptor.accept())
            except trio.ClosedResourceError:
                await trio.sleep_forever()
    finally:
        acceptor.stop_accepting()
