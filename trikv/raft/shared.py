"""What every role works on: the log and all that goes with it, the term, the clocks, the outbox.

Roles come and go with elections; this stays for the life of the core. Roles get it as an argument instead
of holding it, so that no cycle of objects arises.
"""

from collections.abc import Callable, Sequence

from trikv.raft.log import RaftLog
from trikv.raft.membership import MembershipHistory, decode_membership
from trikv.raft.outbox import Outbox
from trikv.raft.settings import RaftSettings
from trikv.raft.types import DiskId, Entry, EntryKind, HardState, NodeId, PeerClock, SnapshotMeta


class Shared:
    """A core's state apart from its role."""

    heard_ms: int
    """When a leader of any term was last heard, in ms of `now_ms`. At first the start of this life: the last
    life may have heard one just before it ended."""

    verified: int
    """Up to this index our log equals that of the present term's leader; a heartbeat commits no further.
    Without it, a blank disk under a member's id would believe a commit index meant for the disk before it.
    It holds for the term, in any role: a pre-candidate that is not elected follows the same leader again."""

    __slots__ = (
        "commit",
        "disk",
        "heard_ms",
        "jitter",
        "log",
        "memberships",
        "node_id",
        "now_ms",
        "outbox",
        "peer_clocks",
        "settings",
        "term",
        "verified",
        "vote",
        "wall_ms",
    )

    def __init__(
        self,
        *,
        node_id: NodeId,
        disk: DiskId,
        settings: RaftSettings,
        jitter: Callable[[int], int],
        hard_state: HardState,
        base: SnapshotMeta,
        entries: Sequence[Entry],
        now_ms: int,
        wall_ms: int,
    ) -> None:
        self.node_id = node_id
        self.disk = disk
        self.settings = settings
        self.jitter = jitter
        self.term = hard_state.term
        self.vote = hard_state.vote
        self.commit = self.verified = base.index
        self.now_ms = self.heard_ms = now_ms
        self.wall_ms = wall_ms
        self.peer_clocks: dict[NodeId, PeerClock] = {}
        self.log = RaftLog(base.index, base.term, entries)
        self.memberships = MembershipHistory(base.index, base.membership)
        for entry in entries:
            if entry.kind is EntryKind.MEMBERSHIP:
                self.memberships.append(entry.index, decode_membership(entry.payload))
        self.outbox = Outbox(self.log, self.term)
        assert self.log.last_term <= self.term, "the log is ahead of the hard state"

    @property
    def is_voter(self) -> bool:
        """Whether this very disk is a voter by the latest configuration it knows."""
        return self.memberships.is_voter(self.node_id, self.disk)

    @property
    def may_campaign(self) -> bool:
        """Whether this very disk is a voter, or only an entry not known to be committed says otherwise.

        A node whose removal did not get through may have the longest log, and nobody could be elected
        without it (thesis, 4.2.2). It counts the votes of its latest configuration, so not its own.
        """
        return self.memberships.is_voter_since(self.commit, self.node_id, self.disk)

    @property
    def is_bound(self) -> bool:
        """True while our last promise to a leader holds: no vote for others (thesis, 4.2.3; PROTOCOL 13).

        It outlives the term and the role in which it was given, because the leader counts on it by its own
        clock and hears of neither.
        """
        return self.now_ms - self.heard_ms < self.settings.election_timeout_ms_min

    def note_clock(self, peer: NodeId, wall_ms: int) -> None:
        """Keep what a peer's wall clock said in its answer: a new leader takes a median (PROTOCOL 20)."""
        self.peer_clocks[peer] = PeerClock(wall_ms, self.wall_ms, self.now_ms)

    def election_deadline(self) -> int:
        """A fresh random election timeout from now (paper, 5.2), as a point in time."""
        return self.now_ms + self.election_timeout_ms()

    def election_timeout_ms(self) -> int:
        """A fresh random election timeout, in ms, from the shortest to the longest, both included."""
        low, high = self.settings.election_timeout_ms_min, self.settings.election_timeout_ms_max
        return low + self.jitter(high - low + 1)

    def set_hard_state(self, term: int, vote: DiskId | None) -> None:
        """Change term and vote; nothing leaves this node before they are durable."""
        assert term > self.term or (term == self.term and self.vote in (None, vote)), "a vote is final"
        if term > self.term:
            self.verified = self.commit  # the new term's leader has all that is committed; no more is known
        self.term, self.vote = term, vote
        self.outbox.write_hard_state(HardState(term, vote))

    def is_up_to_date(self, last_index: int, last_term: int) -> bool:
        """Whether a log that ends so is at least as complete as ours (paper, 5.4.1)."""
        return (last_term, last_index) >= (self.log.last_term, self.log.last_index)

    def append(self, entries: Sequence[Entry]) -> None:
        """Append to the log; a configuration is in force from here on (paper, section 6)."""
        self.log.append(entries)
        for entry in entries:
            if entry.kind is EntryKind.MEMBERSHIP:
                self.memberships.append(entry.index, decode_membership(entry.payload))

    def truncate(self, index: int) -> None:
        """Cut the log at `index`, and with it any configuration appended from there on."""
        assert index > self.commit, "committed entries are never cut"
        assert index > self.verified, "a leader contradicts itself"
        self.log.truncate(index)
        self.memberships.truncate(index)
        self.outbox.truncated(index)

    def reset(self, meta: SnapshotMeta) -> None:
        """Replace the whole log by a snapshot's position."""
        assert meta.index > self.commit, "a snapshot never takes the node back"
        self.log.reset(meta.index, meta.term)
        self.memberships.reset(meta.index, meta.membership)
        self.outbox.reset(meta)
        self.commit = meta.index

    def commit_to(self, index: int) -> None:
        """Entries up to `index` are committed; an index already passed changes nothing."""
        assert index <= self.log.last_index, "committed beyond the end of the log"
        self.commit = max(self.commit, index)
