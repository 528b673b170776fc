"""Asking the leader from a task: the question goes through the driver, which knows the leader."""

from collections.abc import Callable

import trio

from trikv.node.events import AskLeader, Event, LeaderAnswer, LeaderRequest
from trikv.node.mailbox import Mailbox


async def ask_leader(inbox: Mailbox[Event], request: Callable[[int], LeaderRequest]) -> LeaderAnswer | None:
    """The leader's answer, which may be this node's own; None if none could be had.

    `request` makes the message from the number that its answer will carry.
    """
    done = trio.Event()
    outcome: list[LeaderAnswer | None] = []

    def ended(answer: LeaderAnswer | None) -> None:
        outcome.append(answer)
        done.set()

    inbox.put(AskLeader(request, ended))
    await done.wait()
    return outcome[0]
