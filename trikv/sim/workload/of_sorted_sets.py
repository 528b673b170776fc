"""Requests about sorted sets of a few members."""

from trikv.sim.history import Args
from trikv.sim.workload.draw import MEMBERS, NAMED, SETS, SORTED, Draw
from trikv.sim.workload.requests import Step, command, request, transaction


@request("sorted", "ZADD", weight=5)
def _zadd(draw: Draw) -> list[Step]:
    words = draw.one_of((), (), (), (b"NX",), (b"XX", b"CH"), (b"GT",), (b"LT", b"CH"), (b"XX", b"GT"))
    pairs = [word for member in draw.members() for word in (draw.score(), member)]
    return [command(b"ZADD", draw.key(SORTED), *words, *pairs)]


@request("sorted", "ZINCRBY", "ZADD", weight=2)
def _zincrby(draw: Draw) -> list[Step]:
    key, member, amount = draw.key(SORTED), draw.one_of(*MEMBERS), draw.score()
    words = draw.one_of((), (b"XX",), (b"NX",), (b"GT",))
    return [
        draw.one_of(
            command(b"ZINCRBY", key, amount, member), command(b"ZADD", key, *words, b"INCR", amount, member)
        )
    ]


@request("sorted", "ZREM", "DEL", weight=1.5)
def _zrem(draw: Draw) -> list[Step]:
    key = draw.key(SORTED)
    return [draw.one_of(*[command(b"ZREM", key, *draw.members(5))] * 4, command(b"DEL", key))]


@request("sorted", "ZPOPMIN", "ZPOPMAX", "ZMPOP", weight=2)
def _zpop(draw: Draw) -> list[Step]:
    one, other, count = draw.key(SORTED), draw.key(SORTED), draw.one_of((), (), (b"2",), (b"0",))
    most = draw.one_of((), (b"COUNT", b"2"))
    return [
        draw.one_of(
            command(b"ZPOPMIN", one, *count),
            command(b"ZPOPMAX", one, *count),
            command(b"ZMPOP", b"2", one, other, draw.one_of(b"MIN", b"MAX"), *most),
        )
    ]


@request("sorted", "ZSCORE", "ZMSCORE", "ZCARD", "ZRANK", "ZREVRANK", weight=3)
def _zscore(draw: Draw) -> list[Step]:
    key, member = draw.key(SORTED), draw.one_of(*MEMBERS)
    return [
        draw.one_of(
            command(b"ZSCORE", key, member),
            command(b"ZMSCORE", key, member, *draw.members()),
            command(b"ZCARD", key),
            command(b"ZRANK", key, member, *draw.one_of((), (b"WITHSCORE",))),
            command(b"ZREVRANK", key, member),
        )
    ]


@request("sorted", "ZRANDMEMBER", "ZSCAN")
def _zrandmember(draw: Draw) -> list[Step]:
    key, options = draw.key(SORTED), draw.one_of((), (b"3",), (b"-4",), (b"2", b"WITHSCORES"))
    pages = draw.one_of((), (b"COUNT", b"1"), (b"MATCH", b"[a-c]"))
    return [draw.one_of(command(b"ZRANDMEMBER", key, *options), command(b"ZSCAN", key, b"0", *pages))]


# Ranges.


def _ranks(draw: Draw) -> Args:
    return draw.one_of((b"0", b"-1"), (b"0", b"-1"), (b"1", b"2"), (b"-2", b"-1"), (b"0", b"0"))


def _scores(draw: Draw) -> Args:
    return draw.one_of((b"-inf", b"+inf"), (b"0", b"7"), (b"(0", b"7"), (b"0.25", b"(7"), (b"1", b"0"))


def _names(draw: Draw) -> Args:
    return draw.one_of(
        (b"-", b"+"), (b"[b", b"+"), (b"(b", b"[e"), (b"-", b"(d"), (b"+", b"-"), (b"[1", b"[1")
    )


def _limit(draw: Draw) -> Args:
    return draw.one_of((), (), (b"LIMIT", b"1", b"2"), (b"LIMIT", b"0", b"-1"))


@request("sorted", "ZRANGE", "ZREVRANGE", weight=4)
def _zrange(draw: Draw) -> list[Step]:
    key, with_scores = draw.key(SORTED), draw.one_of((), (b"WITHSCORES",))
    least, greatest = _scores(draw)
    return [
        draw.one_of(
            command(b"ZRANGE", key, *_ranks(draw), *draw.one_of((), (b"REV",)), *with_scores),
            command(b"ZREVRANGE", key, *_ranks(draw), *with_scores),
            command(b"ZRANGE", key, least, greatest, b"BYSCORE", *_limit(draw), *with_scores),
            command(b"ZRANGE", key, greatest, least, b"BYSCORE", b"REV", *_limit(draw), *with_scores),
        )
    ]


