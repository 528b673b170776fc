"""MurmurHash64A (Austin Appleby), as Redis' HyperLogLog hashes elements: the 64-bit words are little-endian.

It is integers alone, so it is the same on every machine. Each block of 8 bytes depends on the one before: a
long string cannot be hashed at once, but in steps.
"""

from collections.abc import Generator
from struct import unpack_from
from typing import Final

_FACTOR: Final = 0xC6A4A7935BD1E995
_SHIFT: Final = 47
_MASK: Final = (1 << 64) - 1
_BLOCK_BYTES: Final = 8
STEP_BYTES: Final = 1 << 14
"""A step hashes so many: a millisecond. It is a whole number of blocks."""


def hashed(data: bytes, seed: int) -> int:
    """The hash of `data`: 64 bits."""
    steps = in_steps(data, seed)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: int = end.value
            return found


def in_steps(data: bytes, seed: int) -> Generator[None, None, int]:
    """`hashed`, with a pause after each `STEP_BYTES`."""
    size = len(data)
    state = (seed ^ size * _FACTOR) & _MASK
    whole = size - size % _BLOCK_BYTES
    for start in range(0, whole, STEP_BYTES):
        if start:
            yield
        end = min(start + STEP_BYTES, whole)
        for word in unpack_from(f"<{(end - start) // _BLOCK_BYTES}Q", data, start):
            mixed = word * _FACTOR & _MASK
            state = (state ^ (mixed ^ mixed >> _SHIFT) * _FACTOR) * _FACTOR & _MASK
    if whole < size:
        state = (state ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _MASK
    state = (state ^ state >> _SHIFT) * _FACTOR & _MASK
    return state ^ state >> _SHIFT
