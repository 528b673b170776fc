"""What a command answers: plain Python values, which cost nothing to make.

============  =======================================================================
Python value  RESP
============  =======================================================================
`SimpleString`      simple string (``+OK``)
CommandError  error (``-ERR ...``): a value, returned by handlers, never raised past the machine
int           integer
bytes         bulk string
None          null
NullArray     null (RESP3), else an array of length -1
float         double (RESP3), else a bulk string
DoubleText    the same, by a text of its own
bool          boolean (RESP3), else integer 1 or 0
list          array
tuple         array whose elements are a set (RESP3 ``~``), else an array
dict          map (RESP3), else a flat array
Pairs         array of arrays of two (RESP3), else a flat array
Verbatim      verbatim string (RESP3), else a bulk string
Streamed      any of these of many elements, made while it is sent: the only reply that is no value
============  =======================================================================
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from itertools import chain
from typing import Any, Protocol, TypeAlias, Union, assert_never

import msgspec


class SimpleString(msgspec.Struct, frozen=True, gc=False):
    """A simple string reply such as OK, QUEUED or PONG, without a line break."""

    text: str


class CommandError(msgspec.Struct, frozen=True, gc=False):
    """An error reply. `text` starts with its code: ``ERR ...``, ``WRONGTYPE ...``, ``OOM ...``."""

    text: str


class Verbatim(msgspec.Struct, frozen=True, gc=False):
    """Text for people; `format` is RESP3's three letters for its kind."""

    text: bytes
    format: str = "txt"


class DoubleText(msgspec.Struct, frozen=True, gc=False):
    """A double whose text is not the shortest: with so many digits Redis shows it."""

    text: bytes


class NullArray(msgspec.Struct, frozen=True, gc=False):
    """RESP2's other null, where Redis says that there is no array rather than no string."""


class Pairs(msgspec.Struct, frozen=True, gc=False):
    """Pairs in an order, such as members with their scores."""

    pairs: list[tuple["Reply", "Reply"]]


class Form(Enum):
    """What the rows that are found make together. A row is an element, or a pair in a map and in pairs."""

    ARRAY = "array"
    SET = "set"
    MAP = "map"
    PAIRS = "pairs"
    NUMBER = "number"
    """How many there are; they are not shown."""
    FIRST = "first"
    """The first one, or null."""


class Kept(Protocol):
    """What a streamed reply is made from, as far as others must know of it: a cut."""

    def kept(self) -> dict[int, int]:
        """The memory that is taken only because of this and others like it: bytes by the identity of a piece.

        Several may keep the same piece, which is there once.
        """

    def close(self) -> None:
        """Let it go. Called once by each holder."""


class Streamed:
    """A reply that is made while it is sent, because it may be too long to be held or made at once.

    Whoever is handed one calls `step` until `is_over`, or `close`: until then the machine keeps what it
    needs.
    """

    __slots__ = ("_note", "_steps", "count", "error", "form", "is_over", "kept")

    def __init__(
        self,
        steps: Iterator["int | Sequence[Any]"],
        kept: Kept,
        note: Callable[[Exception], CommandError],
        form: Form = Form.ARRAY,
    ) -> None:
        """`steps` give the number of rows once, before the first of them."""
        self.form = form
        self.count: int | None = None
        """How many rows it has; None until they have been counted."""
        self.is_over = False
        """Whether the last row was given, or `close` was called."""
        self.error: CommandError | None = None
        """Why it is over before its last row: a bug."""
        self.kept = kept
        self._steps = steps
        self._note = note

    def step(self) -> Sequence[Any]:
        """Do a small part of the work, and return the rows that came of it; often none."""
        assert not self.is_over
        try:
            found = next(self._steps, None)
        except (MemoryError, RecursionError):
            raise  # as in `trikv.machine.evaluation`
        except Exception as problem:  # noqa: BLE001 - any bug of a handler, as there
            self.error = self._note(problem)
            found = None
        if found is None:
            self.close()
            return []
        if isinstance(found, int):
            self.count = found
            return []
        return found

    def close(self) -> None:
        """No more is wanted. Harmless twice."""
        if not self.is_over:
            self.is_over = True
            self._steps = iter(())
            self.kept.close()


Reply: TypeAlias = Union[
    SimpleString,
    CommandError,
    Verbatim,
    DoubleText,
    NullArray,
    Pairs,
    Streamed,
    int,
    bytes,
    float,
    bool,
    list["Reply"],
    "tuple[Reply, ...]",
    "dict[Reply, Reply]",
    None,
]

NULL_ARRAY = NullArray()
OK = SimpleString("OK")
PONG = SimpleString("PONG")
QUEUED = SimpleString("QUEUED")


def in_one(form: Form, rows: list[Any]) -> Reply:
    """The reply with these rows, made at once."""
    match form:
        case Form.ARRAY:
            return rows
        case Form.SET:
            return tuple(rows)
        case Form.MAP:
            return dict(rows)
        case Form.PAIRS:
            return Pairs(rows)
        case Form.NUMBER:
            return len(rows)
        case Form.FIRST:
            return rows[0] if rows else None
        case _:
            assert_never(form)


def rows_of(reply: Reply) -> tuple[Form, list[Any]] | None:
    """The rows of a reply of many, in a list of its own but for an array's; None of any other reply."""
    if isinstance(reply, list):
        return Form.ARRAY, reply
    if isinstance(reply, tuple):
        return Form.SET, list(reply)
    if isinstance(reply, dict):
        return Form.MAP, list(reply.items())
    if isinstance(reply, Pairs):
        return Form.PAIRS, list(reply.pairs)
    return None


def streams_of(replies: Iterable[Reply]) -> list[Streamed]:
    """Those that are made while they are sent."""
    return [reply for reply in replies if type(reply) is Streamed]


def drop(replies: Iterable[Reply]) -> None:
    """Nobody takes `replies` any more."""
    for streamed in streams_of(replies):
        streamed.close()


def weight(replies: Iterable[Reply]) -> int:
    """About how many bytes `replies` take, for a bound that is checked before they are copied."""
    total = 0
    for reply in replies:
        measure = _WEIGHTS.get(type(reply))
        if measure is not None:
            total += measure(reply)
    return total


def long_strings(replies: Iterable[Reply], least_bytes: int, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """The strings of at least `least_bytes` in `replies`, in order, each behind the `weight` in front of it.

    `at`: the weight in front of the first reply.
    """
    for reply in replies:
        size = weight((reply,))
        if size < least_bytes:
            pass
        elif isinstance(reply, bytes):
            yield at, reply
        elif isinstance(reply, list | tuple):
            yield from long_strings(reply, least_bytes, at)
        elif isinstance(reply, dict):
            yield from long_strings(chain.from_iterable(reply.items()), least_bytes, at)
        elif isinstance(reply, Pairs):
            yield from long_strings(chain.from_iterable(reply.pairs), least_bytes, at)
        at += size


_STRINGS = {bytes}
_WEIGHTS: dict[type, Callable[[Any], int]] = {
    bytes: len,
    list: lambda replies: sum(map(len, replies)) if set(map(type, replies)) == _STRINGS else weight(replies),
    tuple: weight,
    dict: lambda pairs: weight(chain(pairs, pairs.values())),
    Verbatim: lambda reply: len(reply.text),
    Pairs: lambda reply: weight(chain.from_iterable(reply.pairs)),
}
"""For each type of reply whose length has no bound. One look at a table: most replies have no weight."""
