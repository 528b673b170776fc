"""The bits of long strings, quicker: in C (`_bits.c` says why), or in Python where that is not there.

The part in C is not used if it is of another version than this, or if a try shows that it does something else
here. Either way the same comes of it, and nobody needs to ask which it is.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Final, TypeAlias

VERSION: Final = 1
"""Version of `_bits.c`, which has the same number; a test compares both with the source."""

_COUNTED_BYTES: Final = 8 * 1024
"""Bytes that are counted as one number: a longer one leaves the processor's first cache."""
_INVERTED: Final = bytes(0xFF - byte for byte in range(256))

Count: TypeAlias = Callable[[bytes, int, int], int]
Inverted: TypeAlias = Callable[[bytes], bytes]


def _count(string: bytes, first: int, last: int) -> int:
    """How many bits are 1 in the bytes from place `first` to before `last`, which `string` has."""
    ends = [*range(first + _COUNTED_BYTES, last, _COUNTED_BYTES), last]
    starts = range(first, last, _COUNTED_BYTES)
    pieces = zip(starts, ends, strict=False)  # of no bytes there is an end alone
    return sum([int.from_bytes(string[start:end], "big").bit_count() for start, end in pieces])


def _inverted(string: bytes) -> bytes:
    """`string` with each bit turned round."""
    return string.translate(_INVERTED)


def _does_it(compiled: ModuleType) -> bool:
    """Try it on every byte, behind and before others that do not count."""
    every = bytes(range(256))
    try:
        counted = [compiled.count(every, first, last) for first, last in ((0, 256), (3, 250), (7, 7))]
        turned = compiled.inverted(every)
    except Exception:  # noqa: BLE001 - after any error it is not used
        return False
    return counted == [1_024, 981, 0] and turned == every[::-1]


count: Count = _count
inverted: Inverted = _inverted
is_compiled = False
"""Whether these are the ones in C."""
try:
    from trikv.machine import _bits
except ImportError:
    pass
else:
    if getattr(_bits, "VERSION", None) == VERSION and _does_it(_bits):
        count, inverted = _bits.count, _bits.inverted
        is_compiled = True
