"""One life of a simulated process, and what happens to its handles when it is over.

Cancelling is not crashing: a shielded ``finally`` still runs and would still write. So a crash first ends
the life that every handle checks, and only then cancels the tasks, which can do nothing any more.
"""

from collections.abc import Callable
from typing import TypeAlias

Record: TypeAlias = Callable[..., None]
"""`trikv.sim.world.SimWorld.record`, as the parts of a world are given it."""


class Fenced(BaseException):
    """A dead process tried to touch its world. A BaseException, so that no handler takes it for an error."""


class Life:
    """From boot to crash or exit. Handles (files, streams, listeners) belong to one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.over = False

    def check(self) -> None:
        """Raise `Fenced` if this life is over."""
        if self.over:
            raise Fenced(self.name)
