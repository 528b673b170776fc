"""The rows of the comparison as data: what is driven how, and the ratio that it has to reach."""

import enum

import attrs

from tests.perf.generator import Work
from tests.perf.operations import OPERATIONS


class Side(enum.Enum):
    """Which servers, with which settings."""

    REDIS = "Redis"
    TRIKV = "trikv"
    LEASE = "trikv, reads=lease"


@attrs.frozen
class Contender:
    """Who is driven how."""

    side: Side
    work: Work
    everywhere: bool = False
    """Over all three nodes rather than the leader alone."""


@attrs.frozen
class Duel:
    """Two contenders driven in turns; what counts is the ratio of their throughputs."""

    key: str
    title: str
    base: Contender
    ours: Contender
    must: float
    aim: float
    """Lowest ratio that will do, and the one that is hoped for."""


@attrs.frozen
class Solo:
    """A figure of trikv alone; less is better."""

    key: str
    title: str
    unit: str
    must: float
    aim: float


def redis(work: Work) -> Contender:
    """Redis at trikv's durability: a write is answered when a second disk has it."""
    return Contender(Side.REDIS, attrs.evolve(work, wait=OPERATIONS[work.operation].writes))


SET_50, SET_256, SET_PIPELINED = Work("set", 50), Work("set", 256), Work("set", 50, depth=16)
GET_50, GET_150 = Work("get", 50), Work("get", 150)

DUELS = (
    Duel(
        key="set50",
        title="SET c=50 on the leader / Redis SET+WAIT",
        base=redis(SET_50),
        ours=Contender(Side.TRIKV, SET_50),
        must=1.0,
        aim=1.15,
    ),
    Duel(
        key="set256",
        title="SET c=256 on the leader / Redis SET+WAIT",
        base=redis(SET_256),
        ours=Contender(Side.TRIKV, SET_256),
        must=1.15,
        aim=1.3,
    ),
    Duel(
        key="set50p16",
        title="SET c=50, 16 in a pipeline / Redis 16 SET+WAIT",
        base=redis(SET_PIPELINED),
        ours=Contender(Side.TRIKV, SET_PIPELINED),
        must=0.75,
        aim=1.0,
    ),
    Duel(
        key="get50",
        title="GET c=50 on the leader, linearizable / Redis GET",
        base=redis(GET_50),
        ours=Contender(Side.TRIKV, GET_50),
        must=0.35,
        aim=0.45,
    ),
    Duel(
        key="lease",
        title="GET c=50 on the leader, reads=lease / Redis GET",
        base=redis(GET_50),
        ours=Contender(Side.LEASE, GET_50),
        must=0.6,
        aim=0.8,
    ),
    Duel(
        key="get150x3",
        title="GET c=150 over three nodes / c=50 on the leader",
        base=Contender(Side.TRIKV, GET_50),
        ours=Contender(Side.TRIKV, GET_150, everywhere=True),
        must=0.8,
        aim=1.2,
    ),
    Duel(
        key="set50x3",
        title="SET c=50 over three nodes / on the leader",
        base=Contender(Side.TRIKV, SET_50),
        ours=Contender(Side.TRIKV, SET_50, everywhere=True),
        must=0.7,
        aim=0.9,
    ),
)

WORST = Solo("worst", "worst latency in a minute of SET c=50", "ms", must=50, aim=30)
REST = Solo("rest", "processor time of a node at rest (the busiest)", "%", must=1, aim=0.5)
FAILOVER = Solo("failover", "writes resume after kill -9 of the leader, median", "s", must=1.2, aim=0.8)
GREEDY = Solo("greedy", "p99 of 49 SET clients beside 100k in a pipeline / without", "x", must=3, aim=3)
SOLOS = (WORST, REST, FAILOVER, GREEDY)

KEYS = tuple(row.key for row in (*DUELS, *SOLOS))
CURVE_CLIENTS = (1, 2, 5, 10, 25, 50, 100, 256)
"""Numbers of connections at which the plot has points."""
