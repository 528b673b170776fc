"""The registers of a HyperLogLog: 16,384 small numbers, packed by 6 bits or with a byte for each.

Packed they are as Redis keeps them: register i is 6 bits from 6 i on, the lowest bit of the first byte being
bit 0. Nothing here goes over single registers in Python: bytes are translated by tables, and all registers
together are one integer.
"""

from typing import Final

REGISTERS: Final = 1 << 14
VALUE_MAX: Final = 63
"""What 6 bits can say."""
PACKED_BYTES: Final = REGISTERS * 6 // 8
NONE: Final = bytes(REGISTERS)
"""All of them are zero."""

_HIGH: Final = int.from_bytes(b"\x80" * REGISTERS, "little")
"""The highest bit of each byte, which no register has."""


def _table(bits: int, shift: int) -> bytes:
    """For `bytes.translate`: those bits of a byte, moved to the right, or to the left if negative."""
    moved = ((byte & bits) >> shift if shift >= 0 else (byte & bits) << -shift for byte in range(256))
    return bytes(each & 0xFF for each in moved)


# Three bytes hold four registers.
_FIRST: Final = _table(0b00111111, 0)
_SECOND_LOW: Final = _table(0b11000000, 6)
_SECOND_HIGH: Final = _table(0b00001111, -2)
_THIRD_LOW: Final = _table(0b11110000, 4)
_THIRD_HIGH: Final = _table(0b00000011, -4)
_FOURTH: Final = _table(0b11111100, 2)

_TO_FIRST: Final = _table(0b00000011, -6)
_FROM_SECOND: Final = _table(0b00111100, 2)
_TO_SECOND: Final = _table(0b00001111, -4)
_FROM_THIRD: Final = _table(0b00110000, 4)
_TO_THIRD: Final = _table(0b00111111, -2)


def _either(one: bytes, other: bytes) -> bytes:
    """Bytes of both together, which have no bit in common."""
    both = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return both.to_bytes(len(one), "little")


def unpacked(packed: bytes) -> bytes:
    """A byte for each register, from `PACKED_BYTES`."""
    first, second, third = packed[0::3], packed[1::3], packed[2::3]
    found = bytearray(REGISTERS)
    found[0::4] = first.translate(_FIRST)
    found[1::4] = _either(first.translate(_SECOND_LOW), second.translate(_SECOND_HIGH))
    found[2::4] = _either(second.translate(_THIRD_LOW), third.translate(_THIRD_HIGH))
    found[3::4] = third.translate(_FOURTH)
    return bytes(found)


def packed(registers: bytes) -> bytes:
    """The other way round."""
    first, second, third, fourth = (registers[place::4] for place in range(4))
    found = bytearray(PACKED_BYTES)
    found[0::3] = _either(first, second.translate(_TO_FIRST))
    found[1::3] = _either(second.translate(_FROM_SECOND), third.translate(_TO_SECOND))
    found[2::3] = _either(third.translate(_FROM_THIRD), fourth.translate(_TO_THIRD))
    return bytes(found)


def merged(one: bytes, other: bytes) -> bytes:
    """The greater of each two registers, which have a byte each."""
    first, second = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    # With its highest bit set no byte is less than the other one's: none borrows from its neighbour.
    not_less = (first | _HIGH) - second & _HIGH
    of_first = not_less - (not_less >> 7)
    return (second ^ (first ^ second) & of_first).to_bytes(REGISTERS, "little")


def histogram(registers: bytes) -> list[int]:
    """How many registers, which have a byte each, have each value from 0 to `VALUE_MAX`."""
    found: list[int] = []
    left = REGISTERS
    while left:  # most have few values: each look takes some 10 us
        found.append(registers.count(len(found)))
        left -= found[-1]
    return found + [0] * (VALUE_MAX + 1 - len(found))
