"""One direction of a simulated connection: bytes that know when they arrive, and their sender's window."""

import math
import random
from collections import deque

import attrs
import trio

from trikv.sim.determinism import call_at
from trikv.sim.fabric import NEVER, Link

WINDOW_BYTES = 65536
"""Bytes one direction holds that were sent and whose taking is not yet known to the sender: send buffer and
receive buffer in one."""
GRID_PER_S = 10_000
"""Arrivals fall on tenths of a millisecond. Those of one instant cost one turn of Trio's scheduler, and the
seed decides which is seen first."""


@attrs.define
class Piece:
    """Bytes under way; empty ones are the end (FIN), None is a reset."""

    data: bytes | None
    arrives_at: float


@attrs.define(eq=False)
class Pipe:
    """Bytes from the sender's end to the reader's, and acknowledgements back over the other link."""

    link: Link
    back: Link
    source: random.Random
    trouble: random.Random
    """Draws what goes wrong, apart from `source`: a link that becomes bad does not move the latencies."""
    writable: trio.lowlevel.ParkingLot
    """Where its sender waits for room."""
    opposite: trio.lowlevel.ParkingLot
    """Where its reader waits for room to send: a reset that arrives ends that too."""
    readable: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    pieces: deque[Piece] = attrs.field(factory=deque)
    held_bytes: int = 0
    """Sent and not read."""
    is_stranded: bool = False
    _acks: deque[tuple[float, int]] = attrs.field(factory=deque)
    """When the sender learns that bytes were taken, and how many."""
    _acking_bytes: int = 0
    _last_arrival: float = 0.0

    def put(self, data: bytes | None, *, later_s: float = 0.0) -> None:
        """Put bytes, the end or a reset on the way, behind what is there. After a reset nothing follows."""
        if self.pieces and self.pieces[-1].data is None:
            return
        size = len(data) if data else 0
        piece = Piece(data, self._arrival(size, later_s))
        self.pieces.append(piece)
        self.held_bytes += size
        call_at(piece.arrives_at, self._arrived)

    def room_bytes(self) -> int:
        """How much more the window takes."""
        now = trio.current_time()
        while self._acks and self._acks[0][0] <= now:
            self._acking_bytes -= self._acks.popleft()[1]
        return WINDOW_BYTES - self.held_bytes - self._acking_bytes

    async def wait_for_room(self) -> None:
        """Until the next acknowledgement comes, or something else changes for the sender."""
        if self._acks:
            call_at(self._acks[0][0], self._acknowledged)
        await self.writable.park()

    def next_arrival(self) -> float:
        """When the first piece arrives."""
        return self.pieces[0].arrives_at if self.pieces else NEVER

    def reset_at(self) -> float:
        """When a reset arrives: from then on, unread bytes are lost."""
        return self.pieces[-1].arrives_at if self.pieces and self.pieces[-1].data is None else NEVER

    def take(self, now: float, bytes_max: int) -> bytes:
        """What has arrived, cut as the link cuts it; b"" is the end, which stays.

        Only to be called when `next_arrival` is not after `now`, and `reset_at` is.
        """
        if not self.pieces[0].data:
            return b""
        if self.link.chunk_bytes_max:
            bytes_max = min(bytes_max, self.source.randint(1, self.link.chunk_bytes_max))
        taken = []
        while bytes_max and self.pieces and self.pieces[0].arrives_at <= now and self.pieces[0].data:
            piece = self.pieces[0]
            assert piece.data
            taken.append(piece.data[:bytes_max])
            bytes_max -= len(taken[-1])
            if len(taken[-1]) == len(piece.data):
                self.pieces.popleft()
            else:
                piece.data = piece.data[len(taken[-1]) :]
        data = b"".join(taken)
        self.held_bytes -= len(data)
        self._acknowledge(now, len(data))
        return data

    def links_changed(self) -> None:
        """What has not arrived does not, while the link is cut, and is sent again after; so with acks."""
        now = trio.current_time()
        for piece in self.pieces:
            if piece.arrives_at > now and (self.is_deaf() or piece.arrives_at == NEVER):
                piece.arrives_at = self._arrival(0, 0.0)
                call_at(piece.arrives_at, self._arrived)
        self._acks = deque((at if at <= now else self._ack_at(now), size) for at, size in self._acks)
        if self._acks:
            call_at(self._acks[-1][0], self._acknowledged)

    def _arrived(self) -> None:
        if self.readable:
            self.readable.unpark_all()
        if self.opposite and self.reset_at() <= trio.current_time():
            self.opposite.unpark_all()

    def _acknowledged(self) -> None:
        if self.writable:
            self.writable.unpark_all()

    def _acknowledge(self, now: float, size: int) -> None:
        at = self._ack_at(now)
        self._acks.append((at, size))
        self._acking_bytes += size
        if self.writable:
            call_at(at, self._acknowledged)
        elif len(self._acks) > 64:
            self.room_bytes()  # forgets the old ones

    def _ack_at(self, now: float) -> float:
        return NEVER if self.back.is_cut or self.is_stranded else now + self.back.latency_ms_min / 1000

    def is_deaf(self) -> bool:
        """Nothing that is sent arrives."""
        return self.link.is_cut or self.is_stranded

    def _arrival(self, size: int, later_s: float) -> float:
        """When something sent now arrives: never before what was sent earlier."""
        if self.is_deaf():
            return NEVER
        now = trio.current_time()
        latency_s = self.link.latency_s(self.source) + self.link.queue_s(now, size) + later_s
        tick = math.ceil((now + latency_s) * GRID_PER_S - 0.001)  # what a float adds is not the next tick
        self._last_arrival = max(self._last_arrival, tick / GRID_PER_S)
        return self._last_arrival
