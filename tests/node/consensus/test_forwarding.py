"""Writes on their way to the leader's log: proposed, handed over, refused, and never kept twice."""

import msgspec

from tests.node.driver_rig import LEADER, OTHER, Desk, elected, following, leading
from trikv.machine.batch import Batch, Forgotten, Submission
from trikv.node.consensus.forwarding import FORWARD_BYTES_MAX
from trikv.protocol.messages import Forward, ForwardRejected
from trikv.raft.messages import AppendAck
from trikv.raft.types import EntryKind

ITEM = msgspec.msgpack.encode(Forgotten(OTHER, 9, 1))
"""Of a peer."""


def proposed(desk: Desk, index: int) -> list[object]:
    """The items of the entry at `index`."""
    (entry,) = desk.raft.entries_between(index, index)
    assert entry.kind is EntryKind.BATCH
    return list(msgspec.msgpack.decode(entry.payload, type=Batch).items)


def test_a_leader_proposes_its_own_and_its_peers_items_together() -> None:
    """One entry for all that came in a turn; then nothing of it waits any more."""
    desk = leading()
    desk.driver._forwarding.take(OTHER, (ITEM,))
    desk.submit(b"SET", b"k", b"v")
    own, peers = proposed(desk, 4)
    assert isinstance(own, Submission)
    assert peers == Forgotten(OTHER, 9, 1)
    desk.sync()
    desk.hear(OTHER, AppendAck(2, 4))
    desk.turn()
    assert desk.raft.last_index == 4


def test_a_leader_that_accepts_nothing_sends_peers_away() -> None:
    """It hands over: nothing is appended, who forwarded hears so, and its own items go again."""
    desk = leading()
    desk.raft.transfer(OTHER)
    desk.links.sent.clear()
    desk.hear(LEADER, Forward((ITEM,)))
    assert desk.raft.last_index == 3
    assert desk.links.take(ForwardRejected) == [(LEADER, ForwardRejected(2, 1))]
    desk.turn()
    assert desk.links.take(ForwardRejected) == [], "once"


def test_who_does_not_lead_refuses_at_once() -> None:
    """And names whom it follows."""
    desk = following()
    desk.hear(OTHER, Forward((ITEM, ITEM)))
    assert desk.links.take(ForwardRejected) == [(OTHER, ForwardRejected(1, LEADER))]
    assert desk.driver.works == 2, "it was asked something, so it is not idle"
    desk.turn()
    assert desk.links.take(ForwardRejected) == []


def test_one_turn_hands_over_only_so_much() -> None:
    """The rest follows in the next; a heartbeat between them is not held up for long."""
    desk = following()
    for _ in range(3):
        desk.submit(b"SET", b"k", b"v" * (FORWARD_BYTES_MAX // 2 + 1))
    sizes = [sum(map(len, message.items)) for _, message in desk.links.take(Forward)]
    assert len(sizes) == 3
    desk.proposals.rewind(desk.host.now_ms)
    desk.turn()
    ((_, first),) = desk.links.take(Forward)
    desk.turn()
    ((_, second),) = desk.links.take(Forward)
    assert (len(first.items), len(second.items)) == (2, 1)


def test_what_a_full_link_did_not_take_goes_again() -> None:
    """It is as if the leader had refused it: soon, and from the oldest."""
    desk = following()
    desk.links.send = lambda _peer, _message: False  # type: ignore[method-assign,assignment]
    desk.submit(b"SET", b"k", b"v")
    del desk.links.send
    desk.host.now_ms += 30
    desk.turn()
    assert len(desk.links.take(Forward)) == 1


def test_a_new_cluster_takes_nothing_before_it_is_founded() -> None:
    """The members and the settings come first in every log; peers are told to come again."""
    desk = elected()
    desk.applier.machine.space.account.feature_level = 0
    desk.links.sent.clear()
    desk.hear(OTHER, Forward((ITEM,)))
    desk.host.now_ms += 5
    desk.turn()
    assert desk.links.take(ForwardRejected) == [(OTHER, ForwardRejected(2, 1))]
    assert desk.raft.last_index == 3
