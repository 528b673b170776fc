"""Rounds of reads: who is asked, who is answered, and at which index a read is served."""

from tests.node.driver_rig import LEADER, OTHER, Desk, elected, following, leading
from tests.node.recorded_work import Asked
from trikv.machine.replies import CommandError
from trikv.node.events import LogRoom
from trikv.protocol.messages import ReadRejected, ReadReply, ReadRequest
from trikv.raft.messages import AppendAck, Heartbeat, HeartbeatAck
from trikv.raft.types import ReadId

QUESTION = ReadId(OTHER, 5, 1)


def read(desk: Desk) -> Asked:
    """A client's read, in a turn of its own."""
    asked = Asked((b"GET", b"k"), writes=False)
    desk.turn(asked.work)
    return asked


def test_a_leader_tells_peers_of_their_questions_and_serves_its_own() -> None:
    """When a majority has answered the round; with the index at which the question came."""
    desk = leading()
    desk.links.sent.clear()
    asked = Asked((b"GET", b"k"), writes=False)
    desk.driver._read_exchange.asked(OTHER, (QUESTION,), by_lease=False)
    desk.turn(asked.work)
    (_, beat), *_ = desk.links.take(Heartbeat)
    assert asked.outcomes == []
    desk.hear(LEADER, HeartbeatAck(2, beat.round, 0, 400))
    ((peer, reply),) = desk.links.take(ReadReply)
    assert (peer, reply.reads, reply.index) == (OTHER, (QUESTION,), 3)
    assert asked.outcomes == [[None]]


def test_who_does_not_lead_says_so() -> None:
    """The asker may know of a newer leader by then."""
    desk = following()
    desk.hear(OTHER, ReadRequest((QUESTION,)))
    assert desk.links.take(ReadRejected) == [(OTHER, ReadRejected((QUESTION,)))]


def test_a_new_leader_keeps_questions_until_it_knows_what_is_committed() -> None:
    """That is when its term's first entry has committed: it neither refuses before, nor answers."""
    desk = elected()
    desk.hear(OTHER, ReadRequest((QUESTION,)))
    assert not [one for _, one in desk.links.sent if isinstance(one, ReadRejected | ReadReply)]
    desk.sync()
    desk.hear(OTHER, AppendAck(2, 3))
    _, beat = desk.links.take(Heartbeat)[-1]
    desk.hear(OTHER, HeartbeatAck(2, beat.round, 0, 400))
    ((peer, reply),) = desk.links.take(ReadReply)
    assert (peer, reply.index) == (OTHER, 3)


def test_a_refused_question_is_asked_again_of_another_leader_only() -> None:
    """Of the same one a timer asks: it may have no more to say for a while."""
    desk = following()
    read(desk)
    ((_, request),) = desk.links.take(ReadRequest)
    desk.hear(LEADER, ReadRejected(request.reads))
    assert desk.links.take(ReadRequest) == []
    desk.hear(OTHER, ReadRejected(request.reads))
    assert desk.turn_at_once()
    ((peer, again),) = desk.links.take(ReadRequest)
    assert peer == LEADER
    assert again.reads != request.reads, "a question's number is never used again"


def test_what_is_confirmed_twice_is_served_once() -> None:
    """The second finds nobody, and gives the applier nothing to do."""
    desk = following()
    asked = read(desk)
    ((_, request),) = desk.links.take(ReadRequest)
    desk.hear(LEADER, ReadReply(request.reads, 2, 0))
    desk.hear(LEADER, ReadReply(request.reads, 2, 0))
    assert asked.outcomes == [[None]]
    assert not desk.applier.has_orders


def test_a_read_whose_index_the_log_does_not_reach_is_told_why() -> None:
    """A leader was reached, and the answer does not deny it: this node is behind, or has no room."""
    for lack, why in (("", "is behind in the log"), ("the disk is full", "cannot follow: the disk is full")):
        desk = following()
        if lack:
            desk.turn(LogRoom(there=False, lack=lack))
        asked = read(desk)
        ((_, request),) = desk.links.take(ReadRequest)
        desk.hear(LEADER, ReadReply(request.reads, 9, 0))
        for waited_ms in (9_000, 2_000):
            assert asked.outcomes == []
            desk.host.now_ms += waited_ms
            desk.hear(LEADER, Heartbeat(1, 2, 0))
        (error,) = asked.outcomes
        assert isinstance(error, CommandError)
        assert error.text.startswith(f"CLUSTERDOWN this node {why}; the command was not executed,")
