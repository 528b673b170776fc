"""What a node has told its peers it finds again after any crash: its term, its vote, what it acknowledged.

That is what Raft asks of a disk (paper, figure 2), and the cheapest place to see that it is not kept: without
this, a forgotten vote shows only when it is given a second time in the same term and both candidates win.
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
    """Given in `term`."""
    match: int = 0
    """Acknowledged in `term`: entries up to here are on disk."""


class Promises:
    """By node, what it has promised since its disk was blank."""

    def __init__(self, fail: Callable[[str, str], None]) -> None:
        self._fail = fail
        self._made: dict[int, _Promise] = {}

    def made(self, number: int, raft: Raft, message: RequestVote | VoteAck | AppendAck) -> None:
        """Node `number` lets `message` go."""
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
        """Node `number` has made a turn: in one term, what it has acknowledged to a leader stays."""
        promise = self._made.get(number)
        if promise is None or (promise.disk, promise.term) != (raft.disk, raft.term):
            return
        if raft.last_index < promise.match:
            self._fail("forgotten", f"node {number} acknowledged {promise.match} and has cut its log")

    def reborn(self, number: int, raft: Raft) -> None:
        """Node `number` has started from its disk."""
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
        """Its disk has lied; nothing can be expected of it."""
        self._made.pop(number, None)
