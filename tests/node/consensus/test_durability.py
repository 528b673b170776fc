"""Who holds an index on disk: what a leader answers to WAIT."""

from tests.raft.groups import leader_of, led
from trikv.node.consensus.durability import voters_holding


def test_leader_counts_voters_whose_disks_hold_the_index() -> None:
    """Its own durable index and the peers' acknowledged ones."""
    group = led(3)
    raft = leader_of(group)
    assert voters_holding(raft, raft.commit) >= 2
    assert voters_holding(raft, raft.last_index + 1) == 0
    group.flow()
    assert voters_holding(leader_of(group), raft.commit) == 3


def test_what_was_sent_is_not_held() -> None:
    """Entries on their way, or in a peer's memory, count for nothing."""
    group = led(3)
    raft = leader_of(group)
    for progress in raft.progress.values():
        progress.next = raft.last_index + 9
    assert voters_holding(raft, raft.last_index + 1) == 0


def test_follower_knows_nothing() -> None:
    """Only the leader hears acknowledgements; the others ask it."""
    group = led(3)
    assert voters_holding(group.turn(2), 1) == 0
