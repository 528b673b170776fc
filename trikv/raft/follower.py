"""The follower: takes the leader's entries, tells what it has on disk, waits for silence."""

from typing import ClassVar

from trikv.raft.messages import AppendAck, AppendEntries, AppendReject, Heartbeat, HeartbeatAck
from trikv.raft.roles import Role
from trikv.raft.shared import Shared
from trikv.raft.types import Entry, NodeId


class Follower:
    """State of a follower in one term."""

    __slots__ = ("_patience_ms", "deadline_ms", "leader")

    role: ClassVar[Role] = Role.FOLLOWER

    def __init__(self, shared: Shared, leader: NodeId | None) -> None:
        self.leader = leader
        self._patience_ms = shared.election_timeout_ms()  # drawn once: each message only re-arms it
        self.deadline_ms = shared.now_ms + self._patience_ms

    def hear(self, shared: Shared, leader: NodeId) -> None:
        """The leader of this term was heard: we are bound to it for `election_timeout_ms_min`."""
        assert self.leader in (None, leader), "two leaders in one term"
        self.leader = leader
        shared.heard_ms = shared.now_ms
        self.deadline_ms = shared.now_ms + self._patience_ms

    def heartbeat(self, shared: Shared, sender: NodeId, message: Heartbeat) -> None:
        """Confirm that we follow; learn the commit index as far as our log is verified."""
        # Not further than verified: our log may hold entries that this leader does not have.
        shared.commit_to(min(message.commit, shared.verified))
        promise_ms = shared.settings.election_timeout_ms_min
        shared.outbox.send(sender, HeartbeatAck(shared.term, message.round, shared.wall_ms, promise_ms))

    def append(self, shared: Shared, sender: NodeId, message: AppendEntries) -> None:
        """Take over entries, cutting ours only where they differ (paper, figure 2 and 5.3)."""
        log = shared.log
        previous, entries = message.prev_index, message.entries
        last = previous + len(entries)
        if previous < shared.commit:
            # What is committed is the same in every leader's log (paper, 5.4). Our log may have compacted it
            # away, so prev_index cannot be compared; the entries behind our commit index can.
            skip = shared.commit - previous
            if skip <= len(entries):
                assert entries[skip - 1].term == log.term_at(shared.commit), "committed entries differ"
            entries = entries[skip:]
            last = max(last, shared.commit)
        elif log.term_at(previous) != message.prev_term:
            self._reject(shared, sender, message)
            return
        # Cut only at a proven conflict (paper, figure 2): a message that was overtaken on its way holds less
        # than our log, and what it lacks may have been acknowledged.
        new = self._first_new(shared, entries)
        if new < len(entries):
            shared.append(entries[new:])
        shared.verified = max(shared.verified, last)
        shared.commit_to(min(message.commit, last))
        # A leader counts this as a copy on disk, so it waits for the sync (PROTOCOL 9).
        shared.outbox.send_when_durable(sender, AppendAck(shared.term, last), last)

    def _first_new(self, shared: Shared, entries: tuple[Entry, ...]) -> int:
        """Position of the first entry that we lack, after cutting any entry of ours that contradicts it."""
        log = shared.log
        if not entries or entries[0].index > log.last_index:
            return 0
        for position, entry in enumerate(entries):
            term = log.term_at(entry.index)
            if term is None:
                return position
            if term != entry.term:
                shared.truncate(entry.index)
                return position
        return len(entries)

    def _reject(self, shared: Shared, sender: NodeId, message: AppendEntries) -> None:
        log = shared.log
        hint = log.last_not_above(min(message.prev_index, log.last_index), message.prev_term)
        reject = AppendReject(shared.term, message.prev_index, hint, log.term_at(hint) or 0)
        shared.outbox.send(sender, reject)
