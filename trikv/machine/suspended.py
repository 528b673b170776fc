"""An entry that is being carried out in slices (PROTOCOL 61).

A resumable command may take seconds, and the node has to send heartbeats meanwhile. So the machine stops
inside the entry and hands out the rest of it. Until that is done the state is no state of the log: no other
replica need ever hold it, and nothing may show it or begin on it.
"""

from collections.abc import Callable

from trikv.machine.call import Steps
from trikv.machine.outcomes import Whole


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
