"""Serving clients by one task over its own epoll: every ready socket is served in one wake-up.

A task per connection costs two trips through Trio's scheduler for each command (68k/s where this does
133k/s, ARCHITECTURE 6). Here one task waits until the epoll *itself* is readable, and then serves all that
is ready: at most one ``recv`` and one ``sendmsg`` a socket, so that a busy client cannot starve another,
and then it waits again, which gives every other Trio task its turn.

Three rules keep it simple:

- A conversation's `closed` is called from the hub's own turn, never from inside a `Wire` method: logic
  that sends is never surprised by its own end. Whoever ends a connection puts it on `Hub.gone` and, when
  the hub sleeps, wakes it through an eventfd.
- `pause` is only a flag. The epoll interest is dropped when data does arrive on a paused socket, so the
  usual short pause costs no system call.
- After `close` the socket is flushed, half-closed, and drained for a second: closing a socket that holds
  unread input makes the kernel send a reset, which would destroy the last words still on their way.
"""

import contextlib
import errno
import os
import select
import socket
from collections import deque

import structlog
import trio

from trikv.host.seam import Conversation, ConversationFactory
from trikv.host.sockets import endpoint
from trikv.host.wires import DRAIN_S, FLUSH_S

log = structlog.get_logger()

RECV_BYTES = 65536
"""What one read takes at most: also the size of the largest submission (PROTOCOL 5)."""
ACCEPTS_MAX = 64
"""Connections accepted in one wake-up; the rest is accepted in the next."""
PIECES_MAX = 64
"""Queued pieces one ``sendmsg`` takes (the kernel's limit is 1024)."""
ACCEPT_RETRY_S = 0.1
DRAINING_MAX = 256
"""Half-closed sockets kept for `DRAIN_S`; beyond, the oldest is closed: descriptors are not for free."""

_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_IN, _OUT = 1, 4  # EPOLLIN and EPOLLOUT: `select` lacks the names where there is no epoll
_DEAD = 8 | 16  # EPOLLERR | EPOLLHUP: reported whether asked for or not


