"""Deadlines: set, kept, removed and shown."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from trikv.sim.checkers.expected import Between
from trikv.sim.checkers.meanings.registry import meaning_of, means
from trikv.sim.checkers.state import Args, State

UNTIL = frozenset({b"EX", b"PX", b"EXAT", b"PXAT"})


def is_timed(args: Args) -> bool:
    """Whether the command sets, keeps or shows deadlines."""
    if args[0] == b"SET":
        return not {*UNTIL, b"KEEPTTL"}.isdisjoint(args[3:])
    if args[0] in {b"HGETEX", b"HSETEX"}:  # the names and values of fields come behind that word
        return not {*UNTIL, b"KEEPTTL", b"PERSIST"}.isdisjoint(args[2 : args.index(b"FIELDS")])
    return len(args) > 2 if args[0] == b"GETEX" else meaning_of(args).is_timed


def until(state: State, options: Sequence[bytes]) -> int:
    """The deadline in ms that EX, PX, EXAT or PXAT among `options` gives; 0 if none does."""
    for unit, amount in pairwise(options):
        if unit in UNTIL:
            number = int(amount) * (1000 if unit.startswith(b"EX") else 1)
            return number if unit.endswith(b"AT") else state.now_ms + number
    return 0


@means("EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT", writes=True, timed=True)
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


@means("PERSIST", writes=True, timed=True)
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


@means("PTTL", timed=True)
def _pttl(state: State, args: Args) -> Any:
    return _absent(state, args[1]) or Between(1, state.deadline(args[1]) - state.now_ms)


@means("TTL", timed=True)
def _ttl(state: State, args: Args) -> Any:
    left_ms = state.deadline(args[1]) - state.now_ms
    return _absent(state, args[1]) or Between(0, (left_ms + 500) // 1000)


@means("PEXPIRETIME", timed=True)
def _pexpiretime(state: State, args: Args) -> Any:
    return _absent(state, args[1]) or state.deadline(args[1])


@means("EXPIRETIME", timed=True)
def _expiretime(state: State, args: Args) -> Any:
    return _absent(state, args[1]) or (state.deadline(args[1]) + 500) // 1000
