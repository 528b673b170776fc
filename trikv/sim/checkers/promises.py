"""A node finds again after any crash what it has told its peers: its term, its vote, what it acknowledged.

Raft demands that of a disk (paper, figure 2). Here a failure is seen early: without this check, a forgotten
vote would show only if it is given a second time in the same term and both candidates win.
"""

from collections.abc import Callable

import attrs

from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, RequestVote, VoteAck
from trikv.raft.types import DiskId, HardState


@attrs.define
class _Promise:
    disk: DiskId
    term: int = 0
    vote: DiskId | None = None
    """The disk that got the vote in `term`."""
    match: int = 0
    """Entries up to here were acknowledged in `term`: they are on disk."""


class Promises:
    """What each node has promised since its disk was blank."""

    def __init__(self, fail: Callable[[str, str], None]) -> None:
        self._fail = fail
        self._made: dict[int, _Promise] = {}

    def made(self, number: int, raft: Raft, message: RequestVote | VoteAck | AppendAck) -> None:
        """Node `number` sends `message`: remember what it promises."""
        promise = self._made.get(number)
        if promise is None or promise.disk != raft.disk:
            promise = self._made[number] = _Promise(raft.disk)
        if message.term > promise.term:
            promise.term, promise.vote, promise.match = message.term, None, 0
        hard: HardState = raft.hard_state
        match message:
            case AppendAck(match_index=index):
                if message.term == promise.term:
                    promise.match = max(promise.match, index)
            case RequestVote() | VoteAck(granted=True):
                if message.term == promise.term == hard.term:
                    promise.vote = hard.vote
            case VoteAck():
                pass

    def kept(self, number: int, raft: Raft) -> None:
        """Check node `number` after a turn: within a term it keeps what it has acknowledged."""
        promise = self._made.get(number)
        if promise is None or (promise.disk, promise.term) != (raft.disk, raft.term):
            return
        if raft.last_index < promise.match:
            self._fail("forgotten", f"node {number} acknowledged {promise.match} and has cut its log")

    def reborn(self, number: int, raft: Raft) -> None:
        """Check node `number` after a start: it has its term, its vote and what it has acknowledged."""
        promise = self._made.get(number)
        if promise is None or promise.disk != raft.disk:
            return
        hard = raft.hard_state
        if hard.term < promise.term:
            self._fail("forgotten", f"node {number} spoke in term {promise.term} and starts in {hard.term}")
        elif hard.term == promise.term and promise.vote is not None and hard.vote != promise.vote:
            self._fail("forgotten", f"node {number} has forgotten whom it voted for in term {hard.term}")
        elif hard.term == promise.term and raft.last_index < promise.match:
            self._fail(
                "forgotten", f"node {number} acknowledged {promise.match}, its log ends at {raft.last_index}"
            )

    def forget(self, number: int) -> None:
        """Drop the promises of node `number`: its disk has lied, and nothing can be expected of it."""
        self._made.pop(number, None)
