"""WAIT: on how many voters' disks is the log up to an index? Only the leader knows; the others ask it."""

from trikv.raft.core import Raft
from trikv.raft.roles import Role


def voters_holding(raft: Raft, index: int) -> int:
    """How many voters hold `index` on disk, as far as this node knows; 0 if it does not lead."""
    if raft.role is not Role.LEADER:
        return 0
    held = 0
    for member in raft.membership.members:
        if member.voter:
            progress = raft.progress.get(member.id)
            match = raft.durable_index if member.id == raft.node_id else progress.match if progress else 0
            held += match >= index
    return held
