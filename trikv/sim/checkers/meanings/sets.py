"""Sets, and what comes of several of them."""

from typing import Any

from trikv.sim.checkers.expected import AnyOrder
from trikv.sim.checkers.meanings.elements import drawn, page
from trikv.sim.checkers.meanings.registry import everything, means, numbered, two
from trikv.sim.checkers.state import Args, State


@means("SADD", writes=True)
def _sadd(state: State, args: Args) -> Any:
    members = state.set_of(args[1])
    fresh = set(args[2:]) - members
    if fresh:
        state.keep(args[1], members | fresh)
    return len(fresh)


@means("SREM", writes=True)
def _srem(state: State, args: Args) -> Any:
    members = state.set_of(args[1])
    gone = members & set(args[2:])
    if gone:
        state.keep(args[1], members - gone)
    return len(gone)


@means("SCARD")
def _scard(state: State, args: Args) -> Any:
    return len(state.set_of(args[1]))


@means("SISMEMBER")
def _sismember(state: State, args: Args) -> Any:
    return int(args[2] in state.set_of(args[1]))


@means("SMISMEMBER")
def _smismember(state: State, args: Args) -> Any:
    members = state.set_of(args[1])
    return [int(member in members) for member in args[2:]]


@means("SMEMBERS")
def _smembers(state: State, args: Args) -> Any:
    return AnyOrder(tuple(state.set_of(args[1])))


@means("SSCAN")
def _sscan(state: State, args: Args) -> Any:
    return page(state, args, dict.fromkeys(state.set_of(args[1])))


@means("SRANDMEMBER")
def _srandmember(state: State, args: Args) -> Any:
    return drawn(dict.fromkeys(state.set_of(args[1])), args[2:])


@means("SPOP", writes=True, draws=True)
def _spop(state: State, args: Args) -> Any:
    """Its answer tells which members are gone."""
    members = state.set_of(args[1])
    wanted = min(int(args[2]) if len(args) > 2 else 1, len(members))
    gone = state.taken(members, wanted)
    if gone:
        state.keep(args[1], members - set(gone))
    if len(args) > 2:
        return AnyOrder(tuple(gone))
    return gone[0] if gone else None


@means("SMOVE", two, writes=True)
def _smove(state: State, args: Args) -> Any:
    if not state.set_of(args[1]):
        return 0
    members, others = state.set_of(args[1]), state.set_of(args[2])
    if args[3] not in members:
        return 0
    if args[1] != args[2]:
        state.keep(args[1], members - {args[3]})
        if args[3] not in others:
            state.keep(args[2], others | {args[3]})
    return 1


# Several.


def _joined(state: State, name: bytes, keys: Args) -> set[bytes]:
    first, *others = [state.set_of(key) for key in keys]
    if name.startswith(b"SINTER"):
        return first.intersection(*others)
    return first.union(*others) if name.startswith(b"SUNION") else first.difference(*others)


@means("SINTER, SUNION, SDIFF", everything)
def _sinter(state: State, args: Args) -> Any:
    return AnyOrder(tuple(_joined(state, args[0], args[1:])))


@means("SINTERSTORE, SUNIONSTORE, SDIFFSTORE", everything, writes=True, repeats=True)
def _sinterstore(state: State, args: Args) -> Any:
    return state.replace(args[1], _joined(state, args[0], args[2:]))


@means("SINTERCARD", numbered)
def _sintercard(state: State, args: Args) -> Any:
    keys = numbered(args)
    limit = int(args[3 + len(keys)]) if b"LIMIT" in args[2 + len(keys) :] else 0
    count = len(_joined(state, args[0], keys))
    return min(count, limit) if limit else count
