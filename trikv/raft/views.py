"""What may be seen of a core from outside: read-only properties, apart from what changes it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from trikv.raft.candidate import Candidate, PreCandidate
from trikv.raft.follower import Follower
from trikv.raft.leader import Leader
from trikv.raft.progress import Progress
from trikv.raft.roles import Role
from trikv.raft.shared import Shared
from trikv.raft.statistics import FollowerStatistics, RaftStatistics
from trikv.raft.types import DiskId, Entry, HardState, Membership, NodeId, PeerClock

RoleState: TypeAlias = Follower | PreCandidate | Candidate | Leader


class RaftViews:
    """What `trikv.raft.core.Raft` shows. Reading changes nothing and may be done between turns."""

    _shared: Shared
    _role: RoleState

    @property
    def node_id(self) -> NodeId:
        """The number under which the membership knows this node."""
        return self._shared.node_id

    @property
    def disk(self) -> DiskId:
        """The disk this node runs on."""
        return self._shared.disk

    @property
    def hard_state(self) -> HardState:
        """Present term and vote, durable or not."""
        return HardState(self._shared.term, self._shared.vote)

    @property
    def role(self) -> Role:
        """Follower, pre-candidate, candidate or leader, in the present term."""
        return self._role.role

    @property
    def term(self) -> int:
        """The present term, durable or not; it never falls."""
        return self._shared.term

    @property
    def leader(self) -> NodeId | None:
        """The node that leads the present term; None while this one has not heard of any."""
        role = self._role
        if isinstance(role, Leader):
            return self._shared.node_id
        return role.leader if isinstance(role, Follower) else None

    @property
    def commit(self) -> int:
        """The highest index known to be committed."""
        return self._shared.commit

    @property
    def last_index(self) -> int:
        """Index of the last entry of the log."""
        return self._shared.log.last_index

    @property
    def last_term(self) -> int:
        """Term of the last entry of the log."""
        return self._shared.log.last_term

    @property
    def first_index(self) -> int:
        """Index of the first entry in memory; one beyond the last if there is none."""
        return self._shared.log.first_index

    @property
    def durable_index(self) -> int:
        """This node's disk holds the log up to here."""
        return self._shared.outbox.durable_index

    @property
    def log_bytes(self) -> int:
        """Payload bytes of the entries in memory."""
        return self._shared.log.payload_bytes

    @property
    def membership(self) -> Membership:
        """The configuration in force: the latest in the log, committed or not."""
        return self._shared.memberships.current

    @property
    def membership_index(self) -> int:
        """Log index of the configuration in force; at most the base's if it came with the base."""
        return self._shared.memberships.index

    @property
    def is_ready_to_read(self) -> bool:
        """Whether this is a leader whose first entry has committed: its commit index is the cluster's."""
        return isinstance(self._role, Leader) and self._shared.commit >= self._role.opened_at

    def lease_index(self, now_ms: int) -> int | None:
        """A log index at which this node may serve a read without asking anybody; None without a lease.

        `now_ms` is this node's boot time, read *after* the read came in: a pause between the two must show.
        May be called at any time, also between turns.
        """
        role = self._role
        if not isinstance(role, Leader) or now_ms >= role.lease.until_ms:
            return None
        commit = self._shared.commit
        return commit if commit >= role.opened_at else None

    @property
    def leader_heard_ms(self) -> int:
        """Boot time at which a leader was last heard; at first the start of this life."""
        return self._shared.heard_ms

    @property
    def is_transferring(self) -> bool:
        """Whether this is a leader that hands over: it refuses proposals."""
        return isinstance(self._role, Leader) and self._role.transfer_to is not None

    @property
    def progress(self) -> Mapping[NodeId, Progress]:
        """A leader's view of its peers; empty in any other role."""
        return MappingProxyType(self._role.progress if isinstance(self._role, Leader) else {})

    @property
    def peer_clocks(self) -> Mapping[NodeId, PeerClock]:
        """For each peer that ever answered: what its wall clock said."""
        return MappingProxyType(self._shared.peer_clocks)

    def term_at(self, index: int) -> int | None:
        """The term of the entry at `index`; None beyond the end and below the base."""
        return self._shared.log.term_at(index)

    def entries_between(self, first: int, last: int) -> tuple[Entry, ...]:
        """Entries `first` … `last` (both included) of those in memory."""
        return self._shared.log.slice(first, last)

    def statistics(self, now_ms: int) -> RaftStatistics:
        """The figures at this boot time. May be called at any time, also between turns."""
        # After an install the log begins beyond what this disk has confirmed so far.
        durable_to = max(self.durable_index, self.first_index - 1)
        return RaftStatistics(
            role=self.role,
            leader=self.leader,
            leader_silent_ms=now_ms - self.leader_heard_ms,
            term=self.term,
            first_index=self.first_index,
            last_index=self.last_index,
            durable_index=self.durable_index,
            commit=self.commit,
            log_bytes=self.log_bytes,
            undurable_bytes=self._shared.log.bytes_between(durable_to, self.last_index),
            has_lease=self.lease_index(now_ms) is not None,
            members=self.membership.members,
            followers=tuple(
                FollowerStatistics(peer=peer, match=one.match, silent_ms=now_ms - one.last_ack_ms)
                for peer, one in sorted(self.progress.items())
            ),
            clock_deviation_ms=max(
                (abs(clock.wall_ms - clock.own_wall_ms) for clock in self.peer_clocks.values()), default=0
            ),
        )
