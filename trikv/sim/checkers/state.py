"""The state that commands are reckoned by: sixteen dictionaries, and no code of the machine.

What each command does to it is said in `trikv.sim.checkers.meanings`.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from trikv.sim.history import Key

Args: TypeAlias = Sequence[bytes]
Contents: TypeAlias = dict[Key, tuple[bytes, int]]
"""All keys with their values and deadlines in ms, 0 for none."""


@attrs.frozen
class Sighting:
    """What somebody held at an index: a machine, or a document."""

    whose: str
    index: int
    contents: Contents


@attrs.define
class Item:
    """What a key holds."""

    value: bytes
    deadline: int
    """Log time in ms, 0 for never."""
    version: int
    """The number of its last change."""
    born: int
    """The number of the change that made it: another one when it was gone in between."""


class State:
    """Keys, deadlines, a number for each change of a key, and the database that is selected."""

    def __init__(self, values: Mapping[bytes, bytes] | None = None, *, is_partial: bool = False) -> None:
        """`values`: those of database 0. Of a partial one only the keys that are asked for are known."""
        self.databases: dict[int, dict[bytes, Item]] = {}
        self.selected = 0
        self.is_partial = is_partial
        self.changes = 0
        self.now_ms = 0
        for key, value in (values or {}).items():
            self.put(key, value)

    @property
    def items(self) -> dict[bytes, Item]:
        """Of the selected database; not to be changed past `put` and `drop`."""
        return self.databases.setdefault(self.selected, {})

    @property
    def values(self) -> dict[bytes, bytes]:
        """The same without what does not show."""
        return {key: item.value for key, item in self.items.items()}

    def advance(self, now_ms: int) -> int:
        """Log time moves on; how many keys were due."""
        self.now_ms = max(self.now_ms, now_ms)
        due = [
            (items, key)
            for items in self.databases.values()
            for key, item in items.items()
            if item.deadline and item.deadline <= self.now_ms
        ]
        for items, key in due:
            del items[key]
        return len(due)

    def version(self, key: Key) -> int:
        """The number of the last change of a live key; 0 where there is none."""
        item = self.databases.get(key[0], {}).get(key[1])
        return item.version if item is not None else 0

    def births(self, database: int) -> dict[bytes, int]:
        """When each key of a database came to be."""
        return {key: item.born for key, item in self.databases.get(database, {}).items()}

    def contents(self) -> Contents:
        """All of it."""
        return {
            (database, key): (item.value, item.deadline)
            for database, items in self.databases.items()
            for key, item in items.items()
        }

    # What the meanings of commands are made of.

    def get(self, key: bytes) -> bytes | None:
        """The value."""
        item = self.items.get(key)
        return item.value if item is not None else None

    def deadline(self, key: bytes) -> int:
        """0 where it has none, or is not there."""
        item = self.items.get(key)
        return item.deadline if item is not None else 0

    def put(self, key: bytes, value: bytes, deadline: int = 0) -> None:
        """The key has that value and deadline. One that has passed leaves it absent."""
        if deadline and deadline <= self.now_ms:
            self.drop(key)
            return
        self.changes += 1
        old = self.items.get(key)
        self.items[key] = Item(value, deadline, self.changes, self.changes if old is None else old.born)

    def drop(self, key: bytes) -> int:
        """How many were there."""
        return int(self.items.pop(key, None) is not None)
