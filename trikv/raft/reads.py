"""ReadIndex rounds: one exchange with a majority confirms every read that waited for it (thesis, 6.4).

At most two rounds are in flight. One alone would make a read that just missed it wait a whole round trip
before its own; one a turn would flood the peers under load. With two, a read waits a quarter of a round
trip on average (half when the rounds are evenly apart) and then one for its own.
"""

from collections import deque

import msgspec

from trikv.raft.ready import ConfirmedRead
from trikv.raft.types import ReadId

ROUNDS_IN_FLIGHT_MAX = 2


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
        """True while a round waits for its majority."""
        return bool(self._rounds)

    def add(self, read: ReadId) -> None:
        """`read` waits for a round that begins after this call."""
        self._waiting.append(read)

    def begin(self, index: int) -> bool:
        """Begin a round for those who wait, if there are any and there is room; True where it must leave.

        `index` is the commit index now: every write acknowledged before these reads came is at or below it.
        """
        if not self._waiting or len(self._rounds) >= ROUNDS_IN_FLIGHT_MAX:
            return False
        self.number += 1
        self._rounds.append(_Round(self.number, index, tuple(self._waiting)))
        self._waiting.clear()
        return True

    def repeat(self) -> None:
        """Heartbeats are about to leave, under a new number; whatever is unconfirmed goes with them."""
        self.number += 1

    def confirm(self, number: int) -> list[ConfirmedRead]:
        """A majority has answered round `number` or later: the reads that this sets free."""
        rounds = self._rounds
        confirmed: list[ConfirmedRead] = []
        while rounds and rounds[0].number <= number:
            done = rounds.popleft()
            confirmed.extend(ConfirmedRead(read, done.index) for read in done.reads)
        return confirmed
