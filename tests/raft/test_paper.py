"""What the paper (extended version of 2014) and the thesis claim, one test a claim."""

import pytest

from tests.raft.cluster import Cluster, disk_of, membership_of
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
    TimeoutNow,
    VoteAck,
)
from trikv.raft.ready import Ready
from trikv.raft.roles import Role
from trikv.raft.types import Entry, EntryKind, Membership, ReadId, SnapshotMeta


def tell(group: Cluster, to: int, sender: int, message: Message) -> Ready:
    """One message arrives at a node; the Ready that follows."""
    group.turn(to).receive(sender, disk_of(sender), message)
    return group.settle(to)


def sent(group: Cluster, to: int, sender: int, message: Message) -> list[object]:
    """One message arrives, all syncs return; what the node has sent by then."""
    group.soup.clear()
    tell(group, to, sender, message)
    group.write(to, 100)
    return [letter.content for letter in group.soup]


def unbound(group: Cluster) -> Cluster:
    """The same, so long after the start that the nodes are bound to no leader of an earlier life."""
    group.now_ms += group.settings.election_timeout_ms_min
    return group


def entry(index: int, term: int) -> Entry:
    """An entry."""
    return Entry(index, term, EntryKind.BATCH, b"x")


def with_log(*terms: int) -> Cluster:
    """Three nodes; node 1 has entries of these terms on its disk."""
    group = Cluster(3)
    base = SnapshotMeta(0, 0, membership_of(1, 2, 3))
    group.add(1, base, entries=tuple(entry(n + 1, term) for n, term in enumerate(terms)))
    return group


def term_of(group: Cluster, node: int) -> int:
    """A node's term."""
    return group.nodes[node].raft.term


def test_a_higher_term_is_adopted_and_a_leader_steps_down() -> None:
    """5.1: a node that sees a higher term takes it over; candidates and leaders become followers."""
    group = Cluster(3)
    group.elect(1)
    tell(group, 1, 2, HeartbeatAck(9, 0, 0))
    assert (group.nodes[1].raft.role, term_of(group, 1)) == (Role.FOLLOWER, 9)


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (AppendEntries(1, 0, 0, 0, ()), AppendReject(3, 0, 0, 0)),
        (Heartbeat(1, 0, 7), HeartbeatAck(3, 0, 3_601_000)),
        (RequestVote(1, 9, 9, False), VoteAck(3, False, 3_601_000)),
        (PreVote(1, 9, 9), PreVoteAck(3, False, 3_601_000)),
    ],
)
def test_requests_of_an_old_term_are_refused_with_the_new_one(message: Message, answer: Message) -> None:
    """5.1: a request with a stale term is rejected; the answer tells the sender so."""
    assert sent(with_log(3), 1, 2, message) == [answer]


@pytest.mark.parametrize(
    "message",
    [AppendAck(1, 1), AppendReject(1, 0, 0, 0), HeartbeatAck(1, 1, 0), VoteAck(1, True, 0), TimeoutNow(1)],
)
def test_answers_of_an_old_term_are_ignored(message: Message) -> None:
    """5.1: they change nothing and get no answer."""
    group = with_log(3)
    assert sent(group, 1, 2, message) == []
    assert group.nodes[1].raft.role is Role.FOLLOWER


def test_a_node_starts_as_a_follower() -> None:
    """5.2: and stays one as long as it hears a leader."""
    group = Cluster(3)
    assert {node.raft.role for node in group.nodes.values()} == {Role.FOLLOWER}
    group.elect(1)
    group.run(5_000)
    assert group.leaders() == [1]
    assert term_of(group, 3) == 1


def test_a_leader_sends_heartbeats_to_all() -> None:
    """5.2: each interval, to every peer, so that nobody campaigns."""
    group = Cluster(3)
    group.elect(1)
    group.soup.clear()
    group.now_ms += group.settings.heartbeat_interval_ms
    group.tick(1)
    assert [(letter.to, type(letter.content)) for letter in group.soup] == [(2, Heartbeat), (3, Heartbeat)]


def test_a_silent_leader_is_replaced_within_two_timeouts() -> None:
    """5.2: a follower that hears nothing for a timeout starts an election."""
    group = Cluster(3)
    group.elect(1)
    group.crash(1)
    group.run(2 * group.settings.election_timeout_ms_max)
    assert group.leader() in {2, 3}


