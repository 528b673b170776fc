"""Reading snapshots: a machine restored whole."""

from typing import Any, Final

import msgspec

from trikv.machine.codec import (
    KeyLine,
    PartLine,
    Reader,
    SmallLine,
    SnapshotError,
    SplitLine,
    ValueLine,
    of_json,
    to_bytes,
)
from trikv.machine.commands import TABLE
from trikv.machine.keyspace import DATABASES, Keyspace
from trikv.machine.machine import Machine
from trikv.machine.stored import AnyValue, Stored
from trikv.machine.table import CommandTable
from trikv.machine.values.value import Packed, Value

__all__ = ["Restore", "SnapshotError", "node_of"]

NO_PART: Final = "a part of no key, or out of order"


class _Parts:
    """A value that is being put together."""

    __slots__ = ("elements", "line", "made", "place")

    def __init__(self, line: ValueLine, made: Value) -> None:
        self.line = line
        self.made = made
        self.place = -1
        """Of the part whose elements are being read."""
        self.elements: list[Any] = []


class Restore:
    """Builds a machine from a document fed in chunks of any size; holds one line besides the machine."""

    def __init__(self, table: CommandTable = TABLE) -> None:
        """`table`: the commands that the machine will evaluate; the document names none."""
        self._table = table
        self._reader = Reader()
        self._space = Keyspace()
        self._value: _Parts | None = None
        """The key whose parts are being read."""

    def feed(self, data: bytes) -> None:
        """Take in the next chunk. Raises SnapshotError, after which the object must not be used."""
        for line in self._reader.feed(data):
            if isinstance(line, PartLine):
                self._add(line)
                continue
            self._begin()
            self._end_value()
            check_db(line, self._reader)
            if isinstance(line, SplitLine):
                self._split(line)
            elif isinstance(line, ValueLine):
                self._value = _Parts(line, self._begun(line))
            elif isinstance(line, SmallLine):
                self._put(line, self._small(line))
            else:
                self._put(line, to_bytes(line.v))

    def _begin(self) -> None:
        """Carry out the rules of the document's level, before the first key is charged."""
        opening = self._reader.opening
        assert opening is not None, "it comes before the keys"
        account = self._space.account
        # A level that is not known fails at the end, when the document was seen to be undamaged.
        if account.feature_level != opening.machine.feature_level:
            account.set_level(opening.machine.feature_level, opening.machine.bucket_seed)

    def _split(self, line: SplitLine) -> None:
        try:
            self._space.databases[line.db].restore_split(line.bucket, line.split)
        except ValueError as problem:
            raise SnapshotError(str(problem), self._reader.line) from None

    def _put(self, line: KeyLine | SmallLine | ValueLine, value: AnyValue) -> None:
        try:
            is_new = self._space.databases[line.db].restore(to_bytes(line.k), Stored(value, line.n, line.x))
        except ValueError as problem:
            raise SnapshotError(str(problem), self._reader.line) from None
        if not is_new:
            raise SnapshotError("a key stands there twice", self._reader.line)

    def _begun(self, line: ValueLine) -> Value:
        account = self._space.account
        try:
            return type_named(line.t, self._table, self._reader).begun(account.epoch, account.secret, line.s)
        except ValueError as problem:
            raise SnapshotError(str(problem), self._reader.line) from None

    def _small(self, line: SmallLine) -> Packed:
        made = type_named(line.t, self._table, self._reader)
        try:
            return made.packed_of(of_json(line.e))
        except (ValueError, TypeError, RecursionError) as problem:  # msgspec's errors are ValueErrors
            raise SnapshotError(f"no value: {problem}", self._reader.line) from None

    def _add(self, line: PartLine) -> None:
        """Take in elements of a part: the next one's, or more of the same."""
        value = self._value
        if value is None or not is_next(line, value.place, value.line):
            raise SnapshotError(NO_PART, self._reader.line)
        elements = elements_of(line, self._reader)
        if line.part == value.place:
            value.elements += elements
            return
        self._end_part(value)
        value.place, value.elements = line.part, elements

    def _end_part(self, value: _Parts) -> None:
        if value.place >= 0:
            try:
                value.made.restore(value.elements)
            except (ValueError, TypeError) as problem:
                raise SnapshotError(f"no part of a value: {problem}", self._reader.line) from None

    def _end_value(self) -> None:
        """All parts of a key were read."""
        value, self._value = self._value, None
        if value is None:
            return
        self._end_part(value)
        check_parts(value.place, value.line, self._reader)
        try:
            value.made.finish()
        except ValueError as problem:
            raise SnapshotError(str(problem), self._reader.line) from None
        self._put(value.line, value.made)

    def finish(self) -> tuple[dict[str, object], Machine]:
        """The node's header and the machine, equal to the one that was walked.

        Raises SnapshotError, and FeatureLevelError for a snapshot of a newer release's cluster.
        """
        opening = self._reader.finish()
        self._begin()
        self._end_value()
        return opening.node, Machine.restored(opening.machine, self._space, self._table)


def node_of(line: bytes) -> dict[str, object]:
    """The node's header in a document's first line, given without its line end. Raises SnapshotError."""
    reader = Reader()
    keys = list(reader.feed(line + b"\n"))
    assert not keys, "it is the first line"
    assert reader.opening is not None, "a whole line was read"
    return reader.opening.node


# What is checked in every document, whatever is made of it.


def check_db(line: KeyLine | SmallLine | ValueLine | SplitLine, reader: Reader) -> None:
    """Raise SnapshotError if no cluster has the line's database."""
    if not 0 <= line.db < DATABASES:
        raise SnapshotError(f"there is no database {line.db}", reader.line)


def type_named(name: str, table: CommandTable, reader: Reader) -> type[Value]:
    """The type of a key in the line that was read last. Raises SnapshotError."""
    found = table.values.get(name)
    if found is None:
        raise SnapshotError(f"this release knows no values of type {name}", reader.line)
    return found


def is_next(line: PartLine, place: int, value: ValueLine) -> bool:
    """Whether `line` goes on with the part at `place` of that value, or begins the next one."""
    return line.part in (place, place + 1) and line.part < value.parts


def check_parts(place: int, value: ValueLine, reader: Reader) -> None:
    """Raise SnapshotError if the part at `place` is not the value's last one."""
    if place + 1 != value.parts:
        raise SnapshotError(f"{value.parts} parts were written, fewer are here", reader.line)


def elements_of(line: PartLine | SmallLine, reader: Reader) -> list[Any]:
    """The elements in that line. Raises SnapshotError."""
    try:
        return [of_json(element) for element in line.e]
    except (msgspec.ValidationError, RecursionError) as problem:
        raise SnapshotError(f"no part of a value: {problem}", reader.line) from None
