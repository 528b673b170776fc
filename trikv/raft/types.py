"""The nouns of Raft: entries, members, membership, hard state, snapshot position."""

from enum import IntEnum
from typing import TypeAlias

import msgspec

NodeId: TypeAlias = int
"""A node's number, 1 to 65535, chosen by the operator."""

DiskId: TypeAlias = bytes
"""16 random bytes made with a data directory. Votes and acks count only from the disk that is a member."""


class EntryKind(IntEnum):
    """What an entry's payload is. Values are part of the disk and wire formats."""

    NOOP = 1
    """Empty; opens a leader's term (Raft paper, section 8)."""
    BATCH = 2
    """A batch for the state machine; opaque here."""
    MEMBERSHIP = 3
    """An encoded `Membership`; in force from the moment it is appended (paper, section 6)."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of the replicated log. Indexes start at 1, terms at 1."""

    index: int
    term: int
    kind: EntryKind
    payload: bytes


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A node as the configuration knows it: (id, disk), never the id alone (PROTOCOL 14)."""

    id: NodeId
    disk: DiskId
    voter: bool
    address: str
    """host:port where peers reach it, as it was when the member was added; local settings may override it."""


class Membership(msgspec.Struct, frozen=True, array_like=True):
    """The cluster's members, ordered by id. Carried whole by each MEMBERSHIP entry."""

    members: tuple[Member, ...]


class HardState(msgspec.Struct, frozen=True, array_like=True):
    """What must be on disk before a message that depends on it leaves (paper, figure 2)."""

    term: int = 0
    vote: DiskId | None = None
    """The *disk* that got our vote in `term`: a swapped disk under the same id is another candidate."""


class SnapshotMeta(msgspec.Struct, frozen=True, array_like=True):
    """Where a snapshot stands in the log, and the membership *at that index*."""

    index: int
    term: int
    membership: Membership


class PeerClock(msgspec.Struct, frozen=True, gc=False):
    """What a peer's wall clock said in its latest answer, and ours when that came."""

    wall_ms: int
    """The peer's, since 1970."""
    own_wall_ms: int
    """Ours, to compare."""
    came_ms: int
    """Our boot time when it came. By it we measure the time since: a wall clock may be set meanwhile."""

    def at_ms(self, boot_ms: int) -> int:
        """What it says at this boot time, if nobody has touched it."""
        return self.wall_ms + boot_ms - self.came_ms


class ReadId(msgspec.Struct, frozen=True, array_like=True):
    """Names one question for a read index, never reused.

    `life` tells two lives of the origin apart; `counter` counts up within one.
    """

    origin: NodeId
    life: int
    counter: int
