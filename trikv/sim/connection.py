"""A simulated TCP connection: two pipes, two ends, and what happens to both of them together.

An end notices a peer that fell silent only by its own patience (`Patience`): the real host sets
TCP_USER_TIMEOUT and keep-alive probes for the same purpose. Both directions count: where only the
acknowledgements are lost, the sender gives up all the same.
"""

import random
from typing import Protocol

import attrs
import trio

from trikv.host.sockets import CLIENT_KEEPALIVE_S, PEER_TIMEOUT_S
from trikv.sim.fabric import NEVER, Fabric
from trikv.sim.pipe import Pipe


@attrs.frozen
class Patience:
    """When an end gives up, in seconds."""

    silence_s: float
    """Nothing can be heard of the other end, or it cannot hear us, for so long."""
    shut_window_s: float
    """The other end has taken nothing of what waits for so long (TCP_USER_TIMEOUT counts that too)."""


PEER_PATIENCE = Patience(float(PEER_TIMEOUT_S), float(PEER_TIMEOUT_S))
SERVER_PATIENCE = Patience(2.0 * CLIENT_KEEPALIVE_S, NEVER)
CLIENT_PATIENCE = Patience(NEVER, NEVER)
"""A client of the world outside looks after itself."""


class End(Protocol):
    """One end of a connection, as the connection sees it."""

    here: str
    breaks_next: bool
    is_closed: bool
    has_vanished: bool

    @property
    def is_gone(self) -> bool:
        """It answers by a reset whatever comes."""

    def silence_begins(self) -> None:
        """Nothing comes from the other end, or nothing gets there."""

    def silence_ends(self) -> None:
        """It does again."""

    def answer_by_reset(self) -> None:
        """Something came for an end that is gone."""


class Connection:
    """From the dialling machine `one` to the listening machine `other`."""

    def __init__(
        self, fabric: Fabric, one: str, other: str, source: random.Random, trouble: random.Random
    ) -> None:
        self.one = one
        self.other = other
        self.fabric = fabric
        there, back = fabric.link(one, other), fabric.link(other, one)
        to_send, to_answer = trio.lowlevel.ParkingLot(), trio.lowlevel.ParkingLot()
        self.up = Pipe(there, back, source, trouble, writable=to_send, opposite=to_answer)
        self.down = Pipe(back, there, source, trouble, writable=to_answer, opposite=to_send)
        self._ends: tuple[End, ...] = ()

    def join(self, near: End, far: End) -> None:
        """Make it a connection of two ends."""
        self._ends = (near, far)
        self.fabric.lay(self.one, self.other, self)

    def peer_of(self, end: End) -> End | None:
        """The other end; None when both are closed, or not yet joined."""
        for other in self._ends:
            if other is not end:
                return other
        return None

    def closed(self) -> None:
        """One end closed. With the second, the connection is over and keeps nothing."""
        if self._ends and all(end.is_closed for end in self._ends):
            self.fabric.pull(self.one, self.other, self)
            self._ends = ()

    def is_silent(self) -> bool:
        """Nobody can be sure of being heard."""
        return self.up.is_deaf() or self.down.is_deaf() or any(end.has_vanished for end in self._ends)

    def links_changed(self) -> None:
        """A link was cut or healed."""
        self.up.links_changed()
        self.down.links_changed()
        self.listen()
        for end in self._ends:
            if end.is_gone:
                end.answer_by_reset()

    def listen(self) -> None:
        """Tell both ends whether they hear each other."""
        silent = self.is_silent()
        for end in self._ends:
            if silent:
                end.silence_begins()
            else:
                end.silence_ends()

    def strand(self) -> None:
        """A middlebox forgot it: what is sent is dropped, both ways."""
        self.up.is_stranded = self.down.is_stranded = True
        self.links_changed()

    def break_soon(self, sender: str) -> None:
        """Break it in the middle of what `sender` sends next."""
        for end in self._ends:
            if end.here == sender:
                end.breaks_next = True

    def break_now(self) -> None:
        """Reset it at both ends."""
        self.up.put(None)
        self.down.put(None)

    def break_after(self, pipe: Pipe) -> None:
        """Reset it where `pipe` ends, when what was sent there could be read, and at the other end."""
        pipe.put(None, later_s=pipe.link.latency_ms_max / 1000 + 0.001)
        (self.down if pipe is self.up else self.up).put(None)
