"""A mailbox: many tasks put, one task takes everything at once.

Unlike a Trio channel, it never makes the sender wait, and it hands over the whole backlog in one wake-up:
this is how group commit works without a timer. It has no bound of its own, because its sources are bounded:
one submission for each connection, the messages of one read for each link, one completion for each write
job.
"""

from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A single-consumer queue."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._is_called = False
        self.was_called = False
        """Whether there was a `wake` before the latest `take` returned."""
        self._sleeper: trio.lowlevel.Task | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add `item` and wake the consumer."""
        self._items.append(item)
        if self._sleeper is not None:  # checked here too: this saves a call for nearly every item
            self._rouse()

    def put_without_waking(self, item: T) -> None:
        """Add `item`, which the consumer takes when it comes round next."""
        self._items.append(item)

    def wake(self) -> None:
        """Make the present `take`, or else the next one, return even with nothing: for timers."""
        self._is_called = True
        self._rouse()

    def _rouse(self) -> None:
        if self._sleeper is not None:
            sleeper, self._sleeper = self._sleeper, None
            trio.lowlevel.reschedule(sleeper)

    async def take(self) -> list[T]:
        """Wait for an item (or a `wake`), then return and remove all of them. A checkpoint."""
        if self._items or self._is_called:
            await trio.lowlevel.checkpoint()
        else:
            await self._sleep()
        self.was_called, self._is_called = self._is_called, False
        return self.take_at_once()

    def take_at_once(self) -> list[T]:
        """Return and remove all items; an empty list if there is none."""
        items, self._items = self._items, []
        return items

    async def _sleep(self) -> None:
        assert self._sleeper is None, "a mailbox has one consumer"
        self._sleeper = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._sleeper = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
