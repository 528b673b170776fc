"""A simulated TCP connection: two pipes, two ends, and what happens to both of them together.

An end notices a silent peer only by its own patience (`Patience`): the real host sets TCP_USER_TIMEOUT and
keep-alive probes for the same purpose. Both directions count: if only the acknowledgements are lost, the
sender gives up, too.
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
    """How long an end waits before it gives up, in seconds."""

    silence_s: float
    """While nothing comes from the other end, or nothing gets there."""
    shut_window_s: float
    """While bytes wait and the other end takes none (TCP_USER_TIMEOUT counts that, too)."""


PEER_PATIENCE = Patience(float(PEER_TIMEOUT_S), float(PEER_TIMEOUT_S))
SERVER_PATIENCE = Patience(2.0 * CLIENT_KEEPALIVE_S, NEVER)
CLIENT_PATIENCE = Patience(NEVER, NEVER)
"""Clients set timeouts of their own, so their ends never give up by themselves."""


class End(Protocol):
    """One end of a connection, as the connection sees it."""

    here: str
    breaks_next: bool
    is_closed: bool
    has_vanished: bool

    @property
    def is_gone(self) -> bool:
        """Whether it answers anything that comes by a reset."""

    def silence_begins(self) -> None:
        """Nothing comes from the other end, or nothing gets there."""

    def silence_ends(self) -> None:
        """The other end is heard again, and hears us."""

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
        """Put an end on each side: `near` on the dialling machine, `far` on the listening one."""
        self._ends = (near, far)
        self.fabric.lay(self.one, self.other, self)

    def peer_of(self, end: End) -> End | None:
        """The other end; None if both are closed, or not joined yet."""
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
        """Whether a direction delivers nothing, or a machine lost power: no end knows if it is heard."""
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
        """Tell both ends whether they can hear each other now."""
        silent = self.is_silent()
        for end in self._ends:
            if silent:
                end.silence_begins()
            else:
                end.silence_ends()

    def strand(self) -> None:
        """A middlebox has forgotten the connection: all that is sent is dropped, both ways."""
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
        """Reset it: at the end of `pipe` after the bytes sent there have come, at the other end at once."""
        pipe.put(None, later_s=pipe.link.latency_ms_max / 1000 + 0.001)
        (self.down if pipe is self.up else self.up).put(None)
