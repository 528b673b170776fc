"""Bits of strings, alone and as small integers: a string is a row of the characters 0 and 1."""

from collections.abc import Sequence
from typing import Any

from trikv.sim.checkers.meanings.registry import means
from trikv.sim.checkers.meanings.strings import change
from trikv.sim.checkers.state import Args, State

_JOINS = {
    b"AND": lambda column: "01"["0" not in column],
    b"OR": lambda column: "01"["1" in column],
    b"XOR": lambda column: "01"[column.count("1") % 2],
    b"NOT": lambda column: "10"[int(column[0])],
}


def _bits(state: State, key: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in state.string(key) or b"")


def _bytes(bits: str) -> bytes:
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def _filled(bits: str, end: int) -> str:
    """With zeros behind, up to the byte of the bit before `end`."""
    return bits.ljust(-(-end // 8) * 8, "0")


@means("SETBIT", writes=True, repeats=True)
def _setbit(state: State, args: Args) -> Any:
    at = int(args[2])
    bits = _filled(_bits(state, args[1]), at + 1)
    change(state, args[1], _bytes(bits[:at] + args[3].decode() + bits[at + 1 :]))
    return int(bits[at])


@means("GETBIT")
def _getbit(state: State, args: Args) -> Any:
    return int(_bits(state, args[1])[int(args[2]) :][:1] or 0)


def _span(count: int, texts: Sequence[bytes]) -> range:
    """The places of bits from ``start`` to ``end``, in bytes or, with ``BIT``, in bits."""
    unit = 1 if b"BIT" in texts[2:] else 8
    start, end = int(texts[0]), int(texts[1]) if len(texts) > 1 else -1
    if start < 0 and end < 0 and start > end:
        return range(0)
    first, last = (max(at + count // unit, 0) if at < 0 else at for at in (start, end))
    return range(first * unit, min((last + 1) * unit, count))


@means("BITCOUNT")
def _bitcount(state: State, args: Args) -> Any:
    bits = _bits(state, args[1])
    return sum(bits[at] == "1" for at in _span(len(bits), args[2:] or (b"0", b"-1")))


@means("BITPOS")
def _bitpos(state: State, args: Args) -> Any:
    bits, wanted = _bits(state, args[1]), args[2].decode()
    if state.string(args[1]) is None:
        return -int(wanted)
    span = _span(len(bits), args[3:] or (b"0",))
    found = next((at for at in span if bits[at] == wanted), -1)
    if (
        found < 0 and span and wanted == "0" and len(args) < 5
    ):  # the zeros behind it count, if no end is given
        return len(bits)
    return found


@means("BITOP", lambda args: args[2:], writes=True, repeats=True)
def _bitop(state: State, args: Args) -> Any:
    rows = [_bits(state, key) for key in args[3:]]
    length = max(map(len, rows))
    columns = zip(*(row.ljust(length, "0") for row in rows), strict=True)
    joined = _bytes("".join(_JOINS[args[1]](column) for column in columns))
    if joined:
        state.put(args[2], joined)
    else:
        state.drop(args[2])
    return len(joined)


# Integers.


@means("BITFIELD", writes=True, repeats=True)
def _bitfield(state: State, args: Args) -> Any:
    bits, words = _bits(state, args[1]), list(args[2:])
    answers, overflow, writes = list[int | None](), b"WRAP", False
    ends = [_field(words[at + 1 : at + 3])[2] for at, word in enumerate(words) if word in {b"SET", b"INCRBY"}]
    bits = _filled(bits, max(ends, default=0))
    while words:
        word = words.pop(0)
        if word == b"OVERFLOW":
            overflow = words.pop(0)
            continue
        is_signed, first, last = _field((words.pop(0), words.pop(0)))
        number = _number(bits[first:last].ljust(last - first, "0"), is_signed=is_signed)
        if word == b"GET":
            answers.append(number)
            continue
        writes = True
        new = int(words.pop(0)) + (number if word == b"INCRBY" else 0)
        if word == b"SET" and not is_signed:
            new %= 1 << 64  # a negative number counts as a large one
        kept = _fitted(new, last - first, overflow, is_signed=is_signed)
        answers.append(None if kept is None else kept if word == b"INCRBY" else number)
        if kept is not None:
            bits = bits[:first] + f"{kept % 2 ** (last - first):0{last - first}b}" + bits[last:]
    if writes:
        change(state, args[1], _bytes(bits))
    return answers


@means("BITFIELD_RO")
def _bitfield_ro(state: State, args: Args) -> Any:
    return _bitfield(state, args)


def _field(words: Sequence[bytes]) -> tuple[bool, int, int]:
    """Whether it is signed, and the places of its first bit and of the one behind it."""
    kind, place = words
    width = int(kind[1:])
    first = int(place[1:]) * width if place.startswith(b"#") else int(place)
    return kind.startswith(b"i"), first, first + width


def _number(bits: str, *, is_signed: bool) -> int:
    return int(bits, 2) - (2 ** len(bits) if is_signed and bits[0] == "1" else 0)


def _fitted(number: int, width: int, overflow: bytes, *, is_signed: bool) -> int | None:
    """What is kept of a number; None for nothing."""
    least = -(1 << width - 1) if is_signed else 0
    most = least + (1 << width) - 1
    if least <= number <= most:
        return number
    if overflow == b"FAIL":
        return None
    if overflow == b"SAT":
        return least if number < least else most
    return (number - least) % (1 << width) + least
