"""Each invariant catches what it is for: it is broken once, by force."""

import pytest

from tests.raft.cluster import Cluster, disk_of
from trikv.raft.invariants import GroupInvariants, NodeState, check_node
from trikv.raft.roles import Role
from trikv.raft.types import Entry, EntryKind, HardState


def state(
    term: int = 3,
    vote: bytes | None = None,
    role: Role = Role.FOLLOWER,
    commit: int = 5,
    last: int = 7,
    durable: int = 6,
) -> NodeState:
    """A node's state."""
    return NodeState(HardState(term, vote), role, commit, last, durable)


@pytest.mark.parametrize(
    ("after", "broken"),
    [
        (state(term=2), "term went back"),
        (state(vote=b"other"), "vote was changed"),
        (state(vote=b"mine", role=Role.LEADER), "no candidate"),
        (state(vote=b"mine", commit=4), "commit index went back"),
        (state(vote=b"mine", durable=8), "more is durable"),
        (state(vote=b"mine", commit=8), "beyond the end"),
    ],
)
def test_a_node_that_breaks_a_promise_is_caught(after: NodeState, broken: str) -> None:
    """Terms, votes and commits never go back; a leader was elected."""
    with pytest.raises(AssertionError, match=broken):
        check_node(state(vote=b"mine"), after)


def test_a_node_that_keeps_its_promises_is_not() -> None:
    """Progress in all directions is fine; a new term frees the vote."""
    check_node(state(vote=b"mine", role=Role.CANDIDATE), state(vote=b"mine", role=Role.LEADER, commit=6))
    check_node(state(vote=b"mine"), state(term=4, last=5, durable=5))


def led() -> Cluster:
    """Three nodes, two committed entries, node 1 leads."""
    group = Cluster(3)
    group.elect(1)
    group.propose(1)
    group.flow()
    return group


def test_a_second_leader_in_a_term_is_caught() -> None:
    """Election safety."""
    group = led()
    assert group.invariants.leader_of(1) == disk_of(1)
    group.invariants._leaders[1] = disk_of(2)
    with pytest.raises(AssertionError, match="two leaders"):
        group.invariants.check_step(group.nodes[1].raft)


def test_a_leader_that_cuts_its_log_is_caught() -> None:
    """Leader append-only."""
    group = led()
    group.propose(1)
    group.nodes[1].raft._shared.truncate(3)
    with pytest.raises(AssertionError, match="cut its own log"):
        group.invariants.check_step(group.nodes[1].raft)


def test_two_entries_of_one_index_and_term_are_caught() -> None:
    """Log matching, for the entry and for the one before it."""
    group = led()
    group.nodes[2].raft._shared.append([Entry(3, 1, EntryKind.BATCH, b"a")])
    group.invariants.check_step(group.nodes[2].raft)
    group.nodes[3].raft._shared.append([Entry(3, 1, EntryKind.BATCH, b"b")])
    with pytest.raises(AssertionError, match="two entries"):
        group.invariants.check_step(group.nodes[3].raft)
    other = GroupInvariants()
    other._previous[2, 1] = 0
    with pytest.raises(AssertionError, match="differ before"):
        other.check_step(group.nodes[1].raft)


def test_a_committed_entry_that_changes_is_caught() -> None:
    """State machine safety."""
    group = led()
    other = GroupInvariants()
    other.committed[2] = Entry(2, 9, EntryKind.BATCH, b"")
    with pytest.raises(AssertionError, match="committed entry changed"):
        other.check_step(group.nodes[1].raft)


def test_a_leader_without_a_committed_entry_is_caught() -> None:
    """Leader completeness: what was committed before its term must be in its log."""
    group = led()
    other = GroupInvariants()
    other.committed = {n: Entry(n, 0, EntryKind.BATCH, b"") for n in (3, 4)}
    other._committed_in[0] = 4
    with pytest.raises(AssertionError, match="lacks committed"):
        other.check_step(group.nodes[1].raft)


def test_a_restart_may_lose_what_was_not_durable() -> None:
    """The checker forgets what the node showed, and keeps what the group has committed."""
    group = led()
    group.propose(1)
    group.crash(1)
    group.restart(1)
    assert group.nodes[1].raft.last_index == 2
    assert len(group.invariants.committed) == 2
