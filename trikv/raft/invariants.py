"""Raft's five properties (paper, figure 3), checked over a whole group after every step.

A checker remembers what it has seen, and each call looks only at what that node's step has changed. Tests
and the simulator call it after every step of every node; a node in production does not.
"""

import msgspec

from trikv.raft.roles import Role
from trikv.raft.types import DiskId, Entry, HardState
from trikv.raft.views import RaftViews


class NodeState(msgspec.Struct, frozen=True):
    """What one node showed after its last step."""

    hard_state: HardState
    role: Role
    commit: int
    last_index: int
    durable_index: int

    @classmethod
    def of(cls, raft: RaftViews) -> "NodeState":
        """Take down what `raft` shows now."""
        return cls(raft.hard_state, raft.role, raft.commit, raft.last_index, raft.durable_index)


def check_node(before: NodeState, after: NodeState) -> None:
    """Check one node, before and after a step. Raises AssertionError, which names the broken promise."""
    assert after.hard_state.term >= before.hard_state.term, "a term went back"
    if after.hard_state.term == before.hard_state.term:
        assert before.hard_state.vote in (None, after.hard_state.vote), "a vote was changed in its term"
        won = before.role is not Role.LEADER and after.role is Role.LEADER
        assert not won or before.role is Role.CANDIDATE, "a leader that was no candidate"
    assert after.commit >= before.commit, "the commit index went back"
    assert after.durable_index <= after.last_index, "more is durable than there is"
    assert after.commit <= after.last_index, "committed beyond the end of the log"


class GroupInvariants:
    """Election safety, leader append-only, log matching, leader completeness, state machine safety."""

    def __init__(self) -> None:
        self._nodes: dict[DiskId, NodeState] = {}
        self._terms: dict[DiskId, dict[int, int]] = {}
        """For each node the terms of its log, index by index, as last checked."""
        self._leaders: dict[int, DiskId] = {}
        self._entries: dict[tuple[int, int], Entry] = {}
        """Every entry ever seen, by (index, term)."""
        self._previous: dict[tuple[int, int], int] = {}
        """The term of the entry before it."""
        self.committed: dict[int, Entry] = {}
        """Every entry ever known to be committed, by index."""
        self._committed_in: dict[int, int] = {}
        """For each term the highest index that was first seen committed in it."""

    def restarted(self, raft: RaftViews) -> None:
        """`raft` was rebuilt from its disk. It may have lost what was not durable, so it starts unknown."""
        self._nodes.pop(raft.disk, None)
        self._terms.pop(raft.disk, None)

    def check_step(self, raft: RaftViews) -> None:
        """Check `raft` after a step. Raises AssertionError, which names the broken property."""
        after = NodeState.of(raft)
        before = self._nodes.get(raft.disk)
        if before is not None:
            check_node(before, after)
            if before.role is after.role is Role.LEADER and before.hard_state == after.hard_state:
                assert after.last_index >= before.last_index, "a leader cut its own log"
        self._check_log(raft, after, 0 if before is None else before.last_index)
        self._check_commit(raft, after, 0 if before is None else before.commit)
        if after.role is Role.LEADER:
            self._check_leader(raft, after)
        self._nodes[raft.disk] = after

    def _check_log(self, raft: RaftViews, after: NodeState, last_before: int) -> None:
        """Log matching (5.3): index and term name one entry, and the one before it."""
        assert raft.term_at(after.last_index + 1) is None, "an entry after the last one"
        terms = self._terms.setdefault(raft.disk, {})
        for index in range(after.last_index + 1, last_before + 1):
            terms.pop(index, None)
        for index in range(after.last_index, raft.first_index - 1, -1):
            (entry,) = raft.entries_between(index, index)
            if terms.get(index) == entry.term:
                break  # from here down nothing has changed
            terms[index] = entry.term
            key = (index, entry.term)
            assert self._entries.setdefault(key, entry) == entry, "two entries of one index and term"
            previous = raft.term_at(index - 1)
            assert previous is not None, "a log with a gap"
            assert self._previous.setdefault(key, previous) == previous, "logs differ before a match"

    def _check_commit(self, raft: RaftViews, after: NodeState, commit_before: int) -> None:
        """State machine safety (5.4.3): all nodes commit the same entries."""
        for index in range(max(commit_before + 1, raft.first_index), after.commit + 1):
            (entry,) = raft.entries_between(index, index)
            if index not in self.committed:
                self.committed[index] = entry
                self._committed_in[after.hard_state.term] = index
            assert self.committed[index] == entry, "a committed entry changed"

    def _check_leader(self, raft: RaftViews, after: NodeState) -> None:
        """One leader a term (5.2), which has all that was committed before its term (5.4)."""
        term = after.hard_state.term
        known = self._leaders.get(term)
        if known is not None:
            assert known == raft.disk, "two leaders in one term"
            return
        self._leaders[term] = raft.disk
        earlier = [index for since, index in self._committed_in.items() if since < term]
        index = max(earlier, default=0)
        if index >= raft.first_index:  # then by log matching it has all before it, too
            assert raft.term_at(index) == self.committed[index].term, "a leader lacks committed entries"

    def leader_of(self, term: int) -> DiskId | None:
        """The disk that led `term`; None if no step showed it leading."""
        return self._leaders.get(term)
