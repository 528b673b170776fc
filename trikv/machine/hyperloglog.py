"""HyperLogLogs: strings that tell about how many different elements were put into them, as Redis keeps them.

A string has a header of 16 bytes and 16,384 registers. The header is ``HYLL``, the encoding (0: packed by 6
bits, 1: runs, see `trikv.machine.sparse_registers`), three bytes of no meaning, and the count as it was last
told, 8 bytes, lowest first. Its highest bit says that registers have changed since.

An element's hash says which register it is for, by its lowest 14 bits, and what that is to be at least: the
place of the lowest 1 among the others. How many elements that were is estimated by the registers' histogram
(Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284).
"""

from math import inf, sqrt
from typing import Final

from trikv.machine import registers, sparse_registers
from trikv.machine.registers import PACKED_BYTES, REGISTERS
from trikv.machine.sparse_registers import Came, CorruptedError, Sparse

SEED: Final = 0xADC83B19
"""Of the hash of an element (`trikv.machine.murmur`)."""
HEADER_BYTES: Final = 16
DENSE_BYTES: Final = HEADER_BYTES + PACKED_BYTES
SPARSE_BYTES_MAX: Final = 3000
"""Redis' default of `hll-sparse-max-bytes`: runs that would take more, with the header, are packed."""

_MAGIC: Final = b"HYLL"
_DENSE, _SPARSE = 0, 1
_ENCODING_AT: Final = 4
_COUNT_AT: Final = 8
_OUTDATED: Final = 0x80
"""In the last byte of the header: the count is not that of the registers."""
_INDEX_BITS: Final = 14
_HASH_BITS: Final = 64
_RANK_MAX: Final = _HASH_BITS - _INDEX_BITS
"""A register gets this and one more at most."""
_BIAS: Final = 0.721347520444481703680
"""1 / (2 ln 2), for any number of registers."""
_COUNT_END: Final = float(1 << 63)
EMPTY: Final = b"".join((_MAGIC, bytes((_SPARSE,)), bytes(11), sparse_registers.EMPTY))
"""What a new one holds. Its count, 0, is known."""


def is_one(value: bytes) -> bool:
    """Whether a string is a HyperLogLog, as far as its header and, of a packed one, its length tell."""
    if len(value) < HEADER_BYTES or not value.startswith(_MAGIC) or value[_ENCODING_AT] > _SPARSE:
        return False
    return not is_dense(value) or len(value) == DENSE_BYTES


def is_dense(value: bytes) -> bool:
    """Whether the registers are packed."""
    return value[_ENCODING_AT] == _DENSE


def known_count(value: bytes) -> int | None:
    """The count in its header; None if registers have changed since."""
    if value[HEADER_BYTES - 1] & _OUTDATED:
        return None
    return int.from_bytes(value[_COUNT_AT:HEADER_BYTES], "little")


def registers_of(value: bytes) -> bytes:
    """A byte for each register. Raises CorruptedError."""
    body = value[HEADER_BYTES:]
    return registers.unpacked(body) if is_dense(value) else sparse_registers.unpacked(body)


def densified(value: bytes) -> bytes:
    """The same with packed registers; the header stays as it is. Raises CorruptedError."""
    return value if is_dense(value) else _packed(value, registers_of(value))


def _packed(value: bytes, found: bytes) -> bytes:
    before, behind = value[:_ENCODING_AT], value[_ENCODING_AT + 1 : HEADER_BYTES]
    return b"".join((before, bytes((_DENSE,)), behind, registers.packed(found)))


def outdated(value: bytes) -> bytes:
    """The same, whose count is not known any more."""
    last = HEADER_BYTES - 1
    return b"".join((value[:last], bytes((value[last] | _OUTDATED,)), value[HEADER_BYTES:]))


def place_of(hashed: int) -> tuple[int, int]:
    """The register that an element of that hash is for, and the least value that this is to have."""
    rank_bits = hashed >> _INDEX_BITS | 1 << _RANK_MAX  # so that there is a 1
    return hashed & REGISTERS - 1, (rank_bits & -rank_bits).bit_length()


class Sketch:
    """A HyperLogLog whose registers are set one by one."""

    __slots__ = ("_dense", "_sparse", "_value")

    def __init__(self, value: bytes) -> None:
        """Raises CorruptedError."""
        self._value = value
        self._sparse: Sparse | None = None
        self._dense = bytearray()
        if is_dense(value):
            self._open()
        else:
            self._sparse = Sparse(value[HEADER_BYTES:], SPARSE_BYTES_MAX - HEADER_BYTES)

    def _open(self) -> None:
        # One byte more, because a register is read from two bytes.
        self._dense = bytearray(self._value[HEADER_BYTES:] + b"\0")

    def set(self, index: int, value: int) -> bool:
        """Let a register have at least that value; whether it had less. Raises CorruptedError."""
        if self._sparse is not None:
            came = self._sparse.set(index, value)
            if came is not Came.FULL:
                return came is Came.CHANGED
            self._value = densified(self.value())
            self._sparse = None
            self._open()
        place, shift = divmod(6 * index, 8)
        pair = int.from_bytes(self._dense[place : place + 2], "little")
        if pair >> shift & registers.VALUE_MAX >= value:
            return False
        pair = pair & ~(registers.VALUE_MAX << shift) | value << shift
        self._dense[place : place + 2] = pair.to_bytes(2, "little")
        return True

    def value(self) -> bytes:
        """The string. Its count is as it was."""
        body = self._dense[:-1] if self._sparse is None else self._sparse.body()
        return self._value[:HEADER_BYTES] + body


def with_registers(value: bytes, found: bytes) -> bytes:
    """`value` with packed registers, which are these, one byte each."""
    return _packed(value, found)


# How many elements there are.


def count_of(found: bytes) -> int:
    """About how many elements made these registers, a byte each. Raises CorruptedError if none can have.

    The same on every machine: it uses + - * / and the square root of doubles, all of which IEEE 754 demands
    to be rounded correctly, and no other function of a machine's library. In the order of Redis' operations.
    """
    histogram = registers.histogram(found)
    size = float(REGISTERS)
    total = size * _tau((size - histogram[_RANK_MAX + 1]) / size)
    for count in histogram[_RANK_MAX:0:-1]:
        total = (total + count) * 0.5
    total += size * _sigma(histogram[0] / size)
    if not total:
        raise CorruptedError
    estimate = _BIAS * size * size / total
    if estimate >= _COUNT_END:
        raise CorruptedError
    whole = int(estimate)
    return whole + (estimate - whole >= 0.5)


def _sigma(share: float) -> float:
    """What registers that are zero say, `share` of all."""
    if share == 1.0:
        return inf
    factor, total, before = 1.0, share, inf
    while total != before:
        share *= share
        before = total
        total += share * factor
        factor += factor
    return total


def _tau(share: float) -> float:
    """What registers of the greatest value say; `share` of all have less."""
    if share in (0.0, 1.0):
        return 0.0
    factor, total, before = 1.0, 1 - share, inf
    while total != before:
        share = sqrt(share)  # IEEE 754 has it correctly rounded
        before = total
        factor *= 0.5
        total -= (1 - share) * (1 - share) * factor
    return total / 3
