"""How a blank disk becomes part of a cluster (PROTOCOL 14). Pure: what was heard in, what to do out.

A blank disk has forgotten every vote it may have given, so an id alone proves nothing. There are two ways
out of blankness, and both end with a record that some other node, or this one, hands over:

- The cluster is new. Only when *every* configured member reports a blank disk does the lowest id write
  the record: a cluster id and the membership, each member named with its disk. It hands it to the disks it
  names; so does any node that already holds it. A named disk has never had a log, hence never voted, and
  may start as a voter at any later time. It names a feature level too, the highest that all of them know,
  for whoever becomes the first leader: members of different releases must not carry out one log differently.
- The cluster is old and this disk is new to it. Then the record names no members: the node starts as a
  learner-to-be, asks to join, and the leader swaps it in by committed changes.
"""

from collections.abc import Callable, Iterable, Mapping

import attrs

from trikv.machine.features import FEATURE_LEVEL
from trikv.protocol.messages import BootstrapRecord, DiskStanding
from trikv.raft.types import DiskId, Member, Membership, NodeId


@attrs.frozen
class Found:
    """Write the first record of a new cluster, durably, then hand it over."""

    membership: Membership
    feature_level: int
    """The highest that every member knows."""


@attrs.frozen
class Adopt:
    """Start with this cluster id and membership (empty: as a learner-to-be)."""

    cluster: bytes
    membership: Membership
    feature_level: int


class Founding:
    """What a blank node knows of the others."""

    def __init__(
        self, node_id: NodeId, disk: DiskId, address: str, peers: Callable[[], Mapping[NodeId, str]]
    ) -> None:
        """`peers`: the links', with where they are reached, asked each time: it may change."""
        self._node_id = node_id
        self._disk = disk
        self._address = address
        self._peers = peers
        self._blank: dict[NodeId, DiskId] = {node_id: disk}
        self._levels: dict[NodeId, int] = {node_id: FEATURE_LEVEL}
        """The feature level that each of the blank ones knows."""

    def _addresses(self) -> dict[NodeId, str]:
        """Of every configured node, this one among them."""
        return {**self._peers(), self._node_id: self._address}

    def heard(self, peer: NodeId, disk: DiskId, standing: DiskStanding) -> Found | None:
        """A peer said how it stands."""
        self._blank.pop(peer, None)
        if standing.blank and set(standing.configured) == set(self._addresses()):
            self._blank[peer] = disk
            self._levels[peer] = standing.feature_level
        return self.decide()

    def lost(self, peer: NodeId) -> None:
        """The link to a peer broke: what it said may no longer hold."""
        self._blank.pop(peer, None)

    def decide(self) -> Found | None:
        """The lowest id founds the cluster once everyone is known to be blank, at this moment."""
        addresses = self._addresses()
        if self._node_id != min(addresses) or self._blank.keys() != addresses.keys():
            return None
        members = tuple(
            Member(member, self._blank[member], voter=True, address=addresses[member])
            for member in sorted(addresses)
        )
        return Found(Membership(members), min(self._levels[member.id] for member in members))

    def handed(self, record: BootstrapRecord) -> Adopt:
        """A node that holds a cluster answered our standing with a record."""
        members = record.membership.members
        if any(member.id == self._node_id and member.disk == self._disk for member in members):
            return Adopt(record.cluster, record.membership, record.feature_level)
        return Adopt(record.cluster, Membership(()), record.feature_level)


def record_for(
    cluster: bytes, membership: Membership, feature_level: int, peer: NodeId, disk: DiskId
) -> BootstrapRecord:
    """What the holder of a cluster hands to a blank disk: the members if it is one of them, else none."""
    named = any(member.id == peer and member.disk == disk for member in membership.members)
    return BootstrapRecord(cluster, membership if named else Membership(()), feature_level)


def standing(*, blank: bool, cluster: bytes, configured: Iterable[NodeId], password: bytes) -> DiskStanding:
    """What a node tells each peer when a link opens; `password` is its mark."""
    return DiskStanding(blank, cluster, tuple(sorted(configured)), password, FEATURE_LEVEL)
