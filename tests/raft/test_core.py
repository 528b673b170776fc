"""The core where the paper is silent: disks, stalls, links, limits, snapshots, views."""

import attrs
import pytest

from tests.raft.cluster import NOTHING, Cluster, disk_of, membership_of
from trikv.raft.core import Raft
from trikv.raft.membership import encode_membership
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    AppendReject,
    Heartbeat,
    HeartbeatAck,
    PreVote,
    PreVoteAck,
    RequestVote,
    TimeoutNow,
)
from trikv.raft.progress import Progress, ProgressState
from trikv.raft.roles import Role
from trikv.raft.settings import RaftSettings
from trikv.raft.types import Entry, EntryKind, HardState, ReadId, SnapshotMeta


def role_of(raft: Raft) -> Role:
    """A node's role now (mypy would think that it cannot change between two assertions)."""
    return raft.role


def state_of(progress: Progress) -> ProgressState:
    """The same for a peer's progress."""
    return progress.state


def led(voters: int = 3, **limits: int) -> Cluster:
    """A group led by node 1, with nothing on its way."""
    group = Cluster(voters, settings=RaftSettings(**limits))
    assert group.elect(1)
    group.tick(1)
    group.flow()
    return group


def leader_of(group: Cluster) -> Raft:
    """Node 1's core, in an open turn."""
    return group.turn(1)


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
    """Each nonsense in one clear line."""
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
    assert raft.snapshot_meta(5) == SnapshotMeta(5, 2, membership_of(1, 2, 3))
    assert raft.snapshot_meta(6) == SnapshotMeta(6, 2, membership)
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
    """Messages that would have stopped it may be waiting; a short absence is none."""
    group = led()
    raft = group.turn(2)
    deadline = raft.deadline()
    assert deadline <= group.now_ms + 100
    group.now_ms += 2_000
    group.tick(2)
    assert role_of(raft) is Role.FOLLOWER
    for _ in range(45):
        group.now_ms += 20
        group.tick(2)
    assert role_of(raft) is Role.PRECANDIDATE


def test_after_its_own_stall_a_leader_gives_its_peers_time() -> None:
    """Silence that it slept through is not held against them."""
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


def test_deadline_says_now_while_committed_entries_are_left() -> None:
    """A Ready is bounded; the rest follows in the next turns."""
    group = led(committed_bytes_max=1)
    for _ in range(3):
        group.propose(1, b"xx")
    group.flow(hops=1)
    for letter in [letter for letter in group.soup if letter.to == 1]:
        group.turn(1).receive(letter.sender, letter.disk, letter.content)  # type: ignore[arg-type]
    raft = group.nodes[1].raft
    assert raft.deadline() == group.now_ms
    assert [len(group.settle(1).committed) for _ in range(4)] == [1, 1, 1, 0]
    assert raft.deadline() > group.now_ms


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
    """(their wall clock, ours when it came), for each member that ever answered."""
    group = led()
    clocks = group.nodes[1].raft.peer_clocks
    assert {peer: theirs - ours for peer, (theirs, ours) in clocks.items()} == {2: 3_600_000, 3: 7_200_000}


def test_proposals_are_refused_where_they_cannot_be_taken() -> None:
    """Not by a follower, not beyond the limit of what waits for a majority; one always fits."""
    group = led(uncommitted_bytes_max=4)
    assert group.propose(2) is None
    assert group.propose(1, b"far too much") == 2
    assert group.propose(1, b"x") is None
    group.flow()
    assert group.propose(1, b"xx") == 3
    assert group.propose(1, b"xx") == 4
    assert group.propose(1, b"x") is None
    group.flow()
    assert group.propose(1, b"x") == 5


def test_membership_proposals_have_conditions() -> None:
    """Leaders only, not while handing over, one change; restating the configuration is allowed."""
    group = led()
    assert group.turn(2).propose_membership(membership_of(1, 2)) is None
    assert leader_of(group).propose_membership(membership_of(1)) is None
    assert leader_of(group).propose_membership(membership_of(1, 2, 3)) == 2
    group.settle(1)
    group.flow()
    leader_of(group).transfer(2)
    assert leader_of(group).is_transferring
    assert leader_of(group).propose_membership(membership_of(1, 2)) is None


def test_a_removed_member_is_forgotten() -> None:
    """The leader sends it nothing more, and its links are nobody's business."""
    group = led()
    raft = leader_of(group)
    assert raft.propose_membership(membership_of(1, 2)) == 2
    raft.unreachable(3)
    raft.reachable(3)
    raft.snapshot_sent(3, 1, ok=True)
    group.settle(1)
    assert set(raft.progress) == {2}
    assert {letter.to for letter in group.soup} == {2}


def test_step_down_and_links_mean_nothing_to_a_follower() -> None:
    """They are asked of whoever leads; others have no progress to change."""
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


