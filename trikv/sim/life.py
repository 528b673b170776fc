"""One life of a simulated process, and what happens to its handles when it is over.

Cancelling is not crashing: a shielded ``finally`` still runs and would still write. So a crash first ends
the life, which every handle checks, and then cancels the tasks, which can do nothing any more.

A crash may come at an exact step of the process instead of a time: a `Tripwire` counts its steps.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeAlias

import attrs

Record: TypeAlias = Callable[..., None]
"""The type of `trikv.sim.world.SimWorld.record`, which the parts of a world are given."""


class Fenced(BaseException):
    """A dead process tried to touch its world. A BaseException, so that no handler catches it as an error."""


@attrs.define(eq=False)
class Tripwire:
    """Acts when a process has done something a number of times."""

    step: str
    """"send" (bytes given to the network), "disk" (any operation that changes a disk or syncs it), or one of
    them by its name: write, sync, create, rename, remove, make_directory, sync_directory."""
    remaining: int
    action: Callable[[], None]


class Life:
    """A process from boot to crash or exit. Every handle (file, stream, listener) belongs to one."""

    def __init__(self, name: str, tripwires: list[Tripwire] | None = None) -> None:
        self.name = name
        self.over = False
        self._tripwires = tripwires if tripwires is not None else []

    def check(self) -> None:
        """Raise `Fenced` if this life is over."""
        if self.over:
            raise Fenced(self.name)

    def did(self, *steps: str) -> None:
        """The process took a step, which has had its effect. Raises `Fenced` if a tripwire ended the life."""
        if self._tripwires:
            for wire in [one for one in self._tripwires if one.step in steps]:
                wire.remaining -= 1
                if wire.remaining <= 0 and wire in self._tripwires:
                    self._tripwires.remove(wire)
                    wire.action()
            self.check()


OWNER: ContextVar[Life | None] = ContextVar("trikv simulated life", default=None)
"""The life for which a task runs. Tasks inherit it from those that start them."""
