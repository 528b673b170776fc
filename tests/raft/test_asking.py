"""Which voters a leader asks for a read round: no more than it needs, and all if these are slow."""

import pytest

from tests.raft.cluster import Cluster, disk_of
from trikv.raft.leader import SLOW_ROUND_MS
from trikv.raft.messages import Heartbeat, HeartbeatAck
from trikv.raft.types import Membership


def asked(group: Cluster) -> list[int]:
    """The receivers of node 1's heartbeats that are on their way, in order."""
    return sorted(letter.to for letter in group.soup if isinstance(letter.content, Heartbeat))


def leading(voters: int, learners: tuple[int, ...] = ()) -> Cluster:
    """Node 1 leads, no heartbeat is due, and nothing is on its way."""
    group = Cluster(voters, learners=learners)
    group.everybody_waits = False
    group.elect(1)
    group.tick(1)
    group.flow()
    group.soup.clear()
    return group


@pytest.mark.parametrize(("voters", "needed"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (7, 3)])
def test_a_round_asks_a_majority_and_confirms_by_it(voters: int, needed: int) -> None:
    """With the leader itself they are one; learners are never asked."""
    group = leading(voters, learners=(9,))
    group.read(1)
    assert len(asked(group)) == needed
    assert 9 not in asked(group)
    group.flow()
    assert len(group.nodes[1].reads) == 1


def test_who_was_slow_is_asked_last() -> None:
    """A voter that does not answer in time costs one round that time, not every round."""
    group = leading(3)
    others = frozenset({1, 3})
    group.read(1)
    assert asked(group) == [2]
    group.soup.clear()
    assert group.nodes[1].raft.deadline() == group.now_ms + SLOW_ROUND_MS
    group.now_ms += SLOW_ROUND_MS
    group.tick(1)
    assert asked(group) == [3], "the other one has its heartbeat"
    group.flow(others)
    assert len(group.nodes[1].reads) == 1
    group.run(200)  # heartbeats are answered by both
    group.soup.clear()
    group.read(1)
    assert asked(group) == [3]
    group.soup.clear()
    group.now_ms += SLOW_ROUND_MS
    group.tick(1)
    group.flow()
    group.read(1)
    assert asked(group) == [2], "the slower one of the two is the one that was slow last"
    group.flow()
    assert len(group.nodes[1].reads) == 3


def test_of_those_asked_only_the_silent_ones_were_slow() -> None:
    """Of two that a round of five nodes asks, one answers: it stays among the first."""
    group = leading(5)
    group.read(1)
    assert asked(group) == [2, 3]
    group.flow(frozenset({1, 2}))
    group.soup.clear()
    group.now_ms += SLOW_ROUND_MS
    group.tick(1)
    assert asked(group) == [4, 5]
    group.flow()
    assert len(group.nodes[1].reads) == 1
    group.read(1)
    assert asked(group) == [2, 4]


def test_who_is_removed_while_it_is_asked_is_no_longer_waited_for() -> None:
    """The round goes on with the voters that are left."""
    group = leading(5)
    group.read(1)
    members = group.nodes[1].raft.membership.members
    left = tuple(member for member in members if member.id != 2)
    assert group.turn(1).propose_membership(Membership(left)) is not None
    group.settle(1)
    group.soup.clear()
    group.now_ms += SLOW_ROUND_MS
    group.tick(1)
    assert asked(group) == [4, 5]
    group.flow(frozenset({1, 4, 5}))
    assert len(group.nodes[1].reads) == 1


def test_an_answer_in_the_turn_in_which_time_is_up_is_one() -> None:
    """A leader that was busy does not ask other voters if the first answers have come meanwhile."""
    group = leading(3)
    group.read(1)
    (beat,) = [letter for letter in group.soup if isinstance(letter.content, Heartbeat)]
    group.soup.remove(beat)
    group.deliver(beat)
    (answer,) = group.soup
    group.soup.clear()
    group.now_ms += SLOW_ROUND_MS
    raft = group.turn(1)
    assert isinstance(answer.content, HeartbeatAck)
    raft.receive(2, disk_of(2), answer.content)
    raft.tick()
    group.settle(1)
    assert len(group.nodes[1].reads) == 1
    assert asked(group) == []


def test_two_rounds_of_a_silent_voter_are_both_confirmed() -> None:
    """The second one's time counts for both."""
    group = leading(3)
    others = frozenset({1, 3})
    group.read(1)
    group.now_ms += SLOW_ROUND_MS - 1
    group.read(1)
    group.soup.clear()
    group.now_ms += SLOW_ROUND_MS
    group.tick(1)
    assert asked(group) == [3]
    group.flow(others)
    assert len(group.nodes[1].reads) == 2


def test_a_round_that_was_answered_in_time_leaves_no_timer() -> None:
    """An idle leader is not woken for it."""
    group = leading(3)
    before = group.nodes[1].raft.deadline()
    group.read(1)
    group.flow()
    assert group.nodes[1].raft.deadline() == before > group.now_ms + SLOW_ROUND_MS
    group.now_ms += SLOW_ROUND_MS
    group.tick(1)
    assert asked(group) == []


def test_a_leader_that_is_no_voter_asks_a_majority_of_the_others() -> None:
    """Its own word does not count."""
    group = leading(3)
    leader = group.nodes[1].raft
    assert leader.role.name == "LEADER"
    members = leader.membership.members
    assert group.turn(1).propose_membership(Membership(members[1:])) is not None
    group.settle(1)
    group.soup.clear()
    group.read(1)
    assert asked(group) == [2, 3]
