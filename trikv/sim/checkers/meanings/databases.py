"""Whole databases, and what concerns no key."""

from fnmatch import fnmatchcase
from typing import Any

import attrs

from trikv.sim.checkers.expected import AnyOrder, Clock, OneOf, Page
from trikv.sim.checkers.meanings.registry import means, none
from trikv.sim.checkers.state import Args, State
from trikv.sim.checkers.values import kind_of


@means("SELECT", none)
def _select(state: State, args: Args) -> Any:
    state.selected = int(args[1])
    return b"OK"


@means("FLUSHDB", none, writes=True, of_keys=False)
def _flushdb(state: State, _: Args) -> Any:
    state.items.clear()
    return b"OK"


@means("FLUSHALL, CLEAN", none, writes=True, of_keys=False)
def _flushall(state: State, _: Args) -> Any:
    state.databases.clear()
    return b"OK"


@means("SWAPDB", none, writes=True, of_keys=False)
def _swapdb(state: State, args: Args) -> Any:
    """To whoever scans, all keys of both are others than before."""
    one, other = int(args[1]), int(args[2])
    contents = {number: state.databases.get(number, {}) for number in (one, other)}
    for here, there in ((one, other), (other, one)):
        state.databases[here] = {
            key: attrs.evolve(item, born=state.commands) for key, item in contents[there].items()
        }
    return b"OK"


@means("DBSIZE, COUNT", none, of_keys=False)
def _dbsize(state: State, _: Args) -> Any:
    return len(state.items)


def _matching(state: State, pattern: bytes) -> tuple[bytes, ...]:
    return tuple(key for key in state.items if fnmatchcase(key.decode(), pattern.decode()))


@means("KEYS", none, of_keys=False)
def _keys(state: State, args: Args) -> Any:
    return AnyOrder(_matching(state, args[1]))


@means("SCAN", none, of_keys=False)
def _scan(state: State, args: Args) -> Any:
    options = dict(zip(args[2::2], args[3::2], strict=True))
    found = _matching(state, options.get(b"MATCH", b"*"))
    if b"TYPE" in options:
        kind = options[b"TYPE"].decode()
        found = tuple(key for key in found if kind_of(state.items[key].value) == kind)
    return Page(found)


@means("RANDOMKEY", none, of_keys=False)
def _randomkey(state: State, _: Args) -> Any:
    return OneOf(tuple(state.items)) if state.items else None


@means("TIME", none, of_keys=False)
def _time(state: State, _: Args) -> Any:
    return Clock(state.now_ms)


@means("CONFIG SET", none, writes=True, of_keys=False)
def _config_set(_: State, __: Args) -> Any:
    return b"OK"  # the cap itself is not in this state: see docs/TESTING.md


@means("PING, ECHO", none, local=True)
def _echo(_: State, args: Args) -> Any:
    return args[1] if len(args) > 1 else b"PONG"
