"""Hashes: fields with values."""

from typing import Any

from trikv.sim.checkers.expected import AnyOrder, Map
from trikv.sim.checkers.meanings.elements import drawn, page
from trikv.sim.checkers.meanings.registry import means
from trikv.sim.checkers.meanings.strings import added, number_in
from trikv.sim.checkers.state import Args, State
from trikv.sim.checkers.values import Fields


@means("HSET, HMSET", writes=True, repeats=True)
def _hset(state: State, args: Args) -> Any:
    fields = state.hash_of(args[1])
    before = len(fields)
    for name, value in zip(args[2::2], args[3::2], strict=True):
        fields.put(name, value)
    state.keep(args[1], fields)
    return b"OK" if args[0] == b"HMSET" else len(fields) - before


@means("HSETNX", writes=True)
def _hsetnx(state: State, args: Args) -> Any:
    fields = state.hash_of(args[1])
    if args[2] in fields:
        return 0
    fields.put(args[2], args[3])
    state.keep(args[1], fields)
    return 1


@means("HGET")
def _hget(state: State, args: Args) -> Any:
    return state.hash_of(args[1]).get(args[2])


@means("HMGET")
def _hmget(state: State, args: Args) -> Any:
    fields = state.hash_of(args[1])
    return [fields.get(name) for name in args[2:]]


@means("HDEL", writes=True)
def _hdel(state: State, args: Args) -> Any:
    fields = state.hash_of(args[1])
    gone = sum(map(fields.drop, args[2:]))
    if gone:
        state.keep(args[1], fields)
    return gone


@means("HLEN")
def _hlen(state: State, args: Args) -> Any:
    return len(state.hash_of(args[1]))


@means("HEXISTS")
def _hexists(state: State, args: Args) -> Any:
    return int(args[2] in state.hash_of(args[1]))


@means("HSTRLEN")
def _hstrlen(state: State, args: Args) -> Any:
    return len(state.hash_of(args[1]).get(args[2], b""))


@means("HGETALL")
def _hgetall(state: State, args: Args) -> Any:
    return Map(state.hash_of(args[1]))


@means("HKEYS")
def _hkeys(state: State, args: Args) -> Any:
    return AnyOrder(tuple(state.hash_of(args[1])))


@means("HVALS")
def _hvals(state: State, args: Args) -> Any:
    return AnyOrder(tuple(state.hash_of(args[1]).values()))


def _replace(state: State, key: bytes, fields: Fields, field: bytes, value: bytes) -> None:
    """Give a field another value; a deadline that it has stays."""
    fields.put(field, value, fields.deadlines.get(field, 0))
    state.keep(key, fields)


@means("HINCRBY", writes=True)
def _hincrby(state: State, args: Args) -> Any:
    fields = state.hash_of(args[1])
    total = number_in(fields.get(args[2], b"0"), "ERR hash value is not an integer") + int(args[3])
    _replace(state, args[1], fields, args[2], b"%d" % total)
    return total


@means("HINCRBYFLOAT", writes=True)
def _hincrbyfloat(state: State, args: Args) -> Any:
    fields = state.hash_of(args[1])
    total = added(fields.get(args[2], b"0"), args[3], "ERR hash value is not a float")
    _replace(state, args[1], fields, args[2], total)
    return total


@means("HRANDFIELD")
def _hrandfield(state: State, args: Args) -> Any:
    return drawn(state.hash_of(args[1]), args[2:])


@means("HSCAN")
def _hscan(state: State, args: Args) -> Any:
    return page(state, args, state.hash_of(args[1]))
