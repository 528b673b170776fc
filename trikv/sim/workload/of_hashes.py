"""Requests about hashes of a few fields."""

from trikv.sim.workload.draw import HASHES, LONG_BYTES, MEMBERS, Draw
from trikv.sim.workload.requests import Step, command, request, transaction

NUMBER, FRACTION = b"number", b"fraction"
"""Fields that only HINCRBY and HINCRBYFLOAT change."""


def field_of(draw: Draw) -> bytes:
    """The name of a field, seldom a long one."""
    return draw.one_of(*MEMBERS, MEMBERS[0].ljust(LONG_BYTES, b"."))


@request("hash", "HSET", "HMSET", weight=4)
def _hset(draw: Draw) -> list[Step]:
    pairs = [word for name in draw.members() for word in (name, draw.element())]
    return [command(draw.one_of(b"HSET", b"HSET", b"HMSET"), draw.key(HASHES), *pairs)]


@request("hash", "HSETNX")
def _hsetnx(draw: Draw) -> list[Step]:
    return [command(b"HSETNX", draw.key(HASHES), field_of(draw), draw.value())]


@request("hash", "HDEL", "DEL", weight=2)
def _hdel(draw: Draw) -> list[Step]:
    key = draw.key(HASHES)
    names = (*draw.members(5), *draw.some((NUMBER, FRACTION), 1))
    return [draw.one_of(*[command(b"HDEL", key, *names)] * 5, command(b"DEL", key))]


@request("hash", "HINCRBY", "HINCRBYFLOAT", weight=2)
def _hincrby(draw: Draw) -> list[Step]:
    """Mostly of fields with numbers; of others it is an error."""
    amount = draw.one_of(b"1", b"7", b"-3")
    field = draw.one_of(NUMBER, NUMBER, field_of(draw))
    fraction = draw.one_of(FRACTION, FRACTION, NUMBER)
    key = draw.key(HASHES)
    return [
        draw.one_of(
            command(b"HINCRBY", key, field, amount),
            command(b"HINCRBYFLOAT", key, fraction, draw.one_of(b"0.5", b"-1.25", b"3")),
        )
    ]


@request("hash", "HGET", "HEXISTS", "HSTRLEN", "HMGET", weight=3)
def _hget(draw: Draw) -> list[Step]:
    key, field = draw.key(HASHES), draw.one_of(NUMBER, FRACTION, field_of(draw), field_of(draw))
    return [
        draw.one_of(
            command(b"HGET", key, field),
            command(b"HGET", key, field),
            command(b"HEXISTS", key, field),
            command(b"HSTRLEN", key, field),
            command(b"HMGET", key, *draw.members(), field),
        )
    ]


@request("hash", "HGETALL", "HKEYS", "HVALS", "HLEN", weight=3)
def _hgetall(draw: Draw) -> list[Step]:
    return [command(draw.one_of(b"HGETALL", b"HGETALL", b"HKEYS", b"HVALS", b"HLEN"), draw.key(HASHES))]


@request("hash", "HRANDFIELD", "HSCAN", weight=2)
def _hrandfield(draw: Draw) -> list[Step]:
    key = draw.key(HASHES)
    options = draw.one_of((), (b"3",), (b"-4",), (b"2", b"WITHVALUES"), (b"-3", b"WITHVALUES"), (b"0",))
    pages = draw.one_of((), (b"COUNT", b"1"), (b"MATCH", b"[a-c]"))
    return [draw.one_of(command(b"HRANDFIELD", key, *options), command(b"HSCAN", key, b"0", *pages))]


@request("hash", "EXEC")
def _hash_multi(draw: Draw) -> list[Step]:
    """Two fields of a hash change at once."""
    key = draw.key(HASHES)
    return [
        transaction(
            (b"HINCRBY", key, NUMBER, b"1"), (b"HSET", key, field_of(draw), draw.value()), (b"HGETALL", key)
        )
    ]
