"""Reads by ReadIndex (Raft thesis, 6.4), at the node that holds the client. Pure.

All reads that wait when their time comes (`turns`) share one question to the leader. The question's id is
never used again (etcd #20418): a retry asks again, under the next number. If this node is configured to
``reads = lease``, the question says so, and a leader whose lease holds answers it without asking a majority:
each node's setting speaks for its own clients, so nodes may differ in it.
"""

from collections.abc import Sequence

import attrs
import msgspec

from trikv.front.figures import ReadStatistics
from trikv.front.seam import Work
from trikv.raft.types import ReadId


@attrs.frozen
class ReadSettings:
    """How this node's reads are asked for."""

    deadline_ms: int = 10_000
    """How long a read may wait for its quorum, and after that for the log."""
    retry_after_ms: int = 500
    """A question without an answer is asked again after this."""
    by_lease: bool = False
    """The leader's lease will do: no majority need be asked while it holds."""


class _Asked(msgspec.Struct):
    works: list[tuple[Work, int]]
    asked_ms: int


class ReadQuestions:
    """Reads on their way to a quorum."""

    def __init__(self, origin: int, life: int, settings: ReadSettings) -> None:
        self.patience_ms = settings.deadline_ms
        """How long a read may wait for its quorum, and after that for the log."""
        self.by_lease = settings.by_lease
        """The leader's lease will do: no majority need be asked while it holds."""
        self._origin = origin
        self._life = life
        self._retry_after_ms = settings.retry_after_ms
        self._counter = 0
        self._waiting: list[tuple[Work, int]] = []
        self._asked: dict[int, _Asked] = {}

    def __len__(self) -> int:
        return len(self._waiting) + sum(len(asked.works) for asked in self._asked.values())

    def statistics(self) -> ReadStatistics:
        """For INFO."""
        return ReadStatistics(waiting=len(self), by_lease=self.by_lease)

    @property
    def wants_to_ask(self) -> bool:
        """True while reads wait that belong to no question."""
        return bool(self._waiting)

    @property
    def is_under_way(self) -> bool:
        """True while a question waits for its answer."""
        return bool(self._asked)

    def submit(self, works: Sequence[Work], now_ms: int) -> None:
        """Take clients' reads."""
        due_ms = now_ms + self.patience_ms
        self._waiting += [(work, due_ms) for work in works]

    def ask(self, now_ms: int) -> ReadId:
        """Put everything that waits under a new question."""
        self._counter += 1
        self._asked[self._counter] = _Asked(self._waiting, now_ms)
        self._waiting = []
        return ReadId(self._origin, self._life, self._counter)

    def confirmed(self, read: ReadId) -> list[Work]:
        """The works of a question that a quorum has answered; none if it was asked again meanwhile."""
        if read.life != self._life:
            return []
        asked = self._asked.pop(read.counter, None)
        return [work for work, _ in asked.works] if asked is not None else []

    def retry(self) -> None:
        """Forget every question: a new leader, a new link, a rejection. The reads wait again, in order."""
        again = [one for asked in self._asked.values() for one in asked.works]
        self._asked.clear()
        self._waiting = again + self._waiting

    def expire(self, now_ms: int) -> list[Work]:
        """Reads whose deadline has passed."""
        lapsed = [work for work, due in self._waiting if due <= now_ms]
        if lapsed:
            self._waiting = [one for one in self._waiting if one[1] > now_ms]
        for counter in list(self._asked):
            asked = self._asked[counter]
            if asked.works and asked.works[0][1] <= now_ms:
                lapsed += [work for work, due in asked.works if due <= now_ms]
                asked.works = [one for one in asked.works if one[1] > now_ms]
                if not asked.works:
                    del self._asked[counter]
        return lapsed

    def tick(self, now_ms: int) -> None:
        """Ask again what was not answered in time."""
        if any(asked.asked_ms + self._retry_after_ms <= now_ms for asked in self._asked.values()):
            self.retry()

    def deadline_ms(self) -> int | None:
        """When `tick` or `expire` has something to do."""
        moments = [self._waiting[0][1]] if self._waiting else []
        for asked in self._asked.values():  # the oldest question is due first
            moments.append(min(asked.asked_ms + self._retry_after_ms, asked.works[0][1]))
            break
        return min(moments, default=None)
