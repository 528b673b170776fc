"""Requests to the machine without deadlines (`of_time` has those). The checkers judge the answers."""

from trikv.machine.evaluation import SLICE_COMMANDS
from trikv.sim.history import Args
from trikv.sim.workload.draw import (
    COUNTERS,
    FRACTIONS,
    MOVED,
    PIECES,
    REGISTERS,
    SUMS,
    TEXTS,
    Draw,
)
from trikv.sim.workload.requests import Belief, Step, Told, command, local, request, transaction


@request("get", "GET")
def _get(draw: Draw) -> list[Step]:
    family = draw.one_of(REGISTERS, REGISTERS, COUNTERS, COUNTERS, TEXTS)
    return [command(b"GET", draw.key(family))]


@request("incr", "INCR")
def _incr(draw: Draw) -> list[Step]:
    return [command(b"INCR", draw.key(COUNTERS))]


@request("append", "APPEND")
def _append(draw: Draw) -> list[Step]:
    return [command(b"APPEND", draw.key(TEXTS), draw.value() + b",")]


# Registers.


@request("set", "SET", weight=14)
def _set(draw: Draw) -> list[Step]:
    return [command(b"SET", draw.key(REGISTERS), draw.value())]


@request("set", "DEL", "UNLINK", "DELETE", weight=2)
def _delete(draw: Draw) -> list[Step]:
    return [command(draw.one_of(b"DEL", b"UNLINK", b"DELETE"), draw.key(REGISTERS))]


@request("set", "GETSET", weight=1.5)
def _getset(draw: Draw) -> list[Step]:
    return [command(b"GETSET", draw.key(REGISTERS), draw.value())]


@request("set", "SET", weight=1.5)
def _set_if(draw: Draw) -> list[Step]:
    return [command(b"SET", draw.key(REGISTERS), draw.value(), *draw.one_of((b"NX",), (b"XX", b"GET")))]


@request("set", "SETNX", weight=0.5)
def _setnx(draw: Draw) -> list[Step]:
    return [command(b"SETNX", draw.key(REGISTERS), draw.value())]


@request("set", "GETDEL", weight=0.5)
def _getdel(draw: Draw) -> list[Step]:
    return [command(b"GETDEL", draw.key(REGISTERS))]


@request("many", "MGET", weight=5)
def _mget(draw: Draw) -> list[Step]:
    return [command(b"MGET", *draw.group()[:2])]


@request("many", "MSET", "MSETNX", weight=5)
def _mset(draw: Draw) -> list[Step]:
    one, other, _ = draw.group()
    name = draw.one_of(b"MSET", b"MSET", b"MSET", b"MSETNX")
    return [command(name, one, draw.value(), other, draw.value())]


@request("many", "EXISTS", "TOUCH", "DEL")
def _exists(draw: Draw) -> list[Step]:
    one, other, counter = draw.group()
    keys = draw.one_of((one, other), (one, counter, one))
    return [draw.one_of(command(b"EXISTS", *keys), command(b"TOUCH", *keys), command(b"DEL", one, other))]


@request("look", "STRLEN", "TYPE", "EXISTS", "TOUCH", "MEMORY|USAGE")
def _look(draw: Draw) -> list[Step]:
    words = draw.one_of((b"STRLEN",), (b"TYPE",), (b"EXISTS",), (b"TOUCH",), (b"MEMORY", b"USAGE"))
    return [command(*words, draw.key(draw.one_of(REGISTERS, COUNTERS, TEXTS)))]


@request("look", "GETRANGE", "SUBSTR", weight=0.5)
def _getrange(draw: Draw) -> list[Step]:
    name, ends = draw.one_of(b"GETRANGE", b"SUBSTR"), draw.one_of((b"0", b"-1"), (b"1", b"2"), (b"-3", b"-2"))
    return [command(name, draw.key(draw.one_of(REGISTERS, TEXTS, PIECES)), *ends)]


# Numbers and pieces.


@request("sum", "INCRBY", "DECRBY", "DECR", weight=3)
def _sum(draw: Draw) -> list[Step]:
    key, amount = draw.key(SUMS), b"%d" % draw.source.randint(1, 9)
    if draw.chance(0.3):
        return [command(b"DECR", key)]
    return [command(draw.one_of(b"INCRBY", b"DECRBY"), key, amount)]


@request("sum", "INCRBYFLOAT")
def _incrbyfloat(draw: Draw) -> list[Step]:
    return [command(b"INCRBYFLOAT", draw.key(FRACTIONS), draw.one_of(b"0.5", b"1.25", b"-3", b"0.125"))]


@request("sum", "GET")
def _get_sum(draw: Draw) -> list[Step]:
    return [command(b"GET", draw.key(draw.one_of(SUMS, FRACTIONS)))]


@request("piece", "SETRANGE", weight=2)
def _setrange(draw: Draw) -> list[Step]:
    place, piece = draw.source.randrange(6), draw.one_of(draw.value(), b"ab", b"")
    return [command(b"SETRANGE", draw.key(PIECES), b"%d" % place, piece)]


@request("piece", "GET", "DEL")
def _get_piece(draw: Draw) -> list[Step]:
    return [command(draw.one_of(b"GET", b"GET", b"STRLEN", b"DEL"), draw.key(PIECES))]


# Names.


@request("move", "RENAME", "RENAMENX", weight=2)
def _rename(draw: Draw) -> list[Step]:
    return [command(draw.one_of(b"RENAME", b"RENAMENX"), draw.key(MOVED), draw.key(MOVED))]


@request("move", "SET", weight=2)
def _set_moved(draw: Draw) -> list[Step]:
    return [command(b"SET", draw.key(MOVED), draw.value())]


