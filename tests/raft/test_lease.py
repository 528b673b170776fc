"""The leader's lease, rule by rule (PROTOCOL 13); whole histories of it are in ``scenarios/lease_*.txt``.

Every step of every test here also checks that no lease of the group outlives its leadership.
"""

import pytest

from tests.raft.cluster import Cluster, disk_of, membership_of
from trikv.raft.lease import ALWAYS_MS, NEVER_MS, Lease
from trikv.raft.messages import (
    AppendEntries,
    Heartbeat,
    HeartbeatAck,
    Message,
    PreVote,
    PreVoteAck,
    RequestVote,
    VoteAck,
)
from trikv.raft.roles import Role
from trikv.raft.settings import RaftSettings
from trikv.raft.types import Entry, EntryKind, Member, Membership, ReadId

SETTINGS = RaftSettings()
EXACT = RaftSettings(election_timeout_ms_max=400)
"""Elections come at the first allowed time, without a random delay."""


def tell(group: Cluster, to: int, sender: int, message: Message) -> list[Message]:
    """One message arrives, all syncs return; what the node has sent to the message's sender by then."""
    group.soup.clear()
    group.turn(to).receive(sender, disk_of(sender), message)
    group.settle(to)
    group.write(to, 100)
    return [letter.content for letter in group.soup if letter.to == sender]  # type: ignore[misc]


def leading(voters: int, *, settings: RaftSettings = SETTINGS, blank: tuple[int, ...] = ()) -> Cluster:
    """Node 1 leads, and its first heartbeats leave at this moment."""
    group = Cluster(voters, settings=settings, blank=blank)
    group.elect(1)
    group.tick(1)
    return group


def answer(group: Cluster, *peers: int, promise_ms: int = 400, number: int = 1) -> None:
    """These peers answer heartbeat `number`."""
    for peer in peers:
        group.turn(1).receive(peer, disk_of(peer), HeartbeatAck(1, number, 0, promise_ms))
        group.settle(1)


def left_ms(group: Cluster) -> int:
    """How long node 1's lease lasts from now, if nothing else happens."""
    now_ms, raft = group.clock(1), group.nodes[1].raft
    return next(ms for ms in range(2_000) if raft.lease_index(now_ms + ms) is None)


def test_a_majority_that_answered_makes_a_lease() -> None:
    """A fifth of the promise is taken off for the clocks' difference, a millisecond for their grain."""
    group = leading(5)
    answer(group, 2)
    assert left_ms(group) == 0
    answer(group, 3)
    assert left_ms(group) == 400 * 80 // 100 - 1


def test_a_lease_lasts_as_long_as_the_majority_promised() -> None:
    """Our own settings do not count: peers may be configured otherwise, or make no promise at all."""
    group = leading(3)
    answer(group, 2, promise_ms=0)
    assert left_ms(group) == 0
    answer(group, 3, promise_ms=150)
    assert left_ms(group) == 119


def test_each_heartbeat_renews_the_lease_from_when_it_left() -> None:
    """An answer to an older one, however late, brings no more than that one was worth."""
    group = leading(3)
    for _ in range(3):
        group.now_ms += 100
        group.tick(1)
    answer(group, 2, number=2)
    assert left_ms(group) == 119
    answer(group, 3, number=4)
    assert left_ms(group) == 319
    answer(group, 2, 3, number=1)
    assert left_ms(group) == 319


def test_an_answer_to_what_left_before_the_first_heartbeat_makes_no_lease() -> None:
    """The greeting of a new link carries no number of its own."""
    group = leading(3)
    answer(group, 2, 3, number=0)
    assert left_ms(group) == 0


def test_only_so_many_heartbeats_are_remembered() -> None:
    """Nothing is unbounded; an answer that old would be worth nothing anyway."""
    lease = Lease()
    for number in range(1, 1_000):
        lease.beat(number, 100 * number)
    assert lease.promise_ends_ms(900, 400, SETTINGS) == NEVER_MS
    assert lease.promise_ends_ms(999, 400, SETTINGS) == 99_900 + 319


