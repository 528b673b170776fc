"""Values as they are at one instant, held for a reader while the machine goes on.

It costs a number: whatever changes a value from now on forks its header and copies each part before the
first change to it (`trikv.machine.values.value`), which the reader does not notice. It begins and ends by
name, `Hold(...)` and `close`: while one is open no value is changed in place.
"""

from collections.abc import Mapping
from typing import Any

from trikv.machine.database import Database
from trikv.machine.values.value import Value


class Hold:
    """Values in parts that somebody reads in steps. `close` it when they have been read."""

    __slots__ = ("_db", "_is_open", "_values")

    def __init__(self, db: Database, values: Mapping[bytes, Value]) -> None:
        """`values` are those of their keys."""
        self._db = db
        self._values = values
        self._is_open = True
        db.account.epoch += 1
        db.account.holds += 1

    def kept(self) -> dict[int, int]:
        """As `trikv.machine.replies.Kept.kept`: about the bytes of parts that were changed or have gone.

        A value that has another name by now counts whole.
        """
        return {
            id(piece): value.charge // len(value.released())
            for key, value in self._values.items()
            for piece in self._unshared(key, value)
        }

    def _unshared(self, key: bytes, value: Value) -> list[Any]:
        """Those pieces of `value` that the key does not have any more."""
        entry = self._db.find(key)
        live = None if entry is None else entry.value
        if live is value:
            return []
        shared = set(map(id, live.released())) if isinstance(live, Value) else set()
        return [piece for piece in value.released() if id(piece) not in shared]

    def close(self) -> None:
        """They have been read; what nobody else holds is freed in slices."""
        assert self._is_open, "its one holder closes it once"
        self._is_open = False
        account = self._db.account
        account.holds -= 1
        for key, value in self._values.items():
            gone = self._unshared(key, value)
            if gone:
                account.discarded.add_parts(gone)
