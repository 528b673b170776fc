"""Which answers and own syncs a leader may leave for its next turn: those that change nothing."""

from tests.raft.cluster import Cluster, disk_of
from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, AppendEntries, Heartbeat, HeartbeatAck, TimeoutNow
from trikv.raft.types import ReadId


def leading(voters: int, learners: tuple[int, ...] = ()) -> tuple[Cluster, Raft]:
    """Node 1 leads term 1, everything so far is known to everyone, and nothing is on its way."""
    group = Cluster(voters, learners=learners)
    group.everybody_waits = False
    group.elect(1)
    group.flow()
    return group, group.nodes[1].raft


def proposed(group: Cluster) -> int:
    """An entry that has reached all peers; the leader's own sync has not returned."""
    index = group.propose(1)
    assert index is not None
    for letter in [letter for letter in group.soup if isinstance(letter.content, AppendEntries)]:
        group.soup.remove(letter)
        group.deliver(letter)
        group.write(letter.to)
    group.soup.clear()
    return index


def hear(group: Cluster, peer: int, message: AppendAck | HeartbeatAck) -> None:
    """An answer arrives at the leader."""
    group.turn(1).receive(peer, disk_of(peer), message)
    group.settle(1)


def test_the_ack_behind_a_majoritys_is_late() -> None:
    """Node 2's decides; node 3's then commits nothing and makes nothing leave."""
    group, raft = leading(3)
    index = proposed(group)
    group.write(1)
    ack = AppendAck(1, index)
    assert not raft.answer_can_wait(2, disk_of(2), ack)
    hear(group, 2, ack)
    assert raft.commit == index
    assert raft.answer_can_wait(3, disk_of(3), ack)
    group.soup.clear()
    hear(group, 3, ack)
    assert (raft.commit, group.soup) == (index, [])


def test_of_five_voters_the_fourth_ack_is_the_first_late_one() -> None:
    """With our own disk and one peer's, three are not yet together."""
    group, raft = leading(5)
    index = proposed(group)
    group.write(1)
    for peer, late in ((2, False), (3, False), (4, True), (5, True)):
        assert raft.answer_can_wait(peer, disk_of(peer), AppendAck(1, index)) is late, peer
        hear(group, peer, AppendAck(1, index))


def test_an_ack_for_which_somebody_waits_is_not_late() -> None:
    """A client of node 3 waits for its commit, and node 3 is told once it is known to hold the entry."""
    group, raft = leading(3)
    index = proposed(group)
    group.write(1)
    raft.awaits(3, index)
    hear(group, 2, AppendAck(1, index))
    group.soup.clear()
    assert not raft.answer_can_wait(3, disk_of(3), AppendAck(1, index))
    hear(group, 3, AppendAck(1, index))
    assert [(letter.to, letter.content) for letter in group.soup] == [(3, Heartbeat(1, index, 0))]
    assert raft.answer_can_wait(3, disk_of(3), AppendAck(1, index)), "it has been told"


def test_an_ack_that_lets_something_leave_is_not_late() -> None:
    """The ack of a peer that still lacks entries, is probed, or is to take over must not wait."""
    group, raft = leading(3)
    index = proposed(group)
    group.write(1)
    hear(group, 2, AppendAck(1, index))
    raft.progress[3].next = index  # as if its window had been full
    assert not raft.answer_can_wait(3, disk_of(3), AppendAck(1, index))
    raft.progress[3].next = index + 1
    assert raft.answer_can_wait(3, disk_of(3), AppendAck(1, index))
    group.turn(1).unreachable(3)
    group.settle(1)
    assert not raft.answer_can_wait(3, disk_of(3), AppendAck(1, index))
    group, raft = leading(3)
    index = proposed(group)
    group.write(1)
    hear(group, 2, AppendAck(1, index))
    assert group.turn(1).transfer(3)
    group.settle(1)
    assert not raft.answer_can_wait(3, disk_of(3), AppendAck(1, index))
    hear(group, 3, AppendAck(1, index))
    assert any(isinstance(letter.content, TimeoutNow) for letter in group.soup)


def test_the_answer_of_a_round_behind_a_majoritys_is_late() -> None:
    """The first answer sets the reads free; the second tells nothing that a read waits for."""
    group, raft = leading(3)
    read = group.read(1)
    assert isinstance(read, ReadId)
    number = raft._role.reads.number  # type: ignore[union-attr]
    answer = HeartbeatAck(1, number, 0, 400)
    assert not raft.answer_can_wait(2, disk_of(2), answer)
    hear(group, 2, answer)
    assert [read for read, _ in group.nodes[1].reads] == [read]
    assert raft.answer_can_wait(3, disk_of(3), answer)
    assert not raft.answer_can_wait(3, disk_of(3), HeartbeatAck(1, number + 1, 0, 400))


