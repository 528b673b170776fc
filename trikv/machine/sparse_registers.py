"""The registers of a HyperLogLog of few elements, as Redis keeps them: runs of equal ones, an opcode each.

========================  ===============================================================================
``00xxxxxx``              ZERO: from 1 to 64 registers that are zero
``01xxxxxx xxxxxxxx``     XZERO: from 1 to 16,384 that are zero
``1vvvvvxx``              VAL: from 1 to 4 registers of a value from 1 to 32
========================  ===============================================================================

Which opcodes there are depends on the order in which registers were set, and GET shows them. So setting one
divides and joins them by Redis' rules, step by step, and not by better ones.
"""

import re
from bisect import bisect_right
from enum import Enum
from itertools import accumulate
from typing import Final

from trikv.machine.registers import NONE, REGISTERS

VALUE_MAX: Final = 32
"""The greatest value of a VAL."""
BODY_BYTES_MAX: Final = 2 * REGISTERS
"""Opcodes that cover no register twice have no more bytes."""
EMPTY: Final = b"\x7f\xff"
"""One XZERO for all registers."""

_ZERO_SPAN_MAX: Final = 64
_VALUE_SPAN_MAX: Final = 4
_JOINED_OPCODES: Final = 5
"""So many opcodes are looked at for two that can be joined, from the one before the change on."""
_XZERO, _VALUE = 0x40, 0x80
"""The least opcode of each kind; below them is ZERO."""
_RUNS = re.compile(rb"[\x40-\x7f].?|[^\x40-\x7f]+", re.DOTALL)
"""An XZERO, or opcodes of one byte. A byte that is missing at the end is read as 0, as by Redis."""
_SPANS: Final = bytes((byte & 3 if byte >= _VALUE else byte & 0x3F) + 1 for byte in range(256))
"""By opcode of one byte: how many registers it covers."""
_ONE: Final = tuple(bytes((byte,)) for byte in range(256))
_COVERED: Final = tuple(
    bytes((((byte >> 2 & 0x1F) + 1) if byte >= _VALUE else 0,)) * _SPANS[byte] for byte in range(256)
)
"""By opcode of one byte: the registers that it stands for."""


class CorruptedError(ValueError):
    """The opcodes do not make 16,384 registers: they come from no HyperLogLog."""


class Came(Enum):
    """What came of setting a register."""

    SAME = "same"
    CHANGED = "changed"
    FULL = "full"
    """It has not been set: these registers have to be packed instead."""


def _zeros(span: int) -> bytes:
    if span <= _ZERO_SPAN_MAX:
        return _ONE[span - 1]
    return (_XZERO << 8 | span - 1).to_bytes(2, "big")


def _values(value: int, span: int) -> bytes:
    return _ONE[_VALUE | value - 1 << 2 | span - 1]


def _span(xzero: bytes) -> int:
    """How many registers an XZERO covers."""
    return int.from_bytes(xzero.ljust(2, b"\0"), "big") - (_XZERO << 8) + 1


def _runs(body: bytes) -> list[bytes]:
    if len(body) > BODY_BYTES_MAX:
        raise CorruptedError
    return _RUNS.findall(body)


def unpacked(body: bytes) -> bytes:
    """A byte for each register. Raises CorruptedError."""
    pieces: list[bytes] = []
    left = REGISTERS
    for run in _runs(body):
        if _XZERO <= run[0] < _VALUE:
            span = _span(run)
            piece = NONE[:span]
        else:
            span = sum(run.translate(_SPANS))
            piece = b"".join(map(_COVERED.__getitem__, run))
        left -= span
        if left < 0:
            break
        pieces.append(piece)
    if left:
        raise CorruptedError
    return b"".join(pieces)


def opcodes(body: bytes) -> tuple[list[bytes], list[int]]:
    """All of them, and how many registers each covers. Raises CorruptedError if there are far too many."""
    found: list[bytes] = []
    spans: list[int] = []
    for run in _runs(body):
        if _XZERO <= run[0] < _VALUE:
            found.append(run)
            spans.append(_span(run))
        else:
            found += map(_ONE.__getitem__, run)
            spans += run.translate(_SPANS)
    return found, spans


def told(body: bytes) -> bytes:
    """The opcodes as PFDEBUG DECODE tells them. Raises CorruptedError."""
    words: list[str] = []
    for opcode, span in zip(*opcodes(body), strict=True):
        if opcode[0] >= _VALUE:
            words.append(f"v:{_COVERED[opcode[0]][0]},{span}")
        else:
            words.append(f"{'Z' if opcode[0] >= _XZERO else 'z'}:{span}")
    return " ".join(words).encode()


class Sparse:
    """Registers that are set one by one."""

    __slots__ = ("_firsts", "_opcodes", "_room_bytes")

    def __init__(self, body: bytes, bytes_max: int) -> None:
        """`bytes_max`: the body may not grow beyond that. Raises CorruptedError."""
        self._opcodes, spans = opcodes(body)
        self._firsts = [0, *accumulate(spans)]
        """For each opcode the first register that it covers; and behind them all."""
        self._room_bytes = bytes_max - len(body)

    def body(self) -> bytes:
        """The opcodes."""
        return b"".join(self._opcodes)

    def set(self, index: int, value: int) -> Came:
        """Let a register have at least that value. Raises CorruptedError if no opcode covers it."""
        if value > VALUE_MAX:
            return Came.FULL
        place = bisect_right(self._firsts, index) - 1
        if place == len(self._opcodes):
            raise CorruptedError
        opcode, first, behind = self._opcodes[place], self._firsts[place], self._firsts[place + 1]
        is_value = opcode[0] >= _VALUE
        old = _COVERED[opcode[0]][0] if is_value else 0
        if old >= value:
            return Came.SAME
        changed = [_values(value, 1)]
        starts = [index]
        for start, end in ((first, index), (index + 1, behind)):
            if start < end:
                piece = _values(old, end - start) if is_value else _zeros(end - start)
                at = len(changed) if start > index else 0
                changed.insert(at, piece)
                starts.insert(at, start)
        grown = sum(map(len, changed)) - len(opcode)
        if grown > 0 and grown > self._room_bytes:
            return Came.FULL
        self._room_bytes -= grown
        self._opcodes[place : place + 1] = changed
        self._firsts[place : place + 1] = starts
        self._join(max(place - 1, 0))
        return Came.CHANGED

    def _join(self, place: int) -> None:
        """Make one of two equal neighbours, from that opcode on, as far as Redis looks."""
        for _ in range(_JOINED_OPCODES):
            pair = self._opcodes[place : place + 2]
            if len(pair) < 2:
                return
            one, other = pair[0][0], pair[1][0]
            span = _SPANS[one] + _SPANS[other]
            if one >= _VALUE and other >= _VALUE and one >> 2 == other >> 2 and span <= _VALUE_SPAN_MAX:
                self._opcodes[place : place + 2] = [_values(_COVERED[one][0], span)]
                del self._firsts[place + 1]
                self._room_bytes += 1
            else:
                place += 1
