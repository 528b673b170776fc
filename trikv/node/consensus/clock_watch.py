"""Says now and then that a peer's wall clock is off: dates as deadlines go by a quorum's (PROTOCOL 20)."""

from collections.abc import Mapping

import structlog

from trikv.raft.types import NodeId, PeerClock

DEVIATION_MS_MAX = 1000
"""Between two nodes' wall clocks, before it is worth a warning; a round trip is far less."""
WARNING_INTERVAL_MS = 60_000

log = structlog.get_logger()


class ClockWatch:
    """Looks at the clocks that peers report."""

    def __init__(self) -> None:
        self._due_ms = 0

    def look(self, now_ms: int, peer_clocks: Mapping[NodeId, PeerClock]) -> None:
        """Compare each peer's clock with ours."""
        if now_ms < self._due_ms:
            return
        for peer, clock in sorted(peer_clocks.items()):
            by_ms = clock.wall_ms - clock.own_wall_ms
            if abs(by_ms) > DEVIATION_MS_MAX:
                log.warning("wall clocks deviate: is NTP running?", peer=peer, by_ms=by_ms)
                self._due_ms = now_ms + WARNING_INTERVAL_MS
