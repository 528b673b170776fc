"""Snapshots, installs and compaction, as the core sees them."""

import pytest

from tests.raft.cluster import Cluster, disk_of, membership_of
from tests.raft.groups import leader_of, led, role_of
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    AppendReject,
    HeartbeatAck,
    TimeoutNow,
)
from trikv.raft.progress import ProgressState
from trikv.raft.roles import Role
from trikv.raft.types import Entry, EntryKind, SnapshotMeta


def snapshotted() -> Cluster:
    """Node 1 leads, its log begins after 4; node 3 has only entry 1 and is about to be probed."""
    group = led()
    for _ in range(3):
        group.propose(1)
    group.flow(frozenset({1, 2}))
    group.soup.clear()
    leader_of(group).unreachable(3)
    group.settle(1)
    group.take_snapshot(1)
    group.compact(1)
    return group


def test_a_failed_snapshot_is_asked_for_again_when_the_peer_lives() -> None:
    """It is asked for once: not while the transfer runs, nor before a heartbeat's ack after a failure."""
    group = snapshotted()
    raft = leader_of(group)
    raft.reachable(3)
    ready = raft.ready()
    assert ready.snapshots_wanted == (3,)
    raft.unreachable(3)
    raft.receive(3, disk_of(3), HeartbeatAck(1, 0, 0))
    raft.receive(3, disk_of(3), AppendReject(1, 4, 0, 0))
    assert raft.ready().snapshots_wanted == ()
    raft.snapshot_sent(3, 4, ok=False)
    assert raft.ready().snapshots_wanted == ()
    group.now_ms += 100
    raft = leader_of(group)
    raft.receive(3, disk_of(3), HeartbeatAck(1, 0, 0))
    assert raft.ready().snapshots_wanted == (3,)
    raft.snapshot_sent(3, 4, ok=True)
    assert raft.progress[3].next == 5
    raft.snapshot_sent(3, 4, ok=True)
    raft.receive(3, disk_of(3), AppendAck(1, 4))
    assert raft.progress[3].state is ProgressState.REPLICATE


def test_a_snapshot_is_not_installed_where_the_log_has_it() -> None:
    """The commit index moves instead. Old snapshots and old terms change nothing; one installs at a time."""
    group = led()
    for _ in range(3):
        group.propose(1)
    for letter in [letter for letter in group.soup if letter.to == 3]:
        group.deliver(letter)
    group.write(3, 10)
    group.soup.clear()
    meta = SnapshotMeta(3, 1, membership_of(1, 2, 3))
    raft = group.turn(3)
    assert not raft.install(1, disk_of(1), 1, meta)
    assert raft.commit == 3
    assert not raft.install(1, disk_of(1), 1, SnapshotMeta(2, 1, meta.membership))
    assert not raft.install(1, disk_of(1), 0, SnapshotMeta(9, 1, meta.membership))
    messages = raft.ready().messages
    assert messages == ((1, AppendAck(1, 3)), (1, AppendAck(1, 3)))


def test_an_install_goes_reset_then_machine_then_ack() -> None:
    """PROTOCOL 8. Entries that commit beyond it meanwhile are handed out after it."""
    group = led()
    meta = SnapshotMeta(9, 1, membership_of(1, 2, 3))
    raft = group.turn(3)
    raft.receive(1, disk_of(1), AppendEntries(1, 1, 1, 1, (Entry(2, 1, EntryKind.NOOP, b""),)))
    assert raft.install(1, disk_of(1), 2, meta)
    assert not raft.install(1, disk_of(1), 2, SnapshotMeta(12, 1, meta.membership))
    raft.receive(1, disk_of(1), AppendEntries(2, 9, 1, 10, (Entry(10, 2, EntryKind.NOOP, b""),)))
    ready = raft.ready()
    assert ready.job is not None
    assert (ready.job.reset, len(ready.job.entries), ready.committed) == (meta, 1, ())
    with pytest.raises(AssertionError, match="another"):
        raft.installed(8)
    assert raft.deadline() > group.now_ms
    raft.persisted(ready.job.number)
    ready = raft.ready()
    assert (ready.install, ready.committed) == (meta, ())
    raft.installed(9)
    ready = raft.ready()
    assert ready.messages == ((1, AppendAck(2, 9)),)
    assert [entry.index for entry in ready.committed] == [10]
    with pytest.raises(AssertionError, match="no snapshot"):
        raft.installed(9)


def test_nobody_campaigns_while_installing() -> None:
    """A leader's machine must be at its log's base at least."""
    group = led()
    raft = group.turn(3)
    raft.install(1, disk_of(1), 1, SnapshotMeta(9, 1, membership_of(1, 2, 3)))
    job = raft.ready().job
    assert job is not None
    raft.persisted(job.number)
    raft.ready()
    raft.receive(1, disk_of(1), TimeoutNow(1))
    for _ in range(60):
        group.now_ms += 20
        group.turn(3).tick()
    assert role_of(raft) is Role.FOLLOWER
    raft.installed(9)
    for _ in range(60):
        group.now_ms += 20
        group.turn(3).tick()
    assert role_of(raft) is Role.PRECANDIDATE


def test_an_install_that_ends_without_a_leader_tells_nobody() -> None:
    """The leader that sent it may be gone."""
    group = led()
    raft = group.turn(3)
    raft.install(1, disk_of(1), 1, SnapshotMeta(9, 1, membership_of(1, 2, 3)))
    raft.persisted(raft.ready().job.number)  # type: ignore[union-attr]
    raft.ready()
    raft.receive(2, disk_of(2), HeartbeatAck(5, 0, 0))
    raft.installed(9)
    assert raft.ready().messages == ()


def test_compaction_keeps_the_base_and_refuses_what_is_needed() -> None:
    """Index and term of the last dropped entry stay known. Entries not handed out or not durable stay."""
    group = led()
    group.propose(1)
    group.flow()
    raft = leader_of(group)
    raft.compact(2)
    raft.compact(1)
    assert (raft.first_index, raft.term_at(2), raft.term_at(1), raft.log_bytes) == (3, 1, None, 0)
    raft.propose(b"x")
    with pytest.raises(AssertionError, match="needed"):
        raft.compact(3)


def test_a_snapshot_below_the_log_changes_nothing() -> None:
    """It is older than all entries in memory: the leader is told the commit index."""
    group = led()
    for _ in range(3):
        group.propose(1)
    group.flow()
    group.take_snapshot(2)
    group.compact(2)
    raft = group.turn(2)
    assert not raft.install(1, disk_of(1), 1, SnapshotMeta(2, 1, membership_of(1, 2, 3)))
    assert raft.ready().messages == ((1, AppendAck(1, 4)),)
