"""What the driver does when links and leaders come and go, turn by turn (PROTOCOL 2, 3)."""

import msgspec
import structlog

from tests.node.driver_rig import LEADER, NODE, OTHER, Desk, elected, following, leading
from tests.node.recorded_work import Asked
from tests.raft.cluster import disk_of
from trikv.front.seam import Work
from trikv.machine.batch import Item, Submission, Transaction
from trikv.machine.suspended import Suspended
from trikv.node.consensus.turns import HOLD_MS
from trikv.node.events import LinkDown, LinkUp, PeerSaid
from trikv.node.state.applier import Inside
from trikv.protocol.messages import Forward
from trikv.raft.messages import AppendAck, AppendReject, Heartbeat, HeartbeatAck
from trikv.raft.progress import DENIALS_MIN
from trikv.raft.roles import Role
from trikv.raft.types import Entry, EntryKind


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


def test_a_follower_that_lost_entries_is_named_by_its_leader() -> None:
    """Which sends it nothing but a question for each heartbeat; a follower's driver has nobody to name."""
    desk = leading()
    with structlog.testing.capture_logs() as lines:
        desk.turn(LinkDown(OTHER), LinkUp(OTHER, disk_of(OTHER)))
        for _ in range(DENIALS_MIN + 12):
            desk.hear(OTHER, AppendReject(2, 3, 2, 1))
            desk.host.now_ms += 100
            desk.hear(OTHER, HeartbeatAck(2, 0, 0))
    errors = [line for line in lines if line["log_level"] == "error"]
    assert [(line["peer"], line["acknowledged"]) for line in errors] == [(OTHER, 3)]


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


class Rest(Suspended):
    """What is left of an entry: nothing that anybody goes on with here."""

    def __init__(self) -> None:
        """No steps."""


def test_no_client_is_given_up_while_the_applier_is_inside_an_entry() -> None:
    """Nothing is sent again either; behind the entry the time of waiting goes on where it was."""
    desk = following()
    asked = desk.submit(b"SET", b"k", b"v")
    ((_, first),) = desk.links.take(Forward)
    desk.host.now_ms += 100
    entry = Entry(3, 1, EntryKind.BATCH, b"")
    desk.applier.inside = Inside(entry, Rest(), desk.host.now_ms, 0)
    for _ in range(300):
        desk.host.now_ms += 100
        desk.driver.turn([PeerSaid(LEADER, disk_of(LEADER), Heartbeat(1, 2, 0))], settled=True)
    assert asked.outcomes == []
    assert desk.links.take(Forward) == []
    desk.applier.inside = None
    for _ in range(6):
        desk.host.now_ms += 100
        desk.hear(LEADER, Heartbeat(1, 2, 0))
    assert desk.links.take(Forward) == [(LEADER, first)]
    assert asked.outcomes == []
    for _ in range(100):
        desk.host.now_ms += 100
        desk.hear(LEADER, Heartbeat(1, 2, 0))
    assert asked.code == "INDETERMINATE"


def test_keys_that_are_due_cause_no_turns_inside_an_entry() -> None:
    """A leader cannot propose their expiry before it is whole, and would do nothing else."""
    desk = elected()
    desk.hear(OTHER, AppendAck(2, 3))
    db = desk.applier.machine.space.databases[0]
    db.store(b"k", b"v", 1_800_000_000_000 - 200_000_000_000)
    desk.applier.inside = Inside(Entry(4, 2, EntryKind.BATCH, b""), Rest(), desk.host.now_ms, 0)
    desk.driver.turn([], settled=True)
    due_ms = desk.driver._next_deadline(desk.host.now_ms)
    assert due_ms > desk.host.now_ms
