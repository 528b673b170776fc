"""What a node takes of what its clients ask, and what it refuses: while it stops, or its log has no room."""

import structlog

from trikv.front.seam import Work
from trikv.machine.replies import CommandError
from trikv.node.consensus.proposals import Proposals
from trikv.node.consensus.read_questions import ReadQuestions
from trikv.node.drain import Drain
from trikv.node.events import LogRoom

STOPPING = CommandError(
    "CLUSTERDOWN this node is shutting down; the command was not executed, use another node"
)
_BEHIND = CommandError(
    "CLUSTERDOWN this node is behind in the log; the command was not executed, try again or use another node"
)

log = structlog.get_logger()


class Admission:
    """Hands clients' works to the proposals and the reads, or fails them at once."""

    def __init__(self, proposals: Proposals, reads: ReadQuestions, drain: Drain) -> None:
        self._proposals = proposals
        self._reads = reads
        self._drain = drain
        self.no_room = False
        """The log's next segment cannot be made."""
        self._refusal = STOPPING
        """What a write is refused with while `no_room`."""
        self.behind = _BEHIND
        """What a read is refused with if the log does not reach its index in time."""
        self.works = 0
        """Taken or refused since the start."""

    def take(self, works: list[Work], now_ms: int) -> None:
        """Decide about `works`. There are many of them in a turn, so they are not looked at one by one."""
        self.works += len(works)
        writes = [work for work in works if work.writes]
        reads = [work for work in works if not work.writes] if len(writes) < len(works) else []
        if self._drain.is_stopping:
            for work in works:
                work.failed(STOPPING)
        elif self.no_room:
            for work in writes:
                work.failed(self._refusal)  # after a change of term we could not even learn what became of it
            self._reads.submit(reads, now_ms)
        else:
            self._proposals.submit(writes, now_ms)
            self._reads.submit(reads, now_ms)

    def room_changed(self, event: LogRoom) -> None:
        """The log has no room any more, or has some again."""
        self.no_room = not event.there
        if not event.there:
            log.error("no write is accepted or acknowledged until there is room", lack=event.lack)
            what = "the command was not executed, use another node"
            self._refusal = CommandError(f"CLUSTERDOWN this node cannot write: {event.lack}; {what}")
            self.behind = CommandError(f"CLUSTERDOWN this node cannot follow: {event.lack}; {what}")
        else:
            self.behind = _BEHIND
            log.info("there is room again: writes are accepted")
