"""Requests about keys of any type: wrong types, names that change, copies, other databases.

Whatever is asked of them may meet a value of another type, or replace one.
"""

from trikv.sim.workload.draw import ANYTHING, DATABASES, MEMBERS, MORTALS, Draw
from trikv.sim.workload.requests import Step, command, request


def made(draw: Draw, key: bytes) -> Step:
    """A command that makes a value of some type, or changes one, or fails."""
    member, value = draw.one_of(*MEMBERS), draw.element()
    return draw.one_of(
        command(b"RPUSH", key, value),
        command(b"SADD", key, *draw.members()),
        command(b"HSET", key, member, value),
        command(b"ZADD", key, draw.score(), member),
        command(b"APPEND", key, draw.value()),
        command(b"SETBIT", key, b"7", b"1"),
    )


@request("any", "RPUSH", "SADD", "HSET", "ZADD", "APPEND", weight=5)
def _make(draw: Draw) -> list[Step]:
    return [made(draw, draw.key(ANYTHING))]


@request("any", "SET", "GETSET", "SETNX", "DEL", "UNLINK", weight=3)
def _replace(draw: Draw) -> list[Step]:
    """Some take the place of any value, some do not."""
    key, value = draw.key(ANYTHING), draw.value()
    return [
        draw.one_of(
            command(b"SET", key, value),
            command(b"SET", key, value, b"XX", b"GET"),
            command(b"SETNX", key, value),
            command(b"GETSET", key, value),
            command(b"GETDEL", key),
            command(b"DEL", key),
            command(b"UNLINK", key),
        )
    ]


@request("any", "COPY", "RENAME", "RENAMENX", weight=4)
def _rename(draw: Draw) -> list[Step]:
    one, other = draw.key(ANYTHING), draw.key(ANYTHING)
    database = (b"DB", b"%d" % draw.database())
    options = (*draw.one_of((), (), database), *draw.one_of((), (b"REPLACE",)))
    return [
        draw.one_of(
            command(b"COPY", one, other, *options),
            command(b"COPY", one, other, *options),
            command(b"RENAME", one, other),
            command(b"RENAMENX", one, other),
        )
    ]


@request("any", "MOVE")
def _move(draw: Draw) -> list[Step]:
    return [command(b"MOVE", draw.key(ANYTHING), b"%d" % draw.one_of(*DATABASES))]


@request("any", "SPOP", "LPOP", "HDEL", "ZREM", "LMOVE", "SUNIONSTORE", weight=3)
def _take(draw: Draw) -> list[Step]:
    key, other, members = draw.key(ANYTHING), draw.key(ANYTHING), draw.members()
    return [
        draw.one_of(
            command(b"SPOP", key),
            command(b"LPOP", key),
            command(b"HDEL", key, *members),
            command(b"ZREM", key, *members),
            command(b"SREM", key, *members),
            command(b"LMOVE", key, other, b"LEFT", b"LEFT"),
            command(b"SUNIONSTORE", key, key, other),
            command(b"ZUNIONSTORE", key, b"2", key, other),
            command(b"BITOP", b"OR", key, key, other),
        )
    ]


@request("any", "TYPE", "OBJECT|ENCODING", "OBJECT|FREQ", "OBJECT|IDLETIME", "OBJECT|REFCOUNT", weight=3)
def _tell(draw: Draw) -> list[Step]:
    words = draw.one_of(
        (b"TYPE",),
        (b"OBJECT", b"ENCODING"),
        (b"OBJECT", b"ENCODING"),
        (b"OBJECT", b"FREQ"),
        (b"OBJECT", b"IDLETIME"),
        (b"OBJECT", b"REFCOUNT"),
        (b"MEMORY", b"USAGE"),
        (b"EXISTS",),
    )
    return [command(*words, draw.key(ANYTHING))]


@request("any", "GET", "MGET", "LRANGE", "SMEMBERS", "HGETALL", "ZRANGE", weight=4)
def _look(draw: Draw) -> list[Step]:
    key = draw.key(ANYTHING)
    return [
        draw.one_of(
            command(b"GET", key),
            command(b"MGET", *draw.keys(ANYTHING)),
            command(b"LRANGE", key, b"0", b"-1"),
            command(b"SMEMBERS", key),
            command(b"HGETALL", key),
            command(b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"),
            command(b"HSCAN", key, b"0"),
            command(b"INCR", key),
        )
    ]


@request("mortal", "RPUSH", "SADD", "HSET", "ZADD", weight=1.5)
def _mortal(draw: Draw) -> list[Step]:
    """Values of any type among the keys with deadlines."""
    return [made(draw, draw.key(MORTALS))]


@request("mortal", "COPY", "MOVE", weight=0.5)
def _mortal_copy(draw: Draw) -> list[Step]:
    """A deadline goes along with the value."""
    key = draw.key(MORTALS)
    return [
        draw.one_of(
            command(b"COPY", key, draw.key(MORTALS), b"REPLACE"),
            command(b"MOVE", key, b"%d" % draw.one_of(*DATABASES)),
        )
    ]


@request("space", "SCAN", weight=0.5)
def _scan(draw: Draw) -> list[Step]:
    return [command(b"SCAN", b"0", b"TYPE", draw.one_of(b"hash", b"list", b"set", b"zset", b"string"))]
