"""What an event or a peer's message means, and who gets it."""

import attrs
import pytest

from tests.node.driver_rig import CLUSTER, LEADER, NODE, OTHER, Desk, following, leading
from tests.raft.cluster import disk_of
from trikv.machine.features import FEATURE_LEVEL
from trikv.node.drain import StopLimits
from trikv.node.events import AskLeader, LeaderAnswer, LinkDown, LinkUp
from trikv.node.peers.leader_calls import PATIENCE_MS
from trikv.protocol.handshake import BLANK_CLUSTER
from trikv.protocol.messages import (
    BootstrapRecord,
    DiskStanding,
    Drained,
    Draining,
    DurableReply,
    DurableRequest,
    JoinRequest,
)
from trikv.raft.messages import AppendAck, Heartbeat
from trikv.raft.types import Membership


@attrs.define
class Asker:
    """Asks the leader who holds an index."""

    told: list[LeaderAnswer | None] = attrs.Factory(list)

    def call(self, index: int) -> AskLeader:
        """Its question."""
        return AskLeader(lambda number: DurableRequest(number, index), self.told.append)


def asked(desk: Desk, index: int = 2) -> tuple[Asker, DurableRequest]:
    """A call of a follower, and the message that left for it."""
    asker = Asker()
    desk.turn(asker.call(index))
    ((peer, request),) = desk.links.take(DurableRequest)
    assert (peer, request.index, asker.told) == (LEADER, index, [])
    return asker, request


def test_a_leader_answers_itself_in_the_turn_that_brings_the_question() -> None:
    """With all that has come before: an ack that was kept for that turn counts."""
    desk, asker = leading(), Asker()
    desk.turn(asker.call(3))
    assert asker.told == [DurableReply(1, 2)]
    desk.submit(b"SET", b"k", b"v")
    desk.sync()
    desk.hear(OTHER, AppendAck(2, 4))
    desk.turn(asker.call(4))
    desk.hear(LEADER, AppendAck(2, 4))
    desk.turn(asker.call(4))
    assert asker.told[1:] == [DurableReply(2, 2), DurableReply(3, 3)]
    assert desk.links.take(DurableRequest) == []


def test_a_leader_answers_a_peer_by_the_peers_own_number() -> None:
    """A node that does not lead says that it knows of nobody."""
    for desk, voters in ((leading(), 2), (following(), 0)):
        desk.links.sent.clear()
        desk.hear(OTHER, DurableRequest(77, 3))
        assert desk.links.take(DurableReply) == [(OTHER, DurableReply(77, voters))]


def test_a_follower_asks_its_leader_and_hears_the_answer() -> None:
    """Once; what comes again under that number finds nobody."""
    desk = following()
    asker, request = asked(desk)
    for _ in range(2):
        desk.hear(LEADER, DurableReply(request.counter, 3))
    assert asker.told == [DurableReply(request.counter, 3)]


@pytest.mark.parametrize("how", ["another leader", "the link broke", "time passed"])
def test_who_asked_a_leader_that_is_gone_hears_that_there_is_no_answer(how: str) -> None:
    """At once if that is known, and in its time if the answer was lost."""
    desk = following()
    asker, _ = asked(desk)
    match how:
        case "another leader":
            desk.hear(OTHER, Heartbeat(2, 2, 0))
        case "the link broke":
            desk.turn(LinkDown(OTHER))
            assert asker.told == [], "not the leader's"
            desk.turn(LinkDown(LEADER))
        case _:
            end_ms = desk.host.now_ms + PATIENCE_MS + 1_000
            while desk.host.now_ms < end_ms and not asker.told:
                desk.host.now_ms += 100
                desk.hear(LEADER, Heartbeat(1, 2, 0))
    assert asker.told == [None]


def test_without_a_leader_in_reach_nobody_is_asked() -> None:
    """The asker hears so in that turn, and nothing is kept of it."""
    desk, asker = Desk(), Asker()
    desk.turn(asker.call(2))
    assert asker.told == [None]
    desk = following()
    desk.links.is_up = lambda _peer: False  # type: ignore[method-assign,assignment]
    desk.turn(asker.call(2))
    assert asker.told == [None, None]
    desk = following()
    desk.links.send = lambda _peer, _message: False  # type: ignore[method-assign,assignment]
    desk.turn(asker.call(2))
    assert asker.told == [None] * 3, "the link has no room"
    assert len(desk.driver._calls) == 0


def test_a_peer_that_comes_up_hears_first_how_this_node_stands() -> None:
    """Before anything by which it could answer a client; then how far this node's stop is."""
    desk = leading()
    desk.parts.drain.begin(0.0, StopLimits())
    desk.links.sent.clear()
    desk.turn(LinkUp(OTHER, disk_of(OTHER)))
    sent = [message for peer, message in desk.links.sent if peer == OTHER]
    assert [type(message) for message in sent[:2]] == [DiskStanding, Draining]
    assert isinstance(sent[2], Heartbeat)
    assert sent[0] == DiskStanding(False, CLUSTER, (1, 2, 3), desk.parts.guard.mark, FEATURE_LEVEL)


def test_what_a_peer_says_of_its_stop_is_known_until_it_comes_back() -> None:
    """It is handed no leadership meanwhile."""
    desk = following()
    drain = desk.parts.drain
    for message in (Draining(), Draining(is_quiet=True), Drained()):
        desk.hear(OTHER, message)
        assert (drain.stops(OTHER), drain.stops(LEADER)) == (True, False)
    desk.turn(LinkDown(OTHER))
    assert drain.stops(OTHER)
    desk.turn(LinkUp(OTHER, disk_of(OTHER)))
    assert not drain.stops(OTHER)


@pytest.mark.parametrize("says", ["", "there:9"])
def test_a_blank_disk_is_known_by_where_it_is_reached(says: str) -> None:
    """As it says, or as this node reaches it if its release says nothing: the members' addresses go on."""
    desk = leading()
    desk.hear(OTHER, DiskStanding(True, BLANK_CLUSTER, (1, 2, 3), b"", FEATURE_LEVEL))
    desk.hear(OTHER, JoinRequest(disk_of(OTHER), says))
    assert [joiner.address for joiner in desk.driver._leading.joiners.values()] == [says or "node3:1"]


def test_a_disk_of_an_unknown_release_does_not_join() -> None:
    """One that tells no level knows the first; the cluster's may be higher."""
    desk = leading()
    desk.applier.machine.space.account.feature_level = FEATURE_LEVEL
    desk.hear(OTHER, JoinRequest(disk_of(OTHER), "there:9"))
    assert not desk.driver._leading.joiners


def test_a_disk_that_is_no_voter_says_where_it_is_reached() -> None:
    """To everybody, once a second: who leads may be unknown to it."""
    desk = following()
    desk.parts.identity.disk, desk.parts.identity.address = b"a blank disk....", "node1:1"
    desk.host.now_ms += 1_000
    desk.turn()
    assert desk.links.take(JoinRequest) == [
        (peer, JoinRequest(b"a blank disk....", "node1:1")) for peer in (LEADER, OTHER)
    ]


def test_a_record_for_a_blank_disk_changes_nothing_here() -> None:
    """This node has its own, whatever the other's says."""
    desk = following()
    before = desk.raft.membership
    desk.hear(OTHER, BootstrapRecord(b"another cluster.", Membership(())))
    assert (desk.raft.membership, desk.parts.identity.cluster) == (before, CLUSTER)
    assert desk.links.sent == []
    assert desk.raft.node_id == NODE
