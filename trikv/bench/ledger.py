"""The servers' promises: the last acknowledged write of every key, and the writes whose fate is unknown.

Memory: eight bytes for each key and kind, plus at most 16 numbers for each key with writes in doubt. The
package's docstring explains why that is enough for a sound verdict.
"""

from array import array
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final

import msgspec

STAMP_BYTES: Final = 24
"""Eight hexadecimal digits of the run, sixteen decimal digits of the write."""
DOUBTS_MAX: Final = 16
"""A key with more numbers in doubt than this is not judged any more."""
ABSENT: Final = 0
"""The number a DEL writes; SETs count from 1."""
_NEVER: Final = -1


class Kind(Enum):
    """How a key is written, and so how it can be judged."""

    REGISTER = "key"
    """SET, MSET, DEL: holds one stamped value or nothing."""
    COUNTER = "counter"
    """INCR: the reply is the value, which only grows."""
    TAIL = "tail"
    """APPEND: the reply is the length, which only grows."""


class Verdict(Enum):
    """The result of reading a key back."""

    KEPT = "kept"
    LOST = "lost"
    FOREIGN = "foreign"
    """The value is not from this run: another program writes these keys, so there is no verdict."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """The effect of one write command on keys of one kind."""

    kind: Kind
    slots: tuple[int, ...]
    number: int
    """REGISTER: the number written. Otherwise by how much the key grows."""


def key_of(kind: Kind, slot: int) -> bytes:
    """Name the key of a slot; every kind has its own key space, because their commands do not mix."""
    return b"%s:%012d" % (kind.value.encode(), slot)


def stamp(run: int, number: int) -> bytes:
    """Begin a value with what makes it unique: the run (32 bits) and the number of the write."""
    return b"%08x%016d" % (run, number)


def number_of(run: int, value: Any) -> int | None:
    """Read a stamp back: its number, ABSENT for no value, None for a value not of this run."""
    if value is None:
        return ABSENT
    if not isinstance(value, bytes) or value[:8] != b"%08x" % run or not value[8:STAMP_BYTES].isdigit():
        return None
    return int(value[8:STAMP_BYTES])


class Ledger:
    """The promises of one run. Call `acknowledge` or `doubt` for each write; at the end `judge`."""

    def __init__(self, keys: int, run: int, kinds: Iterable[Kind] = Kind) -> None:
        self.run = run
        self.acknowledged_writes = 0
        self._last = {kind: array("q", [_NEVER]) * keys for kind in kinds}
        self._doubts: dict[tuple[Kind, int], set[int]] = {}
        self._slack: dict[tuple[Kind, int], int] = {}
        self._fell: set[tuple[Kind, int]] = set()
        self._unjudged: set[tuple[Kind, int]] = set()

    def acknowledge(self, change: Change, reply: Any) -> None:
        """Note that `change` was answered with `reply`, which is no error."""
        self.acknowledged_writes += 1
        last = self._last[change.kind]
        if change.kind is Kind.REGISTER:
            for slot in change.slots:
                last[slot] = change.number
            return
        slot = change.slots[0]
        if not isinstance(reply, int) or reply < last[slot] + change.number:
            # The only writer of this key saw it shrink: an acknowledged write is lost, whatever comes later.
            self._fell.add((change.kind, slot))
        last[slot] = reply if isinstance(reply, int) else max(last[slot], 0)

    def doubt(self, change: Change) -> None:
        """Note that it is unknown whether `change` happened."""
        for slot in change.slots:
            place = (change.kind, slot)
            if change.kind is not Kind.REGISTER:
                self._slack[place] = self._slack.get(place, 0) + change.number
                continue
            doubts = self._doubts.setdefault(place, set())
            if len(doubts) < DOUBTS_MAX:
                doubts.add(change.number)
            else:
                self._unjudged.add(place)

    def promises(self) -> Iterator[tuple[Kind, int]]:
        """Go over every key that has an acknowledged write and can be judged."""
        for kind, last in self._last.items():
            for slot, number in enumerate(last):
                if number != _NEVER and (kind, slot) not in self._unjudged:
                    yield kind, slot

    @property
    def unjudged(self) -> int:
        """Keys with too many writes in doubt to be judged."""
        return len(self._unjudged)

    def judge(self, kind: Kind, slot: int, reply: Any) -> Verdict:
        """Judge what the cluster holds: the reply to GET, for a TAIL that to STRLEN."""
        place = (kind, slot)
        last = self._last[kind][slot]
        if kind is Kind.REGISTER:
            number = number_of(self.run, reply)
            if number is None:
                return Verdict.FOREIGN
            return Verdict.KEPT if number == last or number in self._doubts.get(place, ()) else Verdict.LOST
        if place in self._fell:
            return Verdict.LOST
        try:
            size = int(reply or 0)
        except ValueError:
            return Verdict.FOREIGN
        if size > last + self._slack.get(place, 0):
            return Verdict.FOREIGN
        return Verdict.KEPT if size >= last else Verdict.LOST
