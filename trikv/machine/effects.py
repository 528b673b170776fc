"""What an entry did that somebody at this node waits to hear of: awaited keys that it touched, messages.

Effects are told, not kept: they are in no digest and no snapshot, and replicas have different ones, because
only what is awaited at a node is noted there. So nothing that a command does may depend on them. They come in
the order of the log, and only with an entry that is whole (PROTOCOL 65).
"""

import enum
from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from trikv.machine.errors import TOO_MUCH_PUBLISHED
from trikv.machine.replies import CommandError

Place: TypeAlias = tuple[int, int]
"""An entry's index, and the number of an item in it, from 1. 0 is before the items, when due keys go."""

ALL: Final = None
"""In place of a key or a channel: every one of them."""

Names: TypeAlias = dict[bytes | None, None]

NOTHING: Final[Names] = {}
"""What is awaited in a database of whose changes nobody is told. It stays empty."""

LAST_ITEM: Final = 2**62
"""A place behind all items of an entry: that of a read, which sees whole entries."""


class Change(enum.Enum):
    """What became of a key."""

    WRITTEN = "written"
    """It has another value, or another deadline."""
    REMOVED = "removed"
    """A command took it away while it was live."""
    EXPIRED = "expired"
    """Its deadline had come, and an entry has reaped it."""
    EMPTIED = "emptied"
    """All keys of the database went at once; told to those who await the whole of it."""
    SWAPPED = "swapped"
    """The database has all keys of another one, and none of its own; told to the same."""


# Bound once, because to look a member up in its class takes as long as a call.
WRITTEN: Final = Change.WRITTEN
REMOVED: Final = Change.REMOVED
EXPIRED: Final = Change.EXPIRED
EMPTIED: Final = Change.EMPTIED
SWAPPED: Final = Change.SWAPPED


class Touched(msgspec.Struct, frozen=True, gc=False):
    """An awaited key has changed. What one item did to a key several times in a row is told once."""

    place: Place
    db: int
    key: bytes | None
    """None for EMPTIED and SWAPPED."""
    change: Change


class Published(msgspec.Struct, frozen=True, gc=False):
    """A message for those who listen to `channel`."""

    place: Place
    channel: bytes
    message: bytes


Effect: TypeAlias = Touched | Published


class Keys(Protocol):
    """A database of which all keys change."""

    @property
    def number(self) -> int:
        """Its place in `Awaited.keys`."""

    def find(self, key: bytes, /) -> object | None:
        """The live entry of `key`."""

    def charged(self, key: bytes, /) -> int:
        """Above 0 if `key` is there, due or not."""


class Awaited:
    """What somebody at a node waits for. It belongs to the node and outlives its machines; it is not state.

    Who puts a name in takes it out when the last one who waits for it is gone. Databases look into their part
    at each change, so a part is a plain dict: if nobody waits, that costs a write a few nanoseconds. It is no
    set, because the order of a set differs between processes.
    """

    __slots__ = ("channels", "keys")

    def __init__(self, databases: int) -> None:
        self.keys: tuple[Names, ...] = tuple({} for _ in range(databases))
        """By database."""
        self.channels: Names = {}


class Effects:
    """The effects of the entry that is being applied, and what is awaited."""

    __slots__ = ("_happened", "awaited", "index", "item", "room")

    def __init__(self, databases: int) -> None:
        self.awaited = Awaited(databases)
        self.index = 0
        """The entry."""
        self.item = 0
        """The item of it that is being carried out."""
        self.room = 0
        """How many bytes the entry may still publish: as many as it brought (PROTOCOL 65)."""
        self._happened: list[Effect] = []

    def touched(self, db: int, key: bytes, change: Change) -> None:
        """`key` has changed; noted if it is awaited."""
        awaited = self.awaited.keys[db]
        if key in awaited or ALL in awaited:
            self._note(Touched((self.index, self.item), db, key, change))

    def set_in_a_row(self, db: int, commands: Sequence[Sequence[bytes]]) -> None:
        """`commands` were carried out; each has put another value for its key."""
        awaited = self.awaited.keys[db]
        for args in commands:
            key = args[1]
            if key in awaited or ALL in awaited:
                self._note(Touched((self.index, self.item), db, key, WRITTEN))

    def emptied(self, db: Keys) -> None:
        """All keys of `db` are about to go. The awaited ones are looked for: all may be millions."""
        place = self.index, self.item
        for key in self.awaited.keys[db.number]:
            if key is ALL:
                self._note(Touched(place, db.number, None, EMPTIED))
            elif db.find(key) is not None:
                self._note(Touched(place, db.number, key, REMOVED))
            elif db.charged(key):
                self._note(Touched(place, db.number, key, EXPIRED))

    def swapped(self, one: Keys, other: Keys) -> None:
        """The keys of both databases are about to be exchanged."""
        place = self.index, self.item
        for db, follows in ((one, other), (other, one)):
            for key in self.awaited.keys[db.number]:
                if key is ALL:
                    self._note(Touched(place, db.number, None, SWAPPED))
                elif follows.find(key) is not None:
                    self._note(Touched(place, db.number, key, WRITTEN))
                elif db.find(key) is not None:
                    self._note(Touched(place, db.number, key, REMOVED))

    def _note(self, effect: Touched) -> None:
        happened = self._happened
        if not happened or happened[-1] != effect:
            happened.append(effect)

    def published(self, channel: bytes, message: bytes) -> CommandError | None:
        """A command publishes `message`, or an error says why it cannot.

        The room is counted on every replica, because a refusal may decide what the command does.
        """
        size = len(channel) + len(message)
        if size > self.room:
            return TOO_MUCH_PUBLISHED
        self.room -= size
        listened = self.awaited.channels
        if channel in listened or ALL in listened:
            self._happened.append(Published((self.index, self.item), channel, message))
        return None

    def take(self) -> Sequence[Effect]:
        """The effects of the entry, which is whole now, in order."""
        happened = self._happened
        if not happened:
            return ()
        self._happened = []
        return happened
