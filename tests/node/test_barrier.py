"""The barrier: what is asked of the driver, and what comes back of it."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trikv.machine.replies import CommandError
from trikv.node.barrier import barrier
from trikv.node.events import Barrier, Event
from trikv.node.mailbox import Mailbox

DOWN = CommandError("CLUSTERDOWN no leader")


@pytest.mark.parametrize("error", [None, DOWN])
async def test_it_returns_when_its_read_has_its_outcome(error: CommandError | None) -> None:
    """Never before: what was acknowledged by then is applied here, or the error says why not."""
    inbox = Mailbox[Event]()
    outcome: list[CommandError | None] = []

    async def ask() -> None:
        outcome.append(await barrier(inbox))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        (event,) = inbox.take_at_once()
        assert isinstance(event, Barrier)
        assert (event.work.commands, event.work.writes) == ((), False)
        assert outcome == []
        if error is None:
            event.work.answered([])
        else:
            event.work.failed(error)
    assert outcome == [error]


async def test_an_outcome_that_comes_after_its_asker_has_gone_is_dropped() -> None:
    """A stop may cut the wait short; the driver still answers what it was given."""
    inbox = Mailbox[Event]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(barrier, inbox)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    (event,) = inbox.take_at_once()
    assert isinstance(event, Barrier)
    event.work.failed(DOWN)
