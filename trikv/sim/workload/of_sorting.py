"""Requests about lists that are sorted, by their elements or by what other keys say of these."""

from trikv.sim.history import Args
from trikv.sim.workload.draw import RANKS, SORTED_LISTS, Draw
from trikv.sim.workload.requests import Step, command, request, transaction

_ELEMENTS: Args = (b"0", b"1", b"2", b"3", b"10", b"-1.5", b"1e2", b"00")
"""The first of them are the numbers of `RANKS`."""
_RANKS: Args = (b"7", b"-2", b"0.5", b"7.0", b"3", b"x")


def _elements(draw: Draw) -> list[bytes]:
    return [draw.one_of(*_ELEMENTS) for _ in range(draw.source.randint(1, 4))]


@request("sorting", "RPUSH", "LTRIM", "DEL", weight=4)
def _push(draw: Draw) -> list[Step]:
    key = draw.key(SORTED_LISTS)
    push = command(b"RPUSH", key, *_elements(draw))
    return [draw.one_of(push, push, push, command(b"LTRIM", key, b"-6", b"-1"), command(b"DEL", key))]


@request("sorting", "SET", "DEL", "HSET", weight=2)
def _rank(draw: Draw) -> list[Step]:
    key, rank = draw.key(RANKS), draw.one_of(*_RANKS)
    put = command(b"SET", key, rank)
    return [draw.one_of(put, put, command(b"DEL", key), command(b"HSET", key, b"f", rank))]


def _options(draw: Draw) -> Args:
    by = draw.one_of((), (), (b"BY", b"o*"), (b"BY", b"o*->f"), (b"BY", b"nosort"))
    texts = draw.one_of((), (b"ALPHA",))
    # Which of several elements with one text are inside of a limit, Redis does not say.
    limit = () if by and texts else draw.one_of((), (), (b"LIMIT", b"1", b"3"))
    return (
        *by,
        *limit,
        *draw.one_of((), (), (b"GET", b"#", b"GET", b"o*"), (b"GET", b"o*->f")),
        *draw.one_of((), (b"DESC",)),
        *texts,
    )


@request("sorting", "SORT", "SORT_RO", weight=5)
def _sort(draw: Draw) -> list[Step]:
    key, options = draw.key(SORTED_LISTS), _options(draw)
    return [
        draw.one_of(
            command(b"SORT", key, *options),
            command(b"SORT_RO", key, *options),
            command(b"SORT", key, *options, b"STORE", draw.key(SORTED_LISTS)),
        )
    ]


@request("sorting", "EXEC", weight=0.7)
def _ranked(draw: Draw) -> list[Step]:
    """A rank changes, and what is sorted by it."""
    key = draw.key(SORTED_LISTS)
    return [
        transaction(
            (b"SET", draw.key(RANKS), draw.one_of(*_RANKS)),
            (b"SORT", key, b"BY", b"o*", b"ALPHA", b"STORE", key),
            (b"LRANGE", key, b"0", b"-1"),
        )
    ]
