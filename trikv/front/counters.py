"""A node's counters and where they come from: the one object behind INFO's counters and CONFIG RESETSTAT.

Each count has one owner, which only ever adds to it: the `Tally` for commands and keys, the host for bytes of
clients, the links for bytes of peers, the register for connections, the snapshotter for snapshots. This
object owns none of those counts. It remembers their values at CONFIG RESETSTAT, and at a few moments of the
last two seconds, from which it computes rates.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from trikv.machine.tally import Tally

WINDOW_MS: Final = 1_600
"""Rates are means over about this time, like Redis' (16 samples of 100 ms)."""
SAMPLES_MAX: Final = 32
"""Enough for the window: samples are taken at most ten times a second."""
RATES: Final = ("commands", "received_bytes", "sent_bytes", "peer_received_bytes", "peer_sent_bytes")
"""Counters that have a rate."""


class Counters:
    """The counters of one node."""

    def __init__(self) -> None:
        self.tally = Tally()
        """The counts of commands; the machine adds to it too."""
        self._sources: dict[str, Callable[[], int]] = dict.fromkeys(RATES, _nothing)
        self._bases: dict[str, int] = {}
        self._samples: deque[tuple[int, dict[str, int]]] = deque(maxlen=SAMPLES_MAX)
        """Boot times in ms, and what the sources of `RATES` returned then: a reset clears all of them."""
        self.follow("commands", lambda: self.tally.commands_total)

    def follow(self, name: str, source: Callable[[], int]) -> None:
        """Let `count` return the value of `source`, less that of the last reset. Until then it returns 0."""
        self._sources[name] = source

    def count(self, name: str) -> int:
        """The count since the start or the last reset."""
        source = self._sources.get(name)
        return 0 if source is None else source() - self._bases.get(name, 0)

    def reset(self) -> None:
        """CONFIG RESETSTAT: all counts begin at 0 again."""
        self.tally.reset()
        self._bases = {name: source() for name, source in self._sources.items()}
        self._samples.clear()

    def sample(self, now_ms: int) -> None:
        """Note the counters' present values, at boot time `now_ms`. Call it about once a second."""
        while len(self._samples) > 1 and self._samples[1][0] <= now_ms - WINDOW_MS:
            self._samples.popleft()
        sources = self._sources
        self._samples.append((now_ms, {name: sources[name]() for name in RATES}))

    def rate(self, name: str, now_ms: int) -> float:
        """The growth of a counter of `RATES` per second, over the last one or two; 0 if unknown."""
        for then_ms, counts in self._samples:
            if now_ms - then_ms <= 2 * WINDOW_MS:
                passed_ms = now_ms - then_ms
                grown = self._sources[name]() - counts[name]
                return grown * 1000 / passed_ms if passed_ms > 0 else 0.0
        return 0.0


def _nothing() -> int:
    """What a counter without a source has counted."""
    return 0
