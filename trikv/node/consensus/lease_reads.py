"""Reads by lease, answered where they come in (PROTOCOL 13).

While a leader's lease holds there is no other leader, so a read that comes then may be answered from all that
is committed. Where that has been applied too, it is answered on the spot, while the connection is at hand:
the way through the driver's turn and back cost a quarter of such a read. In any other case it goes that way.

A read may come from within the driver's turn or the applier's work, when a client that was just answered had
asked more. The machine is whole then: an entry is applied before anybody hears of it. And a commit that the
turn has not handed out yet is one that has not been applied.
"""

from trikv.front.seam import Work
from trikv.host.seam import Clock
from trikv.machine.replies import Reply
from trikv.node.consensus.log_time import LogTime
from trikv.node.drain import Drain
from trikv.node.state.applier import Applier
from trikv.raft.core import Raft


class LeaseReads:
    """What a node that is configured to ``reads = lease`` may answer at once."""

    def __init__(
        self, *, clock: Clock, raft: Raft, applier: Applier, log_time: LogTime, drain: Drain
    ) -> None:
        self._boot_us = clock.boot_us
        self._lease_index = raft.lease_index
        self._applier = applier
        self._log_time_ms = log_time.now_ms
        self._drain = drain
        self.works = 0
        """Submissions answered so."""
        self._timed_ms = 0
        self._timed = 0
        """`works` when one was timed last."""

    def answer(self, work: Work) -> list[Reply] | None:
        """The replies to `work`; None if it writes, or the lease or the log does not allow it now."""
        if work.writes or not work.commands or self._drain.is_stopping:
            return None
        now_us = self._boot_us()  # after it came: a pause before this line must show
        now_ms = now_us // 1000
        index = self._lease_index(now_ms)
        applier = self._applier
        if index is None or applier.position.index < index:
            return None
        self.works += 1
        machine = applier.machine
        replies = machine.read_one_quickly(work)
        if replies is None:
            replies = applier.read(work, self._log_time_ms(now_ms))
        if now_ms != self._timed_ms:
            # One in a millisecond is timed and stands for those since: to time each costs a tenth of a GET.
            machine.spent((self._boot_us() - now_us) * (self.works - self._timed))
            self._timed_ms, self._timed = now_ms, self.works
        return replies
