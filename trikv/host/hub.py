"""Serving clients by one task over its own epoll: every ready socket is served in one wake-up.

A task per connection costs two trips through Trio's scheduler for each command: 68k/s, while this does
133k/s. Here one task waits until the epoll *itself* is readable, and then serves all that is ready: at most
one ``recv`` and one ``sendmsg`` a socket, so that a busy client cannot starve another. It polls again for
`AGAIN_S`, then it waits, which gives every other Trio task its turn. All of it runs in that one task, or
between two awaits of another, so there are no locks.

Four rules keep it simple:

- A conversation's `closed` is called from the hub's own turn, never from inside a `Wire` method: logic that
  sends is never surprised by its own end. The wire that ends puts its conversation on a list and, if the hub
  sleeps, wakes it through an eventfd.
- `pause` is only a flag. The epoll interest is dropped when data does arrive on a paused socket, so the
  usual short pause costs no system call.
- Short replies given while ready sockets are served leave together, after the last of them (`cork`).
- After `close` the socket is flushed, half-closed, and drained for a second: closing a socket that holds
  unread input makes the kernel send a reset, which would destroy the last words still on their way.
"""

import contextlib
import os
import select
import socket
import time
from collections.abc import Sequence

import structlog
import trio

from trikv.host.cork import CORK_S, Cork
from trikv.host.endings import ACCEPT_RETRY_S, DRAIN_S, FLUSH_S, NO_ROOM, WARN_S, Lingering
from trikv.host.hub_wire import IN, HubWire
from trikv.host.seam import ConversationFactory, Traffic
from trikv.host.sockets import Listener
from trikv.host.wire import Conversation

log = structlog.get_logger()

EVENTS_MAX = 256
"""Most sockets that one poll gives. The others come first in the next."""
TURN_S = 0.01
"""Most seconds that one wake-up serves sockets, whatever they ask for: heartbeats wait for it."""
AGAIN_S = 0.001
"""For how long the hub polls again before it sleeps. A client that was answered at once is often back
already, and a way through Trio's loop costs as much as serving two."""
ACCEPTS_MAX = 64
"""Most connections accepted after one poll; the others are accepted after the next."""

DRAIN_BYTES = 1 << 20
"""Most bytes thrown away in one call. Linux does so without copying (MSG_TRUNC of TCP), so that a client that
goes on sending after its connection was closed costs little."""


