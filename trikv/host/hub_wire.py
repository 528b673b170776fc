"""One client connection of the hub: the socket, its queue and its place in the epoll."""

import socket
from collections import deque
from typing import Protocol

from trikv.host.cork import Cork
from trikv.host.seam import Traffic
from trikv.host.wire import Conversation

RECV_BYTES = 65536
"""Most bytes that one read takes. It bounds a submission, too (PROTOCOL 5)."""
PIECES_MAX = 64
"""Queued pieces that one ``sendmsg`` takes (the kernel's limit is 1024)."""

IN, OUT = 1, 4  # EPOLLIN and EPOLLOUT: `select` lacks the names on a platform without epoll
DEAD = 8 | 16  # EPOLLERR | EPOLLHUP: reported whether one asks for them or not


class Owner(Protocol):
    """What a wire asks of its hub."""

    cork: Cork
    traffic: Traffic

    def modify(self, wire: "HubWire", interest: int) -> None:
        """Let the epoll report these events of `wire`."""

    def flush_later(self, wire: "HubWire") -> None:
        """`wire` is closing and has bytes left: give it `trikv.host.endings.FLUSH_S`."""

    def half_close(self, wire: "HubWire") -> None:
        """All is sent: tell the peer, let the conversation go, and drain what the peer still sends."""

    def drop(self, wire: "HubWire") -> None:
        """Close the socket now. Harmless if that was done."""

    def give_up(self, wire: "HubWire") -> None:
        """End a closed connection, whether it has bytes left or is drained."""


class HubWire:
    """One client connection of the hub: `trikv.host.wire.Wire`."""

    __slots__ = (
        "_closing",
        "_cork",
        "_held_bytes",
        "_hub",
        "_interest",
        "_queue",
        "_traffic",
        "conversation",
        "ended",
        "fd",
        "local",
        "paused",
        "remote",
        "sock",
    )

    def __init__(self, hub: Owner, sock: socket.socket, remote: str, local: str) -> None:
        self.remote = remote
        self.local = local
        self.sock = sock
        self.fd = sock.fileno()
        self.conversation: Conversation | None = None
        """None once the connection is gone: that breaks the cycle between the two."""
        self.paused = False
        self.ended = False
        self._hub = hub
        self._cork = hub.cork
        self._traffic = hub.traffic
        self._interest = IN
        self._queue: deque[bytes | memoryview] = deque()
        self._held_bytes = 0
        """Bytes of the queued pieces. A piece that is sent in part counts whole: it is in memory whole."""
        self._closing = False

    def send(self, data: bytes) -> int:
        """Send at once if nothing waits, else queue. A short reply may wait for others (`cork`)."""
        if self._closing or not data:
            return self._held_bytes
        if self._cork.is_in and not self._queue and self._cork.holds(self, data):
            return 0
        return self.send_now(data)

    def send_now(self, data: bytes) -> int:
        """Send behind what is queued; return what `unsent_bytes` says after it."""
        if self._queue:
            self._queue.append(data)
            self._held_bytes += len(data)
            return self._held_bytes
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            return 0
        traffic = self._traffic
        traffic.sent_bytes += sent
        traffic.writes += 1
        if sent != len(data):
            self._queue.append(memoryview(data)[sent:])
            self._held_bytes = len(data)
            self.update_interest()
        return self._held_bytes

    def unsent_bytes(self) -> int:
        """Bytes of the pieces in the queue. Corked replies do not count: they are short, and leave soon."""
        return self._held_bytes

    def pause(self) -> None:
        """Stop reading. The epoll learns of it only if data comes meanwhile: most pauses are over before."""
        self.paused = True

    def resume(self) -> None:
        """Read again."""
        self.paused = False
        if not self._closing:
            self.update_interest()

    def close(self) -> None:
        """Read no more; flush for at most `FLUSH_S`, then close."""
        self._cork.release()  # may end this wire, if the peer is gone
        if self._closing:
            return
        self._closing = True
        if self._queue:
            self.update_interest()
            self._hub.flush_later(self)
        else:
            self._hub.half_close(self)

    def abort(self) -> None:
        """Close at once; what is queued is lost. Harmless if the socket is closed already."""
        self._closing = True
        self._queue.clear()
        self._held_bytes = 0
        self._hub.drop(self)

    def give_up(self) -> None:
        """`trikv.host.endings.Closed`."""
        self._hub.give_up(self)

    def update_interest(self) -> None:
        """Tell the epoll what this wire waits for, if that changed."""
        interest = OUT if self._queue else 0
        if not (self.paused or self.ended or self._closing):
            interest |= IN
        if interest != self._interest:
            self._interest = interest
            self._hub.modify(self, interest)

    def flush(self) -> None:
        """Send what one ``sendmsg`` takes; half-close if a closing wire has nothing left."""
        queue = self._queue
        try:
            sent = self.sock.sendmsg([queue[at] for at in range(min(len(queue), PIECES_MAX))])
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        self._traffic.sent_bytes += sent
        self._traffic.writes += 1
        while sent:
            piece = queue.popleft()
            if sent < len(piece):
                queue.appendleft(memoryview(piece)[sent:])
                break
            sent -= len(piece)
            self._held_bytes -= memoryview(piece.obj).nbytes if isinstance(piece, memoryview) else len(piece)
        if not queue:
            self.update_interest()
            if self._closing:
                self._hub.half_close(self)
            elif self.conversation is not None:
                self.conversation.drained()

    def read(self) -> None:
        """Give the conversation what one ``recv`` brings: one only, so that no client starves another."""
        conversation = self.conversation
        if conversation is None:  # it ended earlier in this turn
            return
        if self.paused or self.ended or self._closing:
            self.update_interest()
            return
        try:
            data = self.sock.recv(RECV_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        if data:
            traffic = self._traffic
            traffic.received_bytes += len(data)
            traffic.reads += 1
            conversation.received(data)
        else:
            self.ended = True
            self.update_interest()
            conversation.ended()

    def serve(self, events: int) -> None:
        """Act on events that the epoll reported, if they are not simply `IN`."""
        if events & OUT and self._queue:
            self.flush()
        if events & DEAD and not (self._interest & IN and events & IN):
            # A reset while the wire does not read: no later call would notice, and the epoll would spin.
            self.abort()
        elif events & IN:
            self.read()
