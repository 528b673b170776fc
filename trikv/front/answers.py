"""A turn's replies as bytes, in the dialect of the connection.

`at_once` is for nearly every turn. `parts` makes the same bytes piece by piece, for what is too long to be
held.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import repeat

from trikv.front.caller import Caller
from trikv.front.commands.hints import explain
from trikv.front.layouts import laid_out
from trikv.front.outflow import PART_BYTES, CutShort, Part
from trikv.front.slots import Args
from trikv.front.turn import Turn
from trikv.machine.replies import (
    CommandError,
    Form,
    Reply,
    SimpleString,
    Streamed,
    drop,
    in_one,
    rows_of,
    weight,
)
from trikv.protocol.render import render, render_rows
from trikv.protocol.resp import encode, encode_rows, head


def shown(caller: Caller, reply: Reply, args: Args, *, typed: bool) -> bytes:
    """One reply to the request `args`, as bytes."""
    if not typed or (isinstance(reply, SimpleString) and _is_checked(caller, args)):
        return encode(reply, caller.connection.resp_version)
    if isinstance(reply, CommandError):
        return render(explain(caller.table, args, reply))
    return laid_out(caller.table, args, reply)


def _is_checked(caller: Caller, args: Args) -> bool:
    command = caller.table.find(args)
    return not isinstance(command, CommandError) and command.is_checked


def parts(caller: Caller, turn: Turn, replies: list[Reply]) -> Iterator[Part]:
    """All replies of `turn`, piece by piece. Raises CutShort.

    A client may take minutes to read them, so what was made is let go: no variable may keep a list while
    its elements are sent.
    """
    assert len(replies) == turn.steps
    if caller.connection.muted_turns and not turn.mixed:
        drop(replies)
        return
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
        elif not typed and weight((reply,)) > PART_BYTES and (of_many := rows_of(reply)) is not None:
            form, rows = of_many
            del reply, of_many
            version, left = caller.connection.resp_version, len(rows)
            yield head(form, left, version), False
            taken = _taken(rows)
            del rows
            for row in taken:
                left -= 1
                yield from _pieces(encode_rows(form, (row,), version), ends=not left)
        else:
            yield from _pieces(shown(caller, reply, args, typed=typed), ends=True)


def _taken(values: list[Reply]) -> Iterator[Reply]:
    """Each of `values`, which are let go as they are taken; the list itself may be another's, and stays."""
    return map(list.pop, repeat(values[::-1], len(values)))


def _items(
    caller: Caller, turn: Turn, replies: Iterator[Reply]
) -> Iterable[tuple[Reply, bool, Args] | bytes]:
    if not turn.mixed:
        return map(_plain, replies)
    return filter(partial(_is_heard, caller), turn.replies(caller, replies))


def _is_heard(caller: Caller, item: tuple[Reply, bool, Args] | bytes) -> bool:
    """Whether it is sent. CLIENT REPLY may decide that only while a reply of the turn is made."""
    is_heard = not caller.connection.muted_turns
    if not (is_heard or isinstance(item, bytes)):
        drop(item[:1])
    return is_heard


def _plain(reply: Reply) -> tuple[Reply, bool, Args]:
    return reply, False, ()


def _pieces(data: bytes, *, ends: bool) -> Iterator[Part]:
    """`data` in parts; `ends`: whether a reply ends with it."""
    if len(data) <= PART_BYTES:
        yield data, ends
        return
    for at in range(0, len(data), PART_BYTES):
        yield data[at : at + PART_BYTES], ends and at + PART_BYTES >= len(data)


def _first(streamed: Streamed) -> Reply:
    """Its first row, which is there."""
    while not streamed.is_over:
        for row in streamed.step():
            streamed.close()
            first: Reply = row
            return first
    assert streamed.error is not None, "it was counted"
    return streamed.error


def _streamed(caller: Caller, streamed: Streamed, args: Args, *, typed: bool) -> Iterator[Part]:
    """A long read: its head when the rows are counted, then the rows as they are found."""
    while streamed.count is None and not streamed.is_over:
        streamed.step()
        yield b"", True
    count = streamed.count
    if count is None:
        assert streamed.error is not None, "nobody else ends it while it is counted"
        yield shown(caller, streamed.error, args, typed=typed), True
        return
    form, first = streamed.form, 1
    if not count or form is Form.NUMBER:
        streamed.close()
        yield shown(caller, count if form is Form.NUMBER else in_one(form, []), args, typed=typed), True
        return
    if form is Form.FIRST:
        yield from _pieces(shown(caller, _first(streamed), args, typed=typed), ends=True)
        return
    if not typed:
        yield head(form, count, caller.connection.resp_version), False
    while not streamed.is_over:
        rows = streamed.step()
        is_long = weight(rows) > PART_BYTES  # long strings are not copied together
        for some in [[row] for row in rows] if is_long else [rows]:
            if typed:
                data = render_rows(form, some, first, count)
            else:
                data = encode_rows(form, some, caller.connection.resp_version)
            first += len(some)
            yield from _pieces(data, ends=first > count)
    if streamed.error is not None:
        raise CutShort
    assert first == count + 1, "both passes go over one cut"
