"""Deadlines of the fields of a hash: set, kept, removed and shown.

A due field is gone: `State.advance` has dropped it. So no meaning here asks whether a field is due.
"""

from collections.abc import Callable
from typing import Any

from trikv.sim.checkers.expected import Between, Failure
from trikv.sim.checkers.meanings.deadlines import until
from trikv.sim.checkers.meanings.registry import means
from trikv.sim.checkers.state import Args, Refused, State
from trikv.sim.checkers.values import Fields

NEGATIVE = Failure("ERR invalid expire time")
ABSENT, NO_DEADLINE, NOT_MET, SET, DELETED = -2, -1, 0, 1, 2
"""What is answered for a field."""
_NEVER = float("inf")
_CONDITIONS: dict[bytes, Callable[[float, int], bool]] = {
    b"NX": lambda old, _: old == _NEVER,
    b"XX": lambda old, _: old != _NEVER,
    b"GT": lambda old, new: new > old,
    b"LT": lambda old, new: new < old,
    b"FIELDS": lambda _, __: True,
}


def _options(args: Args) -> Args:
    """The words between the key and ``FIELDS``."""
    return args[2 : args.index(b"FIELDS")]


def _named(args: Args) -> Args:
    """What is behind ``FIELDS`` and the number that follows it."""
    return args[args.index(b"FIELDS") + 2 :]


def _let_expire(state: State, fields: Fields, field: bytes, when: int) -> int:
    """Give a field this deadline. One that has passed deletes it."""
    if when <= state.now_ms:
        fields.drop(field)
        return DELETED
    fields.deadlines[field] = when
    return SET


@means("HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT", writes=True, timed=True)
def _hexpire(state: State, args: Args) -> Any:
    fields = state.hash_of(args[1])
    when = int(args[2]) * (1 if args[0].startswith(b"HP") else 1000)
    if when < 0:
        raise Refused(NEGATIVE)
    if not args[0].endswith(b"AT"):
        when += state.now_ms
    codes = list[int]()
    for field in _named(args):
        if field not in fields:
            codes.append(ABSENT)
        elif not _CONDITIONS[args[3]](fields.deadlines.get(field, _NEVER), when):
            codes.append(NOT_MET)
        else:
            codes.append(_let_expire(state, fields, field, when))
    if not {SET, DELETED}.isdisjoint(codes):
        state.keep(args[1], fields)
    return codes


@means("HPERSIST", writes=True, timed=True)
def _hpersist(state: State, args: Args) -> Any:
    fields, codes = state.hash_of(args[1]), list[int]()
    for field in _named(args):
        had = fields.deadlines.pop(field, None)
        codes.append(SET if had else NO_DEADLINE if field in fields else ABSENT)
    if SET in codes:
        state.keep(args[1], fields)
    return codes


def _told(state: State, args: Args, shown: Callable[[int], Any]) -> list[Any]:
    fields = state.hash_of(args[1])
    return [
        shown(fields.deadlines[field])
        if field in fields.deadlines
        else (NO_DEADLINE if field in fields else ABSENT)
        for field in _named(args)
    ]


def _seconds(milliseconds: int) -> int:
    """Rounded up."""
    return -(-milliseconds // 1000)


@means("HPTTL", timed=True)
def _hpttl(state: State, args: Args) -> Any:
    return _told(state, args, lambda deadline: Between(1, deadline - state.now_ms))


@means("HTTL", timed=True)
def _httl(state: State, args: Args) -> Any:
    return _told(state, args, lambda deadline: Between(1, _seconds(deadline - state.now_ms)))


@means("HPEXPIRETIME", timed=True)
def _hpexpiretime(state: State, args: Args) -> Any:
    return _told(state, args, lambda deadline: deadline)


@means("HEXPIRETIME", timed=True)
def _hexpiretime(state: State, args: Args) -> Any:
    return _told(state, args, _seconds)


@means("HGETDEL", writes=True)
def _hgetdel(state: State, args: Args) -> Any:
    fields, values = state.hash_of(args[1]), list[bytes | None]()
    for field in _named(args):
        values.append(fields.get(field))
        fields.drop(field)
    if any(value is not None for value in values):
        state.keep(args[1], fields)
    return values


@means("HGETEX", writes=True)
def _hgetex(state: State, args: Args) -> Any:
    fields, values, options = state.hash_of(args[1]), list[bytes | None](), _options(args)
    when, changes = until(state, options), False
    for field in _named(args):
        values.append(fields.get(field))
        if field not in fields:
            continue
        if when:
            _let_expire(state, fields, field, when)
            changes = True
        elif b"PERSIST" in options:
            changes = bool(fields.deadlines.pop(field, None)) or changes
    if changes:
        state.keep(args[1], fields)
    return values


@means("HSETEX", writes=True, repeats=True)
def _hsetex(state: State, args: Args) -> Any:
    fields, options, words = state.hash_of(args[1]), _options(args), _named(args)
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    there = [field for field in pairs if field in fields]
    if (b"FNX" in options and there) or (b"FXX" in options and len(there) < len(pairs)):
        return 0
    when = until(state, options)
    if when and when <= state.now_ms:
        if sum(map(fields.drop, pairs)):
            state.keep(args[1], fields)
        return 1
    for field, value in pairs.items():
        fields.put(field, value, fields.deadlines.get(field, 0) if b"KEEPTTL" in options else when)
    state.keep(args[1], fields)
    return 1
