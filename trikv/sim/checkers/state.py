"""The state on which the checkers evaluate commands: sixteen dictionaries, and no code of the machine.

`trikv.sim.checkers.meanings` says what each command does to it.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from trikv.sim.history import Key

Args: TypeAlias = Sequence[bytes]
Contents: TypeAlias = dict[Key, tuple[bytes, int]]
"""All keys with their values and deadlines in ms; 0 for no deadline."""


@attrs.frozen
class Sighting:
    """The contents of a machine, or of a document, at an index."""

    whose: str
    index: int
    contents: Contents


@attrs.define
class Item:
    """A key's value, its deadline, and when it was made and changed."""

    value: bytes
    deadline: int
    """Log time in ms; 0 for never."""
    version: int
    """The number of its last change."""
    born: int
    """The number of the change that made it. It is another one if the key was gone in between."""


class State:
    """Keys, deadlines, a number for each change of a key, and the database that is selected."""

    def __init__(self, values: Mapping[bytes, bytes] | None = None, *, is_partial: bool = False) -> None:
        """`values` are those of database 0. `is_partial`: only the keys that are asked for are known."""
        self.databases: dict[int, dict[bytes, Item]] = {}
        self.selected = 0
        self.is_partial = is_partial
        self.changes = 0
        self.now_ms = 0
        for key, value in (values or {}).items():
            self.put(key, value)

    @property
    def items(self) -> dict[bytes, Item]:
        """The items of the selected database. Only `put` and `drop` may change them."""
        return self.databases.setdefault(self.selected, {})

    @property
    def values(self) -> dict[bytes, bytes]:
        """The values of the selected database, without deadlines and versions."""
        return {key: item.value for key, item in self.items.items()}

    def advance(self, now_ms: int) -> int:
        """Let log time move on, and drop due keys; how many there were."""
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
        """The number of the last change of a live key; 0 if there is no such key."""
        item = self.databases.get(key[0], {}).get(key[1])
        return item.version if item is not None else 0

    def births(self, database: int) -> dict[bytes, int]:
        """For each key of a database the number of the change that made it."""
        return {key: item.born for key, item in self.databases.get(database, {}).items()}

    def contents(self) -> Contents:
        """All keys of all databases, with values and deadlines."""
        return {
            (database, key): (item.value, item.deadline)
            for database, items in self.databases.items()
            for key, item in items.items()
        }

    # The operations that the meanings of commands consist of.

    def get(self, key: bytes) -> bytes | None:
        """The value of a key of the selected database; None if it is absent."""
        item = self.items.get(key)
        return item.value if item is not None else None

    def deadline(self, key: bytes) -> int:
        """The deadline of a key in ms; 0 if it has none or is absent."""
        item = self.items.get(key)
        return item.deadline if item is not None else 0

    def put(self, key: bytes, value: bytes, deadline: int = 0) -> None:
        """Give a key this value and deadline. A deadline that has passed leaves it absent."""
        if deadline and deadline <= self.now_ms:
            self.drop(key)
            return
        self.changes += 1
        old = self.items.get(key)
        self.items[key] = Item(value, deadline, self.changes, self.changes if old is None else old.born)

    def drop(self, key: bytes) -> int:
        """Remove a key; 1 if it was there, else 0."""
        return int(self.items.pop(key, None) is not None)
