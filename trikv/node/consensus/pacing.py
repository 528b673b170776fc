"""When clients' requests go on, to the log or to the leader: in few large batches, and without a timer.

What a batch costs whatever is in it (turns, messages, syncs and wake-ups on every node) was two thirds of a
SET with fifty clients, for their requests went in groups behind each other. So requests wait while a batch of
their kind is under way, and after it until its answers have been sent and a whole round of Trio's loop has
brought nothing new: clients that were answered together ask together. A batch then holds nearly all of them,
and a lone client waits for one idle round of the loop, some 15 us. Writes are held by the leader alone, which
makes the batches; reads by each node, whose questions they are.

It decides when, never what: nothing depends on it but speed. Where a round trip takes longer than `HOLD_MS`,
batches follow each other at that distance, as many as there are.
"""

HOLD_MS = 3
"""Nothing is held for longer: what two batches under way cost is little beside such a round trip."""
DISK_FIRST_MS = 20
"""Nor is applying put off for longer, where nobody waits for it: a sync of that length is a slow disk's."""


class Pace:
    """The pace of one kind of request."""

    __slots__ = ("_held_since_ms",)

    def __init__(self) -> None:
        self._held_since_ms: int | None = None

    @property
    def is_holding(self) -> bool:
        """True while requests wait for their time, not for a leader."""
        return self._held_since_ms is not None

    def lets_go(self, now_ms: int, *, waiting: bool, free: bool) -> bool:
        """Asked once a turn: whether what is `waiting` goes on now. `free`: nothing speaks for holding it."""
        since_ms = self._held_since_ms
        if not waiting or free or (since_ms is not None and now_ms - since_ms >= HOLD_MS):
            self._held_since_ms = None
            return waiting
        if since_ms is None:
            self._held_since_ms = now_ms
        return False

    def deadline_ms(self) -> int | None:
        """When it is to be asked again at the latest; None while nothing is held."""
        return None if self._held_since_ms is None else self._held_since_ms + HOLD_MS


class DiskFirst:
    """Whether a follower's applying waits for its disk's answer.

    The leader waits for that answer, and nobody here for the other. The disk's thread needs the interpreter
    to say that it is done, and would get it only after the applying.
    """

    __slots__ = ("_job", "_since_ms")

    def __init__(self) -> None:
        self._job: int | None = None
        """The one that is waited for. No later one is: a busy disk would put off the applying for ever."""
        self._since_ms = 0

    def holds(self, now_ms: int, *, issued: int, persisted: int, may_wait: bool) -> bool:
        """Asked in each turn, with the latest jobs given out and reported.

        `may_wait`: there is something to apply, and nobody here waits for it.
        """
        job = self._job
        if job is None and may_wait and persisted < issued:
            self._job, self._since_ms = issued, now_ms
            return True
        if job is not None and may_wait and persisted < job and now_ms - self._since_ms < DISK_FIRST_MS:
            return True
        self._job = None
        return False

    def deadline_ms(self) -> int | None:
        """When it is to be asked again at the latest; None while nothing is held."""
        return None if self._job is None else self._since_ms + DISK_FIRST_MS
