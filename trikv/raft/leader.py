"""The leader: sends entries, counts what majorities hold, confirms reads, watches that it is still heard.

Nothing leaves from inside an input. `flush`, once a turn, decides what each peer gets. So everything proposed
in a turn travels in one message, and a commit index rides on entries if there are any.
"""

from collections.abc import Collection
from typing import ClassVar

from trikv.raft.lease import ALWAYS_MS, NEVER_MS, Lease
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    AppendReject,
    Heartbeat,
    HeartbeatAck,
    TimeoutNow,
)
from trikv.raft.progress import Progress, ProgressState
from trikv.raft.quorum import majority, quorum_value
from trikv.raft.read_rounds import ReadRounds
from trikv.raft.ready import ConfirmedRead
from trikv.raft.roles import Role
from trikv.raft.shared import Shared
from trikv.raft.types import Entry, EntryKind, NodeId

SLOW_ROUND_MS = 5
"""A read round asks no more voters than it needs. After this time it asks the others too, and the slow ones
are asked last from then on. A second round that begins meanwhile starts the time again, so that the first may
wait twice as long."""


class Leader:
    """State of a leader in its term."""

    __slots__ = (
        "_ask_others_ms",
        "_asked",
        "_beat_due",
        "_transfer_sent",
        "grace_ms",
        "lease",
        "leased",
        "next_heartbeat_ms",
        "opened_at",
        "progress",
        "reads",
        "snapshots_wanted",
        "transfer_deadline_ms",
        "transfer_to",
        "uncommitted_bytes",
    )

    role: ClassVar[Role] = Role.LEADER

    opened_at: int
    """Index of the no-op that opened the term; reads and configuration changes wait for its commit."""
    grace_ms: int
    """Peers count as heard at this time: the election, or the end of a stall of our own."""
    leased: list[ConfirmedRead]
    """Reads of this turn that the lease allows."""

    def __init__(self, shared: Shared) -> None:
        log = shared.log
        self.progress: dict[NodeId, Progress] = {}
        self.reads = ReadRounds()
        self.lease = Lease()
        self.leased = []
        self.snapshots_wanted: list[NodeId] = []
        self.transfer_to: NodeId | None = None
        self.transfer_deadline_ms = 0
        self._transfer_sent = False
        self.grace_ms = self.next_heartbeat_ms = shared.now_ms
        self._beat_due = False
        self._asked: list[NodeId] = []
        """Voters that the latest read round asked."""
        self._ask_others_ms = ALWAYS_MS
        self.uncommitted_bytes = log.bytes_between(shared.commit, log.last_index)
        self.track_members(shared)
        self.opened_at = self.append(shared, EntryKind.NOOP, b"")

    def track_members(self, shared: Shared) -> None:
        """The configuration has changed: follow the new members, forget the old ones."""
        others = [member.id for member in shared.memberships.current.members if member.id != shared.node_id]
        fresh = shared.log.last_index + 1
        self.progress = {peer: self.progress.get(peer) or Progress(fresh, shared.now_ms) for peer in others}
        self._renew_lease(shared)

    def append(self, shared: Shared, kind: EntryKind, payload: bytes) -> int:
        """Append an entry of this term and return its index. It leaves with the next `flush`."""
        index = shared.log.last_index + 1
        shared.append((Entry(index, shared.term, kind, payload),))
        self.uncommitted_bytes += len(payload)
        return index

    def has_room(self, shared: Shared, size: int) -> bool:
        """Whether `size` more bytes of payload may wait for a majority."""
        waiting = self.uncommitted_bytes
        return waiting == 0 or waiting + size <= shared.settings.uncommitted_bytes_max

    # Time.

    def tick(self, shared: Shared) -> bool:
        """Heartbeats and giving up; False if no majority has been heard for too long (thesis, 6.2)."""
        now = shared.now_ms
        if self.transfer_to is not None and now >= self.transfer_deadline_ms:
            self.transfer_to = None
        if now < self.next_heartbeat_ms:
            return True
        heard = self._among_voters(
            shared, now, {peer: max(p.last_ack_ms, self.grace_ms) for peer, p in self.progress.items()}
        )
        if now - heard >= shared.settings.election_timeout_ms_max:
            return False
        self.next_heartbeat_ms = now + shared.settings.heartbeat_interval_ms
        # A new number, so that an ack to this heartbeat proves how fresh its promise is.
        self.reads.repeat()
        self.lease.beat(self.reads.number, now)
        self._beat_due = True
        return True

    def deadline(self) -> int:
        """When `tick` is due, in ms of `now_ms`."""
        due_ms = min(self.next_heartbeat_ms, self._ask_others_ms)
        return due_ms if self.transfer_to is None else min(due_ms, self.transfer_deadline_ms)

    # Counting.

    def _among_voters(self, shared: Shared, own: int, theirs: dict[NodeId, int]) -> int:
        """What a majority of the voters has reached; `own` is our part, if we are one of them."""
        return quorum_value(
            [own if voter == shared.node_id else theirs[voter] for voter in shared.memberships.voters]
        )

    def advance(self, shared: Shared) -> bool:
        """Commit what a majority has on disk; True if the commit index moved (paper, 5.3 and 5.4.2)."""
        matches = {peer: progress.match for peer, progress in self.progress.items()}
        # Our own log counts as far as it is durable, as a peer's does: AppendEntries leave before our sync.
        index = self._among_voters(shared, shared.outbox.durable_index, matches)
        # An entry of an older term may be on a majority and still be replaced (paper, figure 8).
        if index <= shared.commit or shared.log.term_at(index) != shared.term:
            return False
        self.uncommitted_bytes -= shared.log.bytes_between(shared.commit, index)
        shared.commit_to(index)
        return True

    def may_commit(self, shared: Shared) -> bool:
        """Whether a sync of our own could be the last that a commit needs: a peer holds more already."""
        others = [voter for voter in shared.memberships.voters if voter != shared.node_id]
        return not others or any(self.progress[voter].match > shared.commit for voter in others)

    def answer_can_wait(self, shared: Shared, peer: NodeId, message: AppendAck | HeartbeatAck) -> bool:
        """Whether this answer changes nothing now: a majority has said as much, and `peer` lacks nothing."""
        progress = self.progress[peer]
        lacks = progress.state is not ProgressState.REPLICATE or progress.next <= shared.log.last_index
        if lacks or peer == self.transfer_to:
            return False
        if isinstance(message, AppendAck):
            # A client there may wait for a commit. The peer is told of it once it is known to hold the entry,
            # so the ack that says so must not wait.
            is_told = progress.commit_sent >= min(progress.awaited, message.match_index)
            return is_told and message.match_index <= shared.commit
        if message.round <= self._among_voters(shared, self.reads.number, self._rounds()):
            return True
        # No read waits for it, but it renews the lease and counts as a sign of life. If the lease outlasts
        # the next heartbeat, the turn that sends that one is early enough for both.
        return not self.reads.is_in_flight and self.lease.until_ms > self.next_heartbeat_ms

    def _rounds(self) -> dict[NodeId, int]:
        """The latest round that each peer has answered."""
        return {peer: progress.round_acked for peer, progress in self.progress.items()}

    # Peers' answers; each comes from the disk that is the member under its id.

    def append_ack(self, shared: Shared, peer: NodeId, message: AppendAck) -> bool:
        """A peer has entries on its disk; True if the commit index may move."""
        progress = self.progress[peer]
        assert message.match_index <= shared.log.last_index, "a peer acknowledges what we never had"
        progress.last_ack_ms = shared.now_ms
        news = progress.acked(message.match_index, shared.now_ms)
        waits = progress.state is ProgressState.PROBE or (
            progress.state is ProgressState.SNAPSHOT and progress.match >= shared.log.base_index
        )
        if waits:
            progress.to_replicate()
        if peer == self.transfer_to:
            self._hand_over(shared, peer)
        return news

    def append_reject(self, shared: Shared, peer: NodeId, message: AppendReject) -> None:
        """A peer's log departs from ours: go back, a whole term at a time (paper, end of 5.3)."""
        progress = self.progress[peer]
        progress.last_ack_ms = shared.now_ms
        expected = (
            message.prev_index == progress.next - 1
            if progress.state is ProgressState.PROBE
            else progress.match < message.prev_index < progress.next
        )
        if progress.state is ProgressState.SNAPSHOT or not expected:
            return  # late: its question has been settled since, and going back would send entries again
        if message.prev_index == progress.match:
            progress.denied(shared.now_ms)
            return
        agreed = shared.log.last_not_above(message.hint_index, message.hint_term)
        progress.to_probe(max(progress.match, min(agreed, message.prev_index - 1)) + 1)

    def heartbeat_ack(self, shared: Shared, peer: NodeId, message: HeartbeatAck) -> None:
        """A peer follows us. What seems lost is repeated here: nothing else is timed per peer."""
        progress = self.progress[peer]
        settings, now = shared.settings, shared.now_ms
        progress.last_ack_ms = now
        progress.round_acked = max(progress.round_acked, message.round)
        promise_ends_ms = self.lease.promise_ends_ms(message.round, message.promise_ms, settings)
        if promise_ends_ms > progress.promise_ends_ms:
            progress.promise_ends_ms = promise_ends_ms
            self._renew_lease(shared)
        if progress.state is ProgressState.PROBE:
            if now - progress.probed_ms >= settings.heartbeat_interval_ms:
                progress.is_probing = False
        elif progress.inflight and now - progress.moved_ms >= settings.election_timeout_ms_min:
            progress.to_probe(progress.match + 1)

    def _renew_lease(self, shared: Shared) -> None:
        """Compute how long a majority of the voters in force helps to elect nobody else."""
        ends = {peer: progress.promise_ends_ms for peer, progress in self.progress.items()}
        # A leader that is no voter has no lease: a sole voter left may restart and stand without delay.
        until_ms = self._among_voters(shared, ALWAYS_MS, ends) if shared.is_voter else NEVER_MS
        self.lease.renew(until_ms)

    # Links and transfers.

    def unreachable(self, shared: Shared, peer: NodeId) -> None:
        """What was on its way to `peer` is lost: ask where it stands once it is back."""
        progress = self.progress[peer]
        if progress.state is ProgressState.REPLICATE:
            progress.to_probe(progress.match + 1)
        progress.probed(shared.now_ms)

    def reachable(self, shared: Shared, peer: NodeId) -> None:
        """A link to `peer` is up, perhaps to another life of it: greet it, and probe with the next flush."""
        progress = self.progress[peer]
        # Even in REPLICATE: an ack of an earlier life may have come late and let entries flow again. The new
        # life must hear where our logs agree before it believes a commit index.
        if progress.state is ProgressState.REPLICATE:
            progress.to_probe(progress.match + 1)
        progress.is_probing = False
        self._beat(shared, peer)

    def snapshot_sent(self, shared: Shared, peer: NodeId, index: int, *, ok: bool) -> None:
        """The transfer has ended. Its ack, or the next heartbeat's, lets entries flow again."""
        progress = self.progress[peer]
        if progress.state is ProgressState.SNAPSHOT:
            progress.to_probe(max(progress.match, index if ok else 0) + 1)
            progress.probed(shared.now_ms)

    def transfer(self, shared: Shared, to: NodeId) -> None:
        """Bring `to` up to date, then let it campaign; nothing is proposed meanwhile (thesis, 3.10)."""
        self.transfer_to = to
        self.transfer_deadline_ms = shared.now_ms + shared.settings.election_timeout_ms_max
        self._transfer_sent = False
        self._hand_over(shared, to)

    def _hand_over(self, shared: Shared, to: NodeId) -> None:
        if self.progress[to].match == shared.log.last_index and not self._transfer_sent:
            self._transfer_sent = True
            # Before the message: a transfer's vote is free of the promises that the lease rests on.
            self.lease.forfeit()
            shared.outbox.send(to, TimeoutNow(shared.term))

    def resign(self, shared: Shared) -> None:
        """Our removal is committed: tell all, and ask the voter with the longest log to take over."""
        for peer in self.progress:
            self._beat(shared, peer)
        best = max(shared.memberships.voters, key=lambda voter: self.progress[voter].match)
        shared.outbox.send(best, TimeoutNow(shared.term))

    # What leaves.

    def flush(self, shared: Shared) -> tuple[ConfirmedRead, ...]:
        """Once a turn: what each peer gets of heartbeats, rounds and entries; the reads now confirmed."""
        confirmed = self._take_leased() + self._confirm(shared)
        began = shared.commit >= self.opened_at and self.reads.begin(shared.commit)
        if began:
            confirmed += self._confirm(shared)  # a sole voter is the majority
        beat_due, self._beat_due = self._beat_due, False
        asked: Collection[NodeId] = ()
        if began and self.reads.is_in_flight:
            asked = self._ask(shared)
        elif shared.now_ms >= self._ask_others_ms:
            asked = self._ask_others(shared)
        same: dict[int, tuple[AppendEntries, int]] = {}  # peers at one index share one message
        for peer, progress in self.progress.items():
            beat = beat_due or peer in asked
            if beat:
                self._beat(shared, peer)
            sent = self._replicate(shared, peer, progress, same)
            if not sent and not beat and self._is_awaited(shared, progress):
                self._beat(shared, peer)
        return confirmed

    def _ask(self, shared: Shared) -> list[NodeId]:
        """The voters that a read round asks: as many as make a majority with us.

        A third node's answer would change nothing, and cost it and us a wake-up.
        """
        voters, progress = shared.memberships.voters, self.progress
        others = [voter for voter in voters if voter != shared.node_id]
        # Voters that never were slow come first, then those whose last delay is longest ago.
        others.sort(key=lambda voter: (progress[voter].slow_ms, voter))
        needed = majority(len(voters)) - shared.is_voter
        self._asked = others[:needed]
        self._ask_others_ms = shared.now_ms + SLOW_ROUND_MS if needed < len(others) else ALWAYS_MS
        return self._asked

    def _ask_others(self, shared: Shared) -> list[NodeId]:
        """The voters not asked so far, because one that was asked is slow; note which one is."""
        self._ask_others_ms = ALWAYS_MS
        for voter in self._asked:
            if voter in self.progress and self.progress[voter].round_acked < self.reads.number:
                self.progress[voter].slow_ms = shared.now_ms
        known = {shared.node_id, *self._asked}
        return [voter for voter in shared.memberships.voters if voter not in known]

    def _take_leased(self) -> tuple[ConfirmedRead, ...]:
        if not self.leased:
            return ()
        leased, self.leased = tuple(self.leased), []
        for one in leased:
            self.awaits(one.read.origin, one.index)
        return leased

    def _confirm(self, shared: Shared) -> tuple[ConfirmedRead, ...]:
        reads = self.reads
        if not reads.is_in_flight:
            return ()
        confirmed = tuple(reads.confirm(self._among_voters(shared, reads.number, self._rounds())))
        for one in confirmed:
            self.awaits(one.read.origin, one.index)
        if not reads.is_in_flight:
            self._ask_others_ms = ALWAYS_MS
        return confirmed

    def awaits(self, peer: NodeId, index: int) -> None:
        """A client at `peer` waits for the commit of `index`: its write, or a read at that index."""
        progress = self.progress.get(peer)
        if progress is not None:
            progress.awaited = max(progress.awaited, index)

    @staticmethod
    def _is_awaited(shared: Shared, progress: Progress) -> bool:
        """Whether a client there waits for a commit that the peer has not been told and can use.

        Other commits ride on what leaves next: to tell each at once made two messages and two answers of
        every batch.
        """
        return progress.commit_sent < min(progress.awaited, shared.commit, progress.match)

    def _beat(self, shared: Shared, peer: NodeId) -> None:
        progress = self.progress[peer]
        # Not beyond match: a follower must not commit an entry that it may hold in another version.
        commit = min(shared.commit, progress.match)
        progress.commit_sent = max(progress.commit_sent, commit)
        shared.outbox.send(peer, Heartbeat(shared.term, commit, self.reads.number))

    def _replicate(
        self, shared: Shared, peer: NodeId, progress: Progress, same: dict[int, tuple[AppendEntries, int]]
    ) -> bool:
        """Send what `peer` lacks and its window allows; True if something left."""
        log, settings, now = shared.log, shared.settings, shared.now_ms
        state = progress.state
        if state is ProgressState.PROBE:
            if progress.is_probing:
                return False
        elif state is ProgressState.SNAPSHOT or progress.next > log.last_index:
            return False
        if progress.next < log.first_index:  # the entries are compacted away
            progress.to_snapshot()
            self.snapshots_wanted.append(peer)
            return False
        if state is ProgressState.PROBE:
            self._send_entries(shared, peer, progress.next, same)
            progress.probed(now)
            return True
        sent = False
        while progress.next <= log.last_index and not progress.is_full(settings):
            message, size = self._send_entries(shared, peer, progress.next, same)
            progress.sent(message.prev_index + len(message.entries), size, now)
            sent = True
        if sent:
            progress.commit_sent = max(progress.commit_sent, min(shared.commit, progress.next - 1))
        return sent

    def _send_entries(
        self, shared: Shared, peer: NodeId, first: int, same: dict[int, tuple[AppendEntries, int]]
    ) -> tuple[AppendEntries, int]:
        made = same.get(first)
        if made is None:
            log = shared.log
            entries: tuple[Entry, ...] = ()
            size = 0
            if first <= log.last_index:
                entries, size = log.slice_bytes(first, log.last_index, shared.settings.append_bytes_max)
            previous_term = log.term_at(first - 1)
            assert previous_term is not None, "the entry before the first one sent is known"
            message = AppendEntries(shared.term, first - 1, previous_term, shared.commit, entries)
            made = same[first] = (message, size)
        shared.outbox.send(peer, made[0])
        return made