@request("sorted", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZCOUNT", weight=2)
def _zrangebyscore(draw: Draw) -> list[Step]:
    key, with_scores = draw.key(SORTED), draw.one_of((), (b"WITHSCORES",))
    least, greatest = _scores(draw)
    return [
        draw.one_of(
            command(b"ZRANGEBYSCORE", key, least, greatest, *with_scores, *_limit(draw)),
            command(b"ZREVRANGEBYSCORE", key, greatest, least, *with_scores, *_limit(draw)),
            command(b"ZCOUNT", key, least, greatest),
        )
    ]


@request("sorted", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE", weight=1)
def _zremrange(draw: Draw) -> list[Step]:
    key = draw.key(SORTED)
    ranks = draw.one_of((b"0", b"0"), (b"-1", b"-1"), (b"1", b"2"))
    return [
        draw.one_of(
            command(b"ZREMRANGEBYRANK", key, *ranks), command(b"ZREMRANGEBYSCORE", key, *_scores(draw))
        )
    ]


@request("sorted", "ZADD", "ZREM", "ZREMRANGEBYLEX", weight=2)
def _named(draw: Draw) -> list[Step]:
    key, members = draw.key(NAMED), draw.members(4)
    return [
        draw.one_of(
            command(b"ZADD", key, *(word for member in members for word in (b"0", member))),
            command(b"ZADD", key, *(word for member in members for word in (b"-0", member))),
            command(b"ZREM", key, *members),
            command(b"ZREMRANGEBYLEX", key, *_names(draw)),
        )
    ]


@request("sorted", "ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZLEXCOUNT", "ZRANGE", weight=2)
def _zrangebylex(draw: Draw) -> list[Step]:
    key, limit = draw.key(NAMED), _limit(draw)
    least, greatest = _names(draw)
    return [
        draw.one_of(
            command(b"ZRANGEBYLEX", key, least, greatest, *limit),
            command(b"ZREVRANGEBYLEX", key, greatest, least, *limit),
            command(b"ZLEXCOUNT", key, least, greatest),
            command(b"ZRANGE", key, greatest, least, b"BYLEX", b"REV", *limit),
        )
    ]


@request("sorted", "ZRANGESTORE", weight=1)
def _zrangestore(draw: Draw) -> list[Step]:
    one, other = draw.key(SORTED), draw.key(SORTED)
    by_name = (b"ZRANGESTORE", draw.key(NAMED), draw.key(NAMED), *_names(draw), b"BYLEX", *_limit(draw))
    return [
        draw.one_of(
            command(b"ZRANGESTORE", one, other, *_ranks(draw), *draw.one_of((), (b"REV",))),
            command(b"ZRANGESTORE", one, other, *_scores(draw), b"BYSCORE", *_limit(draw)),
            command(*by_name),
        )
    ]


# Several.


def _joins(draw: Draw) -> Args:
    weights = draw.one_of((), (b"WEIGHTS", b"2", b"-1"), (b"WEIGHTS", b"0", b"0.5"))
    return (*weights, *draw.one_of((), (b"AGGREGATE", draw.one_of(b"SUM", b"MIN", b"MAX"))))


@request("sorted", "ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", weight=2)
def _zunion(draw: Draw) -> list[Step]:
    keys = (b"2", draw.key(SORTED), draw.key(SORTED))
    with_scores = draw.one_of((), (b"WITHSCORES",))
    return [
        draw.one_of(
            command(b"ZUNION", *keys, *_joins(draw), *with_scores),
            command(b"ZINTER", *keys, *_joins(draw), *with_scores),
            command(b"ZDIFF", *keys, *with_scores),
            command(b"ZINTERCARD", *keys, *draw.one_of((), (b"LIMIT", b"1"))),
        )
    ]


@request("sorted", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", weight=1.5)
def _zunionstore(draw: Draw) -> list[Step]:
    keys = (draw.key(SORTED), b"2", draw.key(SORTED), draw.key(SORTED))
    return [
        draw.one_of(
            command(b"ZUNIONSTORE", *keys, *_joins(draw)),
            command(b"ZINTERSTORE", *keys, *_joins(draw)),
            command(b"ZDIFFSTORE", *keys),
        )
    ]


@request("sorted", "EXEC", weight=0.7)
def _sorted_multi(draw: Draw) -> list[Step]:
    """The least member goes, and another one comes."""
    key = draw.key(SORTED)
    return [
        transaction(
            (b"ZPOPMIN", key),
            (b"ZADD", key, draw.score(), draw.one_of(*MEMBERS)),
            (b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"),
        )
    ]


@request("member", "ZUNION", weight=0.3)
def _of_sets(draw: Draw) -> list[Step]:
    """The members of a set have the score 1."""
    return [command(b"ZUNION", b"2", draw.key(SETS), draw.key(SETS), *_joins(draw), b"WITHSCORES")]
