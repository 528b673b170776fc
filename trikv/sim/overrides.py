"""Values that faults put in place of others for a time; faults of one kind may overlap.

Two faults that slow one link end at different moments: the end of the first must not heal what the second
still breaks. So each value in force is kept, the latest counts, and the original comes back after the last.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Overrides:
    """Overrides attributes of objects, and knows which values are in force."""

    def __init__(self) -> None:
        self._stacks: dict[tuple[int, str], list[tuple[int, Any]]] = {}
        self._count = 0

    @contextmanager
    def put(self, target: object, name: str, value: Any) -> Iterator[None]:
        """Inside, the attribute `name` of `target` is `value`, or a value that was put there later."""
        stack = self._stacks.setdefault((id(target), name), [(0, getattr(target, name))])
        self._count += 1
        mine = (self._count, value)
        stack.append(mine)
        setattr(target, name, value)
        try:
            yield
        finally:
            stack.remove(mine)
            setattr(target, name, stack[-1][1])
            if len(stack) == 1:
                del self._stacks[id(target), name]
