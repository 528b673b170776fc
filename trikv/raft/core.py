"""The core: takes inputs in turns, moves between roles, and says in a Ready what is to be done.

It dispatches each input to a role, and the role decides. It performs no I/O and reads no clock: the same
inputs always give the same outputs.
"""

from collections.abc import Callable, Sequence
from typing import assert_never

from trikv.raft.candidate import Candidate, PreCandidate
from trikv.raft.follower import Follower
from trikv.raft.leader import Leader
from trikv.raft.membership import encode_membership, is_single_change
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    AppendReject,
    Heartbeat,
    HeartbeatAck,
    Message,
    PreVote,
    PreVoteAck,
    RequestVote,
    TimeoutNow,
    VoteAck,
)
from trikv.raft.ready import ConfirmedRead, Ready
from trikv.raft.roles import TRANSITIONS
from trikv.raft.settings import RaftSettings
from trikv.raft.shared import Shared
from trikv.raft.types import (
    DiskId,
    Entry,
    EntryKind,
    HardState,
    Membership,
    NodeId,
    ReadId,
    SnapshotMeta,
)
from trikv.raft.views import RaftViews, RoleState
from trikv.raft.votes import answer_pre_vote, answer_vote

_IDLE_MS = 3_600_000
"""A node that may not campaign has no timer: it only waits for messages."""


