"""Short replies that leave together, so that a client process with many connections is woken once for all.

A client that is quicker than this server falls asleep after each reply. To wake it for every one costs both
processes a tenth of a read. So replies that are given while the hub serves ready sockets (reads under a
lease, PING) wait until the hub is done, until `REPLIES_MAX` of them wait, or until `CORK_S` has passed.
Replies that the log's entries and read rounds bring do not wait: their clients work with the first replies
while the last are made, which is worth more.
"""

from types import TracebackType
from typing import Protocol

BYTES_MAX = 1024
"""Longer replies leave at once, because `send` must tell how much of them the peer has not taken."""
REPLIES_MAX = 64
"""Most replies that wait for each other."""
CORK_S = 0.0005
"""Most seconds that a reply waits, whatever other sockets ask for meanwhile."""


class Corked(Protocol):
    """A wire with a reply that was held back."""

    def send_now(self, data: bytes) -> int:
        """Send `data` behind what is queued; return how many bytes are unsent then."""


class Cork:
    """Holds replies back inside its ``with`` block. Blocks must not be nested."""

    __slots__ = ("_held", "is_in")

    def __init__(self) -> None:
        self.is_in = False
        """Whether the block is entered: only then are replies held back."""
        self._held: list[tuple[Corked, bytes]] = []

    def holds(self, wire: Corked, data: bytes) -> bool:
        """Hold `data` back if that is allowed. False: send it now; all that was held has been sent."""
        held = self._held
        if self.is_in and len(data) <= BYTES_MAX and len(held) < REPLIES_MAX:
            held.append((wire, data))
            return True
        self.release()
        return False

    def release(self) -> None:
        """Send all replies that are held back, in their order."""
        if self._held:
            # Emptied first: `send_now` may end a wire, whose `close` releases the cork again.
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
