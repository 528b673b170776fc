"""WAIT's bookkeeping: who holds an index on disk."""

from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from tests.raft.groups import leader_of, led
from trikv.node.consensus.durability import Durability, voters_holding
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


def test_answers_rise_and_late_ones_are_dropped() -> None:
    """A later answer may name more voters, never fewer; after `close` nothing is kept."""
    durability = Durability()
    first, second = durability.open(), durability.open()
    assert first != second
    assert durability.known(first) == 0
    durability.told(first, 2)
    durability.told(first, 1)
    assert durability.known(first) == 2
    assert durability.known(second) == 0
    durability.close(first)
    durability.told(first, 3)
    with pytest.raises(KeyError):
        durability.known(first)
    assert durability.open() > second, "numbers are not used again: a late answer finds nobody"


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


def test_open_questions_are_bounded_by_who_asks() -> None:
    """Each that was closed is forgotten: the length is of those that still wait."""
    durability = Durability()
    numbers = [durability.open() for _ in range(3)]
    assert len(durability) == 3
    durability.close(numbers[1])
    assert len(durability) == 2
