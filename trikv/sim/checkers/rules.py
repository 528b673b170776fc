"""What one message may do to one node, and what a read must know: rules that need no later event to be seen.

Most mistakes in consensus do harm only when several unlikely things meet: a message of an old term that is
listened to matters when its sender was right by chance. Here each message is judged on its own, by what the
paper asks of whoever receives it, so the mistake shows at the first message that gives it the chance.
"""

from collections.abc import Callable

import attrs
import msgspec
import trio

from trikv.raft.core import Raft
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    AppendReject,
    Heartbeat,
    HeartbeatAck,
    Message,
    PreVote,
    PreVoteAck,
    RequestVote,
    VoteAck,
)
from trikv.raft.roles import Role
from trikv.raft.types import DiskId, HardState, NodeId, ReadId

DRIFT = 0.05
"""By how much a simulated clock may be wrong, with room to spare: a promise counts for that much less."""
Fail = Callable[[str, str], None]


class Standing(msgspec.Struct, frozen=True):
    """What no message of an old term changes."""

    hard: HardState
    role: Role
    commit: int
    last_index: int
    last_term: int
    peers: tuple[tuple[NodeId, int, int], ...]
    """A leader's: how far each log is known to match, and which round it has answered."""

    @classmethod
    def of(cls, raft: Raft) -> "Standing":
        """Of `raft` now."""
        peers = tuple((peer, one.match, one.round_acked) for peer, one in raft.progress.items())
        return cls(raft.hard_state, raft.role, raft.commit, raft.last_index, raft.last_term, peers)


@attrs.frozen
class Before:
    """A node as it was when a message came."""

    standing: Standing
    prev_fits: bool = True
    """Of an append: nothing speaks against the entry before it."""
    is_repeated: bool = False
    """Of an append: all that it brings was there."""

    @classmethod
    def of(cls, raft: Raft, message: Message) -> "Before":
        """What the rules about `message` must know."""
        standing = Standing.of(raft)
        if not isinstance(message, AppendEntries):
            return cls(standing)
        return cls(
            standing,
            raft.term_at(message.prev_index) in (None, message.prev_term),
            all(raft.term_at(entry.index) == entry.term for entry in message.entries),
        )


class Rules:
    """Judges each message by itself."""

    def __init__(self, fail: Fail) -> None:
        self._fail = fail
        self._bound: dict[DiskId, float] = {}
        """Until when a voter has promised to elect nobody else."""
        self._committed = 0
        self._floors: dict[ReadId, int] = {}

    # Messages.

    def heard(self, number: int, disk: DiskId, message: Message, before: Before, raft: Raft) -> None:
        """Node `number` has received `message` from the node with `disk`."""
        hard = before.standing.hard
        asks_ahead = isinstance(message, PreVote | PreVoteAck)
        if message.term < hard.term and not asks_ahead and Standing.of(raft) != before.standing:
            self._fail("raft", f"node {number} obeyed {message} in term {hard.term} (5.1)")
        match message:
            case AppendAck() | AppendReject() | HeartbeatAck() | VoteAck() if raft.term < message.term:
                self._fail(
                    "raft", f"node {number} heard of term {message.term} and stays in {raft.term} (5.1)"
                )
            case AppendEntries() if raft.term == message.term:
                self._appended(number, message, before, raft)
            case Heartbeat() if raft.term == message.term:
                self._bound[raft.disk] = trio.current_time() + _promise_s(raft)
            case RequestVote(transfer=False) if raft.hard_state != hard and raft.hard_state.vote == disk:
                if trio.current_time() < self._bound.get(raft.disk, 0):
                    self._fail("raft", f"node {number} is bound to a leader and votes for another (4.2.3)")
            case _:
                pass

    def _appended(self, number: int, message: AppendEntries, before: Before, raft: Raft) -> None:
        commit, last_index = before.standing.commit, before.standing.last_index
        proved = message.prev_index + len(message.entries)
        if raft.commit > max(commit, proved):
            self._fail("raft", f"node {number} commits {raft.commit}; {proved} is proved (figure 2)")
        if not before.prev_fits and (raft.last_index, raft.commit) != (last_index, commit):
            self._fail("raft", f"node {number} appended behind an entry that differs (5.3)")
        if before.prev_fits and before.is_repeated and raft.last_index < last_index:
            self._fail("raft", f"node {number} cut its log where nothing differs (5.3)")

    def sent(self, number: int, message: Message, raft: Raft) -> None:
        """Node `number` lets `message` go: what it says of the disk is on the disk."""
        match message:
            case AppendAck(term=term, match_index=index):
                if term == raft.term and index > raft.durable_index:
                    self._fail(
                        "raft", f"node {number} acknowledges {index}, has {raft.durable_index} on disk"
                    )
            case RequestVote(term=term) | VoteAck(term=term, granted=True):
                outbox = raft._shared.outbox  # noqa: SLF001 - a look
                if term == raft.term and not outbox.is_hard_state_durable:
                    self._fail("raft", f"node {number} has voted in term {term}, not on its disk")
            case _:
                pass

    # Reads.

    def committed(self, index: int) -> None:
        """Some node knows that `index` is committed."""
        self._committed = max(self._committed, index)

    def asked(self, read: ReadId) -> None:
        """A node asks at which index it may read."""
        self._floors[read] = self._committed

    def allowed(self, number: int, read: ReadId, index: int) -> None:
        """It may at `index`: no less than was committed anywhere when it asked (thesis, 6.4)."""
        floor = self._floors.get(read, 0)
        if index < floor:
            self._fail("stale", f"node {number} may read at {index}; when it asked, {floor} was committed")


def _promise_s(raft: Raft) -> float:
    return raft._shared.settings.election_timeout_ms_min / 1000 * (1 - DRIFT)  # noqa: SLF001 - a look
