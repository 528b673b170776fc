"""What each command means, written from Redis' documentation: small, naive, and no code of the machine.

`MEANINGS` is the one table. A meaning says what a command does to a `State`, what it may answer, which of its
arguments are keys, and whether the search (`linearizability`) can judge it: that knows neither time nor keys
that are not named.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any, TypeAlias

import attrs

from trikv.sim.checkers.expected import AnyOrder, Between, Clock, Failure, OneOf, Page
from trikv.sim.checkers.state import Args, State

Run: TypeAlias = Callable[[State, Args], Any]
Keys: TypeAlias = Callable[[Args], Args]
KEY_BYTES, DEADLINE_BYTES = 136, 136
"""The charge, in bytes, of a key and of a deadline besides their lengths (docs/ARCHITECTURE.md, Memory)."""
SHORT_BYTES_MAX, LONG_BYTES = 4096, 64
"""A longer value is charged so much more."""
UNTIL = frozenset({b"EX", b"PX", b"EXAT", b"PXAT"})


def _first(args: Args) -> Args:
    return args[1:2]


def _all(args: Args) -> Args:
    return args[1:]


def _two(args: Args) -> Args:
    return args[1:3]


def _pairs(args: Args) -> Args:
    return args[1::2]


def _none(_: Args) -> Args:
    return ()


@attrs.frozen
class Meaning:
    """The meaning of one command, and who can judge its answers."""

    run: Run
    keys: Keys
    writes: bool
    is_timed: bool
    """Whether it sets or shows deadlines."""
    is_of_keys: bool
    """Whether it depends only on its keys, and not on a whole database, on time or on the node."""
    is_local: bool
    """Whether the node answers it without the machine."""
    repeats: bool
    """Whether it may write a value that was there before. What the others write is there only once."""


MEANINGS: dict[bytes, Meaning] = {}
"""Meanings by name. The name of a subcommand is two words with a blank between them."""


def _means(
    names: str,
    keys: Keys = _first,
    *,
    writes: bool = False,
    timed: bool = False,
    of_keys: bool = True,
    local: bool = False,
    repeats: bool = False,
) -> Callable[[Run], Run]:
    """Enter the decorated function for `names`, with commas between."""

    def enter(run: Run) -> Run:
        for name in names.encode().split(b", "):
            MEANINGS[name] = Meaning(run, keys, writes, timed, of_keys, local, repeats)
        return run

    return enter


def meaning_of(args: Args) -> Meaning:
    """The meaning of a command. Raises KeyError, with its name, if the table has none."""
    return MEANINGS.get(args[0]) or MEANINGS[b" ".join(args[:2])]


def is_timed(args: Args) -> bool:
    """Whether the command sets, keeps or shows deadlines."""
    if args[0] == b"SET":
        return not {*UNTIL, b"KEEPTTL"}.isdisjoint(args[3:])
    return len(args) > 2 if args[0] == b"GETEX" else meaning_of(args).is_timed


# Strings.


@_means("GET")
def _get(state: State, args: Args) -> Any:
    return state.get(args[1])


@_means("STRLEN")
def _strlen(state: State, args: Args) -> Any:
    return len(state.get(args[1]) or b"")


@_means("GETRANGE, SUBSTR")
def _getrange(state: State, args: Args) -> Any:
    value = state.get(args[1]) or b""
    start, end = (place + len(value) if place < 0 else place for place in map(int, args[2:]))
    return bytes(value[place] for place in range(len(value)) if start <= place <= end)


@_means("MGET", _all)
def _mget(state: State, args: Args) -> Any:
    return [state.get(key) for key in args[1:]]


@_means("SET", writes=True)
def _set(state: State, args: Args) -> Any:
    key, value, *options = args[1:]
    old = state.get(key)
    answer = old if b"GET" in options else b"OK"
    if (b"NX" in options and old is not None) or (b"XX" in options and old is None):
        return old if b"GET" in options else None
    state.put(key, value, _until(state, options) or (state.deadline(key) if b"KEEPTTL" in options else 0))
    return answer


def _until(state: State, options: Sequence[bytes]) -> int:
    """The deadline in ms that EX, PX, EXAT or PXAT among `options` gives; 0 if none does."""
    for unit, amount in pairwise(options):
        if unit in UNTIL:
            number = int(amount) * (1000 if unit.startswith(b"EX") else 1)
            return number if unit.endswith(b"AT") else state.now_ms + number
    return 0


@_means("SETNX", writes=True)
def _setnx(state: State, args: Args) -> Any:
    if state.get(args[1]) is not None:
        return 0
    state.put(args[1], args[2])
    return 1


@_means("SETEX", writes=True, timed=True)
def _setex(state: State, args: Args) -> Any:
    state.put(args[1], args[3], state.now_ms + 1000 * int(args[2]))
    return b"OK"


@_means("PSETEX", writes=True, timed=True)
def _psetex(state: State, args: Args) -> Any:
    state.put(args[1], args[3], state.now_ms + int(args[2]))
    return b"OK"


@_means("GETSET", writes=True)
def _getset(state: State, args: Args) -> Any:
    old = state.get(args[1])
    state.put(args[1], args[2])
    return old


@_means("GETDEL", writes=True)
def _getdel(state: State, args: Args) -> Any:
    old = state.get(args[1])
    state.drop(args[1])
    return old


@_means("GETEX", writes=True)
def _getex(state: State, args: Args) -> Any:
    value, options = state.get(args[1]), args[2:]
    if value is not None and (until := _until(state, options)):
        state.put(args[1], value, until)
    elif value is not None and b"PERSIST" in options and state.deadline(args[1]):
        state.put(args[1], value)
    return value


@_means("MSET", _pairs, writes=True)
def _mset(state: State, args: Args) -> Any:
    for key, value in zip(args[1::2], args[2::2], strict=True):
        state.put(key, value)
    return b"OK"


@_means("MSETNX", _pairs, writes=True)
def _msetnx(state: State, args: Args) -> Any:
    if any(state.get(key) is not None for key in args[1::2]):
        return 0
    _mset(state, args)
    return 1


def _change(state: State, key: bytes, value: bytes) -> None:
    """Give `key` another value; its deadline stays."""
    state.put(key, value, state.deadline(key))


@_means("APPEND", writes=True)
def _append(state: State, args: Args) -> Any:
    text = (state.get(args[1]) or b"") + args[2]
    _change(state, args[1], text)
    return len(text)


@_means("SETRANGE", writes=True)
def _setrange(state: State, args: Args) -> Any:
    text, place, piece = bytearray(state.get(args[1]) or b""), int(args[2]), args[3]
    if piece:
        text.extend(bytes(max(0, place + len(piece) - len(text))))
        text[place : place + len(piece)] = piece
        _change(state, args[1], bytes(text))
    return len(text)


@_means("DEBUG WORK", lambda args: args[3:], writes=True, repeats=True)
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


def _add(state: State, key: bytes, number: int) -> Any:
    total = int(state.get(key) or b"0") + number
    _change(state, key, b"%d" % total)
    return total


@_means("INCR", writes=True)
def _incr(state: State, args: Args) -> Any:
    return _add(state, args[1], 1)


@_means("DECR", writes=True)
def _decr(state: State, args: Args) -> Any:
    return _add(state, args[1], -1)


@_means("INCRBY", writes=True)
def _incrby(state: State, args: Args) -> Any:
    return _add(state, args[1], int(args[2]))


@_means("DECRBY", writes=True)
def _decrby(state: State, args: Args) -> Any:
    return _add(state, args[1], -int(args[2]))


@_means("INCRBYFLOAT", writes=True)
def _incrbyfloat(state: State, args: Args) -> Any:
    total = Decimal((state.get(args[1]) or b"0").decode()) + Decimal(args[2].decode())
    text = f"{total:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    _change(state, args[1], text.encode())
    return text.encode()


# Keys.


@_means("DEL, UNLINK, DELETE", _all, writes=True)
def _del(state: State, args: Args) -> Any:
    return sum(state.drop(key) for key in args[1:])


@_means("EXISTS, TOUCH", _all)
def _exists(state: State, args: Args) -> Any:
    return sum(state.get(key) is not None for key in args[1:])


@_means("TYPE")
def _type(state: State, args: Args) -> Any:
    return b"none" if state.get(args[1]) is None else b"string"


@_means("RENAME", _two, writes=True)
def _rename(state: State, args: Args) -> Any:
    value, deadline = state.get(args[1]), state.deadline(args[1])
    if value is None:
        return Failure("ERR no such key")
    if args[1] != args[2]:
        state.drop(args[1])
        state.drop(args[2])
        state.put(args[2], value, deadline)
    return b"OK"


@_means("RENAMENX", _two, writes=True)
def _renamenx(state: State, args: Args) -> Any:
    if state.get(args[1]) is not None and state.get(args[2]) is not None:
        return 0
    return 1 if _rename(state, args) == b"OK" else Failure("ERR no such key")


@_means("WATCH", _all)
def _watch(_: State, __: Args) -> Any:
    return b"OK"


@_means("MEMORY USAGE", lambda args: args[2:3])
def _memory_usage(state: State, args: Args) -> Any:
    item = state.items.get(args[2])
    if item is None:
        return None
    return charge(args[2], item.value, item.deadline)


def charge(key: bytes, value: bytes, deadline: int) -> int:
    """The bytes that the account charges for a key; `deadline` is 0 if it has none."""
    long_bytes = LONG_BYTES if len(value) > SHORT_BYTES_MAX else 0
    return KEY_BYTES + len(key) + len(value) + long_bytes + (DEADLINE_BYTES if deadline else 0)


# Deadlines.


@_means("EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT", writes=True, timed=True)
def _expire(state: State, args: Args) -> Any:
    name, key, conditions = args[0], args[1], args[3:]
    when = int(args[2]) * (1 if name.startswith(b"P") else 1000)
    if not name.endswith(b"AT"):
        when += state.now_ms
    value, now = state.get(key), state.deadline(key)
    if value is None:
        return 0
    never = float("inf")
    if (
        (b"NX" in conditions and now)
        or (b"XX" in conditions and not now)
        or (b"GT" in conditions and not when > (now or never))
        or (b"LT" in conditions and not when < (now or never))
    ):
        return 0
    if when <= state.now_ms:  # also 0 and below, which `put` would take for no deadline
        state.drop(key)
    else:
        state.put(key, value, when)
    return 1


@_means("PERSIST", writes=True, timed=True)
def _persist(state: State, args: Args) -> Any:
    value = state.get(args[1])
    if value is None or not state.deadline(args[1]):
        return 0
    state.put(args[1], value)
    return 1


def _absent(state: State, key: bytes) -> int:
    """The answer for a key without a deadline: -1, or -2 if there is no such key; 0 if it has one."""
    if state.get(key) is None:
        return -2
    return 0 if state.deadline(key) else -1


@_means("PTTL", timed=True)
def _pttl(state: State, args: Args) -> Any:
    return _absent(state, args[1]) or Between(1, state.deadline(args[1]) - state.now_ms)


@_means("TTL", timed=True)
def _ttl(state: State, args: Args) -> Any:
    left_ms = state.deadline(args[1]) - state.now_ms
    return _absent(state, args[1]) or Between(0, (left_ms + 500) // 1000)


@_means("PEXPIRETIME", timed=True)
def _pexpiretime(state: State, args: Args) -> Any:
    return _absent(state, args[1]) or state.deadline(args[1])


@_means("EXPIRETIME", timed=True)
def _expiretime(state: State, args: Args) -> Any:
    return _absent(state, args[1]) or (state.deadline(args[1]) + 500) // 1000


# Whole databases, and what is no key.


@_means("SELECT", _none)
def _select(state: State, args: Args) -> Any:
    state.selected = int(args[1])
    return b"OK"


@_means("FLUSHDB", _none, writes=True, of_keys=False)
def _flushdb(state: State, _: Args) -> Any:
    state.items.clear()
    return b"OK"


@_means("FLUSHALL, CLEAN", _none, writes=True, of_keys=False)
def _flushall(state: State, _: Args) -> Any:
    state.databases.clear()
    return b"OK"


@_means("DBSIZE, COUNT", _none, of_keys=False)
def _dbsize(state: State, _: Args) -> Any:
    return len(state.items)


def _matching(state: State, pattern: bytes) -> tuple[bytes, ...]:
    return tuple(key for key in state.items if fnmatchcase(key.decode(), pattern.decode()))


@_means("KEYS", _none, of_keys=False)
def _keys(state: State, args: Args) -> Any:
    return AnyOrder(_matching(state, args[1]))


@_means("SCAN", _none, of_keys=False)
def _scan(state: State, args: Args) -> Any:
    options = dict(zip(args[2::2], args[3::2], strict=True))
    return Page(_matching(state, options.get(b"MATCH", b"*")))


@_means("RANDOMKEY", _none, of_keys=False)
def _randomkey(state: State, _: Args) -> Any:
    return OneOf(tuple(state.items)) if state.items else None


@_means("TIME", _none, of_keys=False)
def _time(state: State, _: Args) -> Any:
    return Clock(state.now_ms)


@_means("CONFIG SET", _none, writes=True, of_keys=False)
def _config_set(_: State, __: Args) -> Any:
    return b"OK"  # the cap itself is not in this state: see docs/TESTING.md


@_means("PING, ECHO", _none, local=True)
def _echo(_: State, args: Args) -> Any:
    return args[1] if len(args) > 1 else b"PONG"
