"""The leader's lease: for a while no other leader can be elected, so reads need not ask (thesis, 6.4.1).

Whoever answers a heartbeat promises to elect nobody else for so long after it *came*. The leader reckons
the same time from when it *left*, by its own clock, and takes off what the two clocks may differ. While a
majority is bound so, nobody else can have committed anything, and the leader's commit index is the
cluster's. PROTOCOL 13 has the rules; what they trust, and an ordinary read round does not, is the rate of
two clocks, and that no clock stands still while its machine does not run (a virtual machine's may).
"""

from collections import deque

from trikv.raft.settings import RaftSettings

NEVER_MS = 0
ALWAYS_MS = 1 << 62
"""When our own promise ends: we elect nobody while we lead."""

_BEATS_MAX = 16
"""Heartbeats on their way that are told apart; an answer to one before them renews nothing."""


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

        The answer proves that the last heartbeat numbered no higher had come. Both clocks are read in whole
        milliseconds: the peer may think that its time is over up to one too soon.
        """
        for beat, left_ms in reversed(self._beats):
            if beat <= number:
                return left_ms + promise_ms * (100 - settings.clock_drift_percent_max) // 100 - 1
        return NEVER_MS

    def renew(self, until_ms: int) -> None:
        """A majority is bound until then, reckoned anew: it may be sooner, where voters have changed."""
        if not self._is_forfeit:
            self.until_ms = until_ms

    def forfeit(self) -> None:
        """We are about to ask a peer to take over: it may be elected against every promise.

        For the rest of the term: the request may be under way for any time, even if it seems to have failed.
        """
        self._is_forfeit = True
        self.until_ms = NEVER_MS
