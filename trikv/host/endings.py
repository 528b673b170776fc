"""How a connection is closed, and what happens if none can be accepted: the times and bounds.

They hold for every kind of wire: on sockets, over TLS and on simulated streams. Those that limit closed
connections hold for all addresses of a host together, whichever servers they are served by: `Lingering`.
"""

import errno
from typing import Protocol

FLUSH_S = 5.0
"""How long a closed connection may take to accept its last bytes."""
DRAIN_S = 1.0
"""How long a flushed connection is drained before its socket is closed, so that no reset overtakes the
last words (see `trikv.host.hub`)."""

LINGERING_MAX = 256
"""Default for how many closed connections are kept until their clients have the last words."""
LINGERING_BYTES_MAX = 64 << 20
"""Last bytes that closed connections may hold together while their clients do not take them. Their
conversations do not count them any more. A single connection may hold more: as much as it was allowed."""

ACCEPT_RETRY_S = 0.1
"""If there is no room for a new connection, accepting is tried again after this, or when one closes."""
WARN_S = 10.0
"""Least time between two warnings that no connection can be accepted."""
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)
"""Errors of `accept` that are not the connection's fault. ENOSPC: the kernel watches no more sockets
(fs.epoll.max_user_watches)."""


class Closed(Protocol):
    """A wire that was closed here, and whose client is still there."""

    def unsent_bytes(self) -> int:
        """Last bytes that the client has not taken."""

    def give_up(self) -> None:
        """End the connection now."""


class Lingering:
    """The closed connections of one host. It ends the oldest beyond the limits.

    They hold descriptors and memory.
    """

    def __init__(self, most: int = LINGERING_MAX) -> None:
        self.most = most
        """The limit of their number. Whoever divides the descriptors sets it before anybody is served."""
        self._flushing: dict[Closed, None] = {}
        """Those that have bytes left, the oldest first."""
        self._drained: dict[Closed, None] = {}
        """Those that were sent everything, the oldest first."""

    def count(self) -> int:
        """How many there are."""
        return len(self._flushing) + len(self._drained)

    def flush(self, wire: Closed) -> None:
        """`wire` was closed, and has bytes left. May end others, and `wire` itself."""
        self._flushing[wire] = None
        self._bound()

    def drain(self, wire: Closed) -> None:
        """`wire` was closed and is sent everything. May end others, and `wire` itself."""
        self._flushing.pop(wire, None)
        self._drained[wire] = None
        self._bound()

    def leave(self, wire: Closed) -> None:
        """`wire` is gone. Harmless if it never entered."""
        self._flushing.pop(wire, None)
        self._drained.pop(wire, None)

    def _bound(self) -> None:
        while len(self._flushing) > 1 and self._unsent_bytes() > LINGERING_BYTES_MAX:
            self._end_first(self._flushing)
        while self.count() > self.most:  # first one that lacks nothing
            self._end_first(self._drained or self._flushing)

    def _unsent_bytes(self) -> int:
        return sum([wire.unsent_bytes() for wire in self._flushing])

    def _end_first(self, wires: dict[Closed, None]) -> None:
        oldest = next(iter(wires))
        del wires[oldest]  # here and not by its own `leave`, so that the loops above end in any case
        oldest.give_up()
