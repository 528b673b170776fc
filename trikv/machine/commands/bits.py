"""Bits of strings, alone and as small integers. Bit 0 is the highest of the first byte."""

from collections.abc import Sequence
from typing import Final

import attrs

from trikv.machine import quick_bits
from trikv.machine.call import Steps, at_once
from trikv.machine.commands.strings import read_value, replace
from trikv.machine.database import Database
from trikv.machine.declaration import By, Cost, Told
from trikv.machine.errors import NOT_INTEGER, SYNTAX
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.keyspec import Index, KeySpec, Range
from trikv.machine.memory import VALUE_BYTES_MAX
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable

COMMANDS = CommandTable(COLLECTIONS)

_COPIES: Final = Cost(copies_value=True)
_COPIED: Final = "O(N), N being the length of the value, which is copied"
_ALL: Final = "O(N), N being the length of the value"
_OFFSET: Final = CommandError("ERR bit offset is not an integer or out of range")
_BIT: Final = CommandError("ERR bit is not an integer or out of range")
_ONE_OR_ZERO: Final = CommandError("ERR The bit argument must be 1 or 0.")
_TYPE: Final = CommandError(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
)
_OVERFLOW: Final = CommandError("ERR Invalid OVERFLOW type specified")
_ONLY_GET: Final = CommandError("ERR BITFIELD_RO only supports the GET subcommand")
_PIECE_BYTES: Final = 1 << 16
"""Of a string that is looked through for a bit."""
_VALUE_BITS: Final = 8 * VALUE_BYTES_MAX
_READ_BITS: Final = 1 << 32
"""Redis' limit of a value. No value here has so many; behind it all bits are 0."""
_OTHERS: Final = tuple(bytes((byte,)) * _PIECE_BYTES for byte in (0xFF, 0))
"""By the bit that is looked for: a piece without one."""
_NOT_ONE: Final = CommandError("ERR BITOP NOT must be called with a single source key.")
_SLICE_BYTES: Final = 1 << 20
"""Bytes of sources that a BITOP joins in one slice."""


def _offset_of(text: bytes, width: int = 0, *, most: int = _READ_BITS) -> int | None:
    """A place among bits; behind ``#`` one among integers of `width` bits. None if it is not below `most`."""
    times = 1
    if width and text.startswith(b"#"):
        text, times = text[1:], width
    number = parse_integer(text)
    if number is None or number < 0 or number * times >= most:
        return None
    return number * times


def _filled(args: Sequence[bytes]) -> int:
    """Bytes of zeros that may be put behind a value, up to the place of a SETBIT."""
    return (_offset_of(args[2], most=_VALUE_BITS) or 0) // 8 + 1


@COMMANDS.command(
    "SETBIT",
    by=By.LOG,
    group="bitmap",
    denies_oom=True,
    grows_more=_filled,
    cost=_COPIES,
    complexity=_COPIED,
    told=Told("2.2.0", "RW access update"),
)
def setbit(db: Database, key: Key, offset: bytes, value: bytes) -> Reply:
    """Set or clear a bit and answer what it was. The value is filled up with zero bytes."""
    at = _offset_of(offset, most=_VALUE_BITS)
    if at is None:
        return _OFFSET
    if value not in (b"0", b"1"):
        return _BIT
    old = db.string(key) or b""
    place, mask = at // 8, 0x80 >> at % 8
    byte = old[place] if place < len(old) else 0
    was = int(byte & mask > 0)
    if place < len(old) and was == int(value):
        db.account.copied_bytes += len(old)
        return replace(db, key, old) or was
    changed = bytearray(old.ljust(place + 1, b"\0"))
    changed[place] = byte | mask if value == b"1" else byte & ~mask
    db.account.copied_bytes += len(changed)
    return replace(db, key, bytes(changed)) or was


