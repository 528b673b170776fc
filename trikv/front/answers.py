"""A turn's replies as bytes, in the dialect of the connection.

`at_once` is for nearly every turn. `parts` makes the same bytes piece by piece, for what is too long to be
held.
"""

from collections.abc import Iterable, Iterator
from itertools import repeat

from trikv.front.caller import Caller
from trikv.front.commands.hints import explain
from trikv.front.outflow import PART_BYTES, CutShort, Part
from trikv.front.slots import Args
from trikv.front.turn import Turn
from trikv.machine.replies import CommandError, Reply, SimpleString, Streamed, weight
from trikv.protocol.render import render, render_part
from trikv.protocol.resp import array_head, encode


def shown(caller: Caller, reply: Reply, args: Args, *, typed: bool) -> bytes:
    """One reply to the request `args`, as bytes."""
    if not typed or (isinstance(reply, SimpleString) and _is_checked(caller, args)):
        return encode(reply, caller.connection.resp_version)
    if isinstance(reply, CommandError):
        return render(explain(caller.table, args, reply))
    return render(reply)


def _is_checked(caller: Caller, args: Args) -> bool:
    command = caller.table.find(args)
    return not isinstance(command, CommandError) and command.is_checked


def parts(caller: Caller, turn: Turn, replies: list[Reply]) -> Iterator[Part]:
    """All replies of `turn`, piece by piece. Raises CutShort.

    A client may take minutes to read them, so what was made is let go: no variable may keep a list while
    its elements are sent.
    """
    assert len(replies) == turn.steps
    items = _items(caller, turn, _taken(replies))
    del replies
    for item in items:
        if isinstance(item, bytes):
            yield item, True
            continue
        reply, typed, args = item
        del item
        if isinstance(reply, Streamed):
            yield from _streamed(caller, reply, args, typed=typed)
        elif isinstance(reply, list) and not typed and weight(reply) > PART_BYTES:
            yield array_head(len(reply)), False
            left, elements = len(reply), _taken(reply)
            del reply
            for element in elements:
                left -= 1
                yield from _pieces(encode(element, caller.connection.resp_version), ends=not left)
        else:
            yield from _pieces(shown(caller, reply, args, typed=typed), ends=True)


def _taken(values: list[Reply]) -> Iterator[Reply]:
    """Each of `values`, which are let go as they are taken; the list itself may be another's, and stays."""
    return map(list.pop, repeat(values[::-1], len(values)))


def _items(
    caller: Caller, turn: Turn, replies: Iterator[Reply]
) -> Iterable[tuple[Reply, bool, Args] | bytes]:
    return turn.replies(caller, replies) if turn.mixed else map(_plain, replies)


def _plain(reply: Reply) -> tuple[Reply, bool, Args]:
    return reply, False, ()


def _pieces(data: bytes, *, ends: bool) -> Iterator[Part]:
    """`data` in parts; `ends`: whether a reply ends with it."""
    if len(data) <= PART_BYTES:
        yield data, ends
        return
    for at in range(0, len(data), PART_BYTES):
        yield data[at : at + PART_BYTES], ends and at + PART_BYTES >= len(data)


def _streamed(caller: Caller, streamed: Streamed, args: Args, *, typed: bool) -> Iterator[Part]:
    """A long read: its head when the elements are counted, then the elements as they are found."""
    while streamed.count is None and not streamed.is_over:
        streamed.step()
        yield b"", True
    count = streamed.count
    if count is None:
        assert streamed.error is not None, "nobody else ends it while it is counted"
        yield shown(caller, streamed.error, args, typed=typed), True
        return
    if not typed:
        yield array_head(count), not count
    elif not count:
        yield render([]), True
    first = 1
    while not streamed.is_over:
        elements = streamed.step()
        if typed:
            data = render_part(elements, first, count)
        else:
            version = caller.connection.resp_version
            data = b"".join([encode(element, version) for element in elements])
        first += len(elements)
        yield from _pieces(data, ends=first > count)
    if streamed.error is not None:
        raise CutShort
    assert first == count + 1, "both passes go over one cut"
