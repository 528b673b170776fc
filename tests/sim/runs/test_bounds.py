"""Bounds of what a node holds, and of its turns while no time passes."""

import pytest
from trio.testing import MockClock

from tests.node.driver_rig import Desk
from trikv.sim.checkers.replicas import TURNS_ON_THE_SPOT_MAX, Bounds


async def test_a_node_that_turns_on_the_spot_fails_and_ends(mock_clock: MockClock) -> None:
    """A node that works and gets nowhere. Each instant of time counts from 0, and each node by itself."""
    failures: list[str] = []
    bounds, parts = Bounds(lambda kind, _: failures.append(kind)), Desk().parts
    for _ in range(3):
        for _ in range(TURNS_ON_THE_SPOT_MAX):
            bounds.check(1, parts)
            bounds.check(2, parts)
        mock_clock.jump(0.001)
    assert failures == []
    for _ in range(TURNS_ON_THE_SPOT_MAX + 1):
        bounds.check(1, parts)
    with pytest.raises(AssertionError, match="node 1 takes one turn after another"):
        bounds.check(1, parts)
    assert failures == ["spin"]
