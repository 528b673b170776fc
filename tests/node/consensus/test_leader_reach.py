"""Whom a node may ask what only the leader knows."""

from types import SimpleNamespace
from typing import Any

import pytest

from trikv.node.consensus.leader_reach import leader_in_reach
from trikv.raft.roles import Role


@pytest.mark.parametrize(
    ("role", "leader", "is_up", "whom"),
    [
        (Role.LEADER, 1, False, 1),
        (Role.FOLLOWER, 2, True, 2),
        (Role.FOLLOWER, 2, False, None),
        (Role.CANDIDATE, None, True, None),
    ],
)
def test_a_leader_is_in_reach_over_a_link_that_stands(
    role: Role, leader: int | None, *, is_up: bool, whom: int | None
) -> None:
    """Or if it is this node itself, which needs no link; while none is known there is nobody to ask."""
    raft: Any = SimpleNamespace(role=role, leader=leader)
    links: Any = SimpleNamespace(is_up=lambda peer: is_up and peer == leader)
    assert leader_in_reach(raft, links) == whom