def test_a_sole_voter_needs_nobody() -> None:
    """Nobody is elected without it."""
    group = Cluster(1)
    group.elect(1)
    assert group.nodes[1].raft.lease_index(ALWAYS_MS - 1) == 1


def test_only_a_leader_has_a_lease() -> None:
    """Followers ask it, and get their answer in the same turn while its lease holds."""
    group = leading(3)
    answer(group, 2, 3)
    assert group.lease_index(2) is None
    read = ReadId(2, 1, 1)
    group.read_floor[read] = 1
    assert group.turn(1).read(read, by_lease=True)
    ready = group.settle(1)
    assert [(one.read, one.index) for one in ready.reads] == [(read, 1)]
    assert group.settle(1).reads == ()


def test_without_a_lease_the_same_read_asks_a_majority() -> None:
    """Nothing is lost by asking for it."""
    group = leading(3)
    assert group.read(1, by_lease=True)
    assert group.nodes[1].reads == []
    group.flow()
    assert len(group.nodes[1].reads) == 1


def test_a_read_that_asks_for_no_lease_gets_a_round() -> None:
    """Linearizable reads trust no clock, whatever other nodes are configured to."""
    group = leading(3)
    answer(group, 2, 3)
    assert group.read(1)
    assert group.nodes[1].reads == []


def test_a_learners_answer_makes_no_lease() -> None:
    """It helps to elect nobody, so its promise is worth nothing."""
    group = Cluster(3, learners=(4, 5))
    group.elect(1)
    group.tick(1)
    answer(group, 4, 5)
    assert left_ms(group) == 0


def test_another_disk_under_a_voters_id_makes_no_lease() -> None:
    """It does not know what the disk before it promised."""
    group = leading(3)
    group.turn(1).receive(2, disk_of(2, 1), HeartbeatAck(1, 1, 0, 400))
    assert left_ms(group) == 0


def test_a_new_voter_is_counted_from_the_append_on() -> None:
    """The configuration in force decides: three of four must be bound, no longer two of three."""
    group = leading(3, blank=(4,))
    answer(group, 2)
    assert left_ms(group) == 319
    members = membership_of(1, 2, 3, 4)
    assert group.turn(1).propose_membership(members) == 2
    group.settle(1)
    assert left_ms(group) == 0
    answer(group, 3)
    assert left_ms(group) == 319


def test_a_leader_that_is_no_voter_has_no_lease() -> None:
    """The one voter left, back from a crash, stands without delay: it is bound to nobody."""
    group = leading(2)
    answer(group, 2)
    assert left_ms(group) == 319
    assert group.turn(1).propose_membership(membership_of(2)) == 2
    group.settle(1)
    assert left_ms(group) == 0


def test_a_leader_that_steps_down_has_no_lease() -> None:
    """The lease ends with the leadership."""
    group = leading(3)
    answer(group, 2, 3)
    group.turn(1).step_down()
    group.settle(1)
    assert group.lease_index(1) is None


def test_a_restarted_voter_keeps_the_promise_of_its_last_life() -> None:
    """It cannot know what it promised just before its end, so it refuses for as long as that may last."""
    group = leading(3, settings=EXACT)
    group.flow(frozenset({1, 2}))
    group.soup.clear()
    group.crash(2)
    group.restart(2)
    assert tell(group, 2, 3, PreVote(2, 1, 1)) == [PreVoteAck(1, False, group.now_ms + 7_200_000)]
    assert tell(group, 2, 3, RequestVote(2, 1, 1, False)) == []
    assert group.lease_index(1) == 1
    group.now_ms += 399
    assert tell(group, 2, 3, RequestVote(2, 1, 1, False)) == []
    group.now_ms += 1
    assert tell(group, 2, 3, PreVote(2, 1, 1)) == [PreVoteAck(2, True, group.now_ms + 7_200_000)]
    assert tell(group, 2, 3, RequestVote(2, 1, 1, False)) == [VoteAck(2, True, group.now_ms + 7_200_000)]


