"""Commands with their replies as text, a line each: what the documentation of a family promises its users.

A line is a command, an arrow and the reply: ``nil``, a number, a string, an error; ``[a b]`` for an array,
``[a=1 b=2]`` for pairs in an order; ``{a b}`` and ``{a=1 b=2}`` for a set and a map, which are sorted here.
In a command ``.`` is an empty string, ``x*70`` one of 70 x's, and ``f1..9`` the words f1 to f9. Of a long
reply there may be the beginning only, and three points.
"""

import re
from collections.abc import Iterator

from tests.machine.driving import Driver
from trikv.machine.replies import NULL_ARRAY, CommandError, Form, Reply, SimpleString, Streamed, rows_of

_TIMES = re.compile(r"(\S)\*([0-9]+)")
_MANY = re.compile(r"(\S*?)([0-9]+)\.\.([0-9]+)")


def words(line: str) -> list[bytes]:
    """The words of a command."""
    return [word.encode("latin-1") for part in line.split() for word in _spelled(part)]


def _spelled(part: str) -> Iterator[str]:
    if times := _TIMES.fullmatch(part):
        yield times[1] * int(times[2])
    elif many := _MANY.fullmatch(part):
        yield from (f"{many[1]}{number}" for number in range(int(many[2]), int(many[3]) + 1))
    else:
        yield "" if part == "." else part


def text(reply: Reply) -> str:
    """A reply as it stands in a dialogue."""
    if isinstance(reply, CommandError | SimpleString):
        return reply.text
    if reply is None or reply is NULL_ARRAY:
        return "nil"
    if isinstance(reply, bytes):
        return reply.decode("latin-1").encode("unicode_escape").decode() or "."
    if isinstance(reply, Streamed):
        return str(sum(len(reply.step()) for _ in iter(lambda: reply.is_over, True))) + " rows"
    found = rows_of(reply)
    if found is None:
        return str(reply)
    form, rows = found
    if form in (Form.MAP, Form.PAIRS):
        rows = [f"{text(one)}={text(other)}" for one, other in rows]
    else:
        rows = [text(row) for row in rows]
    if form in (Form.MAP, Form.SET):
        return "{" + " ".join(sorted(rows)) + "}"
    return "[" + " ".join(rows) + "]"


def check(dialogue: str, driver: Driver | None = None) -> None:
    """Hold a dialogue with a new machine, or with that of `driver`."""
    driver = driver or Driver()
    for line in dialogue.strip().splitlines():
        command, _, expected = line.strip().partition(" -> ")
        reply = text(driver.one(words(command)))
        if expected.endswith("..."):
            assert reply.startswith(expected[:-3]), command
        else:
            assert reply == expected, command
