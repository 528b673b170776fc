"""Reads whose answer may be long: what their handlers say, and how an answer is made in steps over a cut.

A command that is declared ``long=True`` answers a `LongRead` (or, as any other, an error): not the elements,
but a function that makes them from a cut, some at a time, as often as it is asked. A RESP array says its
length first, so the function is gone through twice if nobody knows the length: the first pass counts. Both go
over the same cut, because a second look at the live database would find another number.

Three ways lead from there. A database of few keys is answered in one step. Inside a transaction it is always
one step, since nothing may come between two commands of it, so a large database is refused there. Any other
is answered by a `Streamed`, which the client's connection takes as fast as the client reads.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from trikv.machine.cut import Cut
from trikv.machine.database import Database
from trikv.machine.replies import CommandError, Reply, Streamed

WHOLE_KEYS_MAX: Final = 1_000
"""A database of so many keys is answered in one step, of about half a millisecond."""
INSIDE_KEYS_MAX: Final = 20_000
"""Inside a transaction the answer is made in one step, whoever waits: this many keys take about 8 ms."""

Handler: TypeAlias = Callable[..., "LongRead | CommandError"]


@attrs.frozen
class LongRead:
    """What a long read will answer, before any of it is made."""

    elements: Callable[[Cut], Iterator[Sequence[Reply]]]
    """One pass over the cut, in steps: each gives the elements that it has found, perhaps none."""
    count: int | None = None
    """How many elements that will be, if it is known at once."""


def in_one_step(handler: Handler) -> Callable[..., Reply]:
    """What evaluates the command where its answer is one step, as that of any other command."""

    def evaluate(db: Database, *args: bytes) -> Reply:
        asked = handler(db, *args)
        if isinstance(asked, CommandError):
            return asked
        if db.size > INSIDE_KEYS_MAX:
            return CommandError(
                f"ERR inside MULTI this looks at {INSIDE_KEYS_MAX} keys at most and there are {db.size}: "
                "call it outside, or use SCAN"
            )
        cut = Cut((db,))
        try:
            return [element for step in asked.elements(cut) for element in step]
        finally:
            cut.close()

    return evaluate


def streamed(asked: LongRead, cut: Cut, note: Callable[[Exception], CommandError]) -> Streamed:
    """The answer to `asked` over `cut`, which belongs to it from now on. `note` takes what a bug raises."""
    return Streamed(_steps(asked, cut), cut, note)


def _steps(asked: LongRead, cut: Cut) -> Iterator[int | Sequence[Reply]]:
    """For `Streamed`: the steps of counting find no element, then comes the number, then the elements."""
    count = asked.count
    if count is None:
        count = 0
        for step in asked.elements(cut):
            count += len(step)
            yield []
    yield count
    cut.lets_go = True
    yield from asked.elements(cut)