class HubWire:
    """One client connection of the hub: `trikv.host.seam.Wire`."""

    __slots__ = (
        "_closing",
        "_hub",
        "_interest",
        "_queue",
        "_unsent_bytes",
        "conversation",
        "ended",
        "fd",
        "local",
        "paused",
        "remote",
        "sock",
    )

    def __init__(self, hub: "Hub", sock: socket.socket, remote: str, local: str) -> None:
        self.remote = remote
        self.local = local
        self.sock = sock
        self.fd = sock.fileno()
        self.conversation: Conversation | None = None
        """None once the connection is gone: that breaks the cycle between the two."""
        self.paused = False
        self.ended = False
        self._hub = hub
        self._interest = _IN
        self._queue: deque[bytes | memoryview] = deque()
        self._unsent_bytes = 0
        self._closing = False

    def send(self, data: bytes) -> None:
        """Send at once when nothing waits; else queue."""
        if self._closing or not data:
            return
        if self._queue:
            self._queue.append(data)
            self._unsent_bytes += len(data)
            return
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            return
        if sent != len(data):
            self._queue.append(memoryview(data)[sent:])
            self._unsent_bytes = len(data) - sent
            self.update_interest()

    def unsent_bytes(self) -> int:
        """Bytes in the queue."""
        return self._unsent_bytes

    def pause(self) -> None:
        """Set the flag; the epoll learns of it only if data comes meanwhile."""
        self.paused = True

    def resume(self) -> None:
        """Take the flag back."""
        self.paused = False
        if not self._closing:
            self.update_interest()

    def close(self) -> None:
        """Read no more; flush for at most `FLUSH_S`, then close."""
        if self._closing:
            return
        self._closing = True
        if self._queue:
            self.update_interest()
            self._hub.flush_later(self)
        else:
            self._hub.half_close(self)

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._queue.clear()
        self._unsent_bytes = 0
        self._hub.drop(self)

    def update_interest(self) -> None:
        """Tell the epoll what this wire waits for, if that changed."""
        interest = _OUT if self._queue else 0
        if not (self.paused or self.ended or self._closing):
            interest |= _IN
        if interest != self._interest:
            self._interest = interest
            self._hub.epoll.modify(self.fd, interest)

    def flush(self) -> None:
        """Send what one ``sendmsg`` takes; half-close when a closing wire has nothing left."""
        queue = self._queue
        try:
            sent = self.sock.sendmsg([queue[at] for at in range(min(len(queue), PIECES_MAX))])
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        self._unsent_bytes -= sent
        while sent:
            piece = queue.popleft()
            if sent < len(piece):
                queue.appendleft(memoryview(piece)[sent:])
                break
            sent -= len(piece)
        if not queue:
            self.update_interest()
            if self._closing:
                self._hub.half_close(self)

    def read(self) -> None:
        """One ``recv``, handed to the conversation."""
        if self.paused or self.ended or self._closing:
            self.update_interest()
            return
        assert self.conversation is not None
        try:
            data = self.sock.recv(RECV_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        if data:
            self.conversation.received(data)
        else:
            self.ended = True
            self.update_interest()
            self.conversation.ended()

    def serve(self, events: int) -> None:
        """Act on what the epoll reported."""
        if events & _OUT and self._queue:
            self.flush()
        if events & _DEAD and not (self._interest & _IN and events & _IN):
            # A reset while nothing is read: no later call would notice, and the epoll would spin.
            self.abort()
        elif events & _IN and self.conversation is not None:
            self.read()


class Hub:
    """Serves the connections of one listening socket until cancelled."""

    def __init__(self, listener: socket.socket, factory: ConversationFactory) -> None:
        self.address = endpoint(listener.getsockname())
        self.epoll = select.epoll()
        self._factory = factory
        self._listener: socket.socket | None = listener
        self._listener_fd = listener.fileno()
        self._wires: dict[int, HubWire] = {}
        self._gone: list[Conversation] = []
        self._flushing: dict[HubWire, float] = {}
        self._draining: dict[int, tuple[socket.socket, float]] = {}
        self._accept_again_at = float("inf")
        self._warned = False
        self._busy = False
        self._wakeup_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.epoll.register(self._wakeup_fd, _IN)
        self.epoll.register(self._listener_fd, _IN)

    async def run(self) -> None:
        """Serve until cancelled, then abort all. A conversation that raises ends the server: it is a bug."""
        fd = self.epoll.fileno()
        try:
            while True:
                deadline = self._next_deadline()
                if deadline == float("inf"):
                    await trio.lowlevel.wait_readable(fd)
                else:
                    with trio.move_on_at(deadline):
                        await trio.lowlevel.wait_readable(fd)
                self._busy = True
                self._turn()
                if deadline != float("inf"):
                    self._expire(trio.current_time())
                self._say_closed()
                self._busy = False
        finally:
            self._end()

    def stop_accepting(self) -> None:
        """Close the listening socket; connections go on."""
        if self._listener is not None:
            self._listener.close()  # which takes it out of the epoll
            self._listener = None
            self._accept_again_at = float("inf")

    # What wires ask for.

    def flush_later(self, wire: HubWire) -> None:
        """`wire` is closing and has bytes left: give it until `FLUSH_S` from now."""
        self._flushing[wire] = trio.current_time() + FLUSH_S
        self._wake()

    def half_close(self, wire: HubWire) -> None:
        """All is sent: tell the peer, let the conversation go, and drain what the peer still sends."""
        try:
            wire.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop(wire)
            return
        if wire.ended:
            self.drop(wire)
            return
        self._release(wire)
        if len(self._draining) >= DRAINING_MAX:
            self._close_drained(next(iter(self._draining)))
        self._draining[wire.fd] = (wire.sock, trio.current_time() + DRAIN_S)
        self.epoll.modify(wire.fd, _IN)

    def drop(self, wire: HubWire) -> None:
        """Close the socket now (harmless when that was done)."""
        if self._release(wire):
            wire.sock.close()
            self._room_again()

    # The turn.

    def _turn(self) -> None:
        wires = self._wires
        accepting = False
        for fd, events in self.epoll.poll(0):
            wire = wires.get(fd)
            if wire is not None:
                wire.serve(events)
            elif fd == self._listener_fd and self._listener is not None:
                # Last: a descriptor freed in this turn must not be reused while its events are in the list.
                accepting = True
            elif fd == self._wakeup_fd:
                os.eventfd_read(fd)
            elif fd in self._draining:
                self._drain(fd)
        if accepting:
            self._accept()

    def _accept(self) -> None:
        for _ in range(ACCEPTS_MAX):
            if self._listener is None:  # a new conversation's factory may stop it
                return
            try:
                sock, peer = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    continue  # that one connection died while it waited (ECONNABORTED and the like)
                self._stop_for_want_of_room(error)
                return
            self._warned = False
            sock.setblocking(False)
            wire = HubWire(self, sock, endpoint(peer), endpoint(sock.getsockname()))
            self._wires[wire.fd] = wire
            self.epoll.register(wire.fd, _IN)
            wire.conversation = self._factory(wire)
            if self._wires.get(wire.fd) is not wire:  # the factory ended it: it was released without one
                self._gone.append(wire.conversation)
                wire.conversation = None

    def _stop_for_want_of_room(self, error: OSError) -> None:
        self.epoll.modify(self._listener_fd, 0)
        self._accept_again_at = trio.current_time() + ACCEPT_RETRY_S
        if not self._warned:  # once, until a connection is accepted again
            self._warned = True
            log.warning(
                "cannot accept connections", address=self.address, error=error.strerror, open=len(self._wires)
            )

    def _room_again(self) -> None:
        if self._listener is not None and self._accept_again_at != float("inf"):
            self._accept_again_at = float("inf")
            self.epoll.modify(self._listener_fd, _IN)

    def _drain(self, fd: int) -> None:
        try:
            if self._draining[fd][0].recv(RECV_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close_drained(fd)

    def _close_drained(self, fd: int) -> None:
        sock, _ = self._draining.pop(fd)
        sock.close()
        self._room_again()

    # Time. Both waits are constant, so insertion order is the order of the deadlines.

    def _next_deadline(self) -> float:
        deadline = self._accept_again_at
        if self._flushing:
            deadline = min(deadline, next(iter(self._flushing.values())))
        if self._draining:
            deadline = min(deadline, next(iter(self._draining.values()))[1])
        return deadline

    def _expire(self, now: float) -> None:
        for wire in [wire for wire, deadline in self._flushing.items() if deadline <= now]:
            wire.abort()
        for fd in [fd for fd, (_, deadline) in self._draining.items() if deadline <= now]:
            self._close_drained(fd)
        if self._accept_again_at <= now:
            self._room_again()

    # The end of connections.

    def _release(self, wire: HubWire) -> bool:
        """Take `wire` out of service; its conversation hears of it in the hub's turn."""
        if self._wires.get(wire.fd) is not wire:
            return False
        del self._wires[wire.fd]
        self._flushing.pop(wire, None)
        if wire.conversation is not None:
            self._gone.append(wire.conversation)
            wire.conversation = None
        self._wake()
        return True

    def _say_closed(self) -> None:
        while self._gone:
            self._gone.pop().closed()

    def _wake(self) -> None:
        """Make the sleeping hub take a turn (a call from another task changed what it waits for)."""
        if not self._busy:
            os.eventfd_write(self._wakeup_fd, 1)

    def _end(self) -> None:
        self._busy = True  # the epoll goes away: nothing may be woken from here on
        self.stop_accepting()
        for wire in list(self._wires.values()):
            wire.abort()
        for sock, _ in self._draining.values():
            sock.close()
        self._draining.clear()
        self.epoll.close()
        os.close(self._wakeup_fd)
        with contextlib.ExitStack() as stack:  # each is told, even when another one's `closed` raises
            for conversation in self._gone:
                stack.callback(conversation.closed)
            self._gone.clear()
