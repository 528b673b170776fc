"""A read without commands: once it is answered, this node has applied all that was acknowledged before."""

import trio

from trikv.front.seam import Work
from trikv.machine.replies import CommandError
from trikv.node.events import Barrier, Event
from trikv.node.mailbox import Mailbox


async def barrier(inbox: Mailbox[Event]) -> CommandError | None:
    """Wait until this node has applied all that was acknowledged before; the error if it could not."""
    done = trio.Event()
    outcome: list[CommandError] = []

    def failed(error: CommandError) -> None:
        outcome.append(error)
        done.set()

    inbox.put(Barrier(Work(0, (), (), False, lambda _: done.set(), failed)))
    await done.wait()
    return outcome[0] if outcome else None
