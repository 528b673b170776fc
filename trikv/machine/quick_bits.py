"""The bits of long strings, quicker: in C (`_bits.c` says why), or in Python where that is not there.

The part in C is not used if it is of another version than this, or if a try shows that it does something else
here. Either way the same comes of it, and nobody needs to ask which it is.
"""

from collections.abc import Callable
from operator import and_, or_, xor
from types import ModuleType
from typing import Final, TypeAlias

VERSION: Final = 2
"""Version of `_bits.c`, which has the same number; a test compares both with the source."""

_COUNTED_BYTES: Final = 8 * 1024
"""Bytes that are counted as one number: a longer one leaves the processor's first cache."""
_INVERTED: Final = bytes(0xFF - byte for byte in range(256))

AND, OR, XOR = range(3)
"""How `join` joins."""
_JOINS: Final = (and_, or_, xor)

Count: TypeAlias = Callable[[bytes, int, int], int]
Inverted: TypeAlias = Callable[[bytes], bytes]
Join: TypeAlias = Callable[[bytearray, bytes, int], None]


def _count(string: bytes, first: int, last: int) -> int:
    """How many bits are 1 in the bytes from place `first` to before `last`, which `string` has."""
    ends = [*range(first + _COUNTED_BYTES, last, _COUNTED_BYTES), last]
    starts = range(first, last, _COUNTED_BYTES)
    pieces = zip(starts, ends, strict=False)  # of no bytes there is an end alone
    return sum([int.from_bytes(string[start:end], "big").bit_count() for start, end in pieces])


def _inverted(string: bytes) -> bytes:
    """`string` with each bit turned round."""
    return string.translate(_INVERTED)


def _join(target: bytearray, string: bytes, operation: int) -> None:
    """Join the bits of `target` with those of a string that is no longer; behind its end are zeros."""
    size = len(target)
    numbers = int.from_bytes(target, "little"), int.from_bytes(string, "little")
    target[:] = _JOINS[operation](*numbers).to_bytes(size, "little")


def _does_it(compiled: ModuleType) -> bool:
    """Try it on every byte, behind and before others that do not count."""
    every = bytes(range(256))
    try:
        counted = [compiled.count(every, first, last) for first, last in ((0, 256), (3, 250), (7, 7))]
        turned = compiled.inverted(every)
        targets = [bytearray(b"\x0f" * 21) for _ in _JOINS]
        for operation, target in enumerate(targets):
            compiled.join(target, b"\x35" * 19, operation)
    except Exception:  # noqa: BLE001 - after any error it is not used
        return False
    tails = bytes(2), b"\x0f" * 2, b"\x0f" * 2
    joined = [bytes([byte]) * 19 + tail for byte, tail in zip((0x05, 0x3F, 0x3A), tails, strict=True)]
    return counted == [1_024, 981, 0] and turned == every[::-1] and targets == joined


count: Count = _count
inverted: Inverted = _inverted
join: Join = _join
is_compiled = False
"""Whether these are the ones in C."""
try:
    from trikv.machine import _bits
except ImportError:
    pass
else:
    if getattr(_bits, "VERSION", None) == VERSION and _does_it(_bits):
        count, inverted, join = _bits.count, _bits.inverted, _bits.join
        is_compiled = True