class Raft(RaftViews):
    """One node's part in Raft.

    A turn: ``begin``, any number of inputs, ``tick``, ``ready``. The caller carries out the Ready, and is
    back by ``deadline``. Times are milliseconds: `now_ms` of a clock that never goes back and counts
    suspended time, `wall_ms` since 1970, only reported to peers.
    """

    def __init__(
        self,
        *,
        node_id: NodeId,
        disk: DiskId,
        settings: RaftSettings,
        hard_state: HardState,
        base: SnapshotMeta,
        entries: Sequence[Entry],
        jitter: Callable[[int], int],
        now_ms: int,
        wall_ms: int,
        applied: int = 0,
    ) -> None:
        """Start from what is durable: `hard_state`, and `entries` after `base`.

        `base` of an empty log has index and term 0, and the empty membership if none was ever given.
        `jitter(n)` is uniform in [0, n): the only randomness. `applied` is the index of the snapshot that the
        machine was loaded from, if it lies beyond the base; entries up to it are not handed out again.
        """
        self._shared = Shared(
            node_id=node_id,
            disk=disk,
            settings=settings,
            jitter=jitter,
            hard_state=hard_state,
            base=base,
            entries=entries,
            now_ms=now_ms,
            wall_ms=wall_ms,
        )
        shared = self._shared
        shared.commit_to(applied)
        self._handed = shared.verified = shared.commit
        self._installing: SnapshotMeta | None = None
        self._install_job = 0
        self._install_ready: SnapshotMeta | None = None
        follower = Follower(shared, None)
        if shared.memberships.voters == (node_id,) and shared.is_voter:
            follower.deadline_ms = now_ms  # nobody else can lead: do not wait for a leader
        self._role: RoleState = follower

    # A turn and its timers.

    def begin(self, now_ms: int, wall_ms: int) -> None:
        """Open a turn. After an absence of over half the shortest timeout, no timer fires in this turn."""
        shared = self._shared
        assert now_ms >= shared.now_ms, "the clock goes back"
        absent_ms = now_ms - shared.now_ms
        shared.now_ms, shared.wall_ms = now_ms, wall_ms
        if absent_ms * 2 > shared.settings.election_timeout_ms_min:
            # We slept through this silence, so it proves nothing: messages may wait in the kernel's buffers.
            role = self._role
            if isinstance(role, Leader):
                role.grace_ms = now_ms
            else:
                role.deadline_ms = max(role.deadline_ms, shared.election_deadline())

    def tick(self) -> None:
        """Fire the timers that are due."""
        shared, role = self._shared, self._role
        if isinstance(role, Leader):
            if not role.tick(shared):
                self._follow_nobody()
        elif shared.now_ms >= role.deadline_ms:
            if self._may_campaign and shared.outbox.is_hard_state_durable:
                self._poll()
            else:
                # On a slow disk the last vote may still be on its way: another term would only void it.
                role.deadline_ms = shared.election_deadline()

    def deadline(self) -> int:
        """When the next ``begin`` is due at the latest, in ms of `now_ms`; now if work is left over.

        While a timer runs it is never further off than three eighths of the shortest timeout. So a longer
        gap is a stall, and ``begin`` can tell it (half the timeout) from sleep. Heartbeats come before it.
        """
        shared, role = self._shared, self._role
        if self._handed < shared.commit and self._installing is None:
            return shared.now_ms
        if isinstance(role, Leader):
            due = role.deadline()
        elif shared.may_campaign:
            due = role.deadline_ms
        else:
            return shared.now_ms + _IDLE_MS
        return max(shared.now_ms, min(due, shared.now_ms + shared.settings.election_timeout_ms_min * 3 // 8))

    @property
    def _may_campaign(self) -> bool:
        """Whether this node may stand. Not during an install: a leader proposes by its machine's state."""
        return self._shared.may_campaign and self._installing is None

    # Moves between roles.

    def _become(self, role: RoleState) -> None:
        assert role.role in TRANSITIONS[self._role.role], f"no way from {self._role.role} to {role.role}"
        self._role = role

    def _follow_nobody(self) -> None:
        """Be a follower without a leader, in the present term. A leader's waiting reads get no answer."""
        self._become(Follower(self._shared, None))

    def _enter_term(self, term: int) -> None:
        """Somebody has a higher term: ours is over (paper, 5.1)."""
        self._shared.set_hard_state(term, None)
        self._follow_nobody()

    def _follow(self, leader: NodeId) -> Follower:
        """Follow `leader`, which leads the present term; any candidacy of ours in it is lost."""
        role = self._role
        if not isinstance(role, Follower):
            assert not isinstance(role, Leader), "two leaders in one term"
            role = Follower(self._shared, leader)
            self._become(role)
        role.hear(self._shared, leader)
        return role

    def _poll(self) -> None:
        """No leader is heard: ask whether we would be elected, without raising the term (thesis, 9.6)."""
        shared = self._shared
        role = PreCandidate(shared)
        self._become(role)
        if role.grant(shared, shared.node_id):
            self._campaign(transfer=False)
        else:
            self._request(role)

    def _campaign(self, *, transfer: bool) -> None:
        """Stand for election in a new term (paper, 5.2)."""
        shared = self._shared
        shared.set_hard_state(shared.term + 1, shared.disk)
        role = Candidate(shared, transfer=transfer)
        self._become(role)
        self._request(role)

    def _request(self, role: PreCandidate | Candidate) -> None:
        for voter in self._shared.memberships.voters:
            if voter != self._shared.node_id:
                role.request(self._shared, voter)

    def _count_vote(self, role: Candidate, voter: NodeId) -> None:
        """`voter` votes for us; lead once a majority does. Our own vote counts when our disk has it."""
        if role.grant(self._shared, voter):
            assert self._shared.outbox.is_hard_state_durable, "elected in a term that is not on disk"
            self._become(Leader(self._shared))

    def _advance(self, leader: Leader) -> None:
        """The leader's count may have changed: commit, and stop leading if that commits our removal."""
        shared = self._shared
        if leader.advance(shared) and not shared.is_voter and shared.memberships.index <= shared.commit:
            leader.resign(shared)
            self._follow_nobody()

    # Messages.

    def receive(self, sender: NodeId, disk: DiskId, message: Message) -> None:
        """A message from `sender`, whose link proved that it is the node with that id and `disk`."""
        shared = self._shared
        if message.term != shared.term and not self._settle_term(sender, message):
            return
        match message:
            case AppendEntries():
                self._follow(sender).append(shared, sender, message)
            case Heartbeat():
                self._follow(sender).heartbeat(shared, sender, message)
            case AppendAck() | AppendReject() | HeartbeatAck():
                self._receive_ack(sender, disk, message)
            case PreVote():
                answer_pre_vote(shared, sender, message, loyal=self._is_loyal)
            case RequestVote():
                self._receive_request_vote(sender, disk, message)
            case PreVoteAck() | VoteAck():
                self._receive_vote(sender, disk, message)
            case TimeoutNow():
                if self._may_campaign and isinstance(self._role, Follower | PreCandidate):
                    self._campaign(transfer=True)
            case _:
                assert_never(message)

    @property
    def _is_loyal(self) -> bool:
        return isinstance(self._role, Leader) or self._shared.is_bound

    def _settle_term(self, sender: NodeId, message: Message) -> bool:
        """Decide about a message of another term than ours; True if it is still to be handled."""
        shared = self._shared
        if isinstance(message, PreVote) or (isinstance(message, PreVoteAck) and message.granted):
            return True  # these name a term that nobody has entered
        if message.term > shared.term:
            # Not even the term of such a request is taken over: that would depose a live leader.
            if isinstance(message, RequestVote) and not message.transfer and self._is_loyal:
                return False
            self._enter_term(message.term)
            return True
        # Its sender is in an older term: an answer carries ours, from which it learns.
        if isinstance(message, AppendEntries):
            shared.outbox.send(sender, AppendReject(shared.term, message.prev_index, 0, 0))
        elif isinstance(message, Heartbeat):
            shared.outbox.send(sender, HeartbeatAck(shared.term, 0, shared.wall_ms))
        return isinstance(message, RequestVote)

    def _receive_ack(
        self, sender: NodeId, disk: DiskId, message: AppendAck | AppendReject | HeartbeatAck
    ) -> None:
        shared, role = self._shared, self._role
        # A blank disk under a member's id has none of what the disk before it acknowledged (PROTOCOL 14).
        if not shared.memberships.is_member(sender, disk):
            return
        if isinstance(message, HeartbeatAck):
            shared.note_clock(sender, message.wall_ms)
        if not isinstance(role, Leader):
            return
        match message:
            case AppendAck():
                if role.append_ack(shared, sender, message):
                    self._advance(role)
            case HeartbeatAck():
                role.heartbeat_ack(shared, sender, message)
            case AppendReject():
                role.append_reject(shared, sender, message)
            case _:
                assert_never(message)

    def _receive_request_vote(self, sender: NodeId, disk: DiskId, message: RequestVote) -> None:
        role = self._role
        has_leader = isinstance(role, Leader) or (isinstance(role, Follower) and role.leader is not None)
        if answer_vote(self._shared, sender, disk, message, has_leader=has_leader):
            assert not isinstance(role, Leader), "a leader votes for itself"
            role.deadline_ms = self._shared.election_deadline()

    def _receive_vote(self, sender: NodeId, disk: DiskId, message: PreVoteAck | VoteAck) -> None:
        shared, role = self._shared, self._role
        if shared.memberships.is_member(sender, disk):
            shared.note_clock(sender, message.wall_ms)
        if not message.granted or not shared.memberships.is_voter(sender, disk):
            return
        if isinstance(message, VoteAck):
            if isinstance(role, Candidate):
                self._count_vote(role, sender)
        elif (
            isinstance(role, PreCandidate) and role.asked_term == message.term and role.grant(shared, sender)
        ):
            self._campaign(transfer=False)

    def answer_can_wait(self, sender: NodeId, disk: DiskId, message: AppendAck | HeartbeatAck) -> bool:
        """Whether a majority has said as much already: then the next turn is early enough for this answer."""
        shared, role = self._shared, self._role
        return (
            isinstance(role, Leader)
            and message.term == shared.term
            and shared.memberships.is_member(sender, disk)
            and role.answer_can_wait(shared, sender, message)
        )

    # Requests of this node.

    def propose(self, payload: bytes) -> int | None:
        """Append a BATCH entry; its index, or None if we do not lead, hand over, or have no room."""
        role = self._role
        if not isinstance(role, Leader) or role.transfer_to is not None:
            return None
        if not role.has_room(self._shared, len(payload)):
            return None
        return role.append(self._shared, EntryKind.BATCH, payload)

    def propose_membership(self, membership: Membership) -> int | None:
        """Append a configuration; its index, or None if that is not allowed now.

        We must lead and not hand over, the term's first entry must have committed (Ongaro's correction of
        2015), the last change too, and it must be a single change. Restating the configuration in force is
        allowed: a founding leader does so, so that the log itself names the first members.
        """
        shared, role = self._shared, self._role
        if not isinstance(role, Leader) or role.transfer_to is not None:
            return None
        history = shared.memberships
        # Otherwise two configurations could be on their way whose majorities do not overlap (PROTOCOL 14).
        if shared.commit < max(role.opened_at, history.index):
            return None
        if membership != history.current and not is_single_change(history.current, membership):
            return None
        index = role.append(shared, EntryKind.MEMBERSHIP, encode_membership(membership))
        role.track_members(shared)
        return index

    def read(self, read: ReadId, *, by_lease: bool = False) -> bool:
        """Ask for a read index; False if we do not lead.

        The answer comes in ``Ready.reads``, or never if we stop leading before. With `by_lease` and a lease
        that holds it comes in this turn's Ready; otherwise a majority is asked.
        """
        role = self._role
        if not isinstance(role, Leader):
            return False
        index = self.lease_index(self._shared.now_ms) if by_lease else None
        if index is None:
            role.reads.add(read)
        else:  # not at once: it leaves in `flush`, which lets the commit index travel to the asking node
            role.leased.append(ConfirmedRead(read, index))
        return True

    def awaits(self, peer: NodeId, index: int) -> None:
        """A client at `peer` waits for the commit of `index`. A hint: if it is lost, that costs latency."""
        if isinstance(self._role, Leader):
            self._role.awaits(peer, index)

    def transfer(self, to: NodeId) -> bool:
        """Hand leadership to voter `to`; False if we do not lead, or if `to` is no voter or ourselves.

        Proposals are refused until it leads or an election timeout has passed.
        """
        shared, role = self._shared, self._role
        if not isinstance(role, Leader) or to == shared.node_id or to not in shared.memberships.voters:
            return False
        role.transfer(shared, to)
        return True

    def step_down(self) -> None:
        """Stop leading, because our disk cannot take writes. Does nothing if we do not lead."""
        if isinstance(self._role, Leader):
            self._follow_nobody()

    # Links.

    def unreachable(self, peer: NodeId) -> None:
        """The link to `peer` broke; what was on it may be lost."""
        role = self._role
        if isinstance(role, Leader) and peer in role.progress:
            role.unreachable(self._shared, peer)

    def reachable(self, peer: NodeId) -> None:
        """A link to `peer` came up: whatever it should know, tell it now."""
        shared, role = self._shared, self._role
        if isinstance(role, Leader):
            if peer in role.progress:
                role.reachable(shared, peer)
        elif isinstance(role, Candidate | PreCandidate) and peer in shared.memberships.voters:
            role.request(shared, peer)

    def snapshot_sent(self, peer: NodeId, index: int, *, ok: bool) -> None:
        """The transfer of the snapshot at `index` to `peer` has ended."""
        role = self._role
        if isinstance(role, Leader) and peer in role.progress:
            role.snapshot_sent(self._shared, peer, index, ok=ok)

    # The disk and the machine.

    def sync_can_wait(self, job: int) -> bool:
        """Whether `persisted` may wait for the next turn: we lead, and a commit needs a peer's answer too."""
        role, outbox = self._role, self._shared.outbox
        return isinstance(role, Leader) and not outbox.is_awaited(job) and not role.may_commit(self._shared)

    def persisted(self, job: int) -> None:
        """``fdatasync`` has returned for `job` and every job before it."""
        shared = self._shared
        shared.outbox.persisted(job)
        role = self._role
        if isinstance(role, Candidate):
            if shared.outbox.is_hard_state_durable:
                self._count_vote(role, shared.node_id)
        elif isinstance(role, Leader):
            self._advance(role)
        if self._install_job and shared.outbox.is_durable(self._install_job):
            self._install_job = 0
            self._install_ready = self._installing

    def install(self, sender: NodeId, disk: DiskId, term: int, meta: SnapshotMeta) -> bool:
        """A snapshot from the leader of `term` is durable here; True if it replaces our log.

        Then a WriteJob with its reset follows, and ``Ready.install`` once that is durable. False if it is of
        an old term, if another one is being installed, or if our log holds its position (the leader is told).
        """
        del disk  # a snapshot holds committed entries only, whoever carries it
        shared = self._shared
        if term < shared.term or self._installing is not None:
            return False
        if term > shared.term:
            self._enter_term(term)
        self._follow(sender)
        # The log holds its position: nothing is installed, only the commit index moves (PROTOCOL 8).
        if meta.index <= shared.commit or shared.log.term_at(meta.index) == meta.term:
            shared.commit_to(meta.index)
            shared.verified = max(shared.verified, shared.commit)
            shared.outbox.send_when_durable(sender, AppendAck(term, shared.commit), shared.commit)
            return False
        shared.reset(meta)
        shared.verified = self._handed = meta.index
        self._installing = meta
        self._install_job = shared.outbox.latest_job()
        return True

    def installed(self, index: int) -> None:
        """The machine holds the snapshot at `index`: tell the leader, and hand out what follows it."""
        shared, role = self._shared, self._role
        assert self._installing is not None, "no snapshot is being installed"
        assert self._installing.index == index, "another snapshot is being installed"
        self._installing = None
        if isinstance(role, Follower) and role.leader is not None:
            shared.outbox.send_when_durable(role.leader, AppendAck(shared.term, index), index)

    def compact(self, index: int) -> None:
        """Forget entries up to and including `index`; its index and term become the log's base.

        `index` must be durable here and handed out. An index at or below the base changes nothing.
        """
        shared = self._shared
        assert index <= min(self._handed, shared.outbox.durable_index), "still needed"
        if index > shared.log.base_index:
            shared.log.compact(index)
            shared.memberships.compact(index)

    # The outcome.

    def ready(self) -> Ready:
        """What is to be done after the inputs so far. Everything is handed out exactly once."""
        shared, role = self._shared, self._role
        reads: tuple[ConfirmedRead, ...] = ()
        wanted: tuple[NodeId, ...] = ()
        if isinstance(role, Leader):
            reads = role.flush(shared)
            if role.snapshots_wanted:
                wanted = tuple(role.snapshots_wanted)
                role.snapshots_wanted.clear()
        committed: tuple[Entry, ...] = ()
        if self._handed < shared.commit and self._installing is None:
            committed, _ = shared.log.slice_bytes(
                self._handed + 1, shared.commit, shared.settings.committed_bytes_max
            )
            self._handed += len(committed)
        install, self._install_ready = self._install_ready, None
        return Ready(
            job=shared.outbox.issue(),
            messages=shared.outbox.take_messages(),
            committed=committed,
            reads=reads,
            install=install,
            snapshots_wanted=wanted,
        )