def test_a_link_that_comes_up_hears_at_once_what_it_missed() -> None:
    """A candidate's question again, a leader's greeting and probe."""
    group = Cluster(3)
    group.elect(1, hops=0)
    group.soup.clear()
    raft = group.turn(1)
    raft.reachable(2)
    raft.reachable(9)
    assert group.settle(1).messages == ((2, PreVote(1, 0, 0)),)
    raft.receive(2, disk_of(2), PreVoteAck(1, True, 0))
    raft.reachable(3)
    group.settle(1)
    group.write(1)
    requests = [letter.to for letter in group.soup if isinstance(letter.content, RequestVote)]
    assert requests == [2, 3, 3]
    group.flow()
    assert group.leaders() == [1]
    leader_of(group).unreachable(2)
    group.settle(1)
    group.propose(1)
    assert [letter.to for letter in group.soup] == [3]
    leader_of(group).reachable(2)
    sent = [message for to, message in group.settle(1).messages if to == 2]
    assert [type(message) for message in sent] == [Heartbeat, AppendEntries]


def test_one_that_has_answered_is_not_asked_again() -> None:
    """A pre-vote or vote in hand needs no second question."""
    group = Cluster(5)
    group.elect(1, hops=0)
    raft = group.turn(1)
    raft.receive(2, disk_of(2), PreVoteAck(1, True, 0))
    raft.reachable(2)
    assert group.settle(1).messages == ()
    raft.receive(3, disk_of(3), PreVoteAck(1, True, 0))
    group.settle(1)
    group.write(1)
    group.soup.clear()
    letter = RequestVote(1, 0, 0, False)
    group.turn(2).receive(1, disk_of(1), letter)
    group.settle(2)
    group.write(2)
    (vote,) = group.soup
    group.deliver(vote)
    group.turn(1).reachable(2)
    assert group.settle(1).messages == ()


def test_the_window_bounds_what_is_on_its_way() -> None:
    """In messages, and in bytes; an ack makes room."""
    group = led(append_bytes_max=2, inflight_appends_max=2)
    for _ in range(4):
        group.propose(1, b"xx")
    raft = group.nodes[1].raft
    assert [len(raft.progress[peer].inflight) for peer in (2, 3)] == [2, 2]
    assert raft.progress[2].inflight_bytes == 4
    raft = leader_of(group)
    raft.receive(2, disk_of(2), AppendAck(1, 2))
    group.settle(1)
    assert [last for last, _ in raft.progress[2].inflight] == [3, 4]


def test_peers_at_the_same_place_share_a_message() -> None:
    """So that it is built, and encoded, once."""
    group = led()
    leader_of(group).propose(b"x")
    (_, first), (_, second) = group.settle(1).messages
    assert first is second


def test_a_lost_append_is_sent_again_without_a_broken_link() -> None:
    """A heartbeat's ack finds entries out for an election timeout: probe."""
    group = led()
    group.propose(1)
    group.soup.clear()
    progress = group.nodes[1].raft.progress[2]
    group.now_ms += 399
    group.turn(1).receive(2, disk_of(2), HeartbeatAck(1, 0, 0))
    assert state_of(progress) is ProgressState.REPLICATE
    group.now_ms += 1
    group.turn(1).receive(2, disk_of(2), HeartbeatAck(1, 0, 0))
    sent = [message for to, message in group.settle(1).messages if to == 2]
    assert [message.prev_index for message in sent if isinstance(message, AppendEntries)] == [1]
    assert state_of(progress) is ProgressState.PROBE
    group.turn(1).receive(2, disk_of(2), HeartbeatAck(1, 0, 0))
    assert group.settle(1).messages == ()  # not at each ack: rounds may bring thousands
    group.now_ms += 100
    group.turn(1).receive(2, disk_of(2), HeartbeatAck(1, 0, 0))
    assert len(group.settle(1).messages) == 1


def test_a_probe_with_nothing_to_add_asks_where_the_peer_stands() -> None:
    """An empty AppendEntries; its ack, or a stale one, lets entries flow."""
    group = led()
    raft = leader_of(group)
    raft.unreachable(2)
    raft.reachable(2)
    messages = [message for to, message in group.settle(1).messages if to == 2]
    assert AppendEntries(1, 1, 1, 1, ()) in messages
    raft.receive(2, disk_of(2), AppendAck(1, 1))
    assert raft.progress[2].state is ProgressState.REPLICATE


def test_late_rejections_are_recognised() -> None:
    """One that answers a settled question moves nothing."""
    group = led()
    group.propose(1)
    group.flow()
    raft = leader_of(group)
    raft.receive(2, disk_of(2), AppendReject(1, 1, 0, 0))
    assert (raft.progress[2].state, raft.progress[2].next) == (ProgressState.REPLICATE, 3)
    raft.unreachable(2)
    raft.receive(2, disk_of(2), AppendReject(1, 7, 0, 0))
    assert raft.progress[2].next == 3


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
    """Once a need: not while the transfer runs, nor before the next heartbeat's ack after it has failed."""
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
    """Then the commit index moves; an old one changes nothing; one at a time; old terms are ignored."""
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
    """PROTOCOL 8; what commits beyond it meanwhile is handed out after it."""
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
    """The one who sent it may be gone."""
    group = led()
    raft = group.turn(3)
    raft.install(1, disk_of(1), 1, SnapshotMeta(9, 1, membership_of(1, 2, 3)))
    raft.persisted(raft.ready().job.number)  # type: ignore[union-attr]
    raft.ready()
    raft.receive(2, disk_of(2), HeartbeatAck(5, 0, 0))
    raft.installed(9)
    assert raft.ready().messages == ()


