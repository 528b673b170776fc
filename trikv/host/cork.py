"""Short replies that leave together, so that a client process with many connections is woken once for all.

A client that is quicker than we are falls asleep after each reply it gets, and waking it for every one costs
this process and that one a tenth of a read. So replies given while the hub serves ready sockets (reads under
a lease, PING) wait until it is done, `REPLIES_MAX` of them do, or `CORK_S` has passed. What the log's entries
and read rounds answer does not: those clients are at work with the first replies while the last are made,
which is worth more.
"""

from types import TracebackType
from typing import Protocol

BYTES_MAX = 1024
"""Longer replies leave at once: only then does whoever sends them learn how much the peer left unsent."""
REPLIES_MAX = 64
"""That wait for each other."""
CORK_S = 0.0005
"""So long they may, whatever other sockets ask for meanwhile."""


class Corked(Protocol):
    """A wire with a reply that was held back."""

    def send_now(self, data: bytes) -> int:
        """Send it, behind what may be queued."""


class Cork:
    """Holds replies back inside its ``with`` block, which is not to be nested."""

    __slots__ = ("_held", "is_in")

    def __init__(self) -> None:
        self.is_in = False
        """True inside the block."""
        self._held: list[tuple[Corked, bytes]] = []

    def holds(self, wire: Corked, data: bytes) -> bool:
        """Whether `data` is held back. If not, it is to be sent now, and all that was before it has been."""
        held = self._held
        if self.is_in and len(data) <= BYTES_MAX and len(held) < REPLIES_MAX:
            held.append((wire, data))
            return True
        self.release()
        return False

    def release(self) -> None:
        """Send what is held back."""
        if self._held:
            held, self._held = self._held, []
            for wire, data in held:
                wire.send_now(data)

    def __enter__(self) -> None:
        self.is_in = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_in = False
        self.release()
