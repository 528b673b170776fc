"""Log time: the one clock of the state machine (PROTOCOL 20). Pure.

A leader starts from the greater of the last stamp it has seen in the log and the lower median of a
quorum's wall clocks, then follows CLOCK_BOOTTIME. So one node's clock, years ahead, neither expires every
key nor, once it is gone, freezes time; and a step of the leader's wall clock moves nothing.
"""

from collections.abc import Sequence

from trikv.front.figures import LogTimeStatistics


def lower_median(values: Sequence[int]) -> int:
    """The middle value; of two middle ones the lower."""
    return sorted(values)[(len(values) - 1) // 2]


class LogTime:
    """The stamps of this node while it leads, and the last stamp it saw while it follows."""

    SLEW_PERCENT_MAX = 1
    """How fast log time is pulled towards the quorum's median between elections."""

    def __init__(self, last_stamp_ms: int) -> None:
        self.last_stamp_ms = last_stamp_ms
        self._origin_boot_ms: int | None = None
        self._origin_ms = last_stamp_ms

    def saw(self, stamp_ms: int) -> None:
        """An entry with this stamp is in our log, committed or not."""
        self.last_stamp_ms = max(self.last_stamp_ms, stamp_ms)

    def lead(self, boot_ms: int, clocks_ms: Sequence[int]) -> None:
        """Elected. `clocks_ms`: wall clocks of a quorum, brought up to now, our own among them."""
        self._origin_boot_ms = boot_ms
        self._origin_ms = max(self.last_stamp_ms, lower_median(clocks_ms))

    def follow(self) -> None:
        """No longer leading."""
        self._origin_boot_ms = None

    def now_ms(self, boot_ms: int) -> int:
        """Log time at this instant; for a follower the last stamp it saw."""
        if self._origin_boot_ms is None:
            return self.last_stamp_ms
        now_ms = self._origin_ms + boot_ms - self._origin_boot_ms
        return now_ms if now_ms > self.last_stamp_ms else self.last_stamp_ms  # noqa: FURB136 - asked for each read

    def statistics(self, boot_ms: int) -> LogTimeStatistics:
        """For INFO."""
        return LogTimeStatistics(now_ms=self.now_ms(boot_ms))

    def stamp(self, boot_ms: int) -> int:
        """A leader's stamp for an entry; never below one given or seen before."""
        assert self._origin_boot_ms is not None, "only a leader stamps entries"
        self.last_stamp_ms = self.now_ms(boot_ms)
        return self.last_stamp_ms

    def boot_ms_of(self, log_ms: int) -> int | None:
        """When (boot time) log time will be `log_ms`, while this node leads."""
        if self._origin_boot_ms is None:
            return None
        return self._origin_boot_ms + log_ms - self._origin_ms

    def slew(self, boot_ms: int, clocks_ms: Sequence[int]) -> None:
        """Pull towards the quorum's median, by at most 1 % of the time since the last call."""
        if self._origin_boot_ms is None:
            return
        now = self._origin_ms + boot_ms - self._origin_boot_ms
        step_max = (boot_ms - self._origin_boot_ms) * self.SLEW_PERCENT_MAX // 100
        off = lower_median(clocks_ms) - now
        self._origin_ms = now + max(-step_max, min(step_max, off))
        self._origin_boot_ms = boot_ms
