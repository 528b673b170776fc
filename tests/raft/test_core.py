"""The core in matters that the paper leaves open: restarts, disks, stalls, roles, transfers, views."""

import attrs
import pytest

from tests.raft.cluster import NOTHING, Cluster, disk_of, membership_of, snapshot_meta
from tests.raft.groups import leader_of, led, role_of
from trikv.raft.core import Raft
from trikv.raft.membership import encode_membership
from trikv.raft.messages import (
    AppendAck,
    AppendReject,
    Heartbeat,
    HeartbeatAck,
    PreVoteAck,
    RequestVote,
    TimeoutNow,
)
from trikv.raft.roles import Role
from trikv.raft.settings import RaftSettings
from trikv.raft.types import Entry, EntryKind, HardState, ReadId, SnapshotMeta


@pytest.mark.parametrize(
    "wrong",
    [
        {"heartbeat_interval_ms": 300},
        {"heartbeat_interval_ms": 0},
        {"election_timeout_ms_max": 399},
        {"inflight_appends_max": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, int]) -> None:
    """Each wrong setting is refused in one clear line."""
    with pytest.raises(ValueError, match="must"):
        RaftSettings(**wrong)


def test_a_restart_knows_its_log_and_membership() -> None:
    """From durable state come log, term, configuration, and what the machine's snapshot holds already."""
    membership = membership_of(1, 2)
    entries = [
        Entry(5, 2, EntryKind.NOOP, b""),
        Entry(6, 2, EntryKind.MEMBERSHIP, encode_membership(membership)),
        Entry(7, 3, EntryKind.BATCH, b"abc"),
    ]
    raft = Raft(
        node_id=1,
        disk=disk_of(1),
        settings=RaftSettings(),
        hard_state=HardState(3, disk_of(2)),
        base=SnapshotMeta(4, 1, membership_of(1, 2, 3)),
        entries=entries,
        jitter=lambda below: below - 1,
        now_ms=5,
        wall_ms=5,
        applied=6,
    )
    assert (raft.term, raft.last_index, raft.last_term, raft.durable_index, raft.first_index) == (
        3,
        7,
        3,
        7,
        5,
    )
    assert (raft.membership, raft.membership_index) == (membership, 6)
    assert (raft.commit, raft.ready().committed, raft.log_bytes) == (6, (), len(entries[1].payload) + 3)
    assert (raft.term_at(4), raft.term_at(8), raft.leader, raft.node_id) == (1, None, None, 1)
    assert snapshot_meta(raft, 5) == SnapshotMeta(5, 2, membership_of(1, 2, 3))
    assert snapshot_meta(raft, 6) == SnapshotMeta(6, 2, membership)
    assert raft.progress == {}
    assert raft.hard_state.vote == disk_of(2)


def test_a_log_ahead_of_its_term_is_refused() -> None:
    """Entries of a term that the hard state does not know: somebody else's disk."""
    with pytest.raises(AssertionError, match="ahead"):
        Cluster(1).core(1, disk_of(1), HardState(1), NOTHING, [Entry(1, 2, EntryKind.NOOP, b"")], applied=0)


def test_a_sole_voter_leads_at_once_and_confirms_its_own_reads() -> None:
    """Nobody else could lead: no timeout is waited for, and a read needs no message."""
    group = Cluster(1)
    assert group.nodes[1].raft.deadline() == group.now_ms
    group.tick(1)
    group.flow()
    assert group.leaders() == [1]
    read = group.read(1)
    assert group.nodes[1].reads == [(read, 1)]


def test_after_a_stall_no_follower_campaigns_in_the_same_turn() -> None:
    """Messages that would have stopped it may be waiting. A short absence does not count as a stall."""
    group = led()
    raft = group.turn(2)
    deadline = raft.deadline()
    assert deadline <= group.now_ms + 150
    group.now_ms += 2_000
    group.tick(2)
    assert role_of(raft) is Role.FOLLOWER
    for _ in range(45):
        group.now_ms += 20
        group.tick(2)
    assert role_of(raft) is Role.PRECANDIDATE


def test_after_its_own_stall_a_leader_gives_its_peers_time() -> None:
    """Silence during its own stall does not count against them."""
    group = led()
    group.now_ms += 5_000
    group.tick(1)
    assert group.leaders() == [1]
    for _ in range(45):
        group.now_ms += 20
        group.tick(1)
    assert group.leaders() == []


def test_the_clock_never_goes_back() -> None:
    """A clock that does is our own bug."""
    group = led()
    with pytest.raises(AssertionError, match="clock"):
        group.nodes[1].raft.begin(group.now_ms - 1, 0)


def test_only_the_disk_that_is_the_member_is_heard() -> None:
    """Acks and votes of another disk under the same id change nothing; its clock is not noted either."""
    group = led()
    group.propose(1)
    group.write(1)
    group.soup.clear()
    raft = leader_of(group)
    before = raft.progress[2].last_ack_ms
    group.now_ms += 50
    raft = leader_of(group)
    clocks = dict(raft.peer_clocks)
    raft.receive(2, disk_of(2, 1), AppendAck(1, 2))
    raft.receive(2, disk_of(2, 1), HeartbeatAck(1, 0, 77))
    raft.receive(9, disk_of(9), AppendReject(1, 1, 0, 0))
    assert (raft.commit, raft.progress[2].last_ack_ms, dict(raft.peer_clocks)) == (1, before, clocks)


def test_a_vote_of_another_disk_does_not_count() -> None:
    """Nor does a pre-vote, nor one of a learner."""
    group = Cluster(3)
    group.elect(1, hops=1)
    raft = group.turn(1)
    raft.receive(2, disk_of(2, 1), PreVoteAck(1, True, 5))
    assert role_of(raft) is Role.PRECANDIDATE
    raft.receive(2, disk_of(2), PreVoteAck(4, True, 5))
    assert role_of(raft) is Role.PRECANDIDATE
    raft.receive(2, disk_of(2), PreVoteAck(0, False, 5))
    raft.receive(2, disk_of(2), PreVoteAck(1, True, 5))
    assert role_of(raft) is Role.CANDIDATE
    raft.receive(3, disk_of(3), PreVoteAck(1, True, 5))
    assert role_of(raft) is Role.CANDIDATE


def test_peers_clocks_come_with_their_answers() -> None:
    """For each member that answered: its clock, ours at that time, and the time since then by boot time."""
    group = led()
    clocks = group.nodes[1].raft.peer_clocks
    deviations = {peer: clock.wall_ms - clock.own_wall_ms for peer, clock in clocks.items()}
    assert deviations == {2: 3_600_000, 3: 7_200_000}
    for clock in clocks.values():
        assert clock.at_ms(clock.came_ms) == clock.wall_ms
        assert clock.at_ms(clock.came_ms + 250) == clock.wall_ms + 250


def test_a_follower_knows_when_its_leader_was_heard() -> None:
    """The time of its last message, by the follower's own clock; others' messages do not count."""
    group = led()
    group.soup.clear()
    heard_ms = group.nodes[2].raft.leader_heard_ms
    group.now_ms += 30
    raft = group.turn(2)
    assert raft.leader_heard_ms == heard_ms
    raft.receive(1, disk_of(1), Heartbeat(raft.term, raft.commit, 0))
    assert raft.leader_heard_ms == group.clock(2) > heard_ms


def test_step_down_and_links_mean_nothing_to_a_follower() -> None:
    """Only a leader acts on them; other nodes have no progress to change."""
    group = led()
    raft = group.turn(2)
    for ask in (raft.step_down, lambda: raft.unreachable(1), lambda: raft.reachable(1)):
        ask()
    raft.snapshot_sent(1, 1, ok=False)
    assert not raft.transfer(3)
    assert not raft.read(ReadId(2, 1, 1))
    raft.receive(3, disk_of(3), HeartbeatAck(1, 0, 5))
    assert group.settle(2).messages == ()
    assert role_of(raft) is Role.FOLLOWER


def test_a_leader_with_a_full_disk_steps_down_in_its_term() -> None:
    """Its reads are dropped; others may be elected."""
    group = led()
    group.read(1)
    leader_of(group).step_down()
    group.settle(1)
    raft = group.nodes[1].raft
    assert (raft.role, raft.term, raft.leader, raft.is_ready_to_read) == (Role.FOLLOWER, 1, None, False)
    group.flow()
    assert group.nodes[1].reads == []


def test_timeout_now_needs_a_voter() -> None:
    """A leader that asks a learner, or itself, is not obeyed."""
    group = Cluster(1, learners=(2,))
    group.run(100)
    raft = group.turn(2)
    raft.receive(1, disk_of(1), TimeoutNow(1))
    assert role_of(raft) is Role.FOLLOWER
    assert not leader_of(group).transfer(2)
    assert not leader_of(group).transfer(1)


def test_a_transfer_is_a_timer_too() -> None:
    """The deadline covers its end; a vote that is on its way to disk does not elect."""
    group = led(heartbeat_interval_ms=200, election_timeout_ms_max=400)
    group.now_ms += 30
    raft = leader_of(group)
    raft.tick()
    assert raft.transfer(2)
    for _ in range(60):
        group.now_ms += 20
        assert raft.deadline() <= group.now_ms + 150
        group.tick(1)
        for peer in (2, 3):
            group.turn(1).receive(peer, disk_of(peer), HeartbeatAck(1, 0, 0))
    assert not raft.is_transferring


def test_a_candidate_waits_for_its_own_slow_disk() -> None:
    """Another term would only void the vote that is on its way; with it durable, the election goes on."""
    group = Cluster(1)
    group.tick(1)
    for _ in range(100):
        group.now_ms += 20
        group.tick(1)
    assert (role_of(group.nodes[1].raft), group.nodes[1].raft.term) == (Role.CANDIDATE, 1)
    assert group.nodes[1].raft.deadline() > group.now_ms
    group.write(1)
    assert role_of(group.nodes[1].raft) is Role.LEADER


def test_an_older_job_does_not_bring_a_candidates_own_vote() -> None:
    """Only the job that holds the vote does."""
    group = led()
    group.propose(1)
    (letter,) = (letter for letter in group.soup if letter.to == 2)
    group.deliver(letter)
    group.turn(2).receive(1, disk_of(1), TimeoutNow(1))
    group.settle(2)
    group.soup.clear()
    group.write(2)
    assert [type(letter.content) for letter in group.soup] == []
    group.write(2)
    assert [type(letter.content) for letter in group.soup] == [RequestVote, RequestVote]


def test_a_sole_voters_older_job_does_not_elect_it() -> None:
    """Its own vote is the majority, so it must be the very job that holds it."""
    group = Cluster(1)
    group.tick(1)
    group.flow()
    group.propose(1)
    leader_of(group).step_down()
    group.settle(1)
    for _ in range(60):
        group.now_ms += 20
        group.tick(1)
    assert (role_of(group.nodes[1].raft), len(group.nodes[1].jobs)) == (Role.CANDIDATE, 2)
    group.write(1)
    assert role_of(group.nodes[1].raft) is Role.CANDIDATE
    group.write(1)
    assert role_of(group.nodes[1].raft) is Role.LEADER


def test_a_granted_vote_is_final_in_its_term() -> None:
    """An attempt to change it is our own bug."""
    group = led()
    with pytest.raises(AssertionError, match="final"):
        group.nodes[1].raft._shared.set_hard_state(1, disk_of(3))


def test_roles_have_only_the_moves_of_their_table() -> None:
    """A follower becomes a leader only by an election."""
    group = led()
    leader_role = group.nodes[1].raft._role
    with pytest.raises(AssertionError, match="no way"):
        group.nodes[2].raft._become(leader_role)


def test_settings_are_values() -> None:
    """Frozen, so that a core's limits cannot change under it."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RaftSettings().heartbeat_interval_ms = 5  # type: ignore[misc]
