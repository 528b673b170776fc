"""How much is done in a step, and what does all of them at once."""

from collections.abc import Generator
from typing import Any, Final, TypeVar

STEP_ELEMENTS: Final = 256
"""So many elements at most are read or written in a step, which takes about a quarter of a millisecond."""
STEP_BYTES: Final = 64 * 1024
"""Or so many bytes, after which a step ends with the element that it is at."""

Result = TypeVar("Result")


def drained(steps: Generator[Any, None, Result]) -> Result:
    """What comes of all these steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
