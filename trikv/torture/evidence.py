"""The answers that clients got: the evidence for the verdict. Pure bookkeeping, no input or output.

There are three kinds of keys, each judged by the method that suits it best:

* **unique** keys, each written once by one client, so that "it is there" needs no search;
* **counters** that live as long as the run, whose answers allow only one order;
* **groups** of a few keys that many commands touch, for a few hundred operations; then other keys take their
  place. The search for an order is exponential in the worst case, and a group is small enough for it.
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
"""Errors that promise that nothing was done. The first is trikv's, the others are Redis'."""


class Outcome(Enum):
    """What an answer says about the fate of a step."""

    DONE = "done"
    REFUSED = "refused"
    """It did not happen, and will not."""
    UNKNOWN = "unknown"
    """It may have happened, or may still happen."""
    UNEXPECTED = "unexpected"
    """An error that this load should never get; nothing is concluded from it."""


def outcome_of(replies: Sequence[Any]) -> Outcome:
    """Classify the replies to one step: one reply, or those from MULTI to EXEC."""
    last = replies[-1]
    if isinstance(last, list) and any(isinstance(reply, ErrorReply) for reply in last):
        return Outcome.UNEXPECTED
    if not isinstance(last, ErrorReply):
        return Outcome.DONE
    if len(replies) > 1 and isinstance(replies[0], ErrorReply):
        return Outcome.UNKNOWN  # without MULTI each of the following commands took effect by itself
    code = last.code
    if code in NOT_EXECUTED:
        return Outcome.REFUSED
    return Outcome.UNKNOWN if code == "INDETERMINATE" else Outcome.UNEXPECTED


@attrs.define
class Tally:
    """Counts of the steps so far."""

    answered: int = 0
    acknowledged_writes: int = 0
    unknown: int = 0
    """Steps without an answer, or with one that leaves their fate unknown."""
    refused: int = 0


class Evidence:
    """All answers of one run."""

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        """The beginning of all keys of the run."""
        self.history = History()
        self.counters: dict[bytes, list[Operation]] = {}
        self.groups: dict[int, list[Operation]] = {}
        self.unique: dict[bytes, Outcome] = {}
        self.acknowledged_s: dict[bytes, float] = {}
        """When each unique write was acknowledged, on the clock of the run."""
        self.unexpected: Counter[str] = Counter()
        self.tally = Tally()

    def value_of(self, key: bytes) -> bytes:
        """The value that the one write of a unique key writes."""
        return b"value of " + key.removeprefix(self.prefix)

    def begin_unique(self, key: bytes) -> None:
        """The one write of `key` is about to be sent: until an answer comes, its fate is unknown."""
        assert key not in self.unique
        self.unique[key] = Outcome.UNKNOWN

    def end_unique(self, key: bytes, replies: Sequence[Any], now_s: float, *, vouched: bool = True) -> None:
        """Its answer has come. `vouched`: whether as many replicas as demanded have it."""
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
                pass  # an operation without an answer counts as ambiguous

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
