"""Replies whose elements only their command explains, laid out for people.

A page of SCAN is a cursor and rows, LMPOP answers whose elements these are. Programs know that; a person is
shown it.
"""

from collections.abc import Callable, Sequence
from typing import Final

from trikv.front.slots import Args
from trikv.machine.numerics import parse_double
from trikv.machine.replies import Pairs, Reply
from trikv.machine.table import CommandTable
from trikv.protocol.render import quote, render


def laid_out(table: CommandTable, args: Args, reply: Reply) -> bytes:
    """The lines of `reply` to the request `args`; it is neither a stream nor an error."""
    layout = _LAYOUTS.get(table.name_of(args))
    lines = layout(reply) if layout is not None else None
    return render(reply) if lines is None else lines


def _pairs(flat: Sequence[Reply]) -> list[tuple[Reply, Reply]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _scored(member: Reply, score: Reply) -> tuple[Reply, Reply]:
    """A score that came as text is shown as the number that it is."""
    number = parse_double(score) if isinstance(score, bytes) else None
    return member, score if number is None else number


def _page(rows: Callable[[list[Reply]], Reply]) -> Callable[[Reply], bytes | None]:
    """A page of SCAN and its like: where the next begins, then what was found."""

    def layout(reply: Reply) -> bytes:
        assert isinstance(reply, list)
        cursor, found = reply
        assert isinstance(cursor, bytes)
        assert isinstance(found, list)
        more = "0 (no more)" if cursor == b"0" else cursor.decode()
        return f"next cursor: {more}\r\n".encode() + render(rows(found))

    return layout


def _popped(reply: Reply) -> bytes | None:
    """A key, and what was taken out of its value."""
    match reply:
        case [bytes(key), list(found)]:
            shown: Reply = found
            if found and all(isinstance(one, list) for one in found):
                shown = Pairs([(one[0], one[1]) for one in found if isinstance(one, list)])
            return f"{quote(key)}:\r\n".encode() + render(shown)
        case _:
            return None


def _one_scored(reply: Reply) -> bytes | None:
    """A member and its score, which Redis answers as a list of two."""
    match reply:
        case [bytes(member), float(score)]:
            return render(Pairs([(member, score)]))
        case _:
            return None


_LAYOUTS: Final[dict[str, Callable[[Reply], bytes | None]]] = {
    "SCAN": _page(lambda found: found),
    "SSCAN": _page(lambda found: found),
    "HSCAN": _page(lambda found: Pairs(_pairs(found))),
    "ZSCAN": _page(lambda found: Pairs([_scored(*pair) for pair in _pairs(found)])),
    "LMPOP": _popped,
    "ZMPOP": _popped,
    "ZPOPMIN": _one_scored,
    "ZPOPMAX": _one_scored,
}
