"""Requests about values of hundreds of elements, which are kept in parts and worked on in slices.

Their keys have deadlines now and then, so the search leaves them out: the witness judges them. From such a
set one member is drawn, or all: to follow every draw of more would be too much, if nobody was told which.
"""

from collections.abc import Iterator

from trikv.sim.history import Args
from trikv.sim.workload.draw import (
    LARGE,
    LARGE_HASHES,
    LARGE_LISTS,
    LARGE_SETS,
    LARGE_SORTED,
    LONG_BYTES,
    Draw,
)
from trikv.sim.workload.requests import Step, command, request, transaction

NAMES = 450
"""Different members. A part of a set is split at 256."""
COUNTS = (20, 80, 150)


def scan_of(draw: Draw) -> tuple[Args, bytes]:
    """The words of a scan up to its cursor, and its COUNT: of all keys, or of a large value."""
    if draw.chance(0.4):
        return (b"SCAN",), b"%d" % draw.one_of(1, 2, 5)
    name, family = draw.one_of((b"HSCAN", LARGE_HASHES), (b"SSCAN", LARGE_SETS), (b"ZSCAN", LARGE_SORTED))
    return (name, draw.key(family)), b"%d" % draw.one_of(30, 100)


def _some(draw: Draw) -> Iterator[bytes]:
    """Names that follow each other."""
    count = draw.one_of(*COUNTS)
    first = draw.source.randrange(NAMES)
    return (b"%d" % ((first + number) % NAMES) for number in range(count))


def _one(draw: Draw) -> bytes:
    return b"%d" % draw.source.randrange(NAMES)


@request("large", "RPUSH", "LPUSH", "SADD", "HSET", "ZADD", weight=6)
def _add(draw: Draw) -> list[Step]:
    value = draw.value()
    pairs = [word for name in _some(draw) for word in (name, draw.one_of(value, name))]
    scored = [word for name in _some(draw) for word in (draw.one_of(name, b"0.5"), name)]
    long = value.ljust(draw.one_of(LONG_BYTES, 5000), b".")
    return [
        draw.one_of(
            command(b"RPUSH", draw.key(LARGE_LISTS), *_some(draw)),
            command(b"LPUSH", draw.key(LARGE_LISTS), *_some(draw), long),
            command(b"SADD", draw.key(LARGE_SETS), *_some(draw)),
            command(b"SADD", draw.key(LARGE_SETS), *_some(draw)),
            command(b"HSET", draw.key(LARGE_HASHES), *pairs),
            command(b"ZADD", draw.key(LARGE_SORTED), *scored),
        )
    ]


@request("large", "SUNIONSTORE", "ZUNIONSTORE", "ZRANGESTORE", "COPY", weight=2)
def _store(draw: Draw) -> list[Step]:
    """What takes several slices."""
    sets, sorted_sets = draw.keys(LARGE_SETS), draw.keys(LARGE_SORTED)
    return [
        draw.one_of(
            command(b"SUNIONSTORE", draw.key(LARGE_SETS), *sets),
            command(b"SDIFFSTORE", draw.key(LARGE_SETS), *sets),
            command(b"SINTERSTORE", draw.key(LARGE_SETS), *sets),
            command(b"ZUNIONSTORE", draw.key(LARGE_SORTED), b"2", *sorted_sets),
            command(b"ZINTERSTORE", draw.key(LARGE_SORTED), b"2", sorted_sets[0], sets[0]),
            command(b"ZRANGESTORE", *sorted_sets, b"0", b"300"),
            command(b"COPY", *draw.keys(draw.one_of(*LARGE)), b"REPLACE"),
            command(b"RENAME", *draw.keys(draw.one_of(*LARGE))),
        )
    ]


@request("large", "LREM", "LINSERT", "LSET", "LTRIM", "LPOP", "LMOVE", weight=4)
def _change_list(draw: Draw) -> list[Step]:
    key, element = draw.key(LARGE_LISTS), _one(draw)
    return [
        draw.one_of(
            command(b"LREM", key, draw.one_of(b"0", b"1", b"-1"), element),
            command(b"LINSERT", key, b"BEFORE", element, draw.element()),
            command(b"LSET", key, draw.one_of(b"0", b"150", b"-130"), draw.element()),
            command(b"LTRIM", key, draw.one_of(b"0", b"100"), draw.one_of(b"-20", b"250")),
            command(b"LPOP", key, draw.one_of(b"1", b"100", b"300")),
            command(b"LMOVE", *draw.keys(LARGE_LISTS), b"LEFT", b"RIGHT"),
        )
    ]


