"""The automatic swap of a blank disk under a known id (PROTOCOL 14). Pure: the next single change, if any.

Remove the lost disk, add the new one as a learner, promote it once it has caught up: three committed
changes, never two at a time. The leader derives the next from the membership alone, so a new leader goes
on where the old one stopped.
"""

from collections.abc import Mapping

import attrs

from trikv.raft.types import DiskId, Member, Membership, NodeId

CAUGHT_UP_ENTRIES = 64
"""A learner this close behind the commit index is promoted: under load it never stands exactly on it."""


@attrs.frozen
class Joiner:
    """A blank disk that asks to be let in."""

    disk: DiskId
    address: str
    asked_ms: int
    """Boot time of its last request."""


REQUEST_VALID_MS = 5_000
"""A joiner asks every second; one that has fallen silent is not swapped in."""


def next_change(
    membership: Membership,
    joiners: Mapping[NodeId, Joiner],
    match_of: Mapping[NodeId, int],
    commit: int,
    now_ms: int,
) -> Membership | None:
    """The membership to propose next, or None when nothing is to do.

    `match_of`: the highest index known to be on each peer's disk. Only a disk that replaces a member or a
    removed one's id is let in: a joiner has proved the cluster's secret and is configured under its id.
    """
    members = {member.id: member for member in membership.members}
    for node_id in sorted(joiners):
        joiner = joiners[node_id]
        if now_ms - joiner.asked_ms > REQUEST_VALID_MS:
            continue
        known = members.get(node_id)
        if known is None:
            return _with(members, Member(node_id, joiner.disk, voter=False, address=joiner.address))
        if known.disk != joiner.disk:
            return _without(members, node_id)
        if not known.voter and match_of.get(node_id, 0) + CAUGHT_UP_ENTRIES >= commit:
            return _with(members, Member(node_id, known.disk, voter=True, address=known.address))
    return None


def _with(members: dict[NodeId, Member], member: Member) -> Membership:
    changed = {**members, member.id: member}
    return Membership(tuple(changed[node_id] for node_id in sorted(changed)))


def _without(members: dict[NodeId, Member], node_id: NodeId) -> Membership:
    return Membership(tuple(members[known] for known in sorted(members) if known != node_id))
