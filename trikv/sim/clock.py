"""Clocks and entropy of a simulated machine: functions of virtual time and of the seed."""

import random

import trio

EPOCH_MS = 1_700_000_000_000
"""The start of the simulated wall clocks, in ms since 1970: late 2023, so that stamps are realistic."""


class SimClock:
    """`trikv.host.seam.Clock`, with one oscillator that may run fast or slow under both clocks.

    All may be changed while a node runs. Trio's own timers keep true time: what a node decides by these
    clocks drifts against the time that it sleeps.
    """

    def __init__(self, boot_offset_ms: int = 0, wall_offset_ms: int = 0) -> None:
        self.boot_offset_ms = boot_offset_ms
        """How long, in ms, the machine had been up when the world began."""
        self.wall_offset_ms = wall_offset_ms
        """By how many ms its wall clock is wrong. Changing it is a step of the clock."""
        self._drift_ppm = 0.0
        self._since = 0.0
        self._elapsed_ms = 0.0
        self._booted_ms = 0.0
        self._boot_ms_seen = 0

    @property
    def drift_ppm(self) -> float:
        """How much too fast it runs, in parts per million (10,000 is one per cent); negative is too slow."""
        return self._drift_ppm

    @drift_ppm.setter
    def drift_ppm(self, value: float) -> None:
        assert value > -1_000_000, "a clock does not run backwards"
        self._elapsed_ms = self._local_ms()
        self._since = trio.current_time()
        self._drift_ppm = value

    def jump_wall(self, ms: int) -> None:
        """Somebody sets the time of day, forward or back."""
        self.wall_offset_ms += ms

    def reboot(self) -> None:
        """The machine lost power: CLOCK_BOOTTIME begins again at 0."""
        self._booted_ms = self._local_ms()
        self.boot_offset_ms = 0
        self._boot_ms_seen = 0

    def boot_ms(self) -> int:
        """Time since boot as this machine counts it; never goes back before the next boot."""
        self._boot_ms_seen = max(
            self._boot_ms_seen, self.boot_offset_ms + int(self._local_ms() - self._booted_ms)
        )
        return self._boot_ms_seen

    def boot_us(self) -> int:
        """`boot_ms` in microseconds. It stands still during a step of a task, as all virtual time does."""
        return self.boot_ms() * 1000

    def wall_ms(self) -> int:
        """Milliseconds since 1970, with this machine's error and drift."""
        return EPOCH_MS + self.wall_offset_ms + int(self._local_ms())

    def _local_ms(self) -> float:
        """Virtual time in ms, as this machine's oscillator counts it."""
        passed_ms = (trio.current_time() - self._since) * 1000
        return self._elapsed_ms + passed_ms * (1 + self._drift_ppm / 1_000_000)


class SimEntropy:
    """`trikv.host.seam.Entropy` from a seeded stream."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def bytes(self, count: int) -> bytes:
        """`count` bytes of the stream: they are no secret, but they repeat with the seed."""
        return self._source.randbytes(count)

    def below(self, limit: int) -> int:
        """A uniform integer in [0, limit), from the stream."""
        return self._source.randrange(limit)
