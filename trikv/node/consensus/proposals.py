"""Exactly-once proposals, at the node that holds the client (PROTOCOL 1-4). Pure: no Trio, no clock.

A life of a node opens with a Hello in the log, whose index becomes the incarnation. Each submission gets
the next sequence at its first hand-over and stays in a bounded window until the log has brought it by;
re-sending from the oldest, in order, is always safe, because the machine applies a sequence only once and
only in turn. What a client no longer waits for keeps its sequence with nothing in it.
"""

from collections import deque
from collections.abc import Sequence
from functools import partial

import attrs
import msgspec

from trikv.front.figures import ProposalStatistics
from trikv.front.seam import Work
from trikv.machine.batch import Forgotten, Hello, Submission
from trikv.machine.outcomes import OriginRow
from trikv.machine.replies import CommandError, Reply
from trikv.node.waiters import Waiters
from trikv.notation import counted

CLUSTERDOWN = CommandError(
    "CLUSTERDOWN no leader was reached in time; the command was not executed, try again"
)
INDETERMINATE = CommandError("INDETERMINATE the write may or may not have happened")
REPLY_LOST = CommandError("INDETERMINATE the write was applied, but its reply is lost")

_NEVER_JOINED = 1 << 62

_encode = msgspec.msgpack.Encoder().encode


@attrs.frozen
class ProposalLimits:
    """Bounds of the re-send window, and what a submission may weigh."""

    window_proposals_max: int = 4096
    window_bytes_max: int = 8 * 1024 * 1024
    """Held in memory until applied; past it, submissions wait unassigned, one a connection. Each is a copy
    of what its client sent, and the leader holds as much again for every node: a fast link needs no more."""
    entry_bytes_max: int = 16 * 1024 * 1024
    join_max: int = 128
    """Commands of several clients that came in one turn travel as one proposal, up to so many."""
    join_bytes_max: int = 16 * 1024
    """And up to so many bytes of them."""
    deadline_ms: int = 10_000
    """From submission to CLUSTERDOWN or INDETERMINATE."""
    resend_after_ms: int = 500
    """No progress for this long: send the window again; twice as long each time in a row, up to the most. A
    cluster that is only slow must not be fed the same window over and over."""
    resend_after_ms_max: int = 4_000
    resend_bytes_per_ms: int = 1024
    """And longer by what the window takes at this rate. Values of a megabyte take their time; sent again
    meanwhile they fill the leader's log, which takes still longer, and nothing comes through in the end."""
    nudge_interval_ms: int = 25
    """Refused or skipped: send again, but no more often than this (a leader that hands over refuses
    everything for some milliseconds)."""


class _Pending(msgspec.Struct):
    sequence: int
    item: bytes
    work: Work | None
    deadline_ms: int


