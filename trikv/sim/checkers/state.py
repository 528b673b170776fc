"""The state on which the checkers evaluate commands: sixteen dictionaries, and no code of the machine.

`trikv.sim.checkers.meanings` says what each command does to it.
"""

from collections.abc import Collection as Group
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import attrs

from trikv.sim.checkers.choices import Choices
from trikv.sim.checkers.expected import Drawn, Failure
from trikv.sim.checkers.values import Collection, Fields, Plain, Scores, Value
from trikv.sim.history import UNTOLD, Key

Args: TypeAlias = Sequence[bytes]
Contents: TypeAlias = dict[Key, tuple[Value, int]]
"""All keys with their values and deadlines in ms; 0 for no deadline."""
WRONG_TYPE: Final = Failure("WRONGTYPE ")


class Refused(Exception):  # noqa: N818 - it is an answer
    """A command has changed nothing, and only this may be answered."""

    def __init__(self, expected: Any) -> None:
        super().__init__(expected)
        self.expected = expected


@attrs.frozen
class Sighting:
    """The contents of a machine, or of a document, at an index."""

    whose: str
    index: int
    contents: Contents


@attrs.frozen
class Item:
    """A key's value, its deadline, and when it was made and changed."""

    value: Value
    deadline: int
    """Log time in ms; 0 for never."""
    version: int
    """The number of the last command that changed it."""
    born: int
    """The number of the command that made it. It is another one if the key was gone in between."""


class State:
    """Keys, deadlines, the number of the present command, and the database that is selected."""

    def __init__(self, values: Mapping[bytes, Value] | None = None, *, is_partial: bool = False) -> None:
        """`values` are those of database 0. `is_partial`: only the keys that are asked for are known."""
        self.databases: dict[int, dict[bytes, Item]] = {}
        self.selected = 0
        self.is_partial = is_partial
        self.commands = 1
        self.now_ms = 0
        self.told: Any = UNTOLD
        """What the present command was answered, as far as anybody knows: it tells what it has drawn."""
        self.choices = Choices()
        """Decides what is drawn if nobody was told."""
        for key, value in (values or {}).items():
            self.put(key, value)

    @property
    def items(self) -> dict[bytes, Item]:
        """The items of the selected database. Only `put` and `drop` may change them."""
        return self.databases.setdefault(self.selected, {})

    @property
    def values(self) -> dict[bytes, Any]:
        """The values of the selected database, without deadlines and versions."""
        return {key: item.value for key, item in self.items.items()}

    @contextmanager
    def at(self, database: int) -> Iterator[None]:
        """Select another database for a while."""
        selected, self.selected = self.selected, database
        yield
        self.selected = selected

    def advance(self, now_ms: int) -> tuple[int, int]:
        """Let log time move on, and drop due keys, and due fields of others; how many of each there were."""
        self.now_ms = max(self.now_ms, now_ms)
        self.commands += 1  # a hash whose fields expire has another version than its last command gave it
        due = [
            (items, key)
            for items in self.databases.values()
            for key, item in items.items()
            if item.deadline and item.deadline <= self.now_ms
        ]
        for items, key in due:
            del items[key]
        return len(due), sum(
            self._expire_fields(database, key)
            for database, items in self.databases.items()
            for key, item in list(items.items())
            if isinstance(item.value, Collection) and item.value.deadlines
        )

    def _expire_fields(self, database: int, key: bytes) -> int:
        """Drop the due fields of a hash; how many there were."""
        with self.at(database):
            fields = self.hash_of(key)
            due = [field for field, deadline in fields.deadlines.items() if deadline <= self.now_ms]
            for field in due:
                fields.drop(field)
            if due:
                self.keep(key, fields)
        return len(due)

    def version(self, key: Key) -> int:
        """The number of the command that changed a live key last; 0 if there is no such key."""
        item = self.databases.get(key[0], {}).get(key[1])
        return item.version if item is not None else 0

    def births(self, database: int) -> dict[bytes, int]:
        """For each key of a database the number of the command that made it."""
        return {key: item.born for key, item in self.databases.get(database, {}).items()}

    def contents(self) -> Contents:
        """All keys of all databases, with values and deadlines."""
        return {
            (database, key): (item.value, item.deadline)
            for database, items in self.databases.items()
            for key, item in items.items()
        }

    # The operations that the meanings of commands consist of.

    def get(self, key: bytes) -> Value | None:
        """The value of a key of the selected database, whatever its type; None if it is absent."""
        item = self.items.get(key)
        return item.value if item is not None else None

    def string(self, key: bytes) -> bytes | None:
        """A string; None if it is absent. This and the next four raise `Refused` if it has another type."""
        value = self.get(key)
        if isinstance(value, Collection):
            raise Refused(WRONG_TYPE)
        return value

    def list_of(self, key: bytes) -> list[bytes]:
        """The elements of a list; none if it is absent. The caller may change it, and then `keep` it."""
        return list(self._elements(key, "list"))

    def set_of(self, key: bytes) -> set[bytes]:
        """The same of a set."""
        return set(self._elements(key, "set"))

    def hash_of(self, key: bytes) -> Fields:
        """The same of a hash, with the deadlines of its fields."""
        fields, value = self._elements(key, "hash"), self.get(key)
        return Fields(fields, value.deadlines if isinstance(value, Collection) else ())

    def scores_of(self, key: bytes) -> Scores:
        """The same of a sorted set."""
        return Scores(self._elements(key, "zset"))

    def _elements(self, key: bytes, kind: str) -> Any:
        value = self.get(key)
        if value is None:
            return ()
        if isinstance(value, bytes) or value.kind != kind:
            raise Refused(WRONG_TYPE)
        return value.elements

    def deadline(self, key: bytes) -> int:
        """The deadline of a key in ms; 0 if it has none or is absent."""
        item = self.items.get(key)
        return item.deadline if item is not None else 0

    def keep(self, key: bytes, plain: Plain) -> None:
        """Let the collection of a key have these elements now; its deadline stays. Without any it goes."""
        if not plain:
            self.drop(key)
            return
        old = self.get(key)
        is_large = isinstance(old, Collection) and old.is_large
        self.put(key, Collection.of(plain, is_large=is_large), self.deadline(key))

    def replace(self, key: bytes, plain: Plain) -> int:
        """Give a key a new collection in place of whatever it has; how many elements that is."""
        if plain:
            self.put(key, Collection.of(plain))
        else:
            self.drop(key)
        return len(plain)

    def put(self, key: bytes, value: Value, deadline: int = 0) -> None:
        """Give a key this value and deadline. A deadline that has passed leaves it absent."""
        if deadline and deadline <= self.now_ms:
            self.drop(key)
            return
        old = self.items.get(key)
        self.items[key] = Item(value, deadline, self.commands, self.commands if old is None else old.born)

    def drop(self, key: bytes) -> int:
        """Remove a key; 1 if it was there, else 0."""
        return int(self.items.pop(key, None) is not None)

    def taken(self, members: Group[bytes], count: int) -> list[bytes]:
        """Which `count` of `members` the present command has drawn: those that it was answered.

        Raises `Refused` if it cannot have drawn those.
        """
        if count == len(members):
            return sorted(members)
        if self.told is UNTOLD:
            return self.choices.some(sorted(members), count)
        drawn = Drawn(tuple(members), count)
        told = [self.told] if isinstance(self.told, bytes) else self.told
        if not drawn.allows(told):
            raise Refused(drawn)
        return list(told)
