"""What clients did and what they were told, for the checkers.

Time is the order of events: each call and each return takes the next number, so that "answered before it was
asked" never depends on two equal times of a virtual clock.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import attrs

from trikv.machine.replies import Reply

Args = tuple[bytes, ...]
Key = tuple[int, bytes]
"""A database and a name in it."""


class Untold(Enum):
    """The type of `UNTOLD`."""

    UNTOLD = "untold"


UNTOLD: Final = Untold.UNTOLD
"""The answer of a command that nobody was told."""


@attrs.define(eq=False)
class Operation:
    """One atomic step of a client: a command, or a whole transaction."""

    client: int
    connection: str
    """The client's address, unique to the connection."""
    ordinal: int
    """Its place among the steps sent on that connection, from 0."""
    commands: tuple[Args, ...]
    is_transaction: bool
    called: int
    returned: int | None = None
    """None: no answer came, or one that says that the outcome is unknown."""
    reply: Any = None
    """As `trikv.client` gives it. A transaction's is a list, or None if a watched key had changed."""
    failed: bool = False
    """The answer was an error that promises that nothing was done."""
    expected: tuple[tuple[Key, bytes | None], ...] = ()
    """For a transaction that watches: the values of the watched keys that its client had read."""
    database: int = 0
    """The database that is selected when it begins, as its client believes."""

    watched: tuple[Key, ...] = ()
    """For a transaction: the keys that its client had watched, read or not."""

    def placed(self) -> Iterator[tuple[int, Args]]:
        """Each command with its database: a SELECT inside a transaction moves those behind it."""
        database = self.database
        for args in self.commands:
            if args[0] == b"SELECT":
                database = int(args[1])
            yield database, args

    def told(self, place: int) -> Any:
        """What the command at that place was answered, or `UNTOLD`."""
        if not self.is_known:
            return UNTOLD
        if not self.is_transaction:
            return self.reply
        replies = self.reply if isinstance(self.reply, list) else []
        return replies[place] if place < len(replies) else UNTOLD

    @property
    def is_known(self) -> bool:
        """Whether it took effect and the client was told the result."""
        return self.returned is not None and not self.failed

    @property
    def is_ambiguous(self) -> bool:
        """Whether nobody told the client: it may have taken effect, or may still do so."""
        return self.returned is None


@attrs.frozen
class Effect:
    """The place in the log at which one step of a client took effect, and the machine's reply."""

    index: int
    """Its entry; for a read by a read round, the last applied entry."""
    identity: tuple[int, int, int] | None
    """(origin, incarnation, sequence) of its submission; None for a read by a read round."""
    step: int
    """Its place among the steps of its submission."""
    reply: Reply
    """The machine's reply, as the node that holds the client computed it."""


class History:
    """All operations of a run, in the order of their calls."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.scans: list[list[Operation]] = []
        """The SCANs of one client from cursor 0 to cursor 0, each a page."""
        self._events = 0

    def _next(self) -> int:
        self._events += 1
        return self._events

    def call(
        self,
        client: int,
        connection: str,
        ordinal: int,
        commands: tuple[Args, ...],
        *,
        is_transaction: bool = False,
        expected: tuple[tuple[Key, bytes | None], ...] = (),
        database: int = 0,
        watched: tuple[Key, ...] = (),
    ) -> Operation:
        """A client is about to send a step."""
        operation = Operation(
            client,
            connection,
            ordinal,
            commands,
            is_transaction,
            self._next(),
            expected=expected,
            database=database,
            watched=watched,
        )
        self.operations.append(operation)
        return operation

    def answer(self, operation: Operation, reply: Any) -> None:
        """`reply` has come for `operation`: it took effect."""
        operation.returned = self._next()
        operation.reply = reply

    def refuse(self, operation: Operation) -> None:
        """An error came that promises that nothing was done."""
        operation.returned = self._next()
        operation.failed = True
