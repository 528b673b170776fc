"""Clocks and entropy of a simulated machine: functions of virtual time and of the seed."""

import random

import attrs
import trio

EPOCH_MS = 1_700_000_000_000
"""Where the simulated wall clocks start: late 2023, so that stamps look like stamps."""


@attrs.define
class SimClock:
    """`trikv.host.seam.Clock`. Offsets may be changed while a node runs: that is a step of its clock."""

    boot_offset_ms: int = 0
    """How long the machine had been up when the world began."""
    wall_offset_ms: int = 0
    """How wrong its wall clock is."""

    def boot_ms(self) -> int:
        """Virtual time since boot."""
        return self.boot_offset_ms + int(trio.current_time() * 1000)

    def wall_ms(self) -> int:
        """Virtual time of day, as wrong as this machine has it."""
        return EPOCH_MS + self.wall_offset_ms + int(trio.current_time() * 1000)


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
