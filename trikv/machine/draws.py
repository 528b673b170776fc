"""Chance that is the same everywhere: what a command draws follows from what stands in the log (PROTOCOL 60).

The leader puts 64 bits of entropy into each entry. All that a command draws follows from them and from the
command's place, so that every replica draws the same, and so does a replay. It is our own generator, and not
`random.Random`, whose methods may draw otherwise in another version of Python.
"""

from hashlib import blake2b
from struct import Struct, pack
from typing import Final

DRAW_BITS: Final = 64
"""Bits of one number. `Draws.below` takes bounds far below 2**64 only, so that it hardly ever draws twice."""
BOUND_MAX: Final = 1 << 48
_BLOCK_BYTES: Final = 64
_BLOCK: Final = Struct(">8Q")
"""The numbers of a block."""
_NEVER_ABOVE: Final = (1 << DRAW_BITS) - BOUND_MAX
"""The greatest multiple of a bound is no less than this."""
_PLACE_BYTES: Final = 8
_COMMAND_PARTS: Final = 5
"""As many numbers name a command."""
_COMMAND: Final = Struct(f">{_COMMAND_PARTS}Q")


def key_of(*place: int) -> bytes:
    """The key of the numbers that a command at that place draws, of at most 64 bytes."""
    return _COMMAND.pack(*place) if len(place) == _COMMAND_PARTS else pack(f">{len(place)}Q", *place)


class Draws:
    """A row of numbers that only its `place` decides: blake2b over a counter, keyed by the place."""

    __slots__ = ("_counter", "_key", "_numbers")

    def __init__(self, *place: int) -> None:
        """`place`: up to eight numbers, each of 64 bits, that together name one command and nothing else."""
        self._key = key_of(*place)
        self._counter = 0
        """Blocks made so far."""
        self._numbers: list[int] = []
        """What is left of the latest, from the last to the first."""

    @classmethod
    def keyed(cls, key: bytes) -> "Draws":
        """Those of the place that has that key."""
        draws = cls()
        draws._key = key
        return draws

    def below(self, bound: int) -> int:
        """The next number, at least 0 and below `bound`, each as likely as any other."""
        assert 0 < bound <= BOUND_MAX, bound
        # A remainder alone would prefer the small ones. What is over the greatest multiple is drawn again.
        while True:
            number = self._number()
            if number < _NEVER_ABOVE or number < (1 << DRAW_BITS) // bound * bound:
                return number % bound

    def _number(self) -> int:
        if not self._numbers:
            counted = self._counter.to_bytes(_PLACE_BYTES, "big")
            block = blake2b(counted, digest_size=_BLOCK_BYTES, key=self._key).digest()
            self._numbers = [*_BLOCK.unpack(block)][::-1]
            self._counter += 1
        return self._numbers.pop()
