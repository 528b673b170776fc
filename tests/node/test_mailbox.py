"""Mailboxes: everything at once, in order, no wake-up lost."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trikv.node.mailbox import Mailbox


async def test_take_returns_everything_in_order() -> None:
    """A backlog is one hand-over; afterwards there is nothing."""
    mailbox: Mailbox[int] = Mailbox()
    for number in range(5):
        mailbox.put(number)
    assert len(mailbox) == 5
    assert await mailbox.take() == [0, 1, 2, 3, 4]
    assert len(mailbox) == 0


async def test_put_wakes_a_sleeping_consumer_once_for_all() -> None:
    """What comes before the consumer runs is in the same batch: group commit without a timer."""
    mailbox: Mailbox[int] = Mailbox()
    batches: list[list[int]] = []

    async def consume() -> None:
        while True:
            batches.append(await mailbox.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        mailbox.put(1)
        mailbox.put(2)
        mailbox.put_without_waking(3)
        await wait_all_tasks_blocked()
        mailbox.put_without_waking(4)
        await wait_all_tasks_blocked()
        assert batches == [[1, 2, 3]], "quiet items wake nobody"
        mailbox.put(5)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert batches == [[1, 2, 3], [4, 5]]


async def test_wake_makes_a_take_return_now_or_later_and_is_never_lost() -> None:
    """The timer's way: a turn without events, also where the timer fires while the consumer is at work."""
    mailbox: Mailbox[int] = Mailbox()
    mailbox.wake()
    assert await mailbox.take() == []
    assert mailbox.was_called
    mailbox.put(1)
    mailbox.wake()
    assert await mailbox.take() == [1]
    assert mailbox.was_called, "what came with it does not hide it"
    mailbox.put(2)
    assert await mailbox.take() == [2]
    assert not mailbox.was_called
    with trio.move_on_after(0) as scope:
        await mailbox.take()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:

        async def wake() -> None:
            await wait_all_tasks_blocked()
            mailbox.wake()

        nursery.start_soon(wake)
        assert await mailbox.take() == []


async def test_cancelled_take_loses_nothing() -> None:
    """What comes after a cancelled wait is there for the next one."""
    mailbox: Mailbox[int] = Mailbox()
    with trio.move_on_after(0):
        await mailbox.take()
    mailbox.put(1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await mailbox.take()
    assert scope.cancelled_caught, "a take is a checkpoint, also with a backlog"
    assert await mailbox.take() == [1]


async def test_full_mailbox_lets_other_tasks_run(autojump_clock: MockClock) -> None:
    """A consumer that is never short of work does not starve the others."""
    del autojump_clock
    mailbox: Mailbox[int] = Mailbox()
    other_ran = trio.Event()
    async with trio.open_nursery() as nursery:

        async def other() -> None:
            other_ran.set()

        nursery.start_soon(other)
        for _ in range(3):
            mailbox.put(1)
            await mailbox.take()
        assert other_ran.is_set()
