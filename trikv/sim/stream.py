"""The ends of a simulated TCP connection, as Trio streams: production code runs on them unchanged."""

import zlib

import trio

from trikv.sim.fabric import NEVER, WINDOW_BYTES, Fabric, Pipe
from trikv.sim.life import Life


class SimStream(trio.abc.HalfCloseableStream):
    """One end. Behaves as a TCP socket does, resets included.

    - closing with unread input resets the peer, else the peer reads the end;
    - sending to a closed end brings a reset back;
    - an end whose machine lost power is silent until that machine is up again, and then resets.
    """

    def __init__(
        self, fabric: Fabric, life: Life, here: str, there: str, *, inbound: Pipe, outbound: Pipe
    ) -> None:
        self.here = here
        self.there = there
        self.is_closed = False
        self.is_silent = False
        self._fabric = fabric
        self._life = life
        self._in = inbound
        self._out = outbound
        self._peer: SimStream | None = None
        self._ended = False
        self._sending = False
        self._receiving = False

    def join(self, peer: "SimStream") -> None:
        """Make a connection of two ends."""
        self._peer = peer
        peer.meet(self)
        self._fabric.lay(self.here, self.there, self._out)
        self._fabric.lay(self.there, self.here, self._in)

    def meet(self, peer: "SimStream | None") -> None:
        """The other end, of `join` and of parting."""
        self._peer = peer

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Returns when the window has taken all of `data`."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending on this stream")
        self._sending = True
        try:
            await trio.lowlevel.checkpoint()
            self._check_sending()
            sent = 0
            while sent < len(data):
                room = WINDOW_BYTES - self._out.held_bytes
                if room <= 0:
                    await self._wait(self._out, self._in.reset_at())
                    self._check_sending()
                    continue
                piece = bytes(data[sent : sent + room])
                sent += len(piece)
                self._out.put(piece)
                self._fabric.record("send", self.here, self.there, zlib.crc32(piece))
                self._reset_if_nobody_is_there()
        finally:
            self._sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Returns when the window has room."""
        await trio.lowlevel.checkpoint()
        self._check_sending()
        while self._out.held_bytes >= WINDOW_BYTES:
            await self._wait(self._out, self._in.reset_at())
            self._check_sending()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has arrived, b"" at the end."""
        if self._receiving:
            raise trio.BusyResourceError("another task is receiving from this stream")
        self._receiving = True
        try:
            await trio.lowlevel.checkpoint()
            while True:
                self._check()
                now = trio.current_time()
                if self._in.next_arrival() <= now:
                    data = self._in.take(now, max_bytes or WINDOW_BYTES)
                    self._fabric.record("receive", self.there, self.here, zlib.crc32(data))
                    return data
                await self._wait(self._in, self._in.next_arrival())
        finally:
            self._receiving = False

    async def send_eof(self) -> None:
        """Half-close."""
        self._check()
        self._end()
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close."""
        self._life.check()
        self.shut()
        await trio.lowlevel.checkpoint()

    def shut(self) -> None:
        """What a kernel does when a process closes its socket or dies."""
        if self.is_closed:
            return
        if self._in.held_bytes:
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
        """The machine lost power: closed, and nobody is told."""
        if not self.is_closed:
            self.is_silent = True
            self._gone()

    def machine_is_back(self) -> None:
        """The machine of a vanished end is up: it answers what reaches it by a reset."""
        self.is_silent = False
        if self._in.held_bytes:
            self._out.put(None)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._out.put(b"")

    def _gone(self) -> None:
        self.is_closed = True
        self._in.changed.unpark_all()
        self._out.changed.unpark_all()
        peer = self._peer
        assert peer is not None
        if peer.is_closed:
            self._fabric.pull(self.here, self.there, self._out)
            self._fabric.pull(self.there, self.here, self._in)
            self._peer = None
            peer.meet(None)

    def _reset_if_nobody_is_there(self) -> None:
        peer = self._peer
        if peer is not None and peer.is_closed and not peer.is_silent and self._in.reset_at() == NEVER:
            self._in.put(None)

    def _check(self) -> None:
        self._life.check()
        if self.is_closed:
            raise trio.ClosedResourceError
        if self._in.reset_at() <= trio.current_time():
            raise trio.BrokenResourceError("connection reset by peer")

    def _check_sending(self) -> None:
        self._check()
        if self._ended:
            raise trio.ClosedResourceError("sending after send_eof")

    async def _wait(self, pipe: Pipe, until: float) -> None:
        """Until `pipe` changes or `until`, whichever is first."""
        if until == NEVER:
            await pipe.changed.park()
        else:
            with trio.move_on_at(until):
                await pipe.changed.park()