def test_a_candidate_raises_its_term_and_votes_for_itself_on_disk_first() -> None:
    """5.2 and figure 2: the vote requests leave only after term and vote are durable."""
    group = Cluster(3)
    group.elect(1, hops=1)
    tell(group, 1, 2, PreVoteAck(1, True, 0))
    raft = group.nodes[1].raft
    assert (raft.role, raft.term, raft.hard_state.vote) == (Role.CANDIDATE, 1, disk_of(1))
    group.soup.clear()
    group.write(1)
    assert [letter.content for letter in group.soup] == [RequestVote(1, 0, 0, False)] * 2


def test_a_vote_leaves_after_it_is_on_disk() -> None:
    """Figure 2: a voter that crashes after its reply must not vote again."""
    group = unbound(Cluster(3))
    ready = tell(group, 1, 2, RequestVote(1, 0, 0, False))
    assert ready.messages == ()
    assert ready.job is not None
    assert ready.job.hard_state is not None
    assert ready.job.hard_state.vote == disk_of(2)
    group.write(1)
    assert [letter.content for letter in group.soup] == [VoteAck(1, True, 3_601_400)]


def test_one_vote_a_term_first_come_first_served() -> None:
    """5.2: the second candidate of a term is refused; the first may ask again."""
    group = unbound(Cluster(3))
    request = RequestVote(1, 0, 0, False)
    assert sent(group, 1, 2, request) == [VoteAck(1, True, 3_601_400)]
    assert sent(group, 1, 3, request) == [VoteAck(1, False, 3_601_400)]
    assert sent(group, 1, 2, request) == [VoteAck(1, True, 3_601_400)]


def test_a_vote_survives_a_restart() -> None:
    """5.2: a vote that was given before a crash still binds."""
    group = unbound(Cluster(3))
    sent(group, 1, 2, RequestVote(1, 0, 0, False))
    group.crash(1)
    group.restart(1)
    unbound(group)
    assert sent(group, 1, 3, RequestVote(1, 0, 0, False)) == [VoteAck(1, False, 3_601_800)]


def test_a_majority_of_votes_makes_a_leader() -> None:
    """5.2: two of three suffice, its own among them; refusals do not count."""
    group = Cluster(3)
    group.elect(1, hops=1)
    tell(group, 1, 2, PreVoteAck(1, True, 0))
    tell(group, 1, 2, VoteAck(1, False, 0))
    group.write(1)
    assert group.nodes[1].raft.role is Role.CANDIDATE
    tell(group, 1, 3, VoteAck(1, True, 0))
    assert group.nodes[1].raft.leader == 1


def test_a_candidate_that_hears_a_leader_of_its_term_follows_it() -> None:
    """5.2: the election is decided."""
    group = Cluster(3)
    group.elect(1, hops=1)
    tell(group, 1, 2, PreVoteAck(1, True, 0))
    tell(group, 1, 3, AppendEntries(1, 0, 0, 0, (entry(1, 1),)))
    assert (group.nodes[1].raft.role, group.nodes[1].raft.leader) == (Role.FOLLOWER, 3)


def test_a_split_vote_is_tried_again() -> None:
    """5.2: a candidate without a majority polls again after another random timeout."""
    group = Cluster(3)
    group.elect(1, hops=1)
    tell(group, 1, 2, PreVoteAck(1, True, 0))
    group.write(1)
    for _ in range(45):
        group.now_ms += 20
        group.tick(1)
    assert (group.nodes[1].raft.role, term_of(group, 1)) == (Role.PRECANDIDATE, 1)


def test_election_timeouts_are_random_in_their_range() -> None:
    """5.2: so that split votes are rare. Drawn once a term, and counted again from each sign of life."""
    group = Cluster(3)
    group.elect(1)
    deadlines = set()
    for term in range(2, 52):
        of_term = set()
        for _ in range(3):
            group.now_ms += 10
            tell(group, 2, 1, Heartbeat(term, 0, 0))
            of_term.add(group.nodes[2].raft._role.deadline_ms - group.now_ms)  # type: ignore[union-attr]
        assert len(of_term) == 1
        deadlines |= of_term
    assert len(deadlines) > 20
    assert min(deadlines) >= 400
    assert max(deadlines) <= 800


def test_a_leader_opens_its_term_with_a_no_op() -> None:
    """8: it cannot know what is committed before an entry of its own term is."""
    group = Cluster(3)
    group.elect(1, hops=4)
    raft = group.nodes[1].raft
    assert [each.kind for each in raft.entries_between(1, raft.last_index)] == [EntryKind.NOOP]
    assert not raft.is_ready_to_read
    group.flow()
    assert raft.is_ready_to_read


