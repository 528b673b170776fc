"""The checkers and redis-server give the same meaning to every command of the workload.

No key expires while it runs: each deadline is far off or long past, and no two are alike, so that two clocks
agree on their order.
"""

import random
import time

import pytest

from tests.machine.test_against_redis import redis
from tests.redis_server import RedisConnection
from trikv.sim.checkers.expected import Between, agrees
from trikv.sim.checkers.model import Model
from trikv.sim.history import Args
from trikv.sim.workload.draw import (
    COUNTERS,
    FRACTIONS,
    MORTALS,
    MOVED,
    PIECES,
    REGISTERS,
    SUMS,
    TEXTS,
    Draw,
)
from trikv.sim.workload.profiles import WEIGHTS
from trikv.sim.workload.requests import REQUESTS, Form

__all__ = ["redis"]

SPELLINGS = {b"DELETE": b"DEL", b"COUNT": b"DBSIZE", b"CLEAN": b"FLUSHALL"}
"""trikv's own words."""
NOT_OF_REDIS = {b"MEMORY", b"CONFIG", b"DEBUG"}
UNITS = {b"EX": 1000, b"PX": 1, b"EXAT": 1000, b"PXAT": 1}
AMOUNT_AT = {b"SETEX": 1000, b"PSETEX": 1, b"EXPIRE": 1000, b"PEXPIRE": 1, b"EXPIREAT": 1000, b"PEXPIREAT": 1}
"""Commands whose third word is an amount of time, in units of so many ms."""
SHOWING = {b"PEXPIRETIME", b"EXPIRETIME"}
FAMILIES = (REGISTERS, COUNTERS, SUMS, FRACTIONS, TEXTS, PIECES, MOVED, MORTALS)
EVERY_KEY = [f"{letter}{number}".encode() for letter, count in FAMILIES for number in range(count)]
STEPS = 4000


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
    requests = [one for one in REQUESTS if one.kind in kinds and one.kind != "flush"]
    flushes = [one for one in REQUESTS if one.kind == "flush"]
    commands: list[Args] = []
    while len(commands) < STEPS:
        one = source.choice(flushes if source.random() < 0.005 else requests)
        for step in one.make(draw):
            if step.form is not Form.LOCAL or step.commands[0][0] == b"SELECT":
                commands += step.commands
    return commands


def test_the_model_answers_as_redis_does(redis: RedisConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four thousand commands in four databases, every one of the workload's among them."""
    now_ms = int(time.time() * 1000)  # noqa: TID251 - as above
    monkeypatch.setattr("trikv.sim.workload.of_time.EPOCH_MS", now_ms)
    monkeypatch.setattr("trikv.sim.workload.of_time.trio.current_time", lambda: 0.0)
    model = Model()
    redis.call(b"FLUSHALL")
    redis.call(b"SELECT", b"0")
    names = set()
    for number, drawn_args in enumerate(drawn(1)):
        args = without_haste(drawn_args, number)
        if args[0] in NOT_OF_REDIS:
            continue
        names.add(args[0])
        model.advance(int(time.time() * 1000))  # noqa: TID251 - as above
        expected = model.run(args)
        redis.call(b"TOUCH", *EVERY_KEY)  # Redis counts expired keys until a command reads them
        real = redis.call(SPELLINGS.get(args[0], args[0]), *args[1:])
        if isinstance(expected, Between):
            expected = Between(expected.least, expected.most + 1000)
        if args[0] in SHOWING and isinstance(expected, int) and expected > 0:
            expected = Between(expected - 1000, expected + 1000)
        assert agrees(expected, real), f"{number} {args}: {expected!r} and {real!r}"
    assert len(names) > 45
