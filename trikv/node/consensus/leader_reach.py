"""Whom a node may ask what only the leader knows, or hand what only the leader does."""

from trikv.node.peers.links import Links
from trikv.raft.core import Raft
from trikv.raft.roles import Role
from trikv.raft.types import NodeId


def leader_in_reach(raft: Raft, links: Links) -> NodeId | None:
    """This node itself if it leads, or a leader to whom our link stands; None if there is neither."""
    leader = raft.leader
    if leader is None or raft.role is Role.LEADER or links.is_up(leader):
        return leader
    return None
