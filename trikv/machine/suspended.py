"""An entry that is being carried out in slices (PROTOCOL 61).

A resumable command may take seconds, and so may an entry of many submissions; the node has to send heartbeats
meanwhile. So the machine stops inside the entry and hands out the rest of it. Until that is done the state is
no state of the log: no other replica need ever hold it, and nothing may show it or begin on it.
"""

from collections.abc import Callable, Iterator

import attrs

from trikv.machine.batch import Item, Submission
from trikv.machine.call import Steps
from trikv.machine.outcomes import Outcome, Whole
from trikv.machine.replies import Reply


def never() -> bool:
    """For who carries out an entry without a pause, but for commands that make their own."""
    return False


@attrs.frozen
class Progress:
    """An entry that is being carried out."""

    items: Iterator[tuple[int, Item]]
    """Those that are left, with their numbers, from 1."""
    count: int
    """Of all items."""
    origin: int
    """The node whose clients wait for outcomes."""
    outcomes: list[Outcome]
    """So far."""
    is_over: Callable[[], bool]
    """Whether it is time for others. It is asked between two items; what follows then is another slice."""


@attrs.frozen
class Stopped:
    """Where an entry has stopped."""

    number: int
    """The item's."""
    item: Submission | None
    """The submission of which something is left; None behind an item that is done."""
    steps: Steps[list[Reply]]
    """What is left of it, and the replies that it gives in the end."""


def a_pause() -> Steps[list[Reply]]:
    """Nothing is left of an item, but others have their turn before the next."""
    yield
    return []


class Suspended:
    """What is left of an entry. Whoever has it is the only one who can make the machine whole again."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Steps[Whole]) -> None:
        self._steps = steps

    def resume(self, is_over: Callable[[], bool]) -> Whole | None:
        """Go on by one slice or more, until `is_over` says so: then None. What came of it once it is whole.

        What the entry's commands raise comes from here, and it is as fatal as from `Machine.apply`.
        """
        while True:
            try:
                next(self._steps)
            except StopIteration as end:
                whole: Whole = end.value
                return whole
            if is_over():
                return None

    def close(self) -> None:
        """Give up: the machine stays inside the entry for good, and can only be retired."""
        self._steps.close()