def test_entries_commit_when_a_majority_has_them_on_disk() -> None:
    """5.3: the leader's own copy counts by the same measure as the others."""
    group = Cluster(3)
    group.elect(1)
    raft = group.nodes[1].raft
    index = group.propose(1)
    assert index == 2
    tell(group, 1, 2, AppendAck(1, 2))
    assert raft.commit == 1
    group.nodes[2].entries += raft.entries_between(2, 2)  # what that ack claimed
    group.write(1)
    assert raft.commit == 2


def test_followers_without_the_leader_make_a_majority_too() -> None:
    """5.3: a leader with a slow disk commits what two of three others have."""
    group = Cluster(3)
    group.elect(1)
    group.propose(1)
    for peer in (2, 3):
        group.deliver(next(letter for letter in group.soup if letter.to == peer))
        group.write(peer)
    for letter in [letter for letter in group.soup if letter.to == 1]:
        group.deliver(letter)
    raft = group.nodes[1].raft
    assert (raft.commit, raft.durable_index, group.nodes[1].applied) == (2, 1, 2)


def test_the_commit_index_reaches_at_once_who_waits_for_it() -> None:
    """5.3: followers learn of commits from the next message; a client that waits makes one leave at once."""
    group = Cluster(3)
    group.elect(1)
    group.everybody_waits = False
    leader = group.turn(1)
    assert leader.propose(b"last") == 2
    leader.awaits(2, 2)
    group.settle(1)
    group.flow()
    assert [node.applied for node in group.nodes.values()] == [2, 2, 1]
    group.run(leader.deadline() - group.now_ms + 1)
    assert [node.applied for node in group.nodes.values()] == [2, 2, 2]


def test_the_commit_index_reaches_at_once_who_reads_at_it() -> None:
    """Thesis 6.4: a follower must apply up to the read's index, so it is told once it has that entry."""
    group = Cluster(3)
    group.elect(1)
    group.everybody_waits = False
    others = frozenset({1, 3})
    group.propose(1, b"last")
    group.flow(others)
    read = ReadId(2, 1, 1)
    assert group.turn(1).read(read)
    group.read_floor[read] = 2
    group.settle(1)
    group.run(20, others)  # whom it asked first does not answer
    assert group.nodes[1].reads == [(read, 2)]
    group.flow()
    assert group.nodes[2].applied == 2


def test_an_append_needs_the_entry_before_it() -> None:
    """5.3: the consistency check, by index and by term."""
    group = with_log(1, 1)
    tell(group, 1, 2, Heartbeat(2, 0, 0))
    group.write(1)
    assert sent(group, 1, 2, AppendEntries(2, 3, 1, 0, (entry(4, 2),))) == [AppendReject(2, 3, 2, 1)]
    assert sent(group, 1, 2, AppendEntries(2, 2, 2, 0, (entry(3, 2),))) == [AppendReject(2, 2, 2, 1)]
    assert sent(group, 1, 2, AppendEntries(2, 2, 1, 0, (entry(3, 2),))) == [AppendAck(2, 3)]


@pytest.mark.parametrize(
    "terms",
    [
        (1, 1, 1, 4, 4, 5, 5, 6, 6),
        (1, 1, 1, 4),
        (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6),
        (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7),
        (1, 1, 1, 4, 4, 4, 4),
        (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3),
    ],
)
def test_a_leader_brings_any_follower_to_its_own_log(terms: tuple[int, ...]) -> None:
    """Figure 7: for any log of the follower, missing entries are added and foreign ones replaced."""
    group = Cluster(3)
    base = SnapshotMeta(0, 0, membership_of(1, 2, 3))
    lead = tuple(entry(n + 1, term) for n, term in enumerate((1, 1, 1, 4, 4, 5, 5, 6, 6, 6)))
    for node in (1, 3):
        group.add(node, base, entries=lead, term=7)
    group.add(2, base, entries=tuple(entry(n + 1, t) for n, t in enumerate(terms)))
    assert group.elect(1, frozenset({1, 3}))
    group.run(500)
    first, second = group.nodes[1].raft, group.nodes[2].raft
    assert group.leader() == 1
    assert second.entries_between(1, second.last_index) == first.entries_between(1, first.last_index)


def test_backtracking_skips_whole_terms() -> None:
    """5.3, its last paragraph: one rejection a conflicting term, not one an entry."""
    group = Cluster(3)
    base = SnapshotMeta(0, 0, membership_of(1, 2, 3))
    for node in (1, 3):
        group.add(node, base, entries=tuple(entry(n + 1, 1 if n < 3 else 5) for n in range(40)))
    group.add(2, base, entries=tuple(entry(n + 1, 1 if n < 3 else 2) for n in range(30)))
    group.elect(1, frozenset({1, 3}))
    group.elect(1, frozenset({1, 3}))
    for each in group.nodes.values():
        each.log.clear()
    group.run(300)
    rejects = [m for ready in group.nodes[2].log for _, m in ready.messages if isinstance(m, AppendReject)]
    assert len(rejects) == 1  # not 27: term 2 is skipped at a stroke


