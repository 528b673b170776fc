"""Who belongs to the cluster, according to the log. A configuration is in force from its append on.

The history keeps every configuration whose entry may still be cut away, so that a truncation brings the
one before it back (paper, section 6; PROTOCOL 14).
"""

import msgspec

from trikv.raft.types import DiskId, Member, Membership, NodeId

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Membership)


def encode_membership(membership: Membership) -> bytes:
    """The payload of a MEMBERSHIP entry."""
    return _encoder.encode(membership)


def decode_membership(payload: bytes) -> Membership:
    """The membership in an entry's payload. Raises msgspec.ValidationError or DecodeError if it is none."""
    return _decoder.decode(payload)


def is_single_change(old: Membership, new: Membership) -> bool:
    """Whether exactly one member is added, removed or altered, and `new` can work.

    One voter more or less keeps every old quorum overlapping every new one (thesis, 4.1). `new` needs ids in
    rising order, each disk once, and at least one voter.
    """
    ids = [member.id for member in new.members]
    disks = {member.disk for member in new.members}
    if ids != sorted(set(ids)) or len(disks) != len(ids) or not any(m.voter for m in new.members):
        return False
    # By (id, disk): another disk under the same id counts as a removal and an addition, and is refused.
    before = {(member.id, member.disk): member for member in old.members}
    after = {(member.id, member.disk): member for member in new.members}
    changes = sum(before.get(key) != member for key, member in after.items())
    return changes + sum(key not in after for key in before) == 1


class MembershipHistory:
    """The configuration at the log's base and every later one in the log."""

    __slots__ = ("_history", "_members", "voters")

    voters: tuple[NodeId, ...]
    """Ids of the voters in force, rising."""

    def __init__(self, index: int, membership: Membership) -> None:
        self._history: list[tuple[int, Membership]] = [(index, membership)]
        self._refresh()

    def _refresh(self) -> None:
        members = self.current.members
        self._members: dict[NodeId, Member] = {member.id: member for member in members}
        self.voters = tuple(member.id for member in members if member.voter)

    @property
    def current(self) -> Membership:
        """The latest configuration, committed or not: the one in force."""
        return self._history[-1][1]

    @property
    def index(self) -> int:
        """Log index of the one in force; the base's index if it came with the base."""
        return self._history[-1][0]

    def at(self, index: int) -> Membership:
        """The configuration in force at `index`, which is not below the log's base."""
        for since, membership in reversed(self._history):
            if since <= index:
                return membership
        raise AssertionError(f"the configuration at {index} is compacted away")

    def is_member(self, node_id: NodeId, disk: DiskId) -> bool:
        """Whether `disk` is the member under `node_id`; acks of any other disk count for nothing."""
        member = self._members.get(node_id)
        return member is not None and member.disk == disk

    def is_voter(self, node_id: NodeId, disk: DiskId) -> bool:
        """Whether `disk` is the member under `node_id` and votes; a learner does not."""
        member = self._members.get(node_id)
        return member is not None and member.voter and member.disk == disk

    def is_voter_since(self, index: int, node_id: NodeId, disk: DiskId) -> bool:
        """Whether that member votes in the configuration in force at `index` or in any later one."""
        if self.is_voter(node_id, disk):
            return True
        for since, membership in reversed(self._history):
            if any(m.voter and m.id == node_id and m.disk == disk for m in membership.members):
                return True
            if since <= index:
                break
        return False

    def append(self, index: int, membership: Membership) -> None:
        """An entry that carries `membership` was appended at `index`: it is in force."""
        self._history.append((index, membership))
        self._refresh()

    def truncate(self, index: int) -> None:
        """Entries at `index` and above are cut: go back to the configuration before them."""
        if self.index >= index:
            while self.index >= index:
                self._history.pop()
            self._refresh()

    def compact(self, index: int) -> None:
        """The log's base moves to `index`: forget what was superseded before it."""
        while len(self._history) > 1 and self._history[1][0] <= index:
            del self._history[0]

    def reset(self, index: int, membership: Membership) -> None:
        """Start again from a snapshot at `index`, which carries `membership`."""
        self._history = [(index, membership)]
        self._refresh()
