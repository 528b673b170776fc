"""The checkers and redis-server give the same meaning to every command of the workload.

No key expires while it runs: each deadline is far off or long past, and no two are alike, so that two clocks
agree on their order.
"""

import random
import re
import time
from typing import Any

import attrs
import pytest

from tests.machine.test_against_redis import redis
from tests.redis_server import RedisConnection
from trikv.machine.commands import TABLE
from trikv.sim.checkers.expected import Between, ElementPage, agrees
from trikv.sim.checkers.model import Model
from trikv.sim.checkers.values import kind_of
from trikv.sim.history import Args
from trikv.sim.marks import name_of
from trikv.sim.workload.draw import FAMILIES, PLACES, Draw
from trikv.sim.workload.profiles import WEIGHTS
from trikv.sim.workload.requests import REQUESTS, Form

__all__ = ["redis"]

SPELLINGS = {b"DELETE": b"DEL", b"COUNT": b"DBSIZE", b"CLEAN": b"FLUSHALL"}
"""trikv's own words."""
NEWER = {
    *(b"HEXPIRE", b"HPEXPIRE", b"HEXPIREAT", b"HPEXPIREAT", b"HPERSIST"),
    *(b"HTTL", b"HPTTL", b"HEXPIRETIME", b"HPEXPIRETIME"),
    *(b"HGETDEL", b"HGETEX", b"HSETEX"),
}
"""Of Redis 7.4 and 8.0. `test_meanings_of_fields` has what their documentation says."""
NOT_OF_REDIS = {b"MEMORY", b"CONFIG", b"DEBUG", b"OBJECT ENCODING", b"OBJECT REFCOUNT", *NEWER}
"""What Redis 7.0 does not know, or tells of its own memory."""
UNITS = {b"EX": 1000, b"PX": 1, b"EXAT": 1000, b"PXAT": 1}
AMOUNT_AT = {b"SETEX": 1000, b"PSETEX": 1, b"EXPIRE": 1000, b"PEXPIRE": 1, b"EXPIREAT": 1000, b"PEXPIREAT": 1}
"""Commands whose third word is an amount of time, in units of so many ms."""
SHOWING = {b"PEXPIRETIME", b"EXPIRETIME"}
EVERY_KEY = [f"{letter}{number}".encode() for letter, count in FAMILIES for number in range(count)]
PLACES_KEYS = [b"%s%d" % (PLACES[0].encode(), number) for number in range(PLACES[1])]
STEPS = 8000
_TOO_LONG = re.compile(rb"-?[0-9]+\.[0-9]{15,}")
"""A double as Redis 7.0 prints it, in 17 digits."""