class Hub:
    """Serves the connections of some listening sockets until cancelled."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        factory: ConversationFactory,
        lingering: Lingering | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        """The listeners belong to the hub from now on, unless this raises OSError: no room for its epoll.

        `lingering`: the closed connections of the host, those of other servers included. `traffic`: where to
        count what goes over the connections. A hub without them has its own.
        """
        self.addresses = tuple(listener.address for listener in listeners)
        self.traffic = traffic or Traffic()
        self.cork = Cork()
        self._epoll = select.epoll()
        self._factory = factory
        self._listeners = {listener.fileno(): listener for listener in listeners}
        """By descriptor; empty once nobody is accepted any more."""
        self._lingering = lingering if lingering is not None else Lingering()
        self._wires: dict[int, HubWire] = {}
        self._gone: list[Conversation] = []
        self._flushing: dict[HubWire, float] = {}
        self._draining: dict[int, tuple[HubWire, float]] = {}
        self._accept_again_at = float("inf")
        self._warn_again_at = float("-inf")
        self._busy = False
        self._wakeup_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wakeup_fd, IN)
        for fd in self._listeners:
            self._epoll.register(fd, IN)

    async def run(self) -> None:
        """Serve until cancelled, then abort all. A conversation that raises ends the server: it is a bug."""
        fd = self._epoll.fileno()
        try:
            while True:
                deadline = self._next_deadline()
                # Nearly always there is none, and a wait without a cancel scope is cheaper.
                if deadline == float("inf"):
                    await trio.lowlevel.wait_readable(fd)
                else:
                    with trio.move_on_at(deadline):
                        await trio.lowlevel.wait_readable(fd)
                self._busy = True
                self._turn()
                if deadline != float("inf"):
                    self._expire(trio.current_time())
                # Here and not in `Wire` methods: logic that sends must not be surprised by its own end.
                self._say_closed()
                self._busy = False
        finally:
            self._end()

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections go on. Harmless twice."""
        while self._listeners:
            self._listeners.popitem()[1].close()  # closing also takes it out of the epoll
        self._accept_again_at = float("inf")

    # What wires ask for.

    def modify(self, wire: HubWire, interest: int) -> None:
        """Let the epoll report these events of `wire`."""
        self._epoll.modify(wire.fd, interest)

    def flush_later(self, wire: HubWire) -> None:
        """`wire` is closing and has bytes left: give it until `FLUSH_S` from now."""
        self._flushing[wire] = trio.current_time() + FLUSH_S
        self._lingering.flush(wire)
        self._wake()

    def half_close(self, wire: HubWire) -> None:
        """All is sent: tell the peer, let the conversation go, and drain what the peer still sends."""
        # Not closed yet: the kernel would answer unread input with a reset, which overtakes the last words.
        try:
            wire.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop(wire)
            return
        if wire.ended:
            self.drop(wire)
            return
        self._release(wire)
        self._draining[wire.fd] = (wire, trio.current_time() + DRAIN_S)
        self._epoll.modify(wire.fd, IN)
        self._lingering.drain(wire)

    def drop(self, wire: HubWire) -> None:
        """Close the socket now. Harmless if that was done."""
        if self._release(wire):
            wire.sock.close()
            self._room_again()

    def give_up(self, wire: HubWire) -> None:
        """End a closed connection, whether it has bytes left or is drained."""
        drained = self._draining.get(wire.fd)
        if drained is None or drained[0] is not wire:
            wire.abort()
            return
        # Read before it is closed: unread input would make the kernel send a reset.
        self._drain(wire.fd)
        if wire.fd in self._draining:
            self._close_drained(wire.fd)

    # The turn.

    def _turn(self) -> None:
        now = time.perf_counter()
        stop_at, again_until = now + TURN_S, now + AGAIN_S
        while self._look(stop_at) and time.perf_counter() < again_until:
            pass

    def _look(self, stop_at: float) -> bool:
        """Serve what is ready now; True if it is worth looking again."""
        ready = self._epoll.poll(0, EVENTS_MAX)
        with self.cork:
            accepting = self._serve(ready, stop_at)
        if accepting:
            for listener in tuple(self._listeners.values()):
                self._accept(listener)
        return bool(ready)

    def _serve(self, ready: list[tuple[int, int]], stop_at: float) -> bool:
        """Serve the sockets in `ready`, until `stop_at`; True if clients wait to be accepted."""
        wires = self._wires
        accepting = False
        release_at = time.perf_counter() + CORK_S
        for fd, events in ready:
            now = time.perf_counter()
            if now > stop_at:
                break  # the rest is reported again, first in line, after other tasks have had a turn
            if now > release_at:
                self.cork.release()
                release_at = now + CORK_S
            wire = wires.get(fd)
            if wire is not None:
                if events == IN:
                    wire.read()
                else:
                    wire.serve(events)
            elif fd in self._listeners:
                # Last: a descriptor freed in this turn must not be reused while its events are in the list.
                accepting = True
            elif fd == self._wakeup_fd:
                os.eventfd_read(fd)
            elif fd in self._draining:
                self._drain(fd)
        return accepting

    def _accept(self, listener: Listener) -> None:
        for _ in range(ACCEPTS_MAX):
            if not self._listeners:  # a new conversation's factory may have called `stop_accepting`
                return
            try:
                sock, peer = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in NO_ROOM:
                    continue  # this connection died while it waited (ECONNABORTED and similar)
                self._stop_for_want_of_room(error)
                return
            try:
                self._epoll.register(sock.fileno(), IN)
            except OSError as error:  # the kernel limits watches, too
                sock.close()
                self._stop_for_want_of_room(error)
                return
            sock.setblocking(False)
            self._converse(HubWire(self, sock, *listener.ends(sock, peer)))

    def _converse(self, wire: HubWire) -> None:
        self._wires[wire.fd] = wire
        conversation = self._factory(wire)
        if self._wires.get(wire.fd) is wire:
            wire.conversation = conversation
        else:  # the factory ended it at once
            self._gone.append(conversation)

    def _stop_for_want_of_room(self, error: OSError) -> None:
        # The clients that wait keep the listener ready: without this the epoll would spin.
        for fd in self._listeners:
            self._epoll.modify(fd, 0)
        self._accept_again_at = trio.current_time() + ACCEPT_RETRY_S
        if trio.current_time() >= self._warn_again_at:
            self._warn_again_at = trio.current_time() + WARN_S
            log.warning(
                "cannot accept connections",
                address=",".join(self.addresses),
                error=error.strerror,
                open=len(self._wires),
            )

    def _room_again(self) -> None:
        if self._accept_again_at != float("inf"):
            self._accept_again_at = float("inf")
            for fd in self._listeners:
                self._epoll.modify(fd, IN)

    def _drain(self, fd: int) -> None:
        try:
            if self._draining[fd][0].sock.recv(DRAIN_BYTES, socket.MSG_TRUNC):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close_drained(fd)

    def _close_drained(self, fd: int) -> None:
        wire, _ = self._draining.pop(fd)
        self._lingering.leave(wire)
        wire.sock.close()
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
        """Take `wire` out of service; its conversation is told in the hub's turn. False if that was done."""
        if self._wires.get(wire.fd) is not wire:
            return False
        del self._wires[wire.fd]
        if self._flushing.pop(wire, None) is not None:
            self._lingering.leave(wire)
        if wire.conversation is not None:
            self._gone.append(wire.conversation)
            wire.conversation = None  # breaks the cycle between the two
        self._wake()
        return True

    def _say_closed(self) -> None:
        while self._gone:
            self._gone.pop().closed()

    def _wake(self) -> None:
        """Make a sleeping hub take a turn: a call from another task changed what it waits for."""
        if not self._busy:
            os.eventfd_write(self._wakeup_fd, 1)

    def _end(self) -> None:
        self._busy = True  # the epoll goes away: nothing may be woken from here on
        self.stop_accepting()
        for wire in list(self._wires.values()):
            wire.abort()
        for wire, _ in self._draining.values():
            self._lingering.leave(wire)
            wire.sock.close()
        self._draining.clear()
        self._epoll.close()
        os.close(self._wakeup_fd)
        with contextlib.ExitStack() as stack:  # each is told, even if another one's `closed` raises
            for conversation in self._gone:
                stack.callback(conversation.closed)
            self._gone.clear()
