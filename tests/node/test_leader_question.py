"""A task asks the leader: the question goes by the driver's mailbox, the answer wakes the task."""

import trio
from trio.testing import MockClock

from trikv.node.events import AskLeader, Event
from trikv.node.leader_question import LeaderQuestion
from trikv.node.mailbox import Mailbox
from trikv.protocol.messages import DurableReply, DurableRequest


def asked(inbox: Mailbox[Event]) -> AskLeader:
    """The one call that has reached the driver."""
    (call,) = inbox.take_at_once()
    assert isinstance(call, AskLeader)
    return call


async def test_who_asks_sleeps_until_it_is_told(autojump_clock: MockClock) -> None:
    """With the answer to its own question, or with None."""
    del autojump_clock
    inbox, told = Mailbox[Event](), list[DurableReply | None]()

    async def ask(index: int) -> None:
        told.append(await LeaderQuestion(inbox, lambda number: DurableRequest(number, index)).ask(60))

    for index, answer in ((5, DurableReply(3, 2)), (6, None)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, index)
            await trio.sleep(1)
            call = asked(inbox)
            assert (call.request(3), len(told)) == (DurableRequest(3, index), index - 5)
            call.ended(answer)
    assert told == [DurableReply(3, 2), None]


async def test_a_question_is_asked_again_as_the_same_call(autojump_clock: MockClock) -> None:
    """Nothing is heard in time: the same object comes again, and the answer to the first one counts."""
    del autojump_clock
    inbox = Mailbox[Event]()
    question = LeaderQuestion(inbox, lambda number: DurableRequest(number, 1))
    begun = trio.current_time()
    assert await question.ask(0.1) is None
    assert trio.current_time() - begun == 0.1
    first = asked(inbox)
    assert await question.ask(0.1) is None
    assert asked(inbox) is first
    first.ended(DurableReply(1, 3))  # between two questions
    assert await question.ask(0.1) == DurableReply(1, 3)


async def test_no_answer_hides_none_that_was_there(autojump_clock: MockClock) -> None:
    """A call that was lost and one that was answered end before the asker wakes: it hears the answer."""
    del autojump_clock
    inbox = Mailbox[Event]()
    question = LeaderQuestion(inbox, lambda number: DurableRequest(number, 1))
    await question.ask(0.1)
    call = asked(inbox)
    call.ended(DurableReply(1, 3))
    call.ended(None)
    assert await question.ask(0.1) == DurableReply(1, 3)


async def test_who_asks_no_more_is_told_nothing(autojump_clock: MockClock) -> None:
    """A WAIT's time is up: the answer comes later, and harms nobody."""
    del autojump_clock
    inbox = Mailbox[Event]()
    with trio.move_on_after(0.1) as scope:
        await LeaderQuestion(inbox, lambda number: DurableRequest(number, 1)).ask(60)
    assert scope.cancelled_caught
    asked(inbox).ended(DurableReply(1, 3))
