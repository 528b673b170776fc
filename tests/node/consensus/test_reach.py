"""Who can be asked what only the leader knows: itself, or one to whom the link stands."""

from typing import cast

import attrs
import pytest

from tests.node.driver_rig import LEADER, NODE, Desk, following, leading
from trikv.node.consensus.reach import leader_in_reach
from trikv.node.peers.links import Links
from trikv.raft.types import NodeId


@attrs.define
class Linked:
    """Links of which only some stand."""

    to: set[NodeId]

    def is_up(self, peer: NodeId) -> bool:
        """The link to that peer."""
        return peer in self.to


def reached(desk: Desk, *to: NodeId) -> NodeId | None:
    """Whom the node on that desk reaches, if its links to these stand."""
    return leader_in_reach(desk.raft, cast("Links", Linked(set(to))))


def test_a_leader_reaches_itself() -> None:
    """No link leads there, and none is needed, even where all are down."""
    assert reached(leading()) == NODE


@pytest.mark.parametrize(("links", "whom"), [({LEADER}, LEADER), (set(), None), ({3}, None)])
def test_a_follower_reaches_its_leader_over_their_link(links: set[NodeId], whom: NodeId | None) -> None:
    """What is handed over where there is no link would be lost: it waits."""
    assert reached(following(), *links) == whom


def test_who_knows_of_no_leader_reaches_none() -> None:
    """Every link may stand, and still there is nobody to ask."""
    assert reached(Desk(), LEADER, 3) is None
