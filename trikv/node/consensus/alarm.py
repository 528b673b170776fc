"""One re-armed deadline: wakes the driver when the next of its timers is due, and never otherwise.

One that comes nearer shortens the sleep in place. One that moves away (an election timer re-armed by every
heartbeat) lengthens it, but only if that is worth it: a busy node arms it a thousand times a second.
If it has moved little, or the sleep is nearly over, the alarm wakes at the old one and sleeps again. Once it
has fired it waits for the driver to arm it again, not for time: a sleep that ends costs Trio more than the
whole turn of an idle node.
"""

from collections.abc import Callable

import trio

from trikv.node.mailbox import Mailbox

LENGTHEN_MS = 20
"""A deadline that moves away by less is left to be found out at the old one, and so is any while the old one
is nearer than this: a busy follower has a short one for every batch, set and taken back each time."""


class Alarm:
    """Calls `wake` when the time of `clock` has reached the armed deadline."""

    def __init__(self, clock: Callable[[], int], wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._due_ms = 0
        self._armed_for_ms: int | None = None
        """What it sleeps for; None while it does not."""
        self._sleep = trio.CancelScope()
        self._has_fired = False
        self._armed: Mailbox[None] = Mailbox()

    def arm(self, due_ms: int) -> None:
        """Ask for a wake-up at boot time `due_ms`, instead of the one asked for before."""
        self._due_ms = due_ms
        if self._has_fired:
            self._has_fired = False
            self._armed.put(None)
        elif self._armed_for_ms is not None and self._is_worth_it(due_ms, self._armed_for_ms):
            self._armed_for_ms = due_ms
            self._sleep.deadline = trio.current_time() + max(0, due_ms - self._clock()) / 1000

    def _is_worth_it(self, due_ms: int, armed_for_ms: int) -> bool:
        """Whether the sleep under way is to end at another time."""
        if due_ms < armed_for_ms:
            return True
        return due_ms - armed_for_ms >= LENGTHEN_MS and armed_for_ms - self._clock() >= LENGTHEN_MS

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            now = self._clock()
            if self._due_ms <= now:
                self._has_fired = True
                self._wake()
                await self._armed.take()
                continue
            self._armed_for_ms = self._due_ms
            self._sleep = trio.CancelScope(deadline=trio.current_time() + (self._due_ms - now) / 1000)
            with self._sleep:
                await trio.sleep_forever()
            self._armed_for_ms = None
