"""Calls to the leader: one asks, and hears its answer or that there is none. Pure.

A call has a number that is never used again, so an answer that comes late finds nobody. It ends in one of
three ways: the leader answers; there is another leader, or the link to it broke; or `PATIENCE_MS` have
passed. Nothing is repeated here: the asker knows best whether it still wants to know.
"""

from trikv.node.events import AskLeader, LeaderAnswer, LeaderRequest

PATIENCE_MS = 2_000
"""A leader answers in the turn in which it is asked; what takes so long was lost."""
CALLS_MAX = 16_384
"""Open at once. A connection has one at most, and one that was given up may still stand in its place."""


class Calls:
    """Open calls, by number."""

    def __init__(self) -> None:
        self._counter = 0
        self._open: dict[int, tuple[AskLeader, int]] = {}
        """With the boot time at which each is given up. The oldest comes first."""

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, call: AskLeader, now_ms: int) -> LeaderRequest | None:
        """The message to the leader; None if there are too many calls, and the asker has heard that."""
        if len(self._open) >= CALLS_MAX:
            call.ended(None)
            return None
        self._counter += 1
        self._open[self._counter] = (call, now_ms + PATIENCE_MS)
        return call.request(self._counter)

    def answered(self, answer: LeaderAnswer) -> None:
        """The leader's answer; dropped if nobody waits for it any more."""
        self._end(answer.counter, answer)

    def failed(self, counter: int) -> None:
        """That call was not sent."""
        self._end(counter, None)

    def lost(self) -> None:
        """The leader that was asked is gone, and so are its answers."""
        for counter in list(self._open):
            self._end(counter, None)

    def expire(self, now_ms: int) -> None:
        """Give up what was not answered in time."""
        for counter, (_, due_ms) in list(self._open.items()):
            if due_ms > now_ms:
                break
            self._end(counter, None)

    def _end(self, counter: int, answer: LeaderAnswer | None) -> None:
        call, _ = self._open.pop(counter, (None, 0))
        if call is not None:
            call.ended(answer)
