"""Write jobs and outgoing messages: which message may leave at once and which waits for which sync.

This is where PROTOCOL 7 lives: durability is reported by job, never by index, because an index alone may
name entries that have been replaced since.
"""

from collections import deque

import msgspec

from trikv.raft.log import RaftLog
from trikv.raft.messages import AppendAck, Message
from trikv.raft.ready import WriteJob
from trikv.raft.types import HardState, NodeId, SnapshotMeta


class _Issued(msgspec.Struct, gc=False):
    """A job that the writer has and has not reported."""

    number: int
    covers: int
    """The log is durable up to here once this job is; lowered when a truncation cuts below it."""


class _Held(msgspec.Struct, gc=False):
    """A message that waits for `job` and dies with `term`."""

    job: int
    term: int
    to: NodeId
    message: Message


class Outbox:
    """The writer's and the links' work, collected between two calls of ``ready()``.

    Everything waits while the hard state is not durable, since every message reveals the term. A node
    leads only in a term that is durable, so no AppendEntries or heartbeat ever waits.
    """

    __slots__ = (
        "_hard_job",
        "_hard_state",
        "_held",
        "_issued",
        "_log",
        "_messages",
        "_next_job",
        "_persisted",
        "_reset",
        "_term",
        "_truncate_from",
        "_written",
        "durable_index",
    )

    durable_index: int
    """Every entry of the present log up to here is on this node's disk."""

    def __init__(self, log: RaftLog, term: int) -> None:
        self._log = log
        self._term = term
        self._written = self.durable_index = log.last_index  # what jobs so far hold of the log
        self._next_job = 1
        self._persisted = 0
        self._hard_job = 0
        self._hard_state: HardState | None = None
        self._truncate_from: int | None = None
        self._reset: SnapshotMeta | None = None
        self._issued: deque[_Issued] = deque()
        self._held: deque[_Held] = deque()
        self._messages: list[tuple[NodeId, Message]] = []

    # What the next job must hold.

    def write_hard_state(self, hard_state: HardState) -> None:
        """Term or vote changed: nothing leaves before it is durable."""
        self._hard_state = hard_state
        self._term = hard_state.term
        self._hard_job = self._next_job

    def truncated(self, index: int) -> None:
        """The log was cut at `index`: what was durable or on its way to the disk there no longer counts."""
        # Also what issued jobs cover: their sync comes later and would raise the durable index again, over
        # entries that have been replaced (PROTOCOL 7).
        self._lower(index - 1)
        if index <= self._written:
            self._truncate_from = index  # not above an earlier one of this turn: that one set _written
            self._written = index - 1

    def reset(self, meta: SnapshotMeta) -> None:
        """The log was replaced by a snapshot's position: like a cut at its index, in one record."""
        self._lower(meta.index - 1)
        self._reset = meta
        self._truncate_from = None
        self._written = meta.index

    def _lower(self, index: int) -> None:
        self.durable_index = min(self.durable_index, index)
        for issued in self._issued:
            issued.covers = min(issued.covers, index)

    def latest_job(self) -> int:
        """The job whose sync makes everything so far durable: the coming one, or the last if none comes."""
        pending = (
            self._written < self._log.last_index
            or self._hard_state is not None
            or self._truncate_from is not None
            or self._reset is not None
        )
        return self._next_job if pending else self._next_job - 1

    def issue(self) -> WriteJob | None:
        """The job for the writer, if there is anything to write."""
        number = self._next_job
        if self.latest_job() != number:
            return None
        last = self._log.last_index
        job = WriteJob(
            number=number,
            hard_state=self._hard_state,
            reset=self._reset,
            truncate_from=self._truncate_from,
            entries=self._log.slice(self._written + 1, last) if self._written < last else (),
        )
        self._hard_state = self._truncate_from = self._reset = None
        self._written = last
        self._next_job = number + 1
        self._issued.append(_Issued(number, last))
        return job

    # What has become durable.

    def is_durable(self, job: int) -> bool:
        """True once `job` has been reported."""
        return job <= self._persisted

    def is_awaited(self, job: int) -> bool:
        """Whether `job` is the first to make the hard state durable, or lets a message go."""
        return self._persisted < self._hard_job <= job or (bool(self._held) and self._held[0].job <= job)

    @property
    def is_hard_state_durable(self) -> bool:
        """Whether the present term and vote are on disk."""
        return self._hard_job <= self._persisted

    def persisted(self, job: int) -> None:
        """`job`, and with it every earlier one, is durable: let its messages go."""
        assert job < self._next_job, "the writer reports a job it was never given"
        if job <= self._persisted:
            return
        self._persisted = job
        issued = self._issued
        while issued and issued[0].number <= job:
            self.durable_index = max(self.durable_index, issued.popleft().covers)
        held = self._held
        while held and held[0].job <= job:
            waiting = held.popleft()
            # An ack of an older term may be about entries that this term has cut.
            if waiting.term == self._term:
                self._release(waiting.to, waiting.message)

    def _release(self, to: NodeId, message: Message) -> None:
        """Send. Of several append acks that one sync frees, only the last leaves: it says everything."""
        messages = self._messages
        if messages and isinstance(message, AppendAck):
            last_to, last = messages[-1]
            if last_to == to and isinstance(last, AppendAck):
                match_index = max(last.match_index, message.match_index)
                messages[-1] = (to, AppendAck(message.term, match_index))
                return
        messages.append((to, message))

    # Messages.

    def send(self, to: NodeId, message: Message) -> None:
        """Send at once, unless the present hard state is not durable yet."""
        if self._hard_job <= self._persisted:
            self._messages.append((to, message))
        else:
            self._hold(self._hard_job, to, message)

    def send_when_durable(self, to: NodeId, message: Message, index: int) -> None:
        """Send once the log up to `index` (and the hard state) is durable."""
        if index <= self.durable_index:
            self.send(to, message)
        else:
            self._hold(self.latest_job(), to, message)

    def _hold(self, job: int, to: NodeId, message: Message) -> None:
        held = self._held
        if held:  # behind what is held already: the order of messages survives
            job = max(job, held[-1].job)
        held.append(_Held(job, self._term, to, message))

    def take_messages(self) -> tuple[tuple[NodeId, Message], ...]:
        """All messages that may leave now. Each is given out once."""
        messages = tuple(self._messages)
        self._messages.clear()
        return messages
