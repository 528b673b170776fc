"""Says now and then that a follower's disk has lost entries which it acknowledged (PROTOCOL 9).

No crash does that: an older copy of the data directory was put in its place, or the disk lied about a sync.
What it acknowledged counts for commits, so the leader fills no gap before this was said (`Progress.denied`).
"""

from collections.abc import Mapping

import structlog

from trikv.raft.progress import Progress
from trikv.raft.types import NodeId

ERROR_INTERVAL_MS = 60_000

log = structlog.get_logger()


class LostEntries:
    """Looks at what followers say of their logs."""

    def __init__(self) -> None:
        self._due_ms = 0

    def look(self, now_ms: int, followers: Mapping[NodeId, Progress]) -> None:
        """Name each that has lost entries."""
        if now_ms < self._due_ms:
            return
        for peer, progress in sorted(followers.items()):
            if progress.has_lost_entries:
                log.error(
                    "a follower has lost entries that it acknowledged: stop it, then start it with --refill",
                    peer=peer,
                    acknowledged=progress.match,
                )
                self._due_ms = now_ms + ERROR_INTERVAL_MS
