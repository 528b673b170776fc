"""What clients were told: the evidence for the verdict. Pure bookkeeping, no input or output.

Three kinds of keys, each judged by what suits it best:

* **unique** keys, each written once by one client, so that "it is there" needs no search;
* **counters** that live as long as the run, whose answers leave but one order;
* **groups** of a few keys that many commands touch for some hundred operations, then others take their
  place: the search for an order is exponential in the worst case, and a group is what it can chew.
"""

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

import attrs

from trikv.client.replies import ErrorReply
from trikv.sim.history import Args, History, Operation

NOT_EXECUTED: Final = frozenset(
    {"CLUSTERDOWN", "LOADING", "READONLY", "MASTERDOWN", "NOREPLICAS", "MISCONF", "OOM", "EXECABORT"}
)
"""Errors that promise that nothing was done. trikv sends the first, the others are Redis'."""


class Outcome(Enum):
    """What an answer says about what was asked."""

    DONE = "done"
    REFUSED = "refused"
    """It did not happen, and will not."""
    UNKNOWN = "unknown"
    """It may have happened, or may happen yet."""
    UNEXPECTED = "unexpected"
    """An error that this load never deserves; nothing is concluded from it."""


def outcome_of(replies: Sequence[Any]) -> Outcome:
    """Classify the replies to one step: one reply, or those from MULTI to EXEC."""
    last = replies[-1]
    if isinstance(last, list) and any(isinstance(reply, ErrorReply) for reply in last):
        return Outcome.UNEXPECTED
    if not isinstance(last, ErrorReply):
        return Outcome.DONE
    if len(replies) > 1 and isinstance(replies[0], ErrorReply):
        return Outcome.UNKNOWN  # without MULTI each command that followed stood for itself
    code = last.code
    if code in NOT_EXECUTED:
        return Outcome.REFUSED
    return Outcome.UNKNOWN if code == "INDETERMINATE" else Outcome.UNEXPECTED


@attrs.define
class Tally:
    """Counts, as the run goes on."""

    answered: int = 0
    acknowledged_writes: int = 0
    unknown: int = 0
    """Steps without an answer, or with one that says that nobody knows."""
    refused: int = 0


class Evidence:
    """Everything that one run has been told."""

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        """What all keys of the run begin with."""
        self.history = History()
        self.counters: dict[bytes, list[Operation]] = {}
        self.groups: dict[int, list[Operation]] = {}
        self.unique: dict[bytes, Outcome] = {}
        self.acknowledged_s: dict[bytes, float] = {}
        """When each acknowledged unique write was, on the clock of the run."""
        self.unexpected: Counter[str] = Counter()
        self.tally = Tally()

    def value_of(self, key: bytes) -> bytes:
        """The value that the one write of a unique key writes."""
        return b"value of " + key.removeprefix(self.prefix)

    def begin_unique(self, key: bytes) -> None:
        """The one write of `key` is about to be sent: until an answer comes nobody knows."""
        assert key not in self.unique
        self.unique[key] = Outcome.UNKNOWN

    def end_unique(self, key: bytes, replies: Sequence[Any], now_s: float, *, vouched: bool = True) -> None:
        """Its answer has come; `vouched`: as many replicas as demanded have it."""
        outcome = self._count(replies, writes=True, vouched=vouched)
        self.unique[key] = Outcome.UNKNOWN if outcome is Outcome.UNEXPECTED else outcome
        if outcome is Outcome.DONE:
            self.acknowledged_s[key] = now_s

    def begin(self, client: int, commands: tuple[Args, ...], *, is_transaction: bool = False) -> Operation:
        """A step that is part of the history is about to be sent."""
        return self.history.call(client, f"client{client}", 0, commands, is_transaction=is_transaction)

    def end(
        self, operation: Operation, replies: Sequence[Any], *, writes: bool, vouched: bool = True
    ) -> None:
        """Its answer has come."""
        match self._count(replies, writes=writes, vouched=vouched):
            case Outcome.DONE:
                self.history.answer(operation, replies[-1])
            case Outcome.REFUSED:
                self.history.refuse(operation)
            case Outcome.UNKNOWN | Outcome.UNEXPECTED:
                pass  # an operation without an answer is ambiguous

    def broken(self) -> None:
        """No answer came: the connection is gone."""
        self.tally.unknown += 1

    def _count(self, replies: Sequence[Any], *, writes: bool, vouched: bool) -> Outcome:
        outcome = outcome_of(replies)
        if outcome is Outcome.DONE and writes and not vouched:
            outcome = Outcome.UNKNOWN
        match outcome:
            case Outcome.DONE:
                self.tally.answered += 1
                self.tally.acknowledged_writes += writes
            case Outcome.REFUSED:
                self.tally.refused += 1
            case Outcome.UNKNOWN:
                self.tally.unknown += 1
            case Outcome.UNEXPECTED:
                self.tally.unknown += 1
                self.unexpected[_told(replies[-1])] += 1
        return outcome


def _told(reply: Any) -> str:
    """The error of a reply, or the first inside a transaction's."""
    errors = [one for one in reply if isinstance(one, ErrorReply)] if isinstance(reply, list) else [reply]
    return str(errors[0])
