"""ReadIndex rounds: one exchange with a majority confirms every read that waited for it (thesis, 6.4).

A read joins only a round that begins after it came: an earlier one may have been answered before another
leader acknowledged a write that the read must see (PROTOCOL 9).
"""

from collections import deque

import msgspec

from trikv.raft.ready import ConfirmedRead
from trikv.raft.types import ReadId

ROUNDS_IN_FLIGHT_MAX = 2
"""With one, a read that just missed it would wait a whole round trip before its own. With one a turn, the
peers would be flooded under load. With two, a read waits at most a half and on average a quarter of a round
trip for its round to begin, if rounds are evenly apart."""


class _Round(msgspec.Struct, gc=False):
    number: int
    index: int
    reads: tuple[ReadId, ...]


class ReadRounds:
    """The read rounds of one leader in one term.

    A heartbeat carries the number of the latest round, so that its ack, whatever made the heartbeat leave,
    confirms that round and every earlier one: they all began before the peer answered.
    """

    __slots__ = ("_rounds", "_waiting", "number")

    number: int
    """The latest round's number; never used again in this term."""

    def __init__(self) -> None:
        self.number = 0
        self._waiting: list[ReadId] = []
        self._rounds: deque[_Round] = deque()

    @property
    def is_in_flight(self) -> bool:
        """Whether a round waits for its majority."""
        return bool(self._rounds)

    def add(self, read: ReadId) -> None:
        """`read` waits for a round that begins after this call."""
        self._waiting.append(read)

    def begin(self, index: int) -> bool:
        """Begin a round for the reads that wait, if there are any and there is room; True if it must leave.

        `index` is the commit index now: every write acknowledged before these reads came is at or below it.
        """
        if not self._waiting or len(self._rounds) >= ROUNDS_IN_FLIGHT_MAX:
            return False
        self.number += 1
        # The index of now, not of the confirmation: it covers all that was acknowledged before these reads.
        self._rounds.append(_Round(self.number, index, tuple(self._waiting)))
        self._waiting.clear()
        return True

    def repeat(self) -> None:
        """Heartbeats are about to leave under a new number: their acks confirm the rounds in flight, too."""
        self.number += 1

    def confirm(self, number: int) -> list[ConfirmedRead]:
        """A majority has answered round `number` or later: the reads that this sets free."""
        rounds = self._rounds
        confirmed: list[ConfirmedRead] = []
        while rounds and rounds[0].number <= number:
            done = rounds.popleft()
            confirmed.extend(ConfirmedRead(read, done.index) for read in done.reads)
        return confirmed
