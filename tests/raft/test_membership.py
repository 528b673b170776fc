"""Configurations: what counts as one change, and their life in the log."""

import pytest

from tests.raft.cluster import disk_of, membership_of
from trikv.raft.membership import MembershipHistory, decode_membership, encode_membership, is_single_change
from trikv.raft.types import Member, Membership

THREE = membership_of(1, 2, 3)


def with_disk(node_id: int, generation: int) -> Membership:
    """THREE, with another disk under one id."""
    return Membership(
        tuple(
            Member(m.id, disk_of(m.id, generation), m.voter, m.address) if m.id == node_id else m
            for m in THREE.members
        )
    )


def test_a_membership_survives_its_encoding() -> None:
    """What an entry carries is what was proposed."""
    assert decode_membership(encode_membership(THREE)) == THREE


@pytest.mark.parametrize(
    ("new", "allowed"),
    [
        (membership_of(1, 2, 3, 4), True),
        (membership_of(1, 2, 3, learners=(4,)), True),
        (membership_of(1, 2), True),
        (membership_of(1, 2, learners=(3,)), True),
        (THREE, False),
        (membership_of(1, 2, 4), False),
        (membership_of(1), False),
        (with_disk(2, 1), False),
        (Membership(tuple(reversed(membership_of(1, 2, 3, 4).members))), False),
        (Membership((*THREE.members, THREE.members[2])), False),
        (Membership((*THREE.members, Member(4, disk_of(3), True, "n4:1"))), False),
    ],
)
def test_only_one_change_to_a_sound_configuration_is_allowed(new: Membership, *, allowed: bool) -> None:
    """One member added, removed or altered; never another disk at once; ids rising and disks distinct."""
    assert is_single_change(THREE, new) is allowed


def test_the_last_voter_cannot_be_removed() -> None:
    """A configuration without voters could never commit again."""
    assert not is_single_change(membership_of(1), Membership(()))
    assert not is_single_change(membership_of(1), membership_of(learners=(1,)))


def test_history_rolls_back_compacts_and_restarts() -> None:
    """Truncation brings the former configuration back, compaction forgets it, a snapshot replaces all."""
    history = MembershipHistory(0, THREE)
    history.append(5, membership_of(1, 2))
    history.append(9, membership_of(1))
    assert (history.index, history.voters, history.at(8)) == (9, (1,), membership_of(1, 2))
    history.truncate(10)
    assert history.index == 9
    history.truncate(6)
    assert (history.index, history.voters) == (5, (1, 2))
    history.compact(4)
    assert history.at(4) == THREE
    history.compact(7)
    with pytest.raises(AssertionError, match="compacted"):
        history.at(4)
    history.reset(20, THREE)
    assert (history.index, history.current) == (20, THREE)


def test_a_member_is_an_id_with_its_disk() -> None:
    """Another disk under a member's id is nobody; a learner is a member but no voter."""
    history = MembershipHistory(0, membership_of(1, learners=(2,)))
    assert history.is_voter(1, disk_of(1))
    assert not history.is_member(1, disk_of(1, 1))
    assert history.is_member(2, disk_of(2))
    assert not history.is_voter(2, disk_of(2))
    assert not history.is_voter(3, disk_of(3))


def test_a_voter_counts_until_its_removal_is_committed() -> None:
    """Any configuration from the commit index on that names it as a voter lets it campaign."""
    history = MembershipHistory(0, THREE)
    history.append(5, membership_of(1, 2))
    assert history.is_voter_since(5, 1, disk_of(1))
    assert history.is_voter_since(4, 3, disk_of(3))
    assert not history.is_voter_since(5, 3, disk_of(3))
    assert not MembershipHistory(3, Membership(())).is_voter_since(0, 3, disk_of(3))