def far(amount: bytes, unit_ms: int, number: int, *, absolute: bool) -> bytes:
    """A time like that one, past or to come, at least an hour away and different from all others."""
    now_ms = int(time.time() * 1000)  # noqa: TID251 - redis-server has no other clock
    since_ms = int(amount) * unit_ms - (now_ms if absolute else 0)
    if since_ms <= 0:
        return amount
    ahead_ms = 3_600_000 + number * 10_000 + (now_ms if absolute else 0)
    return b"%d" % (ahead_ms // unit_ms)


def without_haste(args: Args, number: int) -> Args:
    """The same command with deadlines that do not pass during the test."""
    words = list(args)
    if args[0] in AMOUNT_AT:
        words[2] = far(args[2], AMOUNT_AT[args[0]], number, absolute=args[0].endswith(b"AT"))
    for place in range(2, len(words) - 1):
        if args[0] in {b"SET", b"GETEX"} and words[place] in UNITS:
            unit = words[place]
            words[place + 1] = far(words[place + 1], UNITS[unit], number, absolute=unit.endswith(b"AT"))
    return tuple(words)


def drawn(seed: int) -> list[Args]:
    """Commands for the machine, as clients would send them."""
    source = random.Random(seed)
    draw = Draw(source, 1)
    kinds = {kind for weights in WEIGHTS.values() for kind in weights}
    every = sorted(REQUESTS, key=lambda one: one.make.__module__)  # the order of imports is anybody's guess
    requests = [one for one in every if one.kind in kinds and one.kind != "flush"]
    flushes = [one for one in every if one.kind == "flush"]
    commands: list[Args] = []
    weights = [0.05 if one.kind == "long" else 1.0 for one in requests]  # they have hundreds of commands each
    while len(commands) < STEPS:
        one = source.choice(flushes) if source.random() < 0.005 else source.choices(requests, weights)[0]
        for step in one.make(draw):
            if step.form is not Form.LOCAL or step.commands[0][0] == b"SELECT":
                commands += step.commands
    return commands


def is_of_redis(args: Args) -> bool:
    """Whether Redis 7.0 knows it, and answers as we do."""
    names = {args[0], b" ".join(args[:2])}
    return NOT_OF_REDIS.isdisjoint(names) and b"WITHSCORE" not in args


def uncounted(reply: Any) -> Any:
    """A HyperLogLog without the count in its header, which PFCOUNT writes in Redis; others as they are."""
    return reply[:8] + reply[16:] if isinstance(reply, bytes) and reply.startswith(b"HYLL") else reply


def forgiving(args: Args, expected: Any) -> Any:
    """With room for what the clocks, and Redis' own forms of values, make different."""
    if isinstance(expected, Between):
        return Between(expected.least, expected.most + 1000)
    if args[0] in SHOWING and isinstance(expected, int) and expected > 0:
        return Between(expected - 1000, expected + 1000)
    if isinstance(expected, ElementPage):  # Redis 7.0 has no small form of sets
        return attrs.evolve(expected, is_whole=expected.is_whole and args[0] != b"SSCAN")
    return uncounted(expected)


def shortest(args: Args, reply: Any) -> Any:
    """The same reply with doubles in as few digits as they need."""
    if isinstance(reply, list):
        return [shortest(args, each) for each in reply]
    if reply == b"-0" and args[0] in {b"ZUNION", b"ZINTER"}:
        return b"0"  # trikv has no such score
    # Redis 7.2, too, shows coordinates with all these digits.
    is_shown_so = args[0].startswith(b"GEO")
    is_double = isinstance(reply, bytes) and not is_shown_so and _TOO_LONG.fullmatch(reply)
    return repr(float(reply)).encode() if is_double else uncounted(reply)


READING: dict[str, tuple[bytes, ...]] = {
    "list": (b"LRANGE", b"0", b"-1"),
    "set": (b"SMEMBERS",),
    "hash": (b"HGETALL",),
    "zset": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
}


def demand_equal_contents(redis: RedisConnection, model: Model) -> None:
    """Every key of the selected database holds in Redis what the model has."""
    assert sorted(redis.call(b"KEYS", b"*")) == sorted(model.items)
    for key, item in model.items.items():
        kind = kind_of(item.value)
        assert redis.call(b"TYPE", key).decode() == kind
        name, *words = READING.get(kind, (b"GET",))
        real = redis.call(name, key, *words)
        args = (name, key, *words)
        if key in PLACES_KEYS:  # a distance that is stored may have another last digit
            scores = dict(zip(real[::2], map(float, real[1::2]), strict=True))
            assert scores == pytest.approx(dict(model.scores_of(key)), rel=1e-14), key
            continue
        assert agrees(uncounted(model.run(args)), shortest(args, real)), (key, item.value, real)


def test_the_model_answers_as_redis_does(redis: RedisConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight thousand commands in four databases, every one of the workload's among them."""
    now_ms = int(time.time() * 1000)  # noqa: TID251 - as above
    monkeypatch.setattr("trikv.sim.workload.of_time.EPOCH_MS", now_ms)
    monkeypatch.setattr("trikv.sim.workload.of_time.trio.current_time", lambda: 0.0)
    model = Model()
    redis.call(b"FLUSHALL")
    redis.call(b"SELECT", b"0")
    names = set()
    for number, drawn_args in enumerate(drawn(1)):
        args = without_haste(drawn_args, number)
        if not is_of_redis(args):
            continue
        names.add(name_of(args))
        model.advance(int(time.time() * 1000))  # noqa: TID251 - as above
        redis.call(b"TOUCH", *EVERY_KEY)  # Redis counts expired keys until a command reads them
        real = shortest(args, redis.call(SPELLINGS.get(args[0], args[0]), *args[1:]))
        expected = forgiving(args, model.run(args, real))
        assert agrees(expected, real), f"{number} {args}: {expected!r} and {real!r}"
        if number % 50 == 0:
            demand_equal_contents(redis, model)
    newer = {name.decode() for name in NEWER}
    ours = {command.name for command in TABLE} - newer - {"CLEAN", "COUNT", "DELETE", "DEBUG", "MEMORY|USAGE"}
    assert ours - names <= {"CONFIG|SET", "OBJECT|ENCODING", "OBJECT|REFCOUNT"}
