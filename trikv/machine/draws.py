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
_NUMBER_BYTES: Final = DRAW_BITS // 8
_PLACE_BYTES: Final = 8
_COMMAND_PARTS: Final = 5
"""As many numbers name a command."""
_COMMAND: Final = Struct(f">{_COMMAND_PARTS}Q")


def _packed(place: tuple[int, ...]) -> bytes:
    return _COMMAND.pack(*place) if len(place) == _COMMAND_PARTS else pack(f">{len(place)}Q", *place)


class Draws:
    """A row of numbers that only its `place` decides: blake2b over a counter, keyed by the place."""

    __slots__ = ("_block", "_counter", "_key")

    def __init__(self, *place: int) -> None:
        """`place`: up to eight numbers, each of 64 bits, that together name one command and nothing else."""
        self._key = _packed(place)
        self._counter = 0
        """Blocks made so far."""
        self._block = b""
        """What is left of the latest."""

    def below(self, bound: int) -> int:
        """The next number, at least 0 and below `bound`, each as likely as any other."""
        assert 0 < bound <= BOUND_MAX, bound
        # A remainder alone would prefer the small ones. What is over the greatest multiple is drawn again.
        limit = (1 << DRAW_BITS) // bound * bound
        while True:
            number = self._number()
            if number < limit:
                return number % bound

    def _number(self) -> int:
        if not self._block:
            counted = self._counter.to_bytes(_PLACE_BYTES, "big")
            self._block = blake2b(counted, digest_size=_BLOCK_BYTES, key=self._key).digest()
            self._counter += 1
        number = int.from_bytes(self._block[:_NUMBER_BYTES], "big")
        self._block = self._block[_NUMBER_BYTES:]
        return number
