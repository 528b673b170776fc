"""What one message may do to one node, and what a read must know: rules that show a mistake at once.

Most mistakes in consensus do harm only if several unlikely things meet. A node that obeys a message of an old
term, for example, seldom suffers from it. Here each message is judged by itself, by the paper's rules for its
receiver, so the mistake shows at the first message that allows it.
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
"""An upper bound for the error of a simulated clock's rate: a promise is taken to be that much shorter."""
Fail = Callable[[str, str], None]


class Standing(msgspec.Struct, frozen=True):
    """The part of a node's state that no message of an old term may change."""

    hard: HardState
    role: Role
    commit: int
    last_index: int
    last_term: int
    peers: tuple[tuple[NodeId, int, int], ...]
    """A leader's view: for each peer how far its log matches, and the latest round that it answered."""

    @classmethod
    def of(cls, raft: Raft) -> "Standing":
        """Take down the standing of `raft` now."""
        peers = tuple((peer, one.match, one.round_acked) for peer, one in raft.progress.items())
        return cls(raft.hard_state, raft.role, raft.commit, raft.last_index, raft.last_term, peers)


@attrs.frozen
class Before:
    """What the rules need of a node's state before it received a message."""

    standing: Standing
    prev_fits: bool = True
    """For AppendEntries: the entry before the new ones is not known to differ."""
    is_repeated: bool = False
    """For AppendEntries: all its entries were in the log already."""

    @classmethod
    def of(cls, raft: Raft, message: Message) -> "Before":
        """Take down what the rules about `message` need of `raft`, which has not received it yet."""
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
        """For each voter's disk the virtual time until which it has promised to elect nobody else."""
        self._committed = 0
        self._floors: dict[ReadId, int] = {}

    # Messages.

    def heard(self, number: int, disk: DiskId, message: Message, before: Before, raft: Raft) -> None:
        """Check what node `number` did with `message`, which it received from the node with `disk`."""
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
        """Check that what `message`, which node `number` sends, says of its disk is on that disk."""
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
        """Note that `index` is committed, as some node knows."""
        self._committed = max(self._committed, index)

    def asked(self, read: ReadId) -> None:
        """Note what is committed anywhere when a node asks for a read index."""
        self._floors[read] = self._committed

    def allowed(self, number: int, read: ReadId, index: int) -> None:
        """Check the index of a read: at least what was committed anywhere when it asked (thesis, 6.4)."""
        floor = self._floors.get(read, 0)
        if index < floor:
            self._fail("stale", f"node {number} may read at {index}; when it asked, {floor} was committed")


def _promise_s(raft: Raft) -> float:
    return raft._shared.settings.election_timeout_ms_min / 1000 * (1 - DRIFT)  # noqa: SLF001 - a look
