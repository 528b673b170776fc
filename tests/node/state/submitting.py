"""Stands for the driver and the state, for what a node submits of its own accord."""

from trikv.front.seam import Work
from trikv.machine.replies import OK, CommandError, Reply
from trikv.node import events
from trikv.node.mailbox import Mailbox
from trikv.node.state.own_writes import Command

UNKNOWN = CommandError("INDETERMINATE the write may or may not have happened")
DOWN = CommandError("CLUSTERDOWN no leader")


class Cluster:
    """Stands for the driver: gives each submission its outcome in turn; None, and what is left, is OK."""

    def __init__(self, *outcomes: CommandError | None, refuse: str = "") -> None:
        self.inbox: Mailbox[events.Event] = Mailbox()
        self.works: list[Work] = []
        self.barriers = 0
        self._outcomes = list(outcomes)
        self._refuse = refuse.encode()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            for event in await self.inbox.take():
                if isinstance(event, events.Barrier):
                    self.barriers += 1
                    self._answer(event.work)
                else:
                    assert isinstance(event, Work)
                    self.works.append(event)
                    self._answer(event)

    def _answer(self, work: Work) -> None:
        failure = self._outcomes.pop(0) if self._outcomes else None
        if failure is not None:
            work.failed(failure)
        else:
            work.answered([self._reply(command) for command in work.commands])

    def _reply(self, command: Command) -> Reply:
        return CommandError("OOM no room") if self._refuse and command[1] == self._refuse else OK


def commands(cluster: Cluster) -> list[tuple[int, Command]]:
    """Everything that was submitted, as (database, command)."""
    return [(work.db, command) for work in cluster.works for command in work.commands]
