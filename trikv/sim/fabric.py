"""The simulated cables: which machine reaches which, and how a direction of a connection carries bytes.

No task moves packets. Each piece of data knows the virtual time at which it arrives; the reader sleeps until
then. A cut link postpones arrivals for ever, healing it gives them a time again, as retransmission does.
"""

import random
from collections import deque
from collections.abc import Iterator

import attrs
import trio

from trikv.sim.life import Record

NEVER = float("inf")
WINDOW_BYTES = 65536
"""Sent but unread bytes one direction holds, before the sender waits: send and receive buffer in one."""


@attrs.define
class Link:
    """How bytes travel from one machine to another. May be changed while they do; cut it by `Fabric.cut`."""

    latency_ms_min: float = 0.1
    latency_ms_max: float = 0.5
    chunk_bytes_max: int = 0
    """Reads return at most a random part of this; 0: all that has arrived."""
    is_cut: bool = False

    def latency_s(self, source: random.Random) -> float:
        """One trip."""
        return source.uniform(self.latency_ms_min, self.latency_ms_max) / 1000


@attrs.define
class Piece:
    """Bytes under way; empty ones are the end (FIN), None is a reset."""

    data: bytes | None
    arrives_at: float


@attrs.define(eq=False)
class Pipe:
    """One direction of a connection."""

    link: Link
    source: random.Random
    changed: trio.lowlevel.ParkingLot
    """Whoever waits for this direction: its reader, and its writer when the window is full."""
    pieces: deque[Piece] = attrs.field(factory=deque)
    held_bytes: int = 0
    last_arrival: float = 0.0

    def put(self, data: bytes | None) -> None:
        """Put bytes, the end or a reset on the way, behind what is there."""
        self.pieces.append(Piece(data, self._arrival()))
        self.held_bytes += len(data or b"")
        self.changed.unpark_all()

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
        self.changed.unpark_all()
        return data

    def postpone(self) -> None:
        """The link was cut: what has not arrived does not."""
        now = trio.current_time()
        for piece in self.pieces:
            if piece.arrives_at > now:
                piece.arrives_at = NEVER
        self.changed.unpark_all()

    def reschedule(self) -> None:
        """The link was healed: what was held up is sent again."""
        self.last_arrival = 0.0
        for piece in self.pieces:
            if piece.arrives_at == NEVER:
                piece.arrives_at = self._arrival()
        self.changed.unpark_all()

    def _arrival(self) -> float:
        """When something sent now arrives: never before what was sent earlier."""
        if self.link.is_cut:
            return NEVER
        sent_first = trio.current_time() + self.link.latency_s(self.source)
        self.last_arrival = max(self.last_arrival, sent_first)
        return self.last_arrival


class Fabric:
    """All links between machines, by name."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.defaults = Link()
        """What a link is when it is first used."""
        self._links: dict[tuple[str, str], Link] = {}
        self._pipes: dict[tuple[str, str], dict[Pipe, None]] = {}

    def link(self, sender: str, receiver: str) -> Link:
        """The link in this direction."""
        key = (sender, receiver)
        if key not in self._links:
            self._links[key] = attrs.evolve(self.defaults)
        return self._links[key]

    def lay(self, sender: str, receiver: str, pipe: Pipe) -> None:
        """`pipe` runs over this link from now on."""
        self._pipes.setdefault((sender, receiver), {})[pipe] = None

    def pull(self, sender: str, receiver: str, pipe: Pipe) -> None:
        """`pipe` is no longer used."""
        self._pipes.get((sender, receiver), {}).pop(pipe, None)

    def cut(self, one: str, other: str, *, both_ways: bool = True) -> None:
        """Nothing gets from `one` to `other` (and back) until healed. Connections stay, silent."""
        for sender, receiver in _ways(one, other, both_ways=both_ways):
            self.link(sender, receiver).is_cut = True
            for pipe in self._pipes.get((sender, receiver), {}):
                pipe.postpone()

    def heal(self, one: str, other: str, *, both_ways: bool = True) -> None:
        """The inverse; what was sent meanwhile arrives after the usual latency."""
        for sender, receiver in _ways(one, other, both_ways=both_ways):
            self.link(sender, receiver).is_cut = False
            for pipe in self._pipes.get((sender, receiver), {}):
                pipe.reschedule()

    def heal_all(self) -> None:
        """No link is cut."""
        for (sender, receiver), link in list(self._links.items()):
            if link.is_cut:
                self.heal(sender, receiver, both_ways=False)


def _ways(one: str, other: str, *, both_ways: bool) -> Iterator[tuple[str, str]]:
    yield one, other
    if both_ways:
        yield other, one
