"""A mailbox: many tasks put, one task takes everything at once.

Unlike a Trio channel it never makes the sender wait and hands over the whole backlog in one wake-up, which
is what makes group commit work without a timer. It is unbounded by itself; what feeds it is bounded: one
submission a connection, one read's worth of messages a link, one completion a write job.
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
        """There was a `wake` before the latest `take` returned."""
        self._sleeper: trio.lowlevel.Task | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add `item` and wake the consumer."""
        self._items.append(item)
        if self._sleeper is not None:  # asked here, too: a call less for nearly every item
            self._rouse()

    def put_without_waking(self, item: T) -> None:
        """Add `item` for whenever the consumer comes round next."""
        self._items.append(item)

    def wake(self) -> None:
        """Make the `take` under way, or else the next one, return even with nothing: a timer's call."""
        self._is_called = True
        self._rouse()

    def _rouse(self) -> None:
        if self._sleeper is not None:
            sleeper, self._sleeper = self._sleeper, None
            trio.lowlevel.reschedule(sleeper)

    async def take(self) -> list[T]:
        """Wait until there is something (or `wake`), then return and remove all of it. A checkpoint."""
        if self._items or self._is_called:
            await trio.lowlevel.checkpoint()
        else:
            await self._sleep()
        self.was_called, self._is_called = self._is_called, False
        return self.take_at_once()

    def take_at_once(self) -> list[T]:
        """Return and remove all that there is, even nothing."""
        items, self._items = self._items, []
        return items

    async def _sleep(self) -> None:
        assert self._sleeper is None, "a mailbox has one consumer"
        self._sleeper = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._sleeper = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