def test_a_follower_keeps_what_matches() -> None:
    """5.3: an AppendEntries that proves less than the log holds cuts nothing."""
    group = Cluster(3)
    group.elect(1)
    for _ in range(3):
        group.propose(1)
    group.flow()
    old = AppendEntries(1, 1, 1, 1, (group.nodes[1].raft.entries_between(2, 2)))
    assert sent(group, 2, 1, old) == [AppendAck(1, 4)]  # committed entries up to 4 match by themselves
    assert group.nodes[2].raft.last_index == 4


@pytest.mark.parametrize(
    ("last_index", "last_term", "granted"),
    [(2, 2, True), (3, 2, True), (1, 3, True), (1, 2, False), (9, 1, False)],
)
def test_only_a_log_as_complete_gets_a_vote(last_index: int, last_term: int, *, granted: bool) -> None:
    """5.4.1: the later last term wins; with equal terms the longer log."""
    answer = VoteAck(5, granted, 3_601_400)
    assert sent(unbound(with_log(1, 2)), 1, 2, RequestVote(5, last_index, last_term, False)) == [answer]
    answer_before = PreVoteAck(5 if granted else 2, granted, 3_601_400)
    assert sent(unbound(with_log(1, 2)), 1, 2, PreVote(5, last_index, last_term)) == [answer_before]


def test_a_leader_refuses_what_it_did_not_lead() -> None:
    """Election safety (figure 3): a second leader in a term is our own bug, and stops the node."""
    group = Cluster(3)
    group.elect(1)
    with pytest.raises(AssertionError, match="two leaders"):
        tell(group, 1, 2, Heartbeat(1, 0, 0))
    with pytest.raises(AssertionError, match="two leaders"):
        tell(group, 2, 3, Heartbeat(1, 0, 0))


def test_a_live_leader_protects_its_followers_from_candidates() -> None:
    """6 and thesis 4.2.3: within the shortest timeout of a heartbeat no vote is given, no term taken over."""
    group = Cluster(3)
    group.elect(1)
    assert sent(group, 2, 3, RequestVote(5, 9, 9, False)) == []
    assert sent(group, 1, 3, RequestVote(5, 9, 9, False)) == []
    assert sent(group, 2, 3, PreVote(5, 9, 9)) == [PreVoteAck(1, False, group.now_ms + 7_200_000)]
    assert term_of(group, 2) == 1
    assert sent(group, 2, 3, RequestVote(5, 9, 9, True)) == [VoteAck(5, True, group.now_ms + 7_200_000)]


def test_a_leader_without_a_majority_steps_down() -> None:
    """Thesis 6.2: within the longest timeout; its followers are then free to elect another."""
    group = Cluster(5)
    group.elect(1)
    group.run(600, frozenset({1, 2}))
    assert group.leaders() == [1]
    group.run(400, frozenset({1, 2}))
    assert group.leaders() == []


def test_a_learner_gets_entries_and_neither_counts_nor_campaigns() -> None:
    """Thesis 4.2.1: it catches up before it votes."""
    group = Cluster(1, learners=(2,))
    group.run(100)
    group.propose(1)
    assert group.nodes[1].raft.deadline() > group.now_ms
    group.write(1)
    assert group.nodes[1].raft.commit == 2
    group.flow()
    assert group.nodes[2].raft.commit == 2
    group.crash(1)
    group.run(3_000)
    assert group.nodes[2].raft.role is Role.FOLLOWER
    assert group.nodes[2].raft.deadline() > group.now_ms + 1_000_000


def test_a_blank_node_waits() -> None:
    """A node without a configuration never campaigns, however long it waits."""
    group = Cluster(1, blank=(2,))
    group.run(3_000, frozenset({2}))
    assert group.nodes[2].raft.membership == Membership(())
    assert tell(group, 2, 1, TimeoutNow(0)).job is None


def test_snapshots_replace_what_a_slow_follower_missed() -> None:
    """7: a follower whose entries are gone gets the snapshot, then the rest as entries."""
    group = Cluster(3)
    group.elect(1)
    for _ in range(10):
        group.propose(1)
    group.flow(frozenset({1, 2}))
    group.soup.clear()
    group.take_snapshot(1)
    group.compact(1)
    group.propose(1)
    group.run(1_500)
    assert group.nodes[3].state == group.nodes[1].state
    assert group.nodes[3].raft.first_index == 12
