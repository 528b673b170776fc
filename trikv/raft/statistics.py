"""What a core says of itself, for INFO. Figures of one moment; they decide nothing."""

import attrs

from trikv.raft.roles import Role
from trikv.raft.types import Member, NodeId


@attrs.frozen(kw_only=True)
class FollowerStatistics:
    """A peer as its leader sees it."""

    peer: NodeId
    match: int
    """It holds the log up to here, as far as it has said."""
    silent_ms: int
    """Since its last answer."""


@attrs.frozen(kw_only=True)
class RaftStatistics:
    """Where this node stands in its cluster, and its log."""

    role: Role
    leader: NodeId | None
    """Who leads, this node itself perhaps; None if that is not known."""
    leader_silent_ms: int
    """Since a leader was last heard; at first since the start of this life."""
    term: int
    first_index: int
    """Of the first entry in memory."""
    last_index: int
    durable_index: int
    commit: int
    log_bytes: int
    """Payload bytes of the entries in memory."""
    undurable_bytes: int
    """Of those, what is not on this node's disk yet."""
    has_lease: bool
    members: tuple[Member, ...]
    followers: tuple[FollowerStatistics, ...]
    """A leader's peers, by id; nobody's for anyone else."""
    clock_deviation_ms: int
    """By how much the wall clock of that peer differed from ours that differed the most."""

    @property
    def leads(self) -> bool:
        """Whether this node is the leader, as far as it knows."""
        return self.role is Role.LEADER
