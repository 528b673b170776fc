"""Requests about sets of a few members."""

from trikv.sim.workload.draw import LONG_BYTES, MEMBERS, SETS, Draw
from trikv.sim.workload.requests import Step, command, request, transaction


@request("member", "SADD", weight=4)
def _sadd(draw: Draw) -> list[Step]:
    members = draw.members(4)
    if draw.chance(0.05):
        members.append(b"long".ljust(LONG_BYTES, b"."))
    return [command(b"SADD", draw.key(SETS), *members)]


@request("member", "SREM", "DEL", weight=1.5)
def _srem(draw: Draw) -> list[Step]:
    key = draw.key(SETS)
    return [draw.one_of(*[command(b"SREM", key, *draw.members(5))] * 4, command(b"DEL", key))]


@request("member", "SPOP", weight=2)
def _spop(draw: Draw) -> list[Step]:
    return [command(b"SPOP", draw.key(SETS), *draw.one_of((), (), (b"2",), (b"0",), (b"50",)))]


@request("member", "SMOVE", weight=1.5)
def _smove(draw: Draw) -> list[Step]:
    return [command(b"SMOVE", draw.key(SETS), draw.key(SETS), draw.one_of(*MEMBERS))]


@request("member", "SMEMBERS", "SCARD", "SISMEMBER", "SMISMEMBER", weight=4)
def _smembers(draw: Draw) -> list[Step]:
    key = draw.key(SETS)
    return [
        draw.one_of(
            command(b"SMEMBERS", key),
            command(b"SMEMBERS", key),
            command(b"SCARD", key),
            command(b"SISMEMBER", key, draw.one_of(*MEMBERS)),
            command(b"SMISMEMBER", key, *draw.members()),
        )
    ]


@request("member", "SRANDMEMBER", "SSCAN", weight=2)
def _srandmember(draw: Draw) -> list[Step]:
    key, count = draw.key(SETS), draw.one_of((), (b"3",), (b"-5",), (b"0",))
    pages = draw.one_of((), (b"COUNT", b"1"), (b"MATCH", b"[a-c]"))
    return [draw.one_of(command(b"SRANDMEMBER", key, *count), command(b"SSCAN", key, b"0", *pages))]


@request("member", "SINTER", "SUNION", "SDIFF", "SINTERCARD", weight=3)
def _sinter(draw: Draw) -> list[Step]:
    keys = (draw.key(SETS), draw.key(SETS))
    limit = draw.one_of((), (b"LIMIT", b"2"), (b"LIMIT", b"0"))
    return [
        draw.one_of(
            command(b"SINTER", *keys),
            command(b"SUNION", *keys),
            command(b"SDIFF", *keys),
            command(b"SINTERCARD", b"2", *keys, *limit),
        )
    ]


@request("member", "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE", weight=1.5)
def _sinterstore(draw: Draw) -> list[Step]:
    name = draw.one_of(b"SINTERSTORE", b"SUNIONSTORE", b"SDIFFSTORE")
    return [command(name, draw.key(SETS), draw.key(SETS), draw.key(SETS))]


@request("member", "EXEC")
def _set_multi(draw: Draw) -> list[Step]:
    """What is drawn from one set is seen to be gone at once."""
    key, other = draw.keys(SETS)
    return [transaction((b"SPOP", key), (b"SADD", other, draw.one_of(*MEMBERS)), (b"SMEMBERS", key))]
