"""What the driver does when links and leaders come and go, turn by turn (PROTOCOL 2, 3)."""

import msgspec

from tests.node.driver_rig import LEADER, NODE, OTHER, Desk, elected, following
from tests.node.recorded_work import Asked
from tests.raft.cluster import disk_of
from trikv.front.seam import Work
from trikv.machine.batch import Item, Submission, Transaction
from trikv.node.consensus.turns import HOLD_MS
from trikv.node.events import LinkDown, LinkUp
from trikv.protocol.messages import Forward
from trikv.raft.messages import AppendReject, Heartbeat, HeartbeatAck
from trikv.raft.roles import Role


def proposed(desk: Desk) -> Asked:
    """A client's write in the log of a leader whose first entry is still under way."""
    asked = desk.submit(b"SET", b"k", b"v")
    desk.host.now_ms += HOLD_MS
    desk.turn()
    assert desk.raft.last_index == 4
    return asked


def test_proposals_are_sent_again_as_soon_as_the_link_to_the_leader_is_back() -> None:
    """What was on the broken link may be lost; no timer is waited for."""
    desk = following()
    asked = desk.submit(b"SET", b"k", b"v")
    ((peer, first),) = desk.links.take(Forward)
    assert peer == LEADER
    desk.turn(LinkDown(LEADER))
    assert desk.links.take(Forward) == []
    desk.turn(LinkUp(LEADER, disk_of(LEADER)))
    assert desk.links.take(Forward) == [(LEADER, first)]
    desk.turn(LinkUp(OTHER, disk_of(OTHER)))
    assert desk.links.take(Forward) == []
    assert asked.outcomes == []


def test_without_progress_proposals_are_sent_again_on_the_same_link() -> None:
    """A leader may lose them without any link's breaking: half a second later they come again."""
    desk = following()
    desk.submit(b"SET", b"k", b"v")
    ((_, first),) = desk.links.take(Forward)
    for _ in range(6):
        desk.host.now_ms += 100
        desk.hear(LEADER, Heartbeat(1, 2, 0))
    assert desk.links.take(Forward) == [(LEADER, first)]


def test_a_leader_that_steps_down_tells_no_waiter_anything() -> None:
    """Its entry may commit all the same under the next leader: only the log, or the deadline, answers."""
    desk = elected()
    asked = proposed(desk)
    desk.hear(OTHER, AppendReject(3, 2, 0, 0))
    assert (desk.raft.role, desk.raft.term) == (Role.FOLLOWER, 3)
    desk.turn()
    assert asked.outcomes == []
    assert desk.proposals.waiting() == 1


def test_nobody_is_answered_by_the_proposing_of_his_write() -> None:
    """Nor by the leader's own disk: the answer comes with the entry's apply."""
    desk = elected()
    asked = proposed(desk)
    desk.sync()
    assert (asked.outcomes, desk.raft.commit) == ([], 2)


def test_heartbeats_leave_while_the_disk_is_busy() -> None:
    """A sync of many heartbeats' length costs no leader its office."""
    desk = elected()
    proposed(desk)
    desk.links.sent.clear()
    for _ in range(10):
        desk.host.now_ms += 50
        for peer in (LEADER, OTHER):
            desk.hear(peer, HeartbeatAck(2, 0, 0))
    beats = desk.links.take(Heartbeat)
    assert {peer for peer, _ in beats} == {LEADER, OTHER}
    assert len(beats) >= 8
    assert (desk.raft.leader, desk.raft.durable_index) == (NODE, 2)


def test_an_answer_of_a_follower_leaves_while_its_disk_is_busy() -> None:
    """Heartbeat acks say nothing about the disk, so they do not wait for it."""
    desk = elected()
    proposed(desk)
    desk.hear(OTHER, Heartbeat(3, 2, 0))  # a new term: this one must be durable first
    assert desk.links.take(HeartbeatAck) == []
    desk.sync()
    assert len(desk.links.take(HeartbeatAck)) == 1


def test_a_transaction_of_one_command_travels_alone() -> None:
    """Its reply is an array of its own; what came in the same turn goes in proposals before and behind it."""
    desk = following()
    write = ((b"SET", b"k", b"v"),)
    plain = Asked(*write).work
    transaction = Work(0, write, (Transaction(0, 1),), True, plain.answered, plain.failed)
    for work in (plain, transaction, plain):
        desk.proposals.submit([work], 0)
    items = [msgspec.msgpack.decode(item, type=Item) for item in desk.proposals.outgoing(0, 1 << 20)]
    assert [len(item.transactions) for item in items if isinstance(item, Submission)] == [0, 1, 0]
