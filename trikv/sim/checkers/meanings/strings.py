"""Strings, and the numbers in them."""

from decimal import Decimal, InvalidOperation
from functools import cache
from hashlib import blake2b
from typing import Any

from trikv.sim.checkers.expected import Failure
from trikv.sim.checkers.meanings.deadlines import until
from trikv.sim.checkers.meanings.registry import everything, means
from trikv.sim.checkers.state import Args, Refused, State


def _pairs(args: Args) -> Args:
    return args[1::2]


@means("GET")
def _get(state: State, args: Args) -> Any:
    return state.string(args[1])


@means("STRLEN")
def _strlen(state: State, args: Args) -> Any:
    return len(state.string(args[1]) or b"")


@means("GETRANGE, SUBSTR")
def _getrange(state: State, args: Args) -> Any:
    value = state.string(args[1]) or b""
    start, end = (max(place + len(value), 0) if place < 0 else place for place in map(int, args[2:]))
    return bytes(value[place] for place in range(len(value)) if start <= place <= end)


@means("MGET", everything)
def _mget(state: State, args: Args) -> Any:
    values = map(state.get, args[1:])
    return [value if isinstance(value, bytes) else None for value in values]


@means("SET", writes=True)
def _set(state: State, args: Args) -> Any:
    key, value, *options = args[1:]
    old = state.string(key) if b"GET" in options else state.get(key)
    answer = old if b"GET" in options else b"OK"
    if (b"NX" in options and old is not None) or (b"XX" in options and old is None):
        return old if b"GET" in options else None
    state.put(key, value, until(state, options) or (state.deadline(key) if b"KEEPTTL" in options else 0))
    return answer


@means("SETNX", writes=True)
def _setnx(state: State, args: Args) -> Any:
    if state.get(args[1]) is not None:
        return 0
    state.put(args[1], args[2])
    return 1


@means("SETEX", writes=True, timed=True)
def _setex(state: State, args: Args) -> Any:
    state.put(args[1], args[3], state.now_ms + 1000 * int(args[2]))
    return b"OK"


@means("PSETEX", writes=True, timed=True)
def _psetex(state: State, args: Args) -> Any:
    state.put(args[1], args[3], state.now_ms + int(args[2]))
    return b"OK"


@means("GETSET", writes=True)
def _getset(state: State, args: Args) -> Any:
    old = state.string(args[1])
    state.put(args[1], args[2])
    return old


@means("GETDEL", writes=True)
def _getdel(state: State, args: Args) -> Any:
    old = state.string(args[1])
    state.drop(args[1])
    return old


@means("GETEX", writes=True)
def _getex(state: State, args: Args) -> Any:
    value, options = state.string(args[1]), args[2:]
    if value is not None and (due := until(state, options)):
        state.put(args[1], value, due)
    elif value is not None and b"PERSIST" in options and state.deadline(args[1]):
        state.put(args[1], value)
    return value


@means("MSET", _pairs, writes=True)
def _mset(state: State, args: Args) -> Any:
    for key, value in zip(args[1::2], args[2::2], strict=True):
        state.put(key, value)
    return b"OK"


@means("MSETNX", _pairs, writes=True)
def _msetnx(state: State, args: Args) -> Any:
    if any(state.get(key) is not None for key in args[1::2]):
        return 0
    _mset(state, args)
    return 1


def change(state: State, key: bytes, value: bytes) -> None:
    """Give `key` another value; its deadline stays."""
    state.put(key, value, state.deadline(key))


@means("APPEND", writes=True)
def _append(state: State, args: Args) -> Any:
    text = (state.string(args[1]) or b"") + args[2]
    change(state, args[1], text)
    return len(text)


@means("SETRANGE", writes=True, repeats=True)
def _setrange(state: State, args: Args) -> Any:
    text, place, piece = bytearray(state.string(args[1]) or b""), int(args[2]), args[3]
    if piece:
        text.extend(bytes(max(0, place + len(piece) - len(text))))
        text[place : place + len(piece)] = piece
        change(state, args[1], bytes(text))
    return len(text)


@means("DEBUG WORK", lambda args: args[3:], writes=True, repeats=True)
def _debug_work(state: State, args: Args) -> Any:
    steps = int(args[2])
    state.put(args[3], b"%d/%d %s" % (steps, steps, _chained(args[3], steps)))
    return b"OK"


@cache
def _chained(data: bytes, steps: int) -> bytes:
    """In hexadecimal, what 2,000 hashes a step make of `data`."""
    digest = data if steps == 1 else bytes.fromhex(_chained(data, steps - 1).decode())
    for _ in range(2000):
        digest = blake2b(digest, digest_size=16).digest()
    return digest.hex().encode()


# Numbers.


def number_in(text: bytes, refusal: str = "ERR value is not an integer") -> int:
    """The number that a string says. Raises `Refused` if it says none."""
    try:
        return int(text)
    except ValueError:
        raise Refused(Failure(refusal)) from None


def added(text: bytes, increment: bytes, refusal: str = "ERR value is not a valid float") -> bytes:
    """The sum of two decimal numbers, without zeros at its end. Raises `Refused` if the first is none."""
    try:
        total = Decimal(text.decode()) + Decimal(increment.decode())
    except (InvalidOperation, UnicodeDecodeError):
        raise Refused(Failure(refusal)) from None
    shown = f"{total:f}"
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return shown.encode()


def _add(state: State, key: bytes, number: int) -> Any:
    total = number_in(state.string(key) or b"0") + number
    change(state, key, b"%d" % total)
    return total


@means("INCR", writes=True)
def _incr(state: State, args: Args) -> Any:
    return _add(state, args[1], 1)


@means("DECR", writes=True)
def _decr(state: State, args: Args) -> Any:
    return _add(state, args[1], -1)


@means("INCRBY", writes=True)
def _incrby(state: State, args: Args) -> Any:
    return _add(state, args[1], int(args[2]))


@means("DECRBY", writes=True)
def _decrby(state: State, args: Args) -> Any:
    return _add(state, args[1], -int(args[2]))


@means("INCRBYFLOAT", writes=True)
def _incrbyfloat(state: State, args: Args) -> Any:
    total = added(state.string(args[1]) or b"0", args[2])
    change(state, args[1], total)
    return total
