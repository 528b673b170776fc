"""Who holds an index on disk: what a leader answers to WAIT."""

from types import SimpleNamespace
from typing import cast

import msgspec

from tests.raft.groups import leader_of, led
from trikv.node.consensus.voters_holding import voters_holding
from trikv.raft.core import Raft
from trikv.raft.types import Membership


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


def test_learners_do_not_count() -> None:
    """WAIT tells of voters: what a majority of them holds is safe, a learner's copy adds nothing to that."""
    group = led(3)
    group.flow()
    raft = leader_of(group)
    first, *others = raft.membership.members
    learner = msgspec.structs.replace(others[-1], voter=False)
    with_learner = SimpleNamespace(
        role=raft.role,
        node_id=raft.node_id,
        progress=raft.progress,
        durable_index=raft.durable_index,
        membership=Membership((first, *others[:-1], learner)),
    )
    assert voters_holding(raft, raft.commit) == 3
    assert voters_holding(cast("Raft", with_learner), raft.commit) == 2
