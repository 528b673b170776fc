"""Behaviour of the core whose seeded mistakes survived before these tests."""

from tests.raft.cluster import Cluster, disk_of, membership_of
from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, AppendEntries, RequestVote, TimeoutNow, VoteAck
from trikv.raft.ready import WriteJob
from trikv.raft.roles import Role
from trikv.raft.settings import RaftSettings
from trikv.raft.types import Entry, EntryKind, SnapshotMeta


def role_of(raft: Raft) -> Role:
    """The role now: an expression that mypy does not take for unchanged."""
    return raft.role


def entries(first: int, last: int, term: int) -> tuple[Entry, ...]:
    """Entries `first` … `last` of a term."""
    return tuple(Entry(index, term, EntryKind.BATCH, b"x") for index in range(first, last + 1))


def test_an_installed_snapshot_replaces_a_longer_log_that_conflicts() -> None:
    """Its position is of another term than the entry there: nothing of that log stays (paper, section 7)."""
    group = Cluster(3)
    raft = group.turn(3)
    raft.receive(1, disk_of(1), AppendEntries(1, 0, 0, 0, entries(1, 5, 1)))
    group.settle(3)
    group.write(3)
    assert (raft.last_index, raft.durable_index) == (5, 5)
    meta = SnapshotMeta(3, 2, membership_of(1, 2, 3))
    assert raft.install(2, disk_of(2), 2, meta)
    ready = raft.ready()
    assert (raft.last_index, raft.last_term) == (3, 2)
    assert raft.durable_index < 3
    assert isinstance(ready.job, WriteJob)
    assert (ready.job.reset, ready.job.entries) == (meta, ())
    assert not any(isinstance(message, AppendAck) for _, message in ready.messages)


def test_an_ack_gives_the_window_its_bytes_back() -> None:
    """Otherwise a peer that answers everything would get nothing more after a window's worth of bytes."""
    group = Cluster(3, settings=RaftSettings(append_bytes_max=2, inflight_bytes_max=4))
    group.elect(1)
    raft = group.nodes[1].raft
    for _ in range(5):
        group.propose(1, b"xx")
    progress = raft.progress[2]
    assert ([last for last, _ in progress.inflight], progress.inflight_bytes) == ([2, 3], 4)
    group.turn(1).receive(2, disk_of(2), AppendAck(1, 2))
    group.nodes[2].entries += raft.entries_between(2, 2)  # what that ack claimed
    group.settle(1)
    assert ([last for last, _ in progress.inflight], progress.inflight_bytes) == ([3, 4], 4)


def test_a_candidate_counts_no_vote_of_its_last_election() -> None:
    """5.1 and 5.2: a late grant was for another term. In this one the voter may vote for others."""
    group = Cluster(3)
    raft = group.turn(1)
    raft.receive(2, disk_of(2), TimeoutNow(0))
    raft.receive(3, disk_of(3), RequestVote(2, 0, 0, transfer=True))
    raft.receive(2, disk_of(2), TimeoutNow(2))
    group.settle(1)
    group.write(1)
    assert (raft.role, raft.term) == (Role.CANDIDATE, 3)
    group.turn(1).receive(2, disk_of(2), VoteAck(1, granted=True, wall_ms=0))
    group.settle(1)
    assert role_of(raft) is Role.CANDIDATE
    group.turn(1).receive(2, disk_of(2), VoteAck(3, granted=True, wall_ms=0))
    group.settle(1)
    assert role_of(raft) is Role.LEADER
