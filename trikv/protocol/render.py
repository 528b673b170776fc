r"""Replies for people at a terminal, laid out much as redis-cli lays them out.

Rows are numbered: ``1) "element"`` in a list or a set, ``1) "field": "value"`` in a hash, and
``1) "member": 1.5`` in a sorted set. A double is written as it would be typed.

Printable UTF-8 is shown, not escaped. Everything else is escaped as ``\xNN`` per byte: control characters of
either range, bidirectional overrides, zero-width characters, line separators, private and unassigned code
points. So no stored value can move a cursor, hide text or type an answer into somebody's terminal.
"""

from collections.abc import Sequence
from typing import Any, Final, assert_never

from trikv.machine.numerics import double_text
from trikv.machine.replies import (
    CommandError,
    DoubleText,
    Form,
    NullArray,
    Pairs,
    Reply,
    SimpleString,
    Streamed,
    Verbatim,
)
from trikv.protocol.resp import one_line

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b"}


def render(reply: Reply, *, plain: bool = False) -> bytes:
    """`reply` as lines that end in CRLF.

    `plain` shows a bulk string as text with its line breaks, like a `Verbatim`: for INFO and the like.
    """
    if plain and isinstance(reply, bytes):
        reply = Verbatim(reply)
    lines = _lines(reply, "")
    return "".join(f"{line}\r\n" for line in lines).encode()


def render_rows(form: Form, rows: Sequence[Any], first: int, count: int) -> bytes:
    """Some rows of a reply of `count`, the first of which has that number."""
    cells = [(row,) for row in rows] if form in (Form.ARRAY, Form.SET) else list(rows)
    lines = _rows(cells, "", first, len(str(count)))
    return "".join(f"{line}\r\n" for line in lines).encode()


def quote(value: bytes) -> str:
    r"""`value` in double quotes; typed back in, `quoting.split_line` reads the same bytes."""
    return f'"{_printable(value, quoted=True)}"'


def printable(value: bytes) -> str:
    r"""`value` on one line, as text for a terminal; quotes and backslashes stay as they are."""
    return _printable(value, quoted=False)


def _printable(value: bytes, *, quoted: bool) -> str:
    text = value.decode("utf-8", "surrogateescape")
    if quoted:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    named = _NAMED.get(character)
    if named is not None:
        return named
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _lines(reply: Reply, prefix: str) -> list[str]:
    """The lines of `reply`. `prefix` is put before each except the first, which the caller numbers."""
    match reply:
        case bytes():
            return [quote(reply)]
        case None | NullArray():
            return ["(nil)"]
        case SimpleString():
            return [printable(one_line(reply.text))]
        case CommandError():
            return [f"(error) {printable(one_line(reply.text))}"]
        case bool():
            return ["(true)" if reply else "(false)"]
        case int():
            return [f"(integer) {reply}"]
        case float():
            return [double_text(reply).decode()]
        case DoubleText():
            return [reply.text.decode()]
        case Verbatim():
            return [
                printable(line.removesuffix(b"\r")) for line in reply.text.removesuffix(b"\n").split(b"\n")
            ]
        case list():
            return _numbered([(element,) for element in reply], "array", prefix)
        case tuple():
            return _numbered([(element,) for element in reply], "set", prefix)
        case dict():
            return _numbered(list(reply.items()), "hash", prefix)
        case Pairs():
            return _numbered(reply.pairs, "array", prefix)
        case Streamed():
            raise AssertionError("a streamed reply is shown in parts: `render_rows`")
        case _:
            assert_never(reply)


def _numbered(rows: list[tuple[Reply]] | list[tuple[Reply, Reply]], kind: str, prefix: str) -> list[str]:
    """Rows ``1) value`` or ``1) key: value``, nested ones indented by the number's width."""
    return _rows(rows, prefix, 1, len(str(len(rows)))) if rows else [f"(empty {kind})"]


def _rows(
    rows: list[tuple[Reply]] | list[tuple[Reply, Reply]], prefix: str, first: int, width: int
) -> list[str]:
    """Numbered from `first` on; numbers are `width` characters wide."""
    inner = prefix + " " * (width + 2)
    lines: list[str] = []
    for number, row in enumerate(rows, first):
        cells = [_lines(cell, inner) for cell in row]
        joined = cells[0]
        for value in cells[1:]:
            if len(value) == 1:
                joined[-1] += f": {value[0]}"
            else:
                joined[-1] += ":"
                joined += [inner + value[0], *value[1:]]
        indent = prefix if number > first else ""
        lines.append(f"{indent}{number:>{width}}) {joined[0]}")
        lines += joined[1:]
    return lines
