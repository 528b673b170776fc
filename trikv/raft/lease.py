"""The leader's lease: for a while no other leader can be elected, so reads need not ask (thesis, 6.4.1).

A node that answers a heartbeat promises to elect nobody else for a time after the heartbeat *came*. The
leader counts the same time from when it *left*, by its own clock, and takes off the difference that two
clocks may have. While a majority is bound in this way, nobody else can have committed anything, and the
leader's commit index is the cluster's. PROTOCOL 13 has the rules. They trust two things that a read round
does not: the rates of the clocks, and that no clock stands still while its machine does not run (a virtual
machine's may).
"""

from collections import deque

from trikv.raft.settings import RaftSettings

NEVER_MS = 0
ALWAYS_MS = 1 << 62
"""When our own promise ends: we elect nobody while we lead."""

_BEATS_MAX = 16
"""How many of the latest heartbeats are remembered. An answer to an older one renews nothing."""


class Lease:
    """One leader's lease in one term."""

    __slots__ = ("_beats", "_is_forfeit", "until_ms")

    until_ms: int
    """By our clock: before this moment nobody else leads. A read needs the term's no-op committed, too."""

    def __init__(self) -> None:
        self.until_ms = NEVER_MS
        self._is_forfeit = False
        self._beats: deque[tuple[int, int]] = deque(maxlen=_BEATS_MAX)

    def beat(self, number: int, now_ms: int) -> None:
        """A heartbeat leaves to all at `now_ms`, the first that carries round `number`."""
        self._beats.append((number, now_ms))

    def promise_ends_ms(self, number: int, promise_ms: int, settings: RaftSettings) -> int:
        """When the promise in an answer to round `number` may end, by our clock and at the earliest.

        0 (`NEVER_MS`) if the heartbeat is not remembered any more.
        """
        for beat, left_ms in reversed(self._beats):
            if beat <= number:  # the latest heartbeat that this answer proves to have come
                # Both clocks are read in whole milliseconds: the peer may end its promise up to one early.
                return left_ms + promise_ms * (100 - settings.clock_drift_percent_max) // 100 - 1
        return NEVER_MS

    def renew(self, until_ms: int) -> None:
        """A majority is bound until then. It may be sooner than before, if the voters have changed."""
        if not self._is_forfeit:
            self.until_ms = until_ms

    def forfeit(self) -> None:
        """Give the lease up for the rest of the term: a peer is about to be asked to take over.

        It may be elected against every promise, and at any time: the request may still arrive after the
        transfer seems to have failed.
        """
        self._is_forfeit = True
        self.until_ms = NEVER_MS
