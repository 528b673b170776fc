"""Calls to the leader: one asks, and hears its answer or that there is none. Pure.

A call has a number that is never used again, so an answer that comes late finds nobody. It ends in one of
three ways: the leader answers; there is another leader, or the link to it broke; or nobody has repeated it
for `PATIENCE_MS`. When to repeat it is the asker's to know, who may not want to know any more.
"""

from trikv.node.events import AskLeader, LeaderAnswer, LeaderRequest

PATIENCE_MS = 2_000
"""An asker repeats its call much sooner than that: of a call so old its asker has gone."""
CALLS_MAX = 16_384
"""Open at once. A connection has one at most, and one that was given up may still stand in its place."""


class LeaderCalls:
    """Open calls, by number."""

    def __init__(self) -> None:
        self._counter = 0
        self._open: dict[int, tuple[AskLeader, int]] = {}
        """With the boot time at which each is given up. What was put longest ago comes first."""
        self._numbers: dict[AskLeader, int] = {}
        """Of the same calls."""

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, call: AskLeader, now_ms: int) -> LeaderRequest | None:
        """The message to the leader, with the number that `call` has if it is open.

        None if there are too many calls, and the asker has heard that.
        """
        number = self._numbers.get(call)
        if number is not None:
            del self._open[number]  # it comes last again
        elif len(self._open) >= CALLS_MAX:
            call.ended(None)
            return None
        else:
            self._counter += 1
            number = self._numbers[call] = self._counter
        self._open[number] = (call, now_ms + PATIENCE_MS)
        return call.request(number)

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
        """Forget what was not repeated in time."""
        for counter, (_, due_ms) in list(self._open.items()):
            if due_ms > now_ms:
                break
            self._end(counter, None)

    def _end(self, counter: int, answer: LeaderAnswer | None) -> None:
        call, _ = self._open.pop(counter, (None, 0))
        if call is not None:
            del self._numbers[call]
            call.ended(answer)
