"""The keys of a document as commands that put them into another cluster, piece by piece.

Rows, versions, settings and shapes are left out: the other cluster has its own. A value in parts becomes
commands of a bounded size each, so that whoever loads it neither holds it whole nor stops a cluster with it.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec

from trikv.machine.codec import KeyLine, PartLine, Reader, SmallLine, SplitLine, ValueLine, to_bytes
from trikv.machine.commands import TABLE
from trikv.machine.replies import weight
from trikv.machine.snapshot import (
    NO_PART,
    SnapshotError,
    check_db,
    check_parts,
    elements_of,
    is_next,
    type_named,
)
from trikv.machine.table import CommandTable
from trikv.machine.values.value import Value

__all__ = ["PIECE_BYTES", "Imported", "Piece", "SnapshotError", "String", "import_keys"]

Command: TypeAlias = tuple[bytes, ...]

PIECE_BYTES: Final = 64 * 1024
"""The size of a piece that others follow: it is past this by less than one element."""
ELEMENT_BYTES: Final = 128
"""What a string in it counts for besides its bytes. So a piece has some 500 strings at most, which are put in
a millisecond or two: 64 KiB of short ones took ten times as long."""


class String(msgspec.Struct, frozen=True, gc=False):
    """A key with a string."""

    db: int
    command: Command
    """It puts the key, unless that is there already."""

    @property
    def size(self) -> int:
        """About the bytes that it takes."""
        return sum(map(len, self.command))


class Piece(msgspec.Struct, frozen=True):
    """All elements of a key with another value, or the next ones."""

    db: int
    key: bytes
    kind: type[Value]
    commands: tuple[Command, ...]
    """They put the elements; at the key's last piece its deadline, too."""
    count: int
    """How many elements they are."""
    deadlines: tuple[int, ...]
    """In ms of log time, of those that have one. An element that is due then is gone as soon as it is put."""
    size: int
    """About the bytes that it takes."""
    is_first: bool
    is_last: bool

    def count_at(self, now: int) -> int:
        """How many of its elements are not due at that time."""
        return self.count - sum(deadline <= now for deadline in self.deadlines)


Imported: TypeAlias = String | Piece


def import_keys(chunks: Iterable[bytes], table: CommandTable = TABLE) -> Iterator[Imported]:
    """The keys of a document, in their order; the pieces of a key follow each other.

    Raises SnapshotError if a line cannot be read, or at the end, because the checksum can only be compared
    there. To load nothing of a damaged file, read all of it once before. `table` knows the types of values.
    """
    reader = Reader()
    value: _Pieces | None = None
    for chunk in chunks:
        for line in reader.feed(chunk):
            if isinstance(line, PartLine):
                if value is None:
                    raise SnapshotError(NO_PART, reader.line)
                yield from value.add(line)
                continue
            if value is not None:
                yield value.last()
                value = None
            check_db(line, reader)
            if isinstance(line, ValueLine):
                value = _Pieces(line, type_named(line.t, table, reader), reader)
            elif isinstance(line, SmallLine):
                yield _small(line, type_named(line.t, table, reader), reader)
            elif isinstance(line, KeyLine):
                yield _string(line)
            else:
                assert isinstance(line, SplitLine), "the cluster has a secret and buckets of its own"
    reader.finish()
    if value is not None:
        yield value.last()


def _string(line: KeyLine) -> String:
    command = (b"SET", to_bytes(line.k), to_bytes(line.v))
    return String(line.db, (*command, b"PXAT", b"%d" % line.x, b"NX") if line.x else (*command, b"NX"))


def _small(line: SmallLine, kind: type[Value], reader: Reader) -> Piece:
    pieces = _Pieces(line, kind, reader)
    pieces.take(elements_of(line, reader))
    return pieces.last()


class _Pieces:
    """Cuts the elements of one key into pieces."""

    __slots__ = ("_elements", "_is_first", "_key", "_kind", "_line", "_place", "_reader", "_size")

    def __init__(self, line: ValueLine | SmallLine, kind: type[Value], reader: Reader) -> None:
        self._line = line
        self._key = to_bytes(line.k)
        self._kind = kind
        self._reader = reader
        self._place = -1
        """Of the part whose elements are being read."""
        self._elements: list[Any] = []
        """Those of the next piece."""
        self._size = 0
        self._is_first = True

    def add(self, line: PartLine) -> Iterator[Piece]:
        """Take in the next line of a value in parts; gives the pieces that are full, and not the last."""
        assert isinstance(self._line, ValueLine), "parts are taken in behind such a line only"
        if not is_next(line, self._place, self._line):
            raise SnapshotError(NO_PART, self._reader.line)
        self._place = line.part
        each = self._kind.names_each
        for element in elements_of(line, self._reader):
            # Not as soon as it is full, but when more comes: so what is left in the end is never nothing.
            if self._size >= PIECE_BYTES and not len(self._elements) % each:
                yield self._piece(is_last=False)
            self._elements.append(element)
            self._size += ELEMENT_BYTES + (len(element) if type(element) is bytes else weight([element]))

    def take(self, elements: list[Any]) -> None:
        """Take in all elements of a small value."""
        self._elements = elements
        self._size = ELEMENT_BYTES * len(elements) + weight(elements)

    def last(self) -> Piece:
        """The key was read: what is left of it."""
        if isinstance(self._line, ValueLine):
            check_parts(self._place, self._line, self._reader)
        return self._piece(is_last=True)

    def _piece(self, *, is_last: bool) -> Piece:
        line, elements = self._line, self._elements
        if not elements:
            raise SnapshotError("a value without elements", self._reader.line)
        try:
            commands = tuple(self._kind.refilling(self._key, elements))
        except (ValueError, TypeError) as problem:
            raise SnapshotError(f"no part of a value: {problem}", self._reader.line) from None
        if is_last and line.x:
            commands = (*commands, (b"PEXPIREAT", self._key, b"%d" % line.x))
        count = len(elements) // self._kind.names_each
        # Of a value that can be made again, only what has a deadline is written as a list: with that.
        deadlines = tuple(each[1] for each in elements if isinstance(each, list))
        piece = Piece(
            line.db, self._key, self._kind, commands, count, deadlines, self._size, self._is_first, is_last
        )
        self._elements, self._size, self._is_first = [], 0, False
        return piece
