"""Asking the leader from a task: the question goes through the driver, which knows the leader.

The way of a question: `LeaderQuestion` puts an `AskLeader` (`trikv.node.events`) into the driver's mailbox.
The router (`trikv.node.consensus.router`) lets `trikv.node.peers.leader_calls` number it, and sends the
request (`trikv.protocol.messages`) to the leader. The leader's router answers it: WAIT's question by
`trikv.node.consensus.voters_holding`. The answer comes back through the asker's router to `leader_calls`,
which tells the task.
"""

from collections.abc import Callable

import trio

from trikv.node.events import AskLeader, Event, LeaderAnswer, LeaderRequest
from trikv.node.mailbox import Mailbox


class LeaderQuestion:
    """One task's question to the leader, asked again until the asker has heard enough.

    Any message may be lost, and nobody hears of it: links are one-way. So the asker sets the pace. What it
    asks again before an answer came is the same call under the same number: a slow answer counts, too.
    """

    def __init__(self, inbox: Mailbox[Event], request: Callable[[int], LeaderRequest]) -> None:
        """`request` makes the message of the number that its answer will bear."""
        self._inbox = inbox
        self._told = Mailbox[LeaderAnswer | None]()
        self._call = AskLeader(request, self._told.put)

    async def ask(self, patience_s: float) -> LeaderAnswer | None:
        """The leader's answer, which may be this node's own; None if none could be had, or came in time."""
        self._inbox.put(self._call)
        with trio.move_on_after(patience_s):
            told = await self._told.take()
            return next((answer for answer in reversed(told) if answer is not None), None)
        return None
