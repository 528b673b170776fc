"""Requests about lists of a few elements."""

from trikv.sim.workload.draw import LISTS, MEMBERS, Draw
from trikv.sim.workload.requests import Step, command, request, transaction


def _side(draw: Draw) -> bytes:
    return draw.one_of(b"LEFT", b"RIGHT")


def _place(draw: Draw) -> bytes:
    return b"%d" % draw.source.randint(-3, 3)


@request("list", "LPUSH", "RPUSH", "LPUSHX", "RPUSHX", weight=4)
def _push(draw: Draw) -> list[Step]:
    name = draw.one_of(b"LPUSH", b"RPUSH", b"LPUSH", b"RPUSH", b"LPUSHX", b"RPUSHX")
    return [command(name, draw.key(LISTS), *(draw.element() for _ in range(draw.one_of(1, 1, 2, 4))))]


@request("list", "LPOP", "RPOP", weight=3)
def _pop(draw: Draw) -> list[Step]:
    count = draw.one_of((), (), (b"2",), (b"0",), (b"9",))
    return [command(draw.one_of(b"LPOP", b"RPOP"), draw.key(LISTS), *count)]


@request("list", "LMPOP", "LMOVE", "RPOPLPUSH", weight=3)
def _move(draw: Draw) -> list[Step]:
    one, other = draw.key(LISTS), draw.key(LISTS)
    count = draw.one_of((), (b"COUNT", b"3"))
    return [
        draw.one_of(
            command(b"LMPOP", b"2", one, other, _side(draw), *count),
            command(b"LMOVE", one, other, _side(draw), _side(draw)),
            command(b"RPOPLPUSH", one, other),
        )
    ]


@request("list", "LSET", "LINSERT", "LREM", "LTRIM", "DEL", weight=3)
def _change(draw: Draw) -> list[Step]:
    key, known = draw.key(LISTS), draw.one_of(*MEMBERS)
    return [
        draw.one_of(
            command(b"LSET", key, _place(draw), draw.element()),
            command(b"LINSERT", key, draw.one_of(b"BEFORE", b"AFTER"), known, draw.element()),
            command(b"LREM", key, _place(draw), known),
            command(b"LTRIM", key, draw.one_of(b"0", b"1"), draw.one_of(b"-1", b"-2", b"3")),
            command(b"DEL", key),
        )
    ]


@request("list", "LRANGE", weight=3)
def _lrange(draw: Draw) -> list[Step]:
    ends = draw.one_of((b"0", b"-1"), (b"0", b"-1"), (b"1", b"2"), (b"-2", b"-1"))
    return [command(b"LRANGE", draw.key(LISTS), *ends)]


@request("list", "LLEN", "LINDEX", "LPOS", weight=2)
def _look(draw: Draw) -> list[Step]:
    key = draw.key(LISTS)
    options = draw.one_of(
        (), (b"RANK", b"-1"), (b"COUNT", b"0"), (b"RANK", b"2", b"COUNT", b"1"), (b"MAXLEN", b"2")
    )
    return [
        draw.one_of(
            command(b"LLEN", key),
            command(b"LINDEX", key, _place(draw)),
            command(b"LPOS", key, draw.one_of(*MEMBERS), *options),
        )
    ]


@request("list", "EXEC")
def _list_multi(draw: Draw) -> list[Step]:
    """An element goes from one end to the other, and another one is pushed."""
    key = draw.key(LISTS)
    return [
        transaction((b"LMOVE", key, key, b"LEFT", b"RIGHT"), (b"RPUSH", key, draw.value()), (b"LLEN", key))
    ]


@request("watch", "WATCH", weight=0.3)
def _watch(draw: Draw) -> list[Step]:
    """A list is watched: what changes it aborts the transaction, and what only looks does not."""
    key = draw.key(LISTS)
    return [command(b"WATCH", key), transaction((b"RPUSH", key, draw.value()), (b"LRANGE", key, b"0", b"-1"))]
