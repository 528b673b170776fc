"""What a node counts, and from where: the one object behind INFO's counters and CONFIG RESETSTAT.

Each count has one owner, which only ever adds to it: the `Tally` for commands and keys, the host for bytes of
clients, the links for bytes of peers, the register for connections, the snapshotter for snapshots. This
object owns none of the others' counts. It remembers where they stood when CONFIG RESETSTAT came, and a few
moments of the last two seconds, from which rates follow.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from trikv.machine.tally import Tally

WINDOW_MS: Final = 1_600
"""Rates are means over about so long, as Redis' are (16 samples of 100 ms)."""
SAMPLES_MAX: Final = 32
"""Nobody samples more often than ten times a second."""
RATES: Final = ("commands", "received_bytes", "sent_bytes", "peer_received_bytes", "peer_sent_bytes")
"""Counters of which the present rate is asked for."""


class Statistics:
    """The counters of one node."""

    def __init__(self) -> None:
        self.tally = Tally()
        """Commands; the machine counts in it too."""
        self._sources: dict[str, Callable[[], int]] = {}
        self._bases: dict[str, int] = {}
        self._samples: deque[tuple[int, dict[str, int]]] = deque(maxlen=SAMPLES_MAX)
        self.follow("commands", lambda: self.tally.commands_total)

    def follow(self, name: str, source: Callable[[], int]) -> None:
        """Let `count` tell of what somebody else counts. Until then it is 0."""
        self._sources[name] = source

    def count(self, name: str) -> int:
        """How much was counted since the start or the last reset."""
        source = self._sources.get(name)
        return 0 if source is None else source() - self._bases.get(name, 0)

    def reset(self) -> None:
        """CONFIG RESETSTAT: all counts begin at 0 again."""
        self.tally.reset()
        self._bases = {name: source() for name, source in self._sources.items()}
        self._samples.clear()

    def sample(self, now_ms: int) -> None:
        """Note where the counters stand (boot time). Call it about once a second."""
        while len(self._samples) > 1 and self._samples[1][0] <= now_ms - WINDOW_MS:
            self._samples.popleft()
        self._samples.append((now_ms, {name: self.count(name) for name in RATES}))

    def rate(self, name: str, now_ms: int) -> float:
        """How much a counter of `RATES` grows in a second, by the last one or two; 0 if that is not known."""
        for then_ms, counts in self._samples:
            if now_ms - then_ms <= 2 * WINDOW_MS:
                passed_ms = now_ms - then_ms
                return (self.count(name) - counts[name]) * 1000 / passed_ms if passed_ms > 0 else 0.0
        return 0.0
