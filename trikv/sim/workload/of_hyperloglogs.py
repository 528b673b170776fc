"""Requests about HyperLogLogs of a few elements, and of some hundred."""

from trikv.sim.workload.draw import ESTIMATES, MEMBERS, Draw
from trikv.sim.workload.requests import Step, command, request, transaction

_MANY = 400
"""Elements of one call: more than runs of registers hold in short form for several of them."""


@request("estimate", "PFADD", weight=4)
def _pfadd(draw: Draw) -> list[Step]:
    key = draw.key(ESTIMATES)
    first = draw.source.randrange(2000)
    many = [b"%d" % number for number in range(first, first + _MANY)]
    few = [*draw.members(), draw.value()]
    return [command(b"PFADD", key, *draw.one_of(few, few, few, few, few, draw.members(), [], many))]


@request("estimate", "PFCOUNT", weight=3)
def _pfcount(draw: Draw) -> list[Step]:
    one, other = draw.key(ESTIMATES), draw.key(ESTIMATES)
    return [draw.one_of(command(b"PFCOUNT", one), command(b"PFCOUNT", one, other))]


@request("estimate", "PFMERGE", "DEL")
def _pfmerge(draw: Draw) -> list[Step]:
    one, other = draw.key(ESTIMATES), draw.key(ESTIMATES)
    merge = command(b"PFMERGE", one, other)
    return [draw.one_of(merge, merge, command(b"PFMERGE", one), command(b"DEL", one))]


@request("estimate", "PFDEBUG", "PFSELFTEST", weight=0.5)
def _pfdebug(draw: Draw) -> list[Step]:
    key, word = draw.key(ESTIMATES), draw.one_of(b"ENCODING", b"DECODE", b"ENCODING", b"TODENSE")
    look = command(b"PFDEBUG", word, key)
    return [draw.one_of(look, look, command(b"PFDEBUG", b"GETREG", key), command(b"PFSELFTEST"))]


@request("estimate", "EXEC", weight=0.7)
def _counted(draw: Draw) -> list[Step]:
    """It knows of an element as soon as that was put."""
    key = draw.key(ESTIMATES)
    return [transaction((b"PFADD", key, draw.one_of(*MEMBERS)), (b"PFCOUNT", key), (b"GET", key))]
