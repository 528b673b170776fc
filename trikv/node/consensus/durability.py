"""WAIT: on how many voters' disks is the log up to an index? Only the leader knows; the others ask it."""

from trikv.raft.core import Raft
from trikv.raft.roles import Role


def voters_holding(raft: Raft, index: int) -> int:
    """How many voters hold `index` on disk, as far as this node knows; 0 where it does not lead."""
    if raft.role is not Role.LEADER:
        return 0
    held = 0
    for member in raft.membership.members:
        if member.voter:
            progress = raft.progress.get(member.id)
            match = raft.durable_index if member.id == raft.node_id else progress.match if progress else 0
            held += match >= index
    return held


class Durability:
    """Open questions to the leader, by number. An answer that comes late is dropped."""

    def __init__(self) -> None:
        self._counter = 0
        self._answers: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def open(self) -> int:
        """Open a question: its number."""
        self._counter += 1
        self._answers[self._counter] = 0
        return self._counter

    def told(self, counter: int, voters: int) -> None:
        """The leader answered; more voters may be named later."""
        if counter in self._answers:
            self._answers[counter] = max(self._answers[counter], voters)

    def known(self, counter: int) -> int:
        """The most that was told so far."""
        return self._answers[counter]

    def close(self, counter: int) -> None:
        """The asker is content, or gone."""
        del self._answers[counter]
