"""The counts of a run, and nothing else."""

from collections import Counter

import attrs

from trikv.bench.histogram import Histogram


@attrs.define
class Tally:
    """The counts. Every command sent ends in exactly one of: answered, refused, unknown, unread."""

    latency_ns: Histogram = attrs.Factory(Histogram)
    """One value for each reply, including error replies."""
    sent: int = 0
    answered: int = 0
    """Replies that are no errors."""
    answered_writes: int = 0
    errors: Counter[str] = attrs.Factory(Counter)
    """Error replies by code."""
    unknown_writes: int = 0
    """Writes whose connection ended before their reply. (Those answered INDETERMINATE are in `errors`.)"""
    unread: int = 0
    """Commands that write nothing and were lost with their connection."""
    reconnects: int = 0
    """Connections that were lost and opened again, to any node."""
    unsent: int = 0
    """Commands of an open-loop run that became due and found no free connection before the end."""
    elapsed_ns: int = 0
    gave_up: bool = False
    """Whether the run ended early because no node could be reached."""

    @property
    def refused(self) -> int:
        """Error replies of all codes."""
        return sum(self.errors.values())

    @property
    def per_second(self) -> float:
        """Replies without error per second."""
        return self.answered * 1e9 / self.elapsed_ns if self.elapsed_ns else 0.0
