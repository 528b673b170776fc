"""Serving conversations over any Trio stream, a few tasks a connection: the general way.

The hub (`trikv.host.hub`) is faster and needs epoll and bare TCP. This server needs neither. It is for
platforms without epoll, for streams that are no sockets (TLS), and for the simulator, whose streams are in
memory. Both keep the contract of `trikv.host.seam` and pass the same tests.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

import attrs
import trio

from trikv.host.endings import DRAIN_S, FLUSH_S, Lingering
from trikv.host.seam import ConversationFactory, Listening, StreamHandler, Traffic
from trikv.host.wire import Conversation

READ_BYTES = 65536
WRITE_BYTES = 65536
"""Most bytes that the stream is given in one call; `unsent_bytes` falls in steps of this."""


@attrs.frozen
class Accepted:
    """A new connection, and the names of its ends for the log and for CLIENT LIST."""

    stream: trio.abc.Stream
    remote: str
    local: str


class Acceptor(Protocol):
    """A bound address that yields streams. It handles what fails before a stream exists."""

    address: str

    async def accept(self) -> Accepted:
        """The next connection. Raises `trio.ClosedResourceError` once `stop_accepting` was called."""

    def stop_accepting(self) -> None:
        """Close the listening side; connections go on."""


class StreamWire:
    """`trikv.host.wire.Wire` over a stream. Its methods only set state; two tasks act on it."""

    def __init__(self, remote: str, local: str, lingering: Lingering, traffic: Traffic) -> None:
        self.remote = remote
        self._traffic = traffic
        self.local = local
        self._queue: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._paused = False
        self._closing = False
        self._flushed = False
        self._may_read = trio.Event()
        self._may_write = trio.Event()
        self._reading = trio.CancelScope()
        self._serving = trio.CancelScope()
        self._draining = trio.CancelScope()
        self._lingering = lingering

    def send(self, data: bytes) -> int:
        """Queue `data` for the writer's task; return what `unsent_bytes` says then."""
        if not self._closing and data:
            self._queue.append(data)
            self._unsent_bytes += len(data)
            self._may_write.set()
        return self._unsent_bytes

    def unsent_bytes(self) -> int:
        """Bytes that the stream has not taken."""
        return self._unsent_bytes

    def pause(self) -> None:
        """Hold the reader before its next read, or what that read brings."""
        if not self._paused:
            self._paused = True
            self._may_read = trio.Event()

    def resume(self) -> None:
        """Let the reader go on."""
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
            self._lingering.flush(self)

    def abort(self) -> None:
        """Stop reader and writer; what is queued is lost. Harmless twice."""
        self._closing = True
        self._queue.clear()
        self._unsent_bytes = 0
        self._serving.cancel()

    def give_up(self) -> None:
        """Stop everything, the draining too."""
        self.abort()
        self._draining.cancel()

    async def serve(self, stream: trio.abc.Stream, factory: ConversationFactory) -> None:
        """Serve one connection from its beginning until it is drained.

        The caller cleans up: it closes `stream`, and takes this wire out of its `Lingering`.
        """
        conversation = factory(self)
        try:
            with self._serving:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read, stream, conversation)
                    await self._write(
                        stream, conversation
                    )  # returns when a closing wire is flushed, which ends the reader
                self._flushed = not self._serving.cancel_called
        finally:
            self.abort()
            conversation.closed()
        if self._flushed:
            self._lingering.drain(self)
            self._draining.deadline = trio.current_time() + DRAIN_S
            with self._draining:
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

    async def _write(self, stream: trio.abc.Stream, conversation: Conversation) -> None:
        """Send until the queue of a closing wire is empty."""
        while True:
            while self._queue:
                piece = self._take()
                size = len(piece)
                try:
                    await stream.send_all(piece)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.abort()
                    await trio.lowlevel.checkpoint()
                    return
                self._traffic.sent_bytes += size
                self._traffic.writes += 1
                self._unsent_bytes = max(0, self._unsent_bytes - size)
            if self._closing:
                return
            self._may_write = trio.Event()
            conversation.drained()
            await self._may_write.wait()

    def _take(self) -> bytes:
        """The next bytes for the stream: many small answers as one, a large one in pieces."""
        piece = self._queue.popleft()
        if len(piece) > WRITE_BYTES:
            # Copies, not views: what is sent is then free, and `unsent_bytes` is what is held.
            cut = [piece[at : at + WRITE_BYTES] for at in range(0, len(piece), WRITE_BYTES)]
            self._queue.extendleft(reversed(cut))
            return self._queue.popleft()
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
    """Half-close, and throw away what still comes, so that no reset overtakes the last words."""
    try:
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
            while await stream.receive_some(READ_BYTES):
                pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


@attrs.frozen
class Acceptors:
    """Some acceptors together: `trikv.host.seam.Listening`."""

    each: Sequence[Acceptor]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of all acceptors, in their order."""
        return tuple(acceptor.address for acceptor in self.each)

    def stop_accepting(self) -> None:
        """Stop all of them; connections go on."""
        for acceptor in self.each:
            acceptor.stop_accepting()


async def serve_streams(
    acceptors: Sequence[Acceptor],
    factory: ConversationFactory,
    traffic: Traffic,
    lingering: Lingering,
    *,
    task_status: trio.TaskStatus[Listening],
) -> None:
    """Give each connection a conversation, until cancelled. `traffic` and `lingering` are the host's."""

    async def one(accepted: Accepted) -> None:
        try:
            wire = StreamWire(accepted.remote, accepted.local, lingering, traffic)
            try:
                await wire.serve(accepted.stream, factory)
            finally:
                lingering.leave(wire)
        finally:
            await trio.aclose_forcefully(accepted.stream)

    await _accept_all(acceptors, one, task_status=task_status)


async def listen_streams(
    acceptors: Sequence[Acceptor],
    handler: StreamHandler,
    *,
    connections_max: int,
    task_status: trio.TaskStatus[Listening],
) -> None:
    """Give each peer connection a task of `handler`, at most `connections_max` at once, until cancelled.

    Beyond the limit new connections wait unaccepted, so strangers cost no memory here.
    """
    # An acceptor that waits holds a slot. With one more for each beyond the first, none starves another.
    slots = trio.Semaphore(connections_max + len(acceptors) - 1)

    async def one(accepted: Accepted) -> None:
        try:
            await handler(accepted.stream)
        finally:
            slots.release()
            await trio.aclose_forcefully(accepted.stream)

    await _accept_all(acceptors, one, task_status=task_status, slots=slots)


async def _accept_all(
    acceptors: Sequence[Acceptor],
    serve_one: Callable[[Accepted], Awaitable[None]],
    *,
    task_status: trio.TaskStatus[Listening],
    slots: trio.Semaphore | None = None,
) -> None:
    listening = Acceptors(acceptors)
    try:
        async with trio.open_nursery() as nursery:

            async def accept(acceptor: Acceptor) -> None:
                with suppress(trio.ClosedResourceError):
                    while True:
                        if slots is not None:
                            await slots.acquire()
                        nursery.start_soon(serve_one, await acceptor.accept())

            task_status.started(listening)
            first, *others = acceptors
            for acceptor in others:
                nursery.start_soon(accept, acceptor)
            await accept(first)
            await trio.sleep_forever()
    finally:
        listening.stop_accepting()