@COMMANDS.command("GETBIT", by=By.READ, group="bitmap", fast=True, told=Told("2.2.0"))
def getbit(db: Database, key: Key, offset: bytes) -> Reply:
    """A bit of a value; 0 behind its end."""
    at = _offset_of(offset)
    if at is None:
        return _OFFSET
    value = read_value(db, key) or b""
    return int(at // 8 < len(value) and value[at // 8] & 0x80 >> at % 8 > 0)


@attrs.frozen
class _Span:
    """Some bits of a value: from `first` to before `last`."""

    first: int
    last: int

    @classmethod
    def of(cls, start: int, end: int, size: int, *, in_bits: bool) -> "_Span":
        """From the two places of a call; negative ones count from the end of the `size` bytes."""
        unit = 1 if in_bits else 8
        total = size * 8 // unit
        start = max(start + total, 0) if start < 0 else start
        end = max(end + total, 0) if end < 0 else end
        end = min(end, total - 1)
        return cls(start * unit, (end + 1) * unit) if start <= end else cls(0, 0)


def _is_unit(word: bytes) -> bool:
    return word.upper() in (b"BYTE", b"BIT")


def _places(texts: Sequence[bytes]) -> tuple[int, int, bool] | CommandError:
    """``start end [BYTE|BIT]``."""
    start, end = parse_integer(texts[0]), parse_integer(texts[1])
    if start is None or end is None:
        return NOT_INTEGER
    if len(texts) == 3 and not _is_unit(texts[2]):
        return SYNTAX
    return start, end, len(texts) == 3 and texts[2].upper() == b"BIT"


def _number(value: bytes, span: _Span) -> int:
    """The bits of `span` as one number."""
    first, last = span.first // 8, -(-span.last // 8)
    number = int.from_bytes(memoryview(value)[first:last], "big")
    if span.first % 8:  # or each would go over all of it for nothing
        number &= (1 << 8 * last - span.first) - 1
    return number >> 8 * last - span.last if span.last % 8 else number


@COMMANDS.command(
    "BITCOUNT",
    by=By.READ,
    cost=_COPIES,
    group="bitmap",
    options="[start end [BYTE|BIT]]",
    complexity=_ALL,
    told=Told("2.6.0"),
)
def bitcount(db: Database, key: Key, *options: bytes) -> Reply:
    """How many bits of a value, or of a part of it, are 1."""
    if len(options) not in (0, 2, 3):
        value = read_value(db, key)
        return 0 if value is None else SYNTAX
    places = _places(options) if options else (0, -1, False)
    value = read_value(db, key)
    if isinstance(places, CommandError):
        return places if value is not None else 0
    if value is None:
        return 0
    start, end, in_bits = places
    if end < start < 0:
        return 0  # both are before the first byte, perhaps, which would make them one place
    span = _Span.of(start, end, len(value), in_bits=in_bits)
    return _count(value, span)


def _count(value: bytes, span: _Span) -> int:
    """How many bits of `span` are 1: those of whole bytes, and those before and behind them."""
    first, last = -(-span.first // 8), span.last // 8
    if first > last:  # it is inside a byte
        return _number(value, span).bit_count()
    ends = _Span(span.first, 8 * first), _Span(8 * last, span.last)
    return quick_bits.count(value, first, last) + sum(_number(value, end).bit_count() for end in ends)


@COMMANDS.command(
    "BITPOS",
    by=By.READ,
    cost=_COPIES,
    group="bitmap",
    options="[start [end [BYTE|BIT]]]",
    complexity=_ALL,
    told=Told("2.8.7"),
)
def bitpos(db: Database, key: Key, bit: bytes, *options: bytes) -> Reply:
    """The place of the first bit that is 1, or 0, in a value or a part of it; -1 if there is none."""
    wanted = parse_integer(bit)
    if wanted is None:
        return NOT_INTEGER
    if wanted not in (0, 1):
        return _ONE_OR_ZERO
    value = read_value(db, key)
    if value is None:
        return -wanted  # it is a row of zeros without an end
    if len(options) > 3:
        return SYNTAX
    ends = len(options) > 1
    places = _places([*options, b"-1"] if len(options) == 1 else options) if options else (0, -1, False)
    if isinstance(places, CommandError):
        is_of_unit = len(options) == 3 and parse_integer(options[0]) is not None and not _is_unit(options[2])
        return SYNTAX if is_of_unit else places  # BITPOS, unlike BITCOUNT, looks at the unit before the end
    start, end, in_bits = places
    span = _Span.of(start, end, len(value), in_bits=in_bits)
    if span.first == span.last:
        return -1
    found = _first(value, span, wanted)
    if found is None:
        # Without an end the zeros behind the value belong to it.
        return -1 if wanted or ends else 8 * len(value)
    return found


def _first(value: bytes, span: _Span, wanted: int) -> int | None:
    """The place of the first bit of `span` that is `wanted`."""
    first, last = span.first // 8, -(-span.last // 8) - 1
    other = _OTHERS[wanted]

    def in_byte(at: int) -> int | None:
        mask = 0xFF
        if at == first:
            mask &= 0xFF >> span.first % 8
        if at == last:
            mask &= 0xFF << -span.last % 8
        found = (value[at] ^ other[0]) & mask
        return 8 * at + 8 - found.bit_length() if found else None

    found = in_byte(first)
    if found is not None or first == last:
        return found
    at = first + 1
    while value.startswith(other, at, last):  # megabytes in a millisecond: `lstrip` takes 25
        at += _PIECE_BYTES
    rest = value[at : min(at + _PIECE_BYTES, last)]
    return in_byte(at + len(rest) - len(rest.lstrip(other[:1])))


# Several values.

_JOINS: Final = {b"AND": quick_bits.AND, b"OR": quick_bits.OR, b"XOR": quick_bits.XOR}


@COMMANDS.command(
    "BITOP",
    by=By.LOG,
    group="bitmap",
    denies_oom=True,
    choices={"operation": "<AND|OR|XOR|NOT>"},
    options="[key ...]",
    cost=_COPIES,
    complexity="O(N), N being the length of all values",
    specs=(KeySpec(Index(2), Range(), "OW update"), KeySpec(Index(3), Range(-1), "RO access")),
    told=Told("2.6.0"),
)
def bitop(db: Database, operation: bytes, destkey: Key, key: Key, *keys: Key) -> Reply | Steps[Reply]:
    """Join values bit by bit (AND, OR, XOR, NOT), keep what comes of it, and answer its length."""
    join = _JOINS.get(operation.upper())
    if join is None and operation.upper() != b"NOT":
        return SYNTAX
    if join is None and keys:
        return _NOT_ONE
    values = [db.string(each) or b"" for each in (key, *keys)]
    steps = _joined(db, destkey, values, join)
    return at_once(steps) if sum(map(len, values)) <= _SLICE_BYTES else steps


def _joined(db: Database, key: bytes, values: Sequence[bytes], join: int | None) -> Steps[Reply]:
    first, *others = values
    size = max(map(len, values))
    if not size:
        db.drop(key)
        return 0
    if join is None:
        result = quick_bits.inverted(first)
    else:
        target = bytearray(first.ljust(size, b"\0"))
        for other in others:
            yield
            quick_bits.join(target, other, join)
        result = bytes(target)
    yield
    return db.store(key, result) or size


# Integers.


@attrs.frozen
class _Field:
    """An integer of some bits at a place."""

    is_signed: bool
    width: int
    at: int

    @property
    def end(self) -> int:
        """The bit behind it."""
        return self.at + self.width

    def read(self, value: bytes | bytearray) -> int:
        """What it is in `value`, behind whose end are zeros."""
        first, last = self.at // 8, -(-self.end // 8)
        number = int.from_bytes(bytes(value[first:last]).ljust(last - first, b"\0"), "big")
        number = number >> 8 * last - self.end & (1 << self.width) - 1
        is_negative = self.is_signed and number >> self.width - 1
        return number - (1 << self.width) if is_negative else number

    def write(self, value: bytearray, number: int) -> None:
        """Put a number there; `value` is long enough."""
        first, last = self.at // 8, -(-self.end // 8)
        shift = 8 * last - self.end
        mask = (1 << self.width) - 1 << shift
        whole = int.from_bytes(value[first:last], "big") & ~mask | number << shift & mask
        value[first:last] = whole.to_bytes(last - first, "big")

    def as_set(self, number: int) -> int:
        """What a SET of `number` means: for an unsigned integer one below 0 is too great, as in C."""
        return number if self.is_signed else number % (1 << 64)

    def fitted(self, number: int, overflow: bytes) -> int | None:
        """`number`, or what is kept instead of one that does not fit; None for nothing."""
        least = -(1 << self.width - 1) if self.is_signed else 0
        most = (1 << self.width - self.is_signed) - 1
        if least <= number <= most:
            return number
        if overflow == b"FAIL":
            return None
        if overflow == b"SAT":
            return least if number < least else most
        return (number - least) % (1 << self.width) + least


@attrs.frozen
class _Operation:
    """One of a BITFIELD."""

    kind: bytes
    field: _Field
    number: int = 0
    overflow: bytes = b"WRAP"


def _field(kind: bytes, offset: bytes) -> _Field | CommandError:
    width = parse_integer(kind[1:])
    if kind[:1] not in (b"i", b"u") or width is None or not 1 <= width <= 64 - (kind[:1] == b"u"):
        return _TYPE
    at = _offset_of(offset, width)
    return _OFFSET if at is None else _Field(kind[:1] == b"i", width, at)


def _operations(args: Sequence[bytes]) -> list[_Operation] | CommandError:
    found: list[_Operation] = []
    at, overflow = 0, b"WRAP"
    while at < len(args):
        word, left = args[at].upper(), len(args) - at - 1
        if word == b"OVERFLOW" and left >= 1:
            overflow = args[at + 1].upper()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                return _OVERFLOW
            at += 2
            continue
        count = {b"GET": 2, b"SET": 3, b"INCRBY": 3}.get(word)
        if count is None or left < count:
            return SYNTAX
        field = _field(args[at + 1], args[at + 2])
        if isinstance(field, CommandError):
            return field
        if word != b"GET" and field.end > _VALUE_BITS:
            return _OFFSET
        number = parse_integer(args[at + 3]) if count == 3 else 0
        if number is None:
            return NOT_INTEGER
        found.append(_Operation(word, field, number, overflow))
        at += 1 + count
    return found


def _last_byte(args: Sequence[bytes]) -> int:
    """How long a value may become by a BITFIELD."""
    operations = _operations(args[2:])
    if isinstance(operations, CommandError):
        return 0
    return max([-(-one.field.end // 8) for one in operations if one.kind != b"GET"], default=0)


@COMMANDS.command(
    "BITFIELD",
    by=By.LOG,
    group="bitmap",
    denies_oom=True,
    grows_more=_last_byte,
    options="[<GET type offset|[OVERFLOW <WRAP|SAT|FAIL>] <SET type offset value"
    "|INCRBY type offset increment>> ...]",
    cost=_COPIES,
    complexity="O(1) for each operation, and a copy of the value if one writes",
    told=Told("3.2.0", "RW access update variable_flags"),
)
def bitfield(db: Database, key: Key, *args: bytes) -> Reply:
    """Read, set and add to integers of any width at any place of a value."""
    operations = _operations(args)
    if isinstance(operations, CommandError):
        return operations
    old = db.string(key)
    size = max([-(-one.field.end // 8) for one in operations if one.kind != b"GET"], default=0)
    if not size:
        return [one.field.read(old or b"") for one in operations]
    value = bytearray((old or b"").ljust(size, b"\0"))
    replies: list[Reply] = [_carried_out(one, value) for one in operations]
    db.account.copied_bytes += len(value)
    return replace(db, key, bytes(value)) or replies


def _carried_out(one: _Operation, value: bytearray) -> Reply:
    was = one.field.read(value)
    if one.kind == b"GET":
        return was
    asked = one.number + was if one.kind == b"INCRBY" else one.field.as_set(one.number)
    number = one.field.fitted(asked, one.overflow)
    if number is None:
        return None
    one.field.write(value, number)
    return number if one.kind == b"INCRBY" else was


@COMMANDS.command(
    "BITFIELD_RO",
    by=By.READ,
    group="bitmap",
    fast=True,
    options="[GET type offset ...]",
    complexity="O(1) for each operation",
    told=Told("6.0.0"),
)
def bitfield_ro(db: Database, key: Key, *args: bytes) -> Reply:
    """Read integers of any width at any place of a value."""
    operations = _operations(args)
    if isinstance(operations, CommandError):
        return operations
    if any(one.kind != b"GET" for one in operations):
        return _ONLY_GET
    value = read_value(db, key) or b""
    return [one.field.read(value) for one in operations]