def test_a_promise_outlives_the_term_in_which_it_was_given() -> None:
    """A voter that learns of a higher term has no leader in it, but the lower term's leader counts on it."""
    group = leading(3)
    group.flow(frozenset({1, 2}))
    late_refusal = PreVoteAck(2, False, 0)  # node 3 stood for term 2 when node 1 was silent for a while
    tell(group, 2, 3, late_refusal)
    assert (group.nodes[2].raft.term, group.nodes[2].raft.leader) == (2, None)
    refused = VoteAck(2, False, group.now_ms + 7_200_000)
    assert tell(group, 2, 3, RequestVote(2, 1, 1, False)) == [refused]
    assert tell(group, 2, 3, PreVote(3, 1, 1)) == [PreVoteAck(2, False, group.now_ms + 7_200_000)]
    assert group.lease_index(1) == 1
    group.now_ms += 400
    granted = VoteAck(2, True, group.now_ms + 7_200_000)
    assert tell(group, 2, 3, RequestVote(2, 1, 1, False)) == [granted]


@pytest.mark.parametrize(
    "sign_of_life", [Heartbeat(1, 0, 0), AppendEntries(1, 0, 0, 0, (Entry(1, 1, EntryKind.NOOP, b""),))]
)
def test_whatever_a_leader_says_binds_anew(sign_of_life: Message) -> None:
    """Heartbeats and entries alike."""
    group = Cluster(3)
    group.now_ms += 390
    tell(group, 2, 1, sign_of_life)
    group.now_ms += 399
    assert tell(group, 2, 3, RequestVote(2, 1, 1, False)) == []
    group.now_ms += 1
    assert len(tell(group, 2, 3, RequestVote(2, 1, 1, False))) == 1


def test_the_vote_of_a_transfer_is_given_at_once() -> None:
    """The leader gave its lease up before it asked for the transfer."""
    group = leading(3)
    group.flow()
    assert group.lease_index(1) == 1
    assert group.turn(1).transfer(2)
    group.settle(1)
    assert group.lease_index(1) is None
    group.flow()
    assert group.nodes[2].raft.role is Role.LEADER


def test_a_transfer_to_one_that_lags_ends_the_lease_only_when_it_is_told() -> None:
    """Until then nobody can be elected against the promises."""
    group = leading(3)
    answer(group, 2, 3)
    group.propose(1)
    group.turn(1).transfer(2)
    group.settle(1)
    assert group.lease_index(1) == 1


def test_a_promoted_learner_brings_its_promise_along() -> None:
    """A promise belongs to the process, not to its role: it refuses its vote as a learner and as a voter."""
    group = Cluster(2, learners=(3,))
    group.elect(1)
    group.tick(1)
    group.flow(frozenset({1, 3}))
    assert left_ms(group) == 0
    members = group.nodes[1].raft.membership.members
    promoted = Member(3, disk_of(3), True, members[2].address)
    assert group.turn(1).propose_membership(Membership((*members[:2], promoted))) == 2
    group.settle(1)
    assert left_ms(group) == 319
    assert tell(group, 3, 2, PreVote(2, 9, 9)) == [PreVoteAck(1, False, group.now_ms + 10_800_000)]


def test_drift_is_a_percentage() -> None:
    """A hundred per cent would leave no lease, more a negative one."""
    for percent in (-1, 100):
        with pytest.raises(ValueError, match="clock_drift_percent_max"):
            RaftSettings(clock_drift_percent_max=percent)
    assert Lease().promise_ends_ms(1, 400, RaftSettings(clock_drift_percent_max=0)) == NEVER_MS
