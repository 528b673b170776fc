"""A task asks the leader: the question goes by the driver's mailbox, the answer wakes the task."""

import trio
from trio.testing import MockClock

from trikv.node.asking import ask_leader
from trikv.node.events import AskLeader, Event
from trikv.node.mailbox import Mailbox
from trikv.protocol.messages import DurableReply, DurableRequest


async def test_who_asks_sleeps_until_it_is_told(autojump_clock: MockClock) -> None:
    """With the answer to its own question, or with None."""
    del autojump_clock
    inbox, told = Mailbox[Event](), list[DurableReply | None]()

    async def ask(index: int) -> None:
        told.append(await ask_leader(inbox, lambda number: DurableRequest(number, index)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, 5)
        (call,) = await inbox.take()
        assert isinstance(call, AskLeader)
        assert call.request(3) == DurableRequest(3, 5)
        await trio.sleep(1)
        assert told == []
        call.ended(DurableReply(3, 2))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, 6)
        (call,) = await inbox.take()
        assert isinstance(call, AskLeader)
        call.ended(None)
    assert told == [DurableReply(3, 2), None]


async def test_who_asks_no_more_is_told_nothing(autojump_clock: MockClock) -> None:
    """A WAIT's time is up: the answer comes later, and harms nobody."""
    del autojump_clock
    inbox = Mailbox[Event]()
    with trio.move_on_after(0.1) as scope:
        await ask_leader(inbox, lambda number: DurableRequest(number, 1))
    assert scope.cancelled_caught
    (call,) = inbox.take_at_once()
    assert isinstance(call, AskLeader)
    call.ended(DurableReply(1, 3))
