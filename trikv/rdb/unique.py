"""Whether an element comes twice, in steps: no table that it needs takes long to grow."""

from collections.abc import Iterator, Sequence
from typing import Final

from trikv.rdb.errors import DamagedError

_FEW: Final = 4096
"""So many are in one table, which grows in a fifth of a millisecond."""
_TABLES: Final = 1024
"""Then there are so many tables: ten million elements make them grow to 10,000 each."""
_FREED: Final = 16
"""Tables that are freed in a step."""


class Unique:
    """What has come so far. Which table has an element follows from `hash`, which nobody can foresee."""

    __slots__ = ("_tables", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._tables: list[set[bytes]] = [set()]

    def add(self, elements: Sequence[bytes], offset: int) -> None:
        """These come now, a few hundred. Raises DamagedError if one came before, or is among them twice."""
        table, fresh = self._tables[0], set(elements)
        if len(self._tables) > 1 or len(fresh) < len(elements) or not table.isdisjoint(fresh):
            for element in elements:  # one by one, so that the error can name the first
                self._add_one(element, offset)
            return
        table |= fresh
        if len(table) > _FEW:
            self._tables = [set() for _ in range(_TABLES)]
            for element in table:
                self._table_of(element).add(element)

    def _table_of(self, element: bytes) -> set[bytes]:
        return self._tables[hash(element) % len(self._tables)]

    def _add_one(self, element: bytes, offset: int) -> None:
        table = self._table_of(element)
        if element in table:
            raise DamagedError(f"{self._what} {element[:100]!r} is there twice", offset)
        table.add(element)

    def forgotten(self) -> Iterator[None]:
        """Free all, in steps."""
        while len(self._tables) > _FREED:
            del self._tables[-_FREED:]
            yield