@request("large", "SREM", "SPOP", "HDEL", "ZREM", "ZREMRANGEBYRANK", "ZPOPMIN", weight=4)
def _change(draw: Draw) -> list[Step]:
    names = list(_some(draw))
    return [
        draw.one_of(
            command(b"SREM", draw.key(LARGE_SETS), *names),
            command(b"SPOP", draw.key(LARGE_SETS), *draw.one_of((), (b"1",), (b"5000",))),
            command(b"HDEL", draw.key(LARGE_HASHES), *names),
            command(b"ZREM", draw.key(LARGE_SORTED), *names),
            command(b"ZREMRANGEBYRANK", draw.key(LARGE_SORTED), b"5", draw.one_of(b"60", b"-6")),
            command(b"ZPOPMIN", draw.key(LARGE_SORTED), b"40"),
        )
    ]


@request("large", "SMEMBERS", "HGETALL", "LRANGE", "ZRANGE", "SUNION", "SRANDMEMBER", "ZDIFF", weight=5)
def _read(draw: Draw) -> list[Step]:
    """What is answered by a stream."""
    key, sets = draw.key(LARGE_SETS), draw.keys(LARGE_SETS)
    return [
        draw.one_of(
            command(b"SMEMBERS", key),
            command(b"HGETALL", draw.key(LARGE_HASHES)),
            command(b"LRANGE", draw.key(LARGE_LISTS), b"0", draw.one_of(b"-1", b"140")),
            command(b"ZRANGE", draw.key(LARGE_SORTED), b"0", b"-1", *draw.one_of((), (b"WITHSCORES",))),
            command(draw.one_of(b"SUNION", b"SINTER", b"SDIFF"), *sets),
            command(b"SRANDMEMBER", key, draw.one_of(b"3", b"200", b"-40")),
            command(b"HRANDFIELD", draw.key(LARGE_HASHES), b"100", b"WITHVALUES"),
            command(b"ZDIFF", b"2", *draw.keys(LARGE_SORTED), b"WITHSCORES"),
        )
    ]


@request("large", "ZRANK", "ZCOUNT", "LPOS", "LINDEX", "OBJECT|ENCODING", "MEMORY|USAGE", weight=3)
def _look(draw: Draw) -> list[Step]:
    key = draw.key(draw.one_of(*LARGE))
    return [
        draw.one_of(
            command(b"ZRANK", draw.key(LARGE_SORTED), _one(draw)),
            command(b"ZCOUNT", draw.key(LARGE_SORTED), b"(10", b"300"),
            command(
                b"LPOS", draw.key(LARGE_LISTS), _one(draw), b"RANK", draw.one_of(b"1", b"-1"), b"COUNT", b"0"
            ),
            command(b"LINDEX", draw.key(LARGE_LISTS), draw.one_of(b"130", b"-130")),
            command(b"OBJECT", b"ENCODING", key),
            command(b"MEMORY", b"USAGE", key),
            command(draw.one_of(b"SCARD", b"LLEN", b"HLEN", b"ZCARD"), key),
        )
    ]


@request("large", "PEXPIRE", "PERSIST", "DEL", "UNLINK", weight=1.5)
def _end(draw: Draw) -> list[Step]:
    key = draw.key(draw.one_of(*LARGE))
    return [
        draw.one_of(
            command(b"PEXPIRE", key, draw.one_of(b"300", b"5000")),
            command(b"PERSIST", key),
            command(draw.one_of(b"DEL", b"UNLINK"), key),
        )
    ]


@request("large", "EXEC")
def _large_multi(draw: Draw) -> list[Step]:
    """Values of several types change at once."""
    name, value = _one(draw), draw.value()
    inner: list[Args] = [
        (b"SPOP", draw.key(LARGE_SETS)),
        (b"RPUSH", draw.key(LARGE_LISTS), value),
        (b"HSET", draw.key(LARGE_HASHES), name, value),
        (b"ZADD", draw.key(LARGE_SORTED), b"1", name),
        (b"LLEN", draw.key(LARGE_LISTS)),
    ]
    return [transaction(*inner)]
