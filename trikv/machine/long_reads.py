"""Reads whose answer may be long: what their handlers say, and how an answer is made in steps.

A handler that may have much to answer returns a `LongRead`: not the elements, but a function that makes them
some at a time, as often as it is asked, from what was held at the instant of the call: a cut of the database,
or a value. A RESP array says its length first, so the function is gone through twice if nobody knows the
length: the first pass counts. Both go over the same, because a second look at the live data would find
another number.

Three ways lead from there. Of few keys or elements the answer is made in one step. Inside a transaction it is
always one step, since nothing may come between two commands of it, so there are limits. Any other is a
`Streamed`, which the client's connection takes as fast as the client reads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from trikv.machine.cut import Cut
from trikv.machine.database import Database
from trikv.machine.hold import Hold
from trikv.machine.replies import CommandError, Form, Reply, Streamed, in_one
from trikv.machine.values.value import Value

WHOLE_MAX: Final = 1_000
"""What goes over so many keys or elements is answered in one step, of about half a millisecond."""
INSIDE_MAX: Final = 20_000
"""Inside a transaction the answer is made in one step, whoever waits: this many take about 8 ms."""

Rows: TypeAlias = Iterator[Sequence[Any]]


@attrs.frozen
class LongRead:
    """What a long read will answer, before any of it is made."""

    db: Database
    over: Mapping[bytes, Value] | None
    """The values that it goes over, by their keys; None if it goes over all keys."""
    rows: Callable[..., Rows]
    """One pass over the cut, or the values as they were, in steps: each gives some rows, perhaps none."""
    size: int
    """How many keys or elements that is."""
    count: int | None = None
    """How many rows that will be, if it is known at once."""
    form: Form = Form.ARRAY

    @classmethod
    def of_keys(cls, db: Database, rows: Callable[[Cut], Rows], count: int | None = None) -> "LongRead":
        """It looks at all keys of `db`."""
        return cls(db, None, rows, db.size, count)

    @classmethod
    def of_values(
        cls,
        db: Database,
        over: Mapping[bytes, Value],
        rows: Callable[[], Rows],
        *,
        size: int,
        count: int | None = None,
        form: Form = Form.ARRAY,
    ) -> "LongRead":
        """It looks at `size` elements of the values of these keys, which `rows` goes over as they are now."""
        return cls(db, over, rows, size, count, form)

    def at_once(self) -> Reply:
        """The answer, in one step."""
        if self.over is not None:
            return in_one(self.form, [row for step in self.rows() for row in step])
        cut = Cut((self.db,))
        try:
            return in_one(self.form, [row for step in self.rows(cut) for row in step])
        finally:
            cut.close()

    def inside(self) -> Reply:
        """The answer as part of a transaction or of another command; an error if that would take too long."""
        if self.size <= INSIDE_MAX:
            return self.at_once()
        what = "keys" if self.over is None else "elements"
        return CommandError(
            f"ERR inside MULTI this looks at {INSIDE_MAX} {what} at most and there are {self.size}: "
            "call it outside, or use SCAN or a relative of it"
        )


def streamed(asked: LongRead, held: Cut | Hold, note: Callable[[Exception], CommandError]) -> Streamed:
    """The answer to `asked` from what is `held`, its own from now on. `note` takes what a bug raises."""
    return Streamed(_steps(asked, held), held, note, asked.form)


def _steps(asked: LongRead, held: Cut | Hold) -> Iterator[int | Sequence[Any]]:
    """For `Streamed`: the steps of counting find no row, then comes the number, then the rows."""
    source = (held,) if isinstance(held, Cut) else ()
    count = asked.count
    if count is None:
        count = 0
        for step in asked.rows(*source):
            count += len(step)
            yield []
    yield count
    if isinstance(held, Cut):
        held.lets_go = True
    if asked.form is not Form.NUMBER:
        yield from asked.rows(*source)
