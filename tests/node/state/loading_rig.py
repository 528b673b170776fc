"""A node that loads a backup: a machine carries out what is submitted, as far as the test says.

A test says what becomes of each submission, and what clients do in between.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import cast

import structlog
import trio
import trio.testing
from trio.testing import MockClock

from tests.machine.driving import NODE, Driver, collect
from tests.node.state.submitting import UNKNOWN
from trikv.front.seam import Work
from trikv.machine.batch import Submission, Transaction
from trikv.machine.features import FEATURE_LEVEL
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied
from trikv.machine.replies import Reply
from trikv.node import events
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier
from trikv.node.state.loading import Document, load_keys
from trikv.node.state.own_writes import Command


class Fate(Enum):
    """What becomes of a submission whose outcome its node never learns."""

    LOST = auto()
    DONE = auto()
    LATE = auto()
    """It is carried out after a barrier, in front of the next submission."""


class State:
    """Stands for driver and applier: carries submissions out, numbered from 0, with the fates asked for."""

    def __init__(
        self, fates: dict[int, Fate] | None = None, *, cap: int = 0, level: int = FEATURE_LEVEL
    ) -> None:
        self.driver = Driver(cap, level=level, seed=9)
        self.inbox: Mailbox[events.Event] = Mailbox()
        self.works: list[Work] = []
        self.before: Callable[[int], object] = lambda _: None
        """What a client does in front of a submission of that number."""
        self.after: Callable[[int], object] = lambda _: None
        """And behind it, in the same entry."""
        self._fates = fates or {}
        self._late: list[Work] = []
        self._sequence = 0

    @property
    def machine(self) -> Machine:
        """As `Applier.machine`."""
        return self.driver.machine

    async def until_whole(self) -> None:
        """As `Applier.until_whole`."""
        await trio.lowlevel.checkpoint()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            for event in await self.inbox.take():
                if isinstance(event, events.Barrier):
                    event.work.answered([])
                else:
                    assert isinstance(event, Work)
                    self._take(event)

    def _take(self, work: Work) -> None:
        while self._late:
            self._carry_out(self._late.pop())
        number = len(self.works)
        fate = self._fates.get(number)
        self.works.append(work)
        self.before(number)
        if fate is None:
            replies = self._carry_out(work)
            self.after(number)
            work.answered(replies)
            return
        if fate is Fate.DONE:
            self._carry_out(work)
        elif fate is Fate.LATE:
            self._late.append(work)
        self.after(number)
        work.failed(UNKNOWN)

    def _carry_out(self, work: Work) -> list[Reply]:
        assert work.writes
        return self._apply(work.db, work.commands, work.transactions)

    def call(self, *command: bytes) -> Reply:
        """What a client is answered to a command in database 0."""
        return self._apply(0, (command,), ())[0]

    def _apply(
        self, db: int, commands: tuple[Command, ...], transactions: tuple[Transaction, ...]
    ) -> list[Reply]:
        # Not by `Driver.submit`, which counts the account anew each time: it is done once, at the end.
        self._sequence += 1
        submission = Submission(NODE, 2, self._sequence, db, commands, transactions)
        [outcome] = self.driver.batch(submission)
        assert isinstance(outcome, Applied)
        return outcome.replies

    def load(self, opener: Document) -> list[str]:
        """Load a document; what was logged, without what is logged of each attempt."""

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.run)
                await load_keys(self.inbox, cast("Applier", self), opener)
                nursery.cancel_scope.cancel()

        with structlog.testing.capture_logs() as lines:
            trio.run(main, clock=MockClock(autojump_threshold=0))
        assert self.machine.used_memory == self.machine.recount()
        told = [
            " ".join(
                [
                    line["event"],
                    *(
                        f"{name}={line[name]}"
                        for name in ("keys", "left", "loaded", "of", "reason")
                        if name in line
                    ),
                ]
            )
            for line in lines
        ]
        return [line for line in told if not line.startswith("loading waits")]


def written(driver: Driver) -> Document:
    """Its backup, in pieces."""
    text = collect(driver.machine.walk({}), 1 << 16)
    return lambda: (text[at : at + 5000] for at in range(0, len(text), 5000))