@request("move", "GET", "DEL")
def _get_moved(draw: Draw) -> list[Step]:
    return [command(draw.one_of(b"GET", b"GET", b"DEL"), draw.key(MOVED))]


# What takes several slices.


@request("long", "DEBUG", weight=2)
def _work(draw: Draw) -> list[Step]:
    """Steps of a millisecond each, on every replica."""
    steps = b"%d" % draw.source.randint(1, 6)
    return [command(b"DEBUG", b"WORK", steps, draw.key(REGISTERS), may_be_refused=True)]


@request("long", "EXEC")
def _long_multi(draw: Draw) -> list[Step]:
    """A transaction that stops between its commands: whoever looked then would see one INCR of two."""
    one, other, counter = draw.group()
    between: list[Args] = [(b"GET", draw.one_of(one, counter))] * draw.one_of(
        SLICE_COMMANDS, 2 * SLICE_COMMANDS
    )
    return [transaction((b"INCR", counter), (b"SET", other, draw.value()), *between, (b"INCR", counter))]


# Whole databases.


@request("space", "DBSIZE", "COUNT", weight=3)
def _dbsize(draw: Draw) -> list[Step]:
    return [command(draw.one_of(b"DBSIZE", b"COUNT"))]


@request("space", "KEYS")
def _keys(draw: Draw) -> list[Step]:
    return [command(b"KEYS", draw.one_of(b"*", b"r*", b"?0"))]


@request("space", "SCAN")
def _scan(draw: Draw) -> list[Step]:
    options = draw.one_of((), (b"MATCH", b"t*"), (b"COUNT", b"3"))
    return [command(b"SCAN", draw.one_of(b"0", b"0", b"2147483648"), *options)]


@request("space", "RANDOMKEY", "TIME")
def _randomkey(draw: Draw) -> list[Step]:
    return [command(draw.one_of(b"RANDOMKEY", b"TIME"))]


@request("flush", "FLUSHDB", "FLUSHALL", "CLEAN")
def _flush(draw: Draw) -> list[Step]:
    mode = draw.one_of((), (), (b"ASYNC",), (b"SYNC",))
    return [command(draw.one_of(b"FLUSHDB", b"FLUSHDB", b"FLUSHALL", b"CLEAN"), *mode)]


@request("flush", "SWAPDB", weight=0.5)
def _swapdb(draw: Draw) -> list[Step]:
    return [command(b"SWAPDB", b"%d" % draw.database(), b"%d" % draw.database())]


@request("flush", "DBSIZE", "KEYS", weight=2)
def _after_flush(draw: Draw) -> list[Step]:
    return [draw.one_of(command(b"DBSIZE"), command(b"KEYS", b"*"))]


# Transactions.


@request("multi", "MULTI", "EXEC", weight=6)
def _multi(draw: Draw) -> list[Step]:
    one, other, counter = draw.group()
    inner: list[Args] = [(b"INCR", counter), (b"GET", one)]
    if draw.chance(0.5):
        inner.append((b"SET", other, draw.value()))
    return [transaction(*inner)]


@request("multi", "SELECT")
def _multi_select(draw: Draw) -> list[Step]:
    """A SELECT inside, with keys of the other database behind it; the connection then stays in that one."""
    one, other, counter = draw.group()
    select: Args = (b"SELECT", b"%d" % draw.database())
    return [transaction((b"SET", one, draw.value()), select, (b"INCR", counter), (b"GET", other))]


@request("multi", "PING", "ECHO")
def _multi_local(draw: Draw) -> list[Step]:
    """The node's own answers come in their places among the machine's."""
    one, _, counter = draw.group()
    return [transaction((b"PING",), (b"INCR", counter), (b"ECHO", draw.value()), (b"GET", one))]


@request("multi", "MGET")
def _multi_read(draw: Draw) -> list[Step]:
    one, other, counter = draw.group()
    return [transaction((b"MGET", one, other), (b"GET", counter), (b"DBSIZE",))]


@request("multi", "DISCARD", weight=0.7)
def _discard(draw: Draw) -> list[Step]:
    one, _, counter = draw.group()
    queued: list[Args] = [(b"INCR", counter), (b"SET", one, draw.value())]
    return [local(_was_dropped, (b"MULTI",), *queued, (b"DISCARD",), then=Belief.forget_watches)]


def _was_dropped(told: Told) -> bool:
    return told.replies == [b"OK", b"QUEUED", b"QUEUED", b"OK"]


@request("multi", "EXEC", weight=0.3)
def _spoiled(draw: Draw) -> list[Step]:
    """A transaction with a wrong command: nothing of it happens."""
    one, _, counter = draw.group()
    commands: tuple[Args, ...] = ((b"MULTI",), (b"INCR", counter), (b"GET", one, one), (b"EXEC",))
    return [local(_was_spoiled, *commands, then=Belief.forget_watches)]


def _was_spoiled(told: Told) -> bool:
    return told.fails("EXECABORT")


@request("watch", "WATCH", weight=1)
def _watch(draw: Draw) -> list[Step]:
    """WATCH and its transaction in one pipeline: a write between the two aborts it."""
    one, other, counter = draw.group()
    return [
        command(b"WATCH", *draw.one_of((one,), (one, other))),
        transaction((b"INCR", counter), (b"SET", one, draw.value())),
    ]


@request("watch", "UNWATCH", weight=0.5)
def _unwatch(draw: Draw) -> list[Step]:
    """UNWATCH behind WATCH: no write aborts the transaction that follows."""
    one, _, counter = draw.group()
    return [
        command(b"WATCH", one),
        local(lambda told: told.reply == b"OK", (b"UNWATCH",), then=Belief.forget_watches),
        command(b"SET", one, draw.value()),
        transaction((b"INCR", counter), (b"GET", one)),
    ]