class Proposals:
    """The origin's side of one life."""

    def __init__(self, origin: int, nonce: bytes, waiters: Waiters, limits: ProposalLimits) -> None:
        self._origin = origin
        self._nonce = nonce
        self._waiters = waiters
        self._limits = limits
        self._queue: deque[tuple[Work, int]] = deque()
        self._window: deque[_Pending] = deque()
        self._window_bytes = 0
        self._sent = 0  # how many of the window, from its left, were handed over since the last rewind
        self._hello_sent = False
        self._next_sequence = 1
        self._progress_ms = 0
        self._rewound_ms = -1_000_000
        self._patience_ms = limits.resend_after_ms
        self._nudge_due_ms: int | None = None
        self._still_since_ms: int | None = None
        self.indeterminate = 0

    @property
    def stands_still(self) -> bool:
        """True between `stand_still` and `move_again`."""
        return self._still_since_ms is not None

    @property
    def is_open(self) -> bool:
        """True once the log has brought our Hello by."""
        return self._waiters.incarnation != 0

    @property
    def wants_to_go(self) -> bool:
        """True while something waits to be handed over."""
        if not self.is_open:
            return not self._hello_sent
        return bool(self._queue) or self._sent < len(self._window)

    @property
    def window_bytes(self) -> int:
        """Encoded bytes held for re-sending."""
        return self._window_bytes

    def waiting(self) -> int:
        """How many works wait for a write, joined ones as one.

        The window is not asked: what of it has applied is answered, and stays there until the next turn.
        """
        return len(self._queue) + len(self._waiters)

    def statistics(self) -> ProposalStatistics:
        """For INFO."""
        return ProposalStatistics(
            waiting=self.waiting(), window_bytes=self._window_bytes, indeterminate=self.indeterminate
        )

    def submit(self, works: Sequence[Work], now_ms: int) -> None:
        """Take clients' writes; each is answered through the waiters, or failed by `expire`."""
        deadline_ms = now_ms + self._limits.deadline_ms
        self._queue.extend([(work, deadline_ms) for work in works])

    def outgoing(self, now_ms: int, bytes_max: int) -> list[bytes]:
        """The next items to hand over, in order, about `bytes_max` in all; empty when there are none."""
        if not self.is_open:
            if self._hello_sent:
                return []
            self._hello_sent = True
            self._progress_ms = now_ms
            return [_encode(Hello(self._origin, self._nonce))]
        items: list[bytes] = []
        size = 0
        window = self._window
        while size < bytes_max:
            if self._sent == len(window) and not self._assign(now_ms):
                break
            item = window[self._sent].item
            self._sent += 1
            items.append(item)
            size += len(item)
        return items

    def _assign(self, now_ms: int) -> bool:
        limits = self._limits
        while self._queue:
            if (
                len(self._window) >= limits.window_proposals_max
                or self._window_bytes >= limits.window_bytes_max
            ):
                return False
            work, deadline_ms = self._queue.popleft()
            if work.join_bytes and self._queue:
                work = self._join(work, deadline_ms)
            sequence = self._next_sequence
            item = self._encoded(work, sequence)
            if len(item) > limits.entry_bytes_max:
                size = counted(len(item), "byte")
                too_big = f"ERR command of {size} exceeds the {limits.entry_bytes_max} of an entry"
                work.failed(CommandError(too_big))
                continue
            self._next_sequence = sequence + 1
            if not self._window:
                self._progress_ms = now_ms
            self._window.append(_Pending(sequence, item, work, deadline_ms))
            self._window_bytes += len(item)
            self._waiters.expect(sequence, work)
            return True
        return False

    def _join(self, first: Work, deadline_ms: int) -> Work:
        """One proposal of `first` and of those that came with it, for the same database.

        The sequence, its bookkeeping on all nodes and its 40 bytes of log then cost once, not for each of
        fifty clients. Each command stays a step of its own, with a reply of its own.
        """
        limits, queue = self._limits, self._queue
        works, commands = [first], list(first.commands)
        room_bytes = min(limits.join_bytes_max, limits.entry_bytes_max // 2) - first.join_bytes
        while queue:
            work, due_ms = queue[0]
            room_bytes -= work.join_bytes or _NEVER_JOINED
            if (
                room_bytes < 0
                or due_ms != deadline_ms
                or work.db != first.db
                or len(commands) + len(work.commands) > limits.join_max
            ):
                break
            works.append(work)
            commands += work.commands
            queue.popleft()
        if len(works) == 1:
            return first
        answer, fail = partial(_answer_each, works), partial(_fail_each, works)
        return Work(first.db, tuple(commands), (), True, answer, fail)

    def _encoded(self, work: Work, sequence: int) -> bytes:
        return _encode(
            Submission(
                self._origin, self._waiters.incarnation, sequence, work.db, work.commands, work.transactions
            )
        )

    def rewind(self, now_ms: int) -> None:
        """Send everything again from the oldest: a new term, a new link, a rejection, no progress."""
        if self._still_since_ms is not None:
            self._nudge_due_ms = now_ms  # it is due, and `tick` does it when the time has come
            return
        self._sent = 0
        self._hello_sent = False
        self._nudge_due_ms = None
        self._rewound_ms = now_ms
        self._progress_ms = now_ms

    def stand_still(self, since_ms: int) -> None:
        """This node has been inside one entry since then: nothing is sent again or expires (PROTOCOL 61).

        What it waits for may be in the log long since. Sent again, it would only fill the log.
        """
        self._still_since_ms = since_ms

    def move_again(self, now_ms: int) -> None:
        """The entry is whole: what was put off comes now, and no time of waiting counts that fell into it."""
        assert self._still_since_ms is not None, "it has stood still"
        since_ms, self._still_since_ms = self._still_since_ms, None
        limit_ms = self._limits.deadline_ms

        def later(deadline_ms: int) -> int:
            return deadline_ms + now_ms - max(since_ms, deadline_ms - limit_ms)

        self._queue = deque((work, later(deadline_ms)) for work, deadline_ms in self._queue)
        for pending in self._window:
            pending.deadline_ms = later(pending.deadline_ms)
        self._progress_ms = now_ms

    def nudge(self, now_ms: int) -> None:
        """One of ours was refused or skipped for a gap. One loss shows as many skips: rewind once."""
        self._nudge_due_ms = max(now_ms, self._rewound_ms + self._limits.nudge_interval_ms)
        self.tick(now_ms)

    def applied_below(self, sequence: int, now_ms: int) -> None:
        """Every sequence of this incarnation below `sequence` has been applied."""
        window = self._window
        while window and window[0].sequence < sequence:
            self._window_bytes -= len(window.popleft().item)
            self._sent = max(0, self._sent - 1)
            self._progress_ms = now_ms
            self._patience_ms = self._limits.resend_after_ms

    def opened(self, nonce: bytes, incarnation: int, fresh_nonce: bytes, now_ms: int) -> None:
        """The log holds a Hello of our id. Ours: the life is open. Another's: start a new life.

        While ours is still on its way, another's is an older life's and says nothing. `fresh_nonce` is used
        only for a new life.
        """
        if self.is_open and nonce != self._nonce:
            self._begin_anew(fresh_nonce, now_ms)
        elif not self.is_open and nonce == self._nonce:
            self._waiters.reopen(incarnation)
            self._progress_ms = now_ms

    def disowned(self, fresh_nonce: bytes, now_ms: int) -> None:
        """The log does not know our incarnation: its row went with a change of members. Start a new life."""
        if self.is_open:
            self._begin_anew(fresh_nonce, now_ms)

    def _begin_anew(self, fresh_nonce: bytes, now_ms: int) -> None:
        """Give what has not applied a sequence of a new life: by the old one it can never apply any more."""
        unapplied = [(p.work, p.deadline_ms) for p in self._window if p.work is not None]
        self._queue.extendleft(reversed(unapplied))
        self._window.clear()
        self._window_bytes = 0
        self._next_sequence = 1
        self._nonce = fresh_nonce
        self._waiters.reopen(0)
        self.rewind(now_ms)

    def installed(
        self, row: OriginRow | None, fresh_nonce: bytes, now_ms: int
    ) -> list[tuple[Work, CommandError]]:
        """The machine is a snapshot's now, and `row` ours in it: whom it passed by, with what to tell them.

        Where another life has taken the row, or it is gone, nothing says what of ours had applied before
        that: it is neither answered nor sent again, and a new life begins.
        """
        passed: list[tuple[Work, CommandError]] = []
        if self.is_open and (row is None or row.incarnation != self._waiters.incarnation):
            for pending in self._window:
                if pending.work is not None:
                    passed.append((pending.work, INDETERMINATE))
                    pending.work = None
            self._begin_anew(fresh_nonce, now_ms)
        elif row is not None:
            self.opened(row.nonce, row.incarnation, fresh_nonce, now_ms)
            passed = [(work, REPLY_LOST) for work in self._waiters.take_below(row.next)]
            self.applied_below(row.next, now_ms)
        self.indeterminate += len(passed)
        return passed

    def expire(self, now_ms: int) -> list[tuple[Work, CommandError]]:
        """Those whose deadline has passed, with what to tell them. Deadlines are in order of arrival."""
        lapsed: list[tuple[Work, CommandError]] = []
        if self._still_since_ms is not None:
            return lapsed
        while self._queue and self._queue[0][1] <= now_ms:
            lapsed.append((self._queue.popleft()[0], CLUSTERDOWN))
        for pending in self._window:
            if pending.deadline_ms > now_ms:
                break
            if pending.work is not None:
                self._waiters.take(self._waiters.incarnation, pending.sequence)
                lapsed.append((pending.work, INDETERMINATE))
                self.indeterminate += 1
                self._forget(pending)
        return lapsed

    def _forget(self, pending: _Pending) -> None:
        pending.work = None
        empty = _encode(Forgotten(self._origin, self._waiters.incarnation, pending.sequence))
        self._window_bytes += len(empty) - len(pending.item)
        pending.item = empty

    def tick(self, now_ms: int) -> None:
        """Rewind when nothing has moved for too long, or a nudge is due."""
        if self._still_since_ms is not None:
            return
        if self._stalls() and now_ms >= self._resend_due_ms():
            self._patience_ms = min(2 * self._patience_ms, self._limits.resend_after_ms_max)
            self.rewind(now_ms)
        elif self._nudge_due_ms is not None and now_ms >= self._nudge_due_ms:
            self.rewind(now_ms)

    def deadline_ms(self) -> int | None:
        """When `tick` or `expire` has something to do, None while nothing waits or it stands still."""
        if self._still_since_ms is not None:
            return None
        moments: list[int] = []
        if self._queue:
            moments.append(self._queue[0][1])
        for pending in self._window:  # in the order of their deadlines; those given up are behind us soon
            if pending.work is not None:
                moments.append(pending.deadline_ms)
                break
        if self._stalls():
            moments.append(self._resend_due_ms())
        if self._nudge_due_ms is not None:
            moments.append(self._nudge_due_ms)
        return min(moments, default=None)

    def _resend_due_ms(self) -> int:
        return self._progress_ms + self._patience_ms + self._window_bytes // self._limits.resend_bytes_per_ms

    def _stalls(self) -> bool:
        return bool(self._window) or (self._hello_sent and not self.is_open)


def _answer_each(works: list[Work], replies: list[Reply]) -> None:
    """Each command of the joined works was one step."""
    assert sum([len(work.commands) for work in works]) == len(replies), "a reply a step"
    end = 0
    for work in works:
        start, end = end, end + len(work.commands)
        work.answered(replies[start:end])


def _fail_each(works: list[Work], error: CommandError) -> None:
    for work in works:
        work.failed(error)