def test_compaction_keeps_the_base_and_refuses_what_is_needed() -> None:
    """Index and term of the last dropped entry stay known; what is not handed out and durable stays."""
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
    with pytest.raises(AssertionError, match="no such entry"):
        raft.snapshot_meta(1)


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
        assert raft.deadline() <= group.now_ms + 100
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


def stale() -> Raft:
    """Node 1 with three entries of term 1 that nobody else may have, none known to be committed."""
    group = Cluster(3)
    entries = tuple(Entry(index, 1, EntryKind.BATCH, b"stale") for index in (1, 2, 3))
    group.add(1, SnapshotMeta(0, 0, membership_of(1, 2, 3)), entries=entries)
    return group.turn(1)


def test_an_append_commits_no_further_than_it_proves() -> None:
    """The leader's commit index may lie in a suffix of ours that is not the leader's (copycat 265)."""
    raft = stale()
    raft.receive(2, disk_of(2), AppendEntries(2, 1, 1, 3, ()))
    assert raft.commit == 1


def test_a_heartbeat_commits_no_further_than_was_proved() -> None:
    """In this term, by this leader: the index may be meant for the disk that was here before."""
    raft = stale()
    raft.receive(2, disk_of(2), Heartbeat(2, 3, 0))
    assert raft.commit == 0
    raft.receive(2, disk_of(2), AppendEntries(2, 2, 1, 0, ()))
    raft.receive(2, disk_of(2), Heartbeat(2, 3, 0))
    assert raft.commit == 2


def test_a_snapshot_below_the_log_changes_nothing() -> None:
    """Older than all that is in memory: the leader is told where we stand."""
    group = led()
    for _ in range(3):
        group.propose(1)
    group.flow()
    group.take_snapshot(2)
    group.compact(2)
    raft = group.turn(2)
    assert not raft.install(1, disk_of(1), 1, SnapshotMeta(2, 1, membership_of(1, 2, 3)))
    assert raft.ready().messages == ((1, AppendAck(1, 4)),)


def test_a_rejection_always_moves_the_probe_back() -> None:
    """Even one whose hint claims agreement at the very entry that was rejected."""
    group = led()
    group.propose(1)
    group.flow()
    raft = group.turn(1)
    progress = Progress(3, group.now_ms)
    raft._role.progress[2] = progress  # type: ignore[union-attr]
    raft.receive(2, disk_of(2), AppendReject(1, 2, 2, 1))
    assert progress.next == 2


def test_a_partly_known_append_adds_only_the_rest() -> None:
    """Entries below the commit index are skipped, those in the log kept, the others added."""
    group = led()
    for _ in range(2):
        group.propose(1)
    group.flow()
    known = group.nodes[1].raft.entries_between(1, 3)
    raft = group.turn(2)
    new = Entry(4, 1, EntryKind.BATCH, b"x")
    raft.receive(1, disk_of(1), AppendEntries(1, 0, 0, 3, (*known, new)))
    assert raft.last_index == 4
    newer = Entry(5, 1, EntryKind.BATCH, b"y")
    raft.receive(1, disk_of(1), AppendEntries(1, 3, 1, 3, (new, newer)))
    assert raft.entries_between(4, 5) == (new, newer)
    foreign = tuple(Entry(index, 0, EntryKind.BATCH, b"") for index in (1, 2, 3))
    with pytest.raises(AssertionError, match="committed entries differ"):
        raft.receive(1, disk_of(1), AppendEntries(1, 0, 0, 3, foreign))


def test_a_granted_vote_is_final_in_its_term() -> None:
    """An attempt to change it is our own bug."""
    group = led()
    with pytest.raises(AssertionError, match="final"):
        group.nodes[1].raft._shared.set_hard_state(1, disk_of(3))


def test_progress_has_only_the_moves_of_its_table() -> None:
    """From replicating there is no way to replicating; and nothing acknowledged is sent again."""
    progress = Progress(1, 0)
    progress.to_replicate()
    with pytest.raises(AssertionError, match="no way"):
        progress.to_replicate()
    progress.acked(4, 0)
    with pytest.raises(AssertionError, match="not sent again"):
        progress.to_probe(4)


def test_roles_have_only_the_moves_of_their_table() -> None:
    """A follower does not become a leader but by an election."""
    group = led()
    leader_role = group.nodes[1].raft._role
    with pytest.raises(AssertionError, match="no way"):
        group.nodes[2].raft._become(leader_role)


def test_settings_are_values() -> None:
    """Frozen, so that a core's limits cannot change under it."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RaftSettings().heartbeat_interval_ms = 5  # type: ignore[misc]
