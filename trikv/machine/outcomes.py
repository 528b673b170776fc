"""What an applied entry tells the node that holds the clients, and the rules that decide it.

The rules are PROTOCOL 1 and 2: a life of an origin opens with a Hello whose log index is its incarnation; a
proposal applies only if it quotes that incarnation and the origin's next sequence.
"""

import enum
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from trikv.machine.batch import Hello
from trikv.machine.effects import Effect
from trikv.machine.replies import Reply


class Reason(enum.Enum):
    """Why a proposal was skipped; nothing advances, on any replica."""

    DUPLICATE = "duplicate"
    """Its sequence was used before."""
    GAP = "gap"
    """A proposal before it is missing: send again from the row's next."""
    INCARNATION = "incarnation"
    """It quotes another life than the row's, or there is no row."""
    NOT_MEMBER = "not a member"
    """The origin is not a member, or not any more."""


class LifeOpened(msgspec.Struct, frozen=True, gc=False):
    """A Hello of this origin was in the entry; this is the row after it.

    A nonce that is not the node's own means that another life holds the row: send a new Hello.
    """

    nonce: bytes
    incarnation: int


class Applied(msgspec.Struct, frozen=True):
    """A proposal of this origin took effect. No ``gc=False`` here: replies may hold anything."""

    incarnation: int
    sequence: int
    replies: list[Reply]
    """One a step; empty for a forgotten proposal."""
    item: int
    """Its number in the entry, from 1: with the index the place that effects are compared with."""


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """A proposal of this origin had no effect, on any replica."""

    incarnation: int
    sequence: int
    """Both as quoted; 0 for a Hello."""
    reason: Reason


Outcome: TypeAlias = LifeOpened | Applied | Skipped


class Whole(msgspec.Struct, frozen=True):
    """What came of an entry that is wholly applied."""

    outcomes: list[Outcome]
    """Of the items of one origin, in order."""
    effects: Sequence[Effect]
    """On what is awaited, in order, whosever items they were of."""


class OriginRow(msgspec.Struct, gc=False):
    """What the machine remembers of one origin; part of state, snapshot and digest."""

    incarnation: int
    nonce: bytes
    next: int = 1
    """The one sequence that would apply."""


class Origins:
    """The rows of all origins, and the members whose proposals count."""

    __slots__ = ("members", "rows")

    def __init__(self) -> None:
        self.members: tuple[int, ...] = ()
        """Their node ids, ascending."""
        self.rows: dict[int, OriginRow] = {}

    def set_members(self, members: tuple[int, ...]) -> None:
        """Obey a membership entry: only `members` may propose, and rows of others go."""
        self.members = members
        self.rows = {origin: row for origin, row in self.rows.items() if origin in members}

    def greet(self, hello: Hello, index: int) -> LifeOpened | Skipped:
        """Open a life of ``hello.origin`` at `index`, unless its row has that nonce already.

        Of two Hellos in one entry the first wins. The second sees a foreign nonce in its outcome and says
        Hello again.
        """
        if hello.origin not in self.members:
            return Skipped(0, 0, Reason.NOT_MEMBER)
        row = self.rows.get(hello.origin)
        # Not twice at one index: two lives with one incarnation could not be told apart.
        if row is None or (row.nonce != hello.nonce and row.incarnation != index):
            row = self.rows[hello.origin] = OriginRow(index, hello.nonce)
        return LifeOpened(row.nonce, row.incarnation)

    def admit(self, origin: int, incarnation: int, sequence: int) -> Reason | None:
        """Why a proposal does not apply. None if it does; then its sequence is used up."""
        row = self.rows.get(origin)
        if row is None:
            return Reason.INCARNATION if origin in self.members else Reason.NOT_MEMBER
        if row.incarnation != incarnation:
            return Reason.INCARNATION
        # A gap is skipped, too: a proposal that overtook a lost one would keep that from ever applying.
        if row.next != sequence:
            return Reason.DUPLICATE if sequence < row.next else Reason.GAP
        row.next = sequence + 1
        return None
