"""LCS: the longest common subsequence of two strings.

By rows of bits, one for each byte of the shorter string (Hyyro, Bit-Parallel LCS-length Computation
Revisited, 2004): as Python's integers have any number of bits, a row is a few operations. A zero in row i at
place j says that the first i bytes and the first j + 1 have one more in common than the first i and the
first j. The addition's carry into a place says the same of the next row: whether i bytes have one more in
common with what is before that place than i - 1 have.

A row goes along the longer string, so there are few. It is cut into blocks, because an operation on an
integer cannot be interrupted: a block is made from its first row to its last, and only the carries pass to
the next. To walk back, one bit of each cell is enough, whichever of both strings a row goes along.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import attrs

from trikv.machine.call import Steps
from trikv.machine.commands.strings import read_value
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_INTEGER, SYNTAX, WrongTypeError
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import CommandError, Form, Reply
from trikv.machine.table import CommandTable

COMMANDS = CommandTable(COLLECTIONS)

CELLS_MAX: Final = 1 << 27
"""Of the table, with a row and a column for nothing: what fits in Redis' largest string, at 4 bytes each.

Here a cell is a bit, so this takes 24 MiB at most with all that belongs to it.
"""
_BLOCK_BITS: Final = 1 << 15
_ROWS_A_STEP: Final = 64
"""Rows of a block: about half a millisecond."""
_BYTES_A_STEP: Final = 1 << 12
"""Of a string whose bytes are sorted by value: about half a millisecond."""
_CELLS_AN_ELEMENT: Final = 1024
"""So many take about as long as an element of another long read."""
_ROW_ELEMENTS: Final = 4
"""What a row takes, however short it is."""
_BYTES_AN_ELEMENT: Final = 8
_TOO_LONG: Final = CommandError(
    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
)
_NO_STRINGS: Final = CommandError("ERR The specified keys must contain string values")
_LEN_AND_IDX: Final = CommandError("ERR If you want both the length and indexes, please just use IDX.")


@attrs.define
class _Asked:
    """What a call asks for."""

    length: bool = False
    places: bool = False
    least: int = 0
    """Matches of fewer bytes are not shown."""
    lengths: bool = False


@COMMANDS.command(
    "LCS",
    by=By.READ,
    group="string",
    options="[LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
    complexity="O(N * M), N and M being the lengths of both",
    told=Told("7.0.0"),
)
def lcs(db: Database, key1: Key, key2: Key, *options: bytes) -> Reply | LongRead:
    """The longest row of bytes that two values have in this order, not necessarily side by side."""
    try:
        one, other = read_value(db, key1) or b"", read_value(db, key2) or b""
    except WrongTypeError:
        return _NO_STRINGS
    asked = _parsed(options)
    if isinstance(asked, CommandError):
        return asked
    if (len(one) + 1) * (len(other) + 1) > CELLS_MAX:
        return _TOO_LONG
    rows = partial(_answer, one, other, asked)
    return LongRead.of_values(db, {}, rows, size=_size(one, other), count=1, form=Form.FIRST)


def _size(one: bytes, other: bytes) -> int:
    """How many elements of another long read take as long."""
    narrow, wide = sorted((len(one), len(other)))
    if not narrow:
        return 0
    return narrow * wide // _CELLS_AN_ELEMENT + narrow * _ROW_ELEMENTS + wide // _BYTES_AN_ELEMENT


def _parsed(options: Sequence[bytes]) -> _Asked | CommandError:
    asked, at = _Asked(), 0
    while at < len(options):
        word = options[at].upper()
        at += 1
        if word == b"LEN":
            asked.length = True
        elif word == b"IDX":
            asked.places = True
        elif word == b"WITHMATCHLEN":
            asked.lengths = True
        elif word == b"MINMATCHLEN" and at < len(options):
            least = parse_integer(options[at])
            if least is None:
                return NOT_INTEGER
            asked.least = max(least, 0)
            at += 1
        else:
            return SYNTAX
    return _LEN_AND_IDX if asked.length and asked.places else asked


def _answer(one: bytes, other: bytes, asked: _Asked) -> Iterator[list[Reply]]:
    """The answer, behind steps that only work."""
    table = _Table(one, other, is_kept=not asked.length)
    for _ in table.fill():
        yield []
    if asked.length:
        yield [table.common]
        return
    common = bytearray()
    shown: list[Reply] = []
    match = _Match(0, 0, 0)
    for number, places in enumerate(table.walk_back(), 1):
        if not number % _ROWS_A_STEP:
            yield []
        if places is None:
            continue
        at, place = places
        common.append(one[at])
        if (at + 1, place + 1) == (match.at, match.place):
            match = _Match(at, place, match.length + 1)
            continue
        shown += match.shown(asked)
        match = _Match(at, place, 1)
    if not asked.places:
        yield [bytes(common[::-1])]
        return
    shown += match.shown(asked)
    yield [{b"matches": shown, b"len": table.common}]


@attrs.frozen
class _Match:
    """Bytes that are side by side in both strings."""

    at: int
    place: int
    length: int

    def shown(self, asked: _Asked) -> list[Reply]:
        """As it is answered; nothing if that is not asked, or if it has no byte."""
        if not asked.places or self.length < max(asked.least, 1):
            return []
        ends: list[Reply] = [[start, start + self.length - 1] for start in (self.at, self.place)]
        return [[*ends, self.length] if asked.lengths else ends]


@attrs.frozen
class _Block:
    """Some columns of the table."""

    start: int
    """The place of the first in the longer string."""
    stops: list[int]
    """For each row, the places at which the way back along that row ends."""


class _Table:
    """What all beginnings of two strings have in common."""

    def __init__(self, one: bytes, other: bytes, *, is_kept: bool) -> None:
        """`is_kept`: whether `walk_back` will be called."""
        self._is_swapped = len(one) > len(other)
        self._narrow, self._wide = (other, one) if self._is_swapped else (one, other)
        self._is_kept = is_kept
        self._blocks: list[_Block] = []
        self.common = 0
        """How many bytes both strings have in common, after `fill`."""

    def fill(self) -> Iterator[None]:
        """Make it, in steps."""
        if not self._narrow:
            return
        carries = bytearray(len(self._narrow))
        for start in range(0, len(self._wide), _BLOCK_BITS):
            part = self._wide[start : start + _BLOCK_BITS]
            places = yield from self._places(part)
            yield from self._fill_block(start, len(part), places, carries)

    def _places(self, part: bytes) -> Steps[dict[int, int]]:
        """Where each byte of the shorter string is in `part`, one bit a place."""
        # A bit is set in a bytearray, as a new integer for each bit would take as long as all of `part`.
        found = {byte: bytearray(len(part) + 7 >> 3) for byte in set(self._narrow)}
        for start in range(0, len(part), _BYTES_A_STEP):
            for at, byte in enumerate(part[start : start + _BYTES_A_STEP], start):
                if byte in found:
                    found[byte][at >> 3] |= 1 << (at & 7)
            yield
        places: dict[int, int] = {}
        for byte, bits in found.items():
            places[byte] = int.from_bytes(bits, "little")
            if not len(places) % _ROWS_A_STEP:
                yield
        return places

    def _fill_block(
        self, start: int, width: int, places: Mapping[int, int], carries: bytearray
    ) -> Iterator[None]:
        """Make all rows of a block. `carries`, one a row, are of the block before, then of this one."""
        everything = (1 << width) - 1
        row = everything
        stops: list[int] = []
        for at, byte in enumerate(self._narrow):
            here = places[byte]
            both = row & here
            added = row + both + carries[at]
            carries[at] = added >> width
            if self._is_kept and self._is_swapped:
                stops.append(everything ^ (added ^ row ^ both) >> 1 | here)
            row = (added | row - both) & everything
            if self._is_kept and not self._is_swapped:
                stops.append(everything ^ row | here)
            if not (at + 1) % _ROWS_A_STEP:
                yield
        self.common += width - row.bit_count()
        self._blocks.append(_Block(start, stops))
        yield

    def walk_back(self) -> Iterator[tuple[int, int] | None]:
        """The places of what is common in both, the last first, as Redis walks back through its table.

        None for a move that finds nothing; each takes about as long as a row of a block. Uses up the table.

        If the bytes at hand differ, Redis leaves the last byte of the second string, unless that would lose
        one in common. If rows go along the second, that is a zero in the row; if along the first, then to
        leave the second's is to leave the row, which loses one if there is a carry. So a bit of `stops` is
        set if the bytes are equal or Redis would leave the row, and the way along the row up to there is one
        move.
        """
        at, place, left = len(self._narrow), len(self._wide), self.common
        while left:
            block = self._blocks[-1]
            stops = block.stops[at - 1] & (1 << place - block.start) - 1
            place = block.start + stops.bit_length()
            if not stops:
                self._blocks.pop()
                yield None
                continue
            at -= 1
            if self._narrow[at] != self._wide[place - 1]:
                yield None
                continue
            place, left = place - 1, left - 1
            yield (place, at) if self._is_swapped else (at, place)
