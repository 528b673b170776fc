"""The memory that all clients' requests take: one total, and which client loses its input when it is full.

There are two kinds. Input that *waits for its client* (an unfinished request, a backlog, a queue since MULTI,
watched keys) can be freed, and the largest goes first. Input that is *in flight* was handed to the node, and
only the node can end it: it is admitted while there is room, and counts until it comes back, even if its
client is gone.

Anything up to `SMALL_BYTES` is neither counted nor refused. So commands of the usual size cost no
bookkeeping, and they are served however much other clients have sent. Pure.
"""

from typing import Final

from trikv.front.figures import InputStatistics
from trikv.machine.replies import CommandError

SMALL_BYTES: Final = 4096
"""Per connection, waiting or in flight. An operator has to allow for as much with each connection."""
LARGE_BYTES: Final = 64 << 10
"""Only requests up to this size may use the last quarter: a few writers of large values must not keep all
others out for as long as a majority is slow."""
DEFAULT_BYTES_MIN: Final = 64 << 20
"""Unless configured, the total is a quarter of the cap, but at least this: five of the largest values in
flight."""
_WAITING: Final = 8
"""This part of the total is never in flight. While a majority is slow, it is for what clients are sending;
without it the total could stay too high even after all that waits was freed."""
_RELIEF: Final = 16
"""This part of the total is freed in one go, so that the search for the largest costs little per byte."""

REFUSED: Final = CommandError(
    "ERR too much input waits on this node (input_bytes_max): nothing was done; try again, or send less at"
    " once"
)
CLOSED: Final = CommandError(
    "ERR too much input waits on this node (input_bytes_max), and this connection's was the most:"
    " of what it sent, nothing behind the last answer was done; closing"
)
DISCARDED: Final = CommandError(
    "ERR too much input waits on this node (input_bytes_max), and this connection's was the most:"
    " the transaction is discarded"
)
ABORTED: Final = CommandError(
    "EXECABORT Transaction discarded, or its watches: too much input waited on this node (input_bytes_max)"
)


def bytes_max(configured: int, cap: int) -> int:
    """The total in force, from the configured one (0: none is) and the cap on keys and values (0: none)."""
    return configured or max(DEFAULT_BYTES_MIN, cap // 4)


class InputTotal:
    """Bytes of memory by connection, and in flight."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._waiting: dict[int, int] = {}
        self._waiting_total = 0

    @property
    def total(self) -> int:
        """All that is counted."""
        return self._waiting_total + self.in_flight

    def statistics(self) -> InputStatistics:
        """For INFO and MEMSTATS."""
        return InputStatistics(total=self.total, in_flight=self.in_flight)

    def note(self, number: int, waiting_bytes: int) -> None:
        """Connection `number` now holds `waiting_bytes` that wait for its client."""
        self._waiting_total += waiting_bytes - self._waiting.pop(number, 0)
        if waiting_bytes > SMALL_BYTES:
            self._waiting[number] = waiting_bytes
        else:
            self._waiting_total -= waiting_bytes

    def has_room(self, size: int, total_max: int) -> bool:
        """Whether requests of `size` bytes may be handed to the node; always if nothing else is counted."""
        total_max -= total_max // (4 if size > LARGE_BYTES else _WAITING)
        return self.in_flight == 0 or self.in_flight + size <= total_max

    def goal(self, total_max: int) -> int | None:
        """The total at which freeing the largest may stop; None while there is room.

        A request that is larger than the total was admitted alone; to free what waits would make no room.
        """
        if self.total <= total_max or self._waiting_total <= total_max < self.in_flight:
            return None
        return total_max - total_max // _RELIEF

    def largest_first(self) -> list[int]:
        """The connections with input that waits for them, in the order in which they lose it."""
        return sorted(self._waiting, key=self._waiting.__getitem__, reverse=True)
