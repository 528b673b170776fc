"""CLIENT PAUSE: for a time this node looks at no client's requests, or at none that write (PROTOCOL 70).

A request that is held back stays in its conversation, which waits as it does for an operation: what comes
behind it is bounded as ever. The node itself is never held back: peers, elections, the log and what was
already under way go on.

When the pause ends, the conversations go on a few at a time, with a round of the node between.
"""

from collections.abc import Callable
from typing import Final

from trikv.front.seam import Held, Operation, Service, Sleep
from trikv.machine.declaration import Command
from trikv.machine.replies import Reply

HELD: Final = Held()
TICK_MS: Final = 50
"""A pause looks at the clock so often, so one that is begun again may end so much late."""
_RELEASED: Final = 16
"""Conversations that go on in one step: each may carry out a pipeline that has waited."""


class Pause:
    """The pause of one node, and what it holds back."""

    __slots__ = ("_changed", "_ends_ms", "_held", "_is_of_all", "_is_timed", "_service", "is_on")

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when `is_on` has been set."""
        self._changed = changed
        self.is_on = False
        self._is_of_all = False
        self._ends_ms = 0
        """By the boot clock."""
        self._is_timed = False
        """Whether the node is to call `_tick`."""
        self._held: dict[Operation, None] = {}
        """One for each conversation that waits, in the order in which they came."""
        self._service: Service | None = None

    def begin(self, service: Service, for_ms: int, *, of_all: bool) -> None:
        """Hold back requests for so long; of a pause that is on, the later end and the wider hold count."""
        was_on = self.is_on
        self._set(is_on=True)
        self._service = service
        self._ends_ms = max(self._ends_ms if was_on else 0, service.boot_ms() + for_ms)
        self._is_of_all = of_all or (was_on and self._is_of_all)
        self._wait()

    def end(self) -> None:
        """Hold back nothing any more. Harmless if nothing is held back."""
        self._set(is_on=False)
        self._wait()

    def _set(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self._changed()

    def holds(self, command: Command, *, writes: bool) -> bool:
        """Whether a call of `command` has to wait; `writes`: whether it goes through the log.

        UNPAUSE never waits: otherwise a pause of a year could only be ended with the node.
        """
        return self.is_on and (writes or self._is_of_all) and command.name != "CLIENT|UNPAUSE"

    def keep(self, operation: Operation) -> None:
        """Answer `operation` when the pause has ended."""
        assert self.is_on
        self._held[operation] = None

    def forget(self, operation: Operation) -> None:
        """The client of `operation` has gone; harmless if it is not held back."""
        if operation in self._held:
            del self._held[operation]
            operation.answered(None)

    def _wait(self) -> None:
        """Let the node call `_tick`, unless it will or there is nothing to wait for."""
        if self._is_timed or self._service is None or not (self.is_on or self._held):
            return
        self._is_timed = True
        left_ms = self._ends_ms - self._service.boot_ms() if self.is_on else 0
        self._service.act(Operation("CLIENT|PAUSE", Sleep(max(0, min(left_ms, TICK_MS))), self._tick))

    def _tick(self, _: Reply) -> None:
        self._is_timed = False
        assert self._service is not None
        if self.is_on and self._service.boot_ms() >= self._ends_ms:
            self._set(is_on=False)
        if not self.is_on:
            for operation in list(self._held)[:_RELEASED]:
                del self._held[operation]
                operation.answered(None)
        self._wait()
