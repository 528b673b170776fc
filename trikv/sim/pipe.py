"""One direction of a simulated connection: bytes that know when they arrive, and their sender's window."""

import math
import random
from collections import deque

import attrs
import trio

from trikv.sim.determinism import call_at
from trikv.sim.fabric import NEVER, Link

WINDOW_BYTES = 65536
"""Most bytes of one direction that were sent and that the sender does not know to be read: send buffer and
receive buffer together."""
GRID_PER_S = 10_000
"""Arrivals fall on tenths of a millisecond. Those of one instant cost a single turn of Trio's scheduler, and
the seed decides which comes first."""


@attrs.define
class Piece:
    """Bytes under way. Empty ones are the end (FIN), None is a reset."""

    data: bytes | None
    arrives_at: float


@attrs.define(eq=False)
class Pipe:
    """Bytes from the sender's end to the reader's, and acknowledgements back over the other link."""

    link: Link
    back: Link
    source: random.Random
    trouble: random.Random
    """Draws what goes wrong. It is apart from `source`, so that a bad link does not change the latencies."""
    writable: trio.lowlevel.ParkingLot
    """In it the sender waits for room."""
    opposite: trio.lowlevel.ParkingLot
    """In it the reader waits for room in the other pipe: a reset that arrives here ends that, too."""
    readable: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    pieces: deque[Piece] = attrs.field(factory=deque)
    held_bytes: int = 0
    """Bytes that were sent and not read."""
    is_stranded: bool = False
    _acks: deque[tuple[float, int]] = attrs.field(factory=deque)
    """When the sender learns that bytes were read, and how many."""
    _acking_bytes: int = 0
    _last_arrival: float = 0.0

    def put(self, data: bytes | None, *, later_s: float = 0.0) -> None:
        """Send bytes, the end or a reset behind what is under way. Nothing follows a reset."""
        if self.pieces and self.pieces[-1].data is None:
            return
        size = len(data) if data else 0
        piece = Piece(data, self._arrival(size, later_s))
        self.pieces.append(piece)
        self.held_bytes += size
        call_at(piece.arrives_at, self._arrived)

    def room_bytes(self) -> int:
        """How many more bytes the window takes."""
        now = trio.current_time()
        while self._acks and self._acks[0][0] <= now:
            self._acking_bytes -= self._acks.popleft()[1]
        return WINDOW_BYTES - self.held_bytes - self._acking_bytes

    async def wait_for_room(self) -> None:
        """Wait until the next acknowledgement comes, or something else changes for the sender."""
        if self._acks:
            call_at(self._acks[0][0], self._acknowledged)
        await self.writable.park()

    def next_arrival(self) -> float:
        """When the first piece arrives, in virtual seconds; infinity if none will."""
        return self.pieces[0].arrives_at if self.pieces else NEVER

    def reset_at(self) -> float:
        """When a reset arrives: from then on, unread bytes are lost."""
        return self.pieces[-1].arrives_at if self.pieces and self.pieces[-1].data is None else NEVER

    def take(self, now: float, bytes_max: int) -> bytes:
        """The bytes that have arrived, cut as the link cuts them; b"" is the end, which stays.

        Call it only if `next_arrival` is not after `now`, and `reset_at` is.
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
        """Postpone bytes and acks under way while the link is cut; after that, send them again."""
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
            self.room_bytes()  # called because it forgets the old acks

    def _ack_at(self, now: float) -> float:
        return NEVER if self.back.is_cut or self.is_stranded else now + self.back.latency_ms_min / 1000

    def is_deaf(self) -> bool:
        """Whether nothing that is sent here arrives."""
        return self.link.is_cut or self.is_stranded

    def _arrival(self, size: int, later_s: float) -> float:
        """When bytes that are sent now arrive: never before those that were sent earlier."""
        if self.is_deaf():
            return NEVER
        now = trio.current_time()
        latency_s = self.link.latency_s(self.source) + self.link.queue_s(now, size) + later_s
        tick = math.ceil((now + latency_s) * GRID_PER_S - 0.001)  # a float's error is not the next tick
        # Within a connection bytes keep their order, whatever latency each piece draws.
        self._last_arrival = max(self._last_arrival, tick / GRID_PER_S)
        return self._last_arrival
