"""One re-armed deadline: wakes the driver when the next of its timers is due, and never otherwise.

A deadline that moves away (an election timer re-armed by every heartbeat) costs nothing: the ticker wakes
at the old one, sees that it has moved and sleeps again. One that comes nearer shortens the sleep in place.
"""

from collections.abc import Callable

import trio


class Ticker:
    """Calls `wake` when the time of `clock` has reached the armed deadline."""

    def __init__(self, clock: Callable[[], int], wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._due_ms = 0
        self._armed_for_ms = 0
        self._sleep = trio.CancelScope()

    def arm(self, due_ms: int) -> None:
        """Ask for a wake-up at boot time `due_ms`, instead of the one asked for before."""
        self._due_ms = due_ms
        if due_ms < self._armed_for_ms:
            self._armed_for_ms = due_ms
            self._sleep.deadline = trio.current_time() + max(0, due_ms - self._clock()) / 1000

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            now = self._clock()
            if self._due_ms <= now:
                self._wake()
                # The driver arms anew in its turn; a millisecond keeps a late turn from making this spin.
                await trio.sleep(0.001)
                continue
            self._armed_for_ms = self._due_ms
            self._sleep = trio.CancelScope(deadline=trio.current_time() + (self._due_ms - now) / 1000)
            with self._sleep:
                await trio.sleep_forever()
