"""Clocks and entropy of a simulated machine: functions of virtual time and of the seed."""

import random

import trio

EPOCH_MS = 1_700_000_000_000
"""Where the simulated wall clocks start: late 2023, so that stamps look like stamps."""


class SimClock:
    """`trikv.host.seam.Clock`, with one oscillator that may run fast or slow under both clocks.

    All may be changed while a node runs. Trio's own timers keep true time: what a node decides by these
    clocks drifts against what it sleeps.
    """

    def __init__(self, boot_offset_ms: int = 0, wall_offset_ms: int = 0) -> None:
        self.boot_offset_ms = boot_offset_ms
        """How long the machine had been up when the world began."""
        self.wall_offset_ms = wall_offset_ms
        """How wrong its wall clock is. Changing it is a step of the clock."""
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
        """The machine lost power: CLOCK_BOOTTIME begins anew."""
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
        """The same, in steps of a millisecond: within a step of a task no virtual time passes."""
        return self.boot_ms() * 1000

    def wall_ms(self) -> int:
        """Time of day, as wrong as this machine has it."""
        return EPOCH_MS + self.wall_offset_ms + int(self._local_ms())

    def _local_ms(self) -> float:
        """Virtual time, as this machine's oscillator counts it."""
        passed_ms = (trio.current_time() - self._since) * 1000
        return self._elapsed_ms + passed_ms * (1 + self._drift_ppm / 1_000_000)


class SimEntropy:
    """`trikv.host.seam.Entropy` from a seeded stream."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def bytes(self, count: int) -> bytes:
        """`count` bytes."""
        return self._source.randbytes(count)

    def below(self, limit: int) -> int:
        """Uniform in [0, limit)."""
        return self._source.randrange(limit)
