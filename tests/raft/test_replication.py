"""Proposals, windows, probes, links: how entries get to peers, in matters that the paper leaves open."""

import pytest

from tests.raft.cluster import Cluster, disk_of, membership_of
from tests.raft.groups import leader_of, led, state_of
from trikv.raft.core import Raft
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    AppendReject,
    Heartbeat,
    HeartbeatAck,
    PreVote,
    PreVoteAck,
    RequestVote,
)
from trikv.raft.progress import Progress, ProgressState
from trikv.raft.roles import Role
from trikv.raft.types import Entry, EntryKind, SnapshotMeta


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


def test_proposals_are_refused_where_they_cannot_be_taken() -> None:
    """A follower takes none, nor a leader beyond the limit of what waits for a majority; one always fits."""
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
    """The leader sends it nothing more, and its links have no effect."""
    group = led()
    raft = leader_of(group)
    assert raft.propose_membership(membership_of(1, 2)) == 2
    raft.unreachable(3)
    raft.reachable(3)
    raft.snapshot_sent(3, 1, ok=True)
    group.settle(1)
    assert set(raft.progress) == {2}
    assert {letter.to for letter in group.soup} == {2}


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


def test_a_link_that_comes_up_probes_whoever_is_there_now() -> None:
    """An ack of an earlier life may come after its link broke. It says nothing about the next life's log."""
    group = led()
    group.everybody_waits = False
    index = group.propose(1)
    assert index is not None
    group.flow()
    raft = group.turn(1)
    raft.unreachable(2)
    group.settle(1)
    group.turn(1).receive(2, disk_of(2), AppendAck(1, index))  # on its way since before
    group.settle(1)
    assert raft.progress[2].state is ProgressState.REPLICATE
    group.crash(2)
    group.restart(2)
    group.soup.clear()
    group.turn(1).reachable(2)
    group.settle(1)
    assert any(letter.to == 2 and isinstance(letter.content, AppendEntries) for letter in group.soup)
    group.flow()
    group.run(200)
    assert group.nodes[2].raft.commit == index


def test_who_stood_in_vain_goes_on_behind_the_same_leader() -> None:
    """The part of its log that was verified in this term stays so; else it would wait for the next entry."""
    group = led()
    group.everybody_waits = False
    index = group.propose(1)
    assert index is not None
    group.flow(hops=1)  # the entry arrives
    group.flow()
    follower = group.nodes[2].raft
    assert (follower.last_index, follower.commit) == (index, index - 1)
    for _ in range(60):  # silence
        group.now_ms += 20
        group.tick(2)
    assert follower.role is Role.PRECANDIDATE
    group.soup.clear()
    group.turn(2).receive(1, disk_of(1), Heartbeat(1, index, 1))
    group.settle(2)
    assert (follower.role, follower.commit) == (Role.FOLLOWER, index)


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
    """A rejection that answers a settled question changes nothing."""
    group = led()
    group.propose(1)
    group.flow()
    raft = leader_of(group)
    raft.receive(2, disk_of(2), AppendReject(1, 1, 0, 0))
    assert (raft.progress[2].state, raft.progress[2].next) == (ProgressState.REPLICATE, 3)
    raft.unreachable(2)
    raft.receive(2, disk_of(2), AppendReject(1, 7, 0, 0))
    assert raft.progress[2].next == 3


def test_a_follower_that_lost_what_it_acknowledged_gets_no_more() -> None:
    """It is asked once a heartbeat, whatever it says, and named when it has denied three times in a row."""
    group = led()
    group.propose(1)
    group.flow()
    raft = leader_of(group)
    progress = raft.progress[2]
    assert progress.match == 2
    raft.unreachable(2)
    raft.reachable(2)
    for times in (1, 2, 3, 4):
        probes = [message for peer, message in raft.ready().messages if peer == 2]
        assert [message.prev_index for message in probes if isinstance(message, AppendEntries)] == [2]
        raft.receive(2, disk_of(2), AppendReject(1, 2, 1, 1))
        assert (progress.state, progress.next) == (ProgressState.PROBE, 3)
        assert progress.has_lost_entries == (times >= 3)
        assert raft.ready().messages == (), "no more before the next heartbeat"
        group.now_ms += group.settings.heartbeat_interval_ms
        raft = leader_of(group)
        raft.receive(2, disk_of(2), HeartbeatAck(1, 0, 0))
    raft.receive(2, disk_of(2), AppendAck(1, 2))
    assert progress.state is ProgressState.REPLICATE
    assert not progress.has_lost_entries


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
    """Verified in this term, by this leader: the index may be meant for the disk that was here before."""
    raft = stale()
    raft.receive(2, disk_of(2), Heartbeat(2, 3, 0))
    assert raft.commit == 0
    raft.receive(2, disk_of(2), AppendEntries(2, 2, 1, 0, ()))
    raft.receive(2, disk_of(2), Heartbeat(2, 3, 0))
    assert raft.commit == 2


def test_a_rejection_always_moves_the_probe_back() -> None:
    """Even if its hint claims agreement at the entry that was rejected."""
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


def test_progress_has_only_the_moves_of_its_table() -> None:
    """From replicating there is no way to replicating; and nothing acknowledged is sent again."""
    progress = Progress(1, 0)
    progress.to_replicate()
    with pytest.raises(AssertionError, match="no way"):
        progress.to_replicate()
    progress.acked(4, 0)
    with pytest.raises(AssertionError, match="not sent again"):
        progress.to_probe(4)
