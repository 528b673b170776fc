"""What Raft peers say to each other: frozen records, taken apart by ``match``.

Every message carries its sender's term. They are msgspec structs, so `trikv.protocol.messages` encodes the
union without a hand-written codec; fields may be added at the end with defaults, tags never change.
The sender is not in the message: the link that brought it is authenticated as (node id, disk id).
"""

from typing import TypeAlias

import msgspec

from trikv.raft.types import Entry


class PreVote(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Would you vote for me in `term`? Changes nothing at either side (Ongaro's thesis, 9.6)."""

    term: int
    """The term the sender would campaign in: its own plus one."""
    last_index: int
    last_term: int


class PreVoteAck(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Answer to PreVote. When granted, `term` repeats the asked term; else it is the answerer's own."""

    term: int
    granted: bool
    wall_ms: int


class RequestVote(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Paper, figure 2. Leaves after the sender's own term and vote are on disk."""

    term: int
    last_index: int
    last_term: int
    transfer: bool
    """True after TimeoutNow: a leadership transfer may disturb a live leader's followers."""


class VoteAck(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Answer to RequestVote. A grant leaves after the vote is on disk."""

    term: int
    granted: bool
    wall_ms: int
    """The voter's wall clock: a new leader takes a quorum's lower median (PROTOCOL 20)."""


class AppendEntries(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Paper, figure 2. Leaves at once, while the leader's own disk still writes."""

    term: int
    prev_index: int
    prev_term: int
    commit: int
    entries: tuple[Entry, ...]


class AppendAck(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Entries up to `match_index` are on the sender's disk and equal the leader's. Leaves after the sync."""

    term: int
    match_index: int


class AppendReject(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """The entry before `prev_index` + 1 is missing or of another term; hints for fast backtracking."""

    term: int
    prev_index: int
    """Repeats the rejected request's prev_index, so that a late rejection is recognised."""
    hint_index: int
    """The highest index at which the two logs may still agree."""
    hint_term: int
    """The follower's term at hint_index; 0 if it does not know it."""


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """I lead. Also carries a read round, and tells an idle follower a new commit index."""

    term: int
    commit: int
    """Never beyond what the leader knows this follower holds."""
    round: int
    """Number of the latest round of this term, counted up by read rounds and by heartbeats. Never reused."""


class HeartbeatAck(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """I follow you in this term. Leaves at once; says nothing about the disk."""

    term: int
    round: int
    wall_ms: int
    promise_ms: int = 0
    """I help to elect nobody else for this time after the heartbeat came, by my clock, except in a transfer
    of yours. 0: no promise (a peer of a version without leases)."""


class TimeoutNow(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """Leadership transfer: campaign at once (thesis, 3.10)."""

    term: int


Message: TypeAlias = (
    PreVote
    | PreVoteAck
    | RequestVote
    | VoteAck
    | AppendEntries
    | AppendAck
    | AppendReject
    | Heartbeat
    | HeartbeatAck
    | TimeoutNow
)
