"""The ends of a simulated TCP connection, as Trio streams: production code runs on them unchanged."""

import zlib

import trio

from trikv.host.seam import PeerStream
from trikv.sim.connection import Connection, Patience
from trikv.sim.determinism import call_at
from trikv.sim.fabric import NEVER
from trikv.sim.life import Life
from trikv.sim.pipe import WINDOW_BYTES, Pipe

YIELD_EVERY = 4
"""Of this many calls that need not wait, the last lets other tasks run first."""


class SimStream(PeerStream, trio.abc.HalfCloseableStream):
    """One end of a connection. It behaves like a TCP socket, resets included.

    - closing with unread input resets the peer, else the peer reads the end;
    - sending to a closed end brings a reset back;
    - an end whose machine lost power is silent until that machine is up again, and then resets;
    - an end that hears nothing of its peer breaks when its patience is over.
    """

    def __init__(self, connection: Connection, life: Life, *, dials: bool, patience: Patience) -> None:
        self.here = connection.one if dials else connection.other
        self.there = connection.other if dials else connection.one
        self.is_closed = False
        self.has_vanished = False
        """Whether its machine lost power while it was open."""
        self.breaks_next = False
        """Whether the connection is to break in the middle of the next bytes that are sent here."""
        self._in: Pipe = connection.down if dials else connection.up
        self._out: Pipe = connection.up if dials else connection.down
        self._connection = connection
        self._life = life
        self._patience = patience
        self._gives_up_at = NEVER
        self._has_given_up = False
        self._is_dark = False
        self._ended = False
        self._sending = False
        self._receiving = False
        self._calls = 0

    @property
    def is_gone(self) -> bool:
        """Whether anything that still comes is answered by a reset."""
        return (self.is_closed or self._has_given_up) and not self._is_dark

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Return when the window has taken all of `data`. Raises trio's resource errors."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending on this stream")
        self._sending = True
        try:
            await self._checkpoint()
            self._check_sending()
            sent = 0
            while sent < len(data):
                room = self._out.room_bytes()
                if room <= 0:
                    await self._wait_for_room()
                    continue
                piece = bytes(data[sent : sent + room])
                sent += len(piece)
                self._put(piece)
                self._life.did("send")
        finally:
            self._sending = False

    async def _checkpoint(self) -> None:
        """A checkpoint: the task may be cancelled here, and now and then other tasks run first.

        Not every time: a turn of the scheduler for each call would be a third of a simulation's cost.
        """
        self._calls += 1
        if self._calls % YIELD_EVERY:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()

    def send_nowait(self, data: bytes) -> int:
        """Send what the window takes, and return how many bytes; 0 if the connection is broken or closed."""
        self._life.check()
        assert not self._sending, "send_all is under way"
        try:
            self._check_sending()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return 0
        piece = data[: max(0, self._out.room_bytes())]
        if piece:
            self._put(piece)
            self._life.did("send")
        return len(piece)

    async def wait_send_all_might_not_block(self) -> None:
        """Return when the window has room. Raises trio's resource errors."""
        await trio.lowlevel.checkpoint()
        self._check_sending()
        while self._out.room_bytes() <= 0:
            await self._wait_for_room()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes and return those that have arrived; b"" at the end."""
        if self._receiving:
            raise trio.BusyResourceError("another task is receiving from this stream")
        self._receiving = True
        try:
            self._check()
            if self._in.next_arrival() <= trio.current_time():
                await self._checkpoint()
                self._check()
            while self._in.next_arrival() > trio.current_time():
                await self._in.readable.park()
                self._check()
            data = self._in.take(trio.current_time(), max_bytes or WINDOW_BYTES)
            self._connection.fabric.record("receive", self.there, self.here, len(data))
            return data
        finally:
            self._receiving = False

    async def send_eof(self) -> None:
        """Close the sending side: the peer reads the end after all that was sent."""
        self._check()
        self._end()
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close both sides, like a socket: with unread input the peer gets a reset."""
        self._life.check()
        self.shut()
        await trio.lowlevel.checkpoint()

    def shut(self) -> None:
        """Do what a kernel does when a process closes its socket or dies."""
        if self.is_closed:
            return
        if self._in.held_bytes:  # unread input: TCP answers it by a reset
            self.reset()
        else:
            self._end()
            self._gone()

    def reset(self) -> None:
        """Close by a reset: the peer loses what it has not read when the reset arrives."""
        if not self.is_closed:
            self._out.put(None)
            self._gone()

    def vanish(self) -> None:
        """The machine lost power: the end is closed, and the peer is not told."""
        if not self.is_closed:
            self._is_dark = self.has_vanished = True
            self._connection.listen()
            self._gone()

    def machine_is_back(self) -> None:
        """The machine of a vanished end is up: it answers by a reset to anything that comes."""
        self._is_dark = False
        self.answer_by_reset()

    def answer_by_reset(self) -> None:
        """Send a reset, because something came for this end, which is gone."""
        if self._in.held_bytes and not self._in.is_deaf():
            self._out.put(None)

    def silence_begins(self) -> None:
        """From now on nothing comes from the peer, or nothing gets there: patience begins to run out."""
        if self._gives_up_at == NEVER and not self.is_closed:
            self._gives_up_at = trio.current_time() + self._patience.silence_s
            call_at(self._gives_up_at, self._give_up_if_due)

    def silence_ends(self) -> None:
        """The peer is heard again, and hears us."""
        self._gives_up_at = NEVER

    def _put(self, piece: bytes) -> None:
        link, trouble = self._out.link, self._out.trouble
        breaks = self.breaks_next or (link.break_chance > 0 and trouble.random() < link.break_chance)
        if breaks:
            self.breaks_next = False
            piece = piece[: trouble.randrange(len(piece) + 1)]
        late_s = link.retransmission_s(trouble)
        if late_s >= self._patience.silence_s:  # TCP gives up before the piece gets through
            call_at(trio.current_time() + self._patience.silence_s, self._give_up)
        if piece:  # an empty piece would be the end
            self._out.put(piece, later_s=late_s)
        self._connection.fabric.record("send", self.here, self.there, len(piece), zlib.crc32(piece))
        if breaks:
            self._connection.break_after(self._out)
        peer = self._connection.peer_of(self)
        if peer is not None and peer.is_gone:
            peer.answer_by_reset()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._out.put(b"")

    def _gone(self) -> None:
        self.is_closed = True
        self._wake()
        self._connection.closed()

    def _give_up_if_due(self) -> None:
        if self._gives_up_at <= trio.current_time():
            self._give_up()

    def _give_up(self) -> None:
        """End by ETIMEDOUT: the kernel drops the connection, and the process has still to close it."""
        if not self.is_closed and not self._has_given_up:
            self._has_given_up = True
            self._out.put(None)
            self._wake()

    def _wake(self) -> None:
        self._in.readable.unpark_all()
        self._out.writable.unpark_all()

    def _check(self) -> None:
        self._life.check()
        if self.is_closed:
            raise trio.ClosedResourceError
        if self._has_given_up:
            raise trio.BrokenResourceError("connection timed out")
        if self._in.reset_at() <= trio.current_time():
            raise trio.BrokenResourceError("connection reset by peer")

    def _check_sending(self) -> None:
        self._check()
        if self._ended:
            raise trio.ClosedResourceError("sending after send_eof")

    async def _wait_for_room(self) -> None:
        with trio.move_on_after(self._patience.shut_window_s) as waiting:
            await self._out.wait_for_room()
        if waiting.cancelled_caught:
            self._give_up()
        self._check_sending()