def beat(group: Cluster) -> HeartbeatAck:
    """The leader's next heartbeat leaves; what a peer will answer."""
    role = group.nodes[1].raft._role
    number = role.reads.number  # type: ignore[union-attr]
    while role.reads.number == number:  # type: ignore[union-attr]
        group.now_ms += 10
        group.tick(1)
    group.soup.clear()
    return HeartbeatAck(1, number + 1, 0, 400)


def test_an_answer_to_a_heartbeat_that_nobody_reads_by_waits_for_the_next_turn() -> None:
    """The lease lasts until the next heartbeat, whose turn renews it; a read, once asked, must not wait."""
    group, raft = leading(3)
    first = beat(group)
    assert not raft.answer_can_wait(2, disk_of(2), first), "no lease yet"
    hear(group, 2, first)
    second = beat(group)
    assert raft.answer_can_wait(2, disk_of(2), second)
    assert raft.answer_can_wait(3, disk_of(3), second)
    assert group.read(1)
    assert not raft.answer_can_wait(2, disk_of(2), second)


def test_a_lease_that_ends_before_the_next_heartbeat_is_renewed_at_once() -> None:
    """Answers were lost: 320 ms after the last heartbeat that was answered the lease would end."""
    group, raft = leading(3)
    hear(group, 2, beat(group))
    late = [raft.answer_can_wait(2, disk_of(2), beat(group)) for _ in range(4)]
    assert late == [True, True, False, False]


def test_only_members_of_the_present_term_are_late_and_only_to_a_leader() -> None:
    """Any other answer has an effect, or is dropped for other reasons: it gets a turn now."""
    group, raft = leading(3)
    index = proposed(group)
    group.write(1)
    hear(group, 2, AppendAck(1, index))
    assert not raft.answer_can_wait(3, disk_of(3, generation=1), AppendAck(1, index))
    assert not raft.answer_can_wait(3, disk_of(3), AppendAck(2, index))
    assert not group.nodes[2].raft.answer_can_wait(3, disk_of(3), AppendAck(1, index))


def test_a_learners_ack_of_what_is_committed_is_late() -> None:
    """It never counts."""
    group, raft = leading(3, learners=(4,))
    index = proposed(group)
    group.write(1)
    assert not raft.answer_can_wait(4, disk_of(4), AppendAck(1, index))
    hear(group, 2, AppendAck(1, index))
    assert raft.answer_can_wait(4, disk_of(4), AppendAck(1, index))


def test_a_leaders_own_sync_is_early_until_a_peer_has_acked() -> None:
    """Alone it commits nothing; with a peer's ack it can complete the majority."""
    group, raft = leading(3)
    index = proposed(group)
    job = group.nodes[1].jobs[-1].number
    assert raft.sync_can_wait(job)
    hear(group, 2, AppendAck(1, index))
    assert raft.commit < index
    assert not raft.sync_can_wait(job)
    group.write(1)
    assert raft.commit == index


def test_no_sync_is_early_where_something_waits_for_it() -> None:
    """A sole voter commits by it, a follower acknowledges by it, a candidate asks for votes by it."""
    group = Cluster(1)
    group.tick(1)
    raft = group.nodes[1].raft
    assert not raft.sync_can_wait(1)
    group.flow()
    assert group.propose(1) is not None
    assert not raft.sync_can_wait(group.nodes[1].jobs[-1].number)
    group, _ = leading(3)
    index = group.propose(1)
    assert index is not None
    (letter,) = [letter for letter in group.soup if letter.to == 2]
    group.deliver(letter)
    assert not group.nodes[2].raft.sync_can_wait(group.nodes[2].jobs[-1].number)


def test_what_a_sync_lets_go_is_awaited() -> None:
    """A message that was held for a job is not kept back by calling the job early."""
    group, raft = leading(3)
    group.propose(1)
    job = group.nodes[1].jobs[-1].number
    outbox = raft._shared.outbox
    assert not outbox.is_awaited(job)
    outbox.send_when_durable(2, AppendAck(1, raft.last_index), raft.last_index)
    assert outbox.is_awaited(job)
    assert not raft.sync_can_wait(job)
