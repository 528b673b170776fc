"""Entries of a stream in a listpack (t_stream.c, "STREAM_ITEM_FLAG").

::

    entries | deleted ones | fields | field ... | 0          the master entry, which has no values
    flags | milliseconds | number | values ... | elements of this entry but this one
    flags | milliseconds | number | fields | field | value ... | elements ...

Ids are less the id of the node. Flag 1 says that the entry is deleted, flag 2 that it has the master entry's
fields.
"""

from collections.abc import Generator, Sequence
from itertools import chain
from typing import Final, TypeAlias

from trikv.rdb.errors import DamagedError
from trikv.rdb.listpack import Listpack, Packing, integer_of
from trikv.rdb.steps import STEP_BYTES, STEP_ELEMENTS
from trikv.rdb.values import Entry, StreamId

_DELETED: Final = 1
_SAME_FIELDS: Final = 2
_MASK: Final = 2**64 - 1
_SIGN: Final = 2**63
_WOVEN: Final = 4096
"""So many fields are joined with their values in a step."""
NODE_ENTRIES_MAX: Final = 100
NODE_BYTES_MAX: Final = 4096
"""Redis' stream-node-max-entries and stream-node-max-bytes; one entry may be more."""
BEFORE_ALL: Final = (-1, -1)
"""Less than every id."""

Entries: TypeAlias = Generator[list[Entry] | None, None, StreamId]


class _Elements:
    """The elements of a listpack, taken as they are needed. Raises DamagedError if there are too few."""

    __slots__ = ("_at", "_found", "_offset", "_pack", "taken")

    def __init__(self, data: bytes, offset: int) -> None:
        self._pack, self._offset = Listpack(data, offset), offset
        self._found: list[bytes] = []
        self._at = 0
        self.taken = 0
        """So many since somebody set this to 0."""

    def is_at_end(self) -> bool:
        """Whether none is left."""
        if self._at == len(self._found):
            self._found, self._at = self._pack.some(), 0
        return not self._found

    def number(self) -> int:
        """The next one, which must be a whole number."""
        if self._at == len(self._found):
            self._refill()
        number = integer_of(self._found[self._at])
        if number is None:
            raise self.damaged(f"has {self._found[self._at][:40]!r} where a number should be")
        self._at += 1
        self.taken += 1
        return number

    def count(self) -> int:
        """A number that is not negative."""
        number = self.number()
        if number < 0:
            raise self.damaged(f"has {number} for a count")
        return number

    def some(self, count: int) -> Generator[None, None, list[bytes]]:
        """The next `count`, in steps if they are many."""
        stop = self._at + count
        if stop <= len(self._found):  # nearly always
            some = self._found[self._at : stop]
            self._at = stop
            self.taken += count
            return some
        some = []
        while len(some) < count:
            if self._at == len(self._found):
                self._refill()
                yield
            these = self._found[self._at : self._at + count - len(some)]
            self._at += len(these)
            some += these
        self.taken += count
        return some

    def damaged(self, problem: str) -> DamagedError:
        """An error about the node."""
        return DamagedError(f"a node of a stream {problem}", self._offset)

    def _refill(self) -> None:
        if self.is_at_end():
            raise self.damaged("ends within an entry")


def entries_of(data: bytes, master: StreamId, last: StreamId, offset: int) -> Entries:
    """The entries of the node with id `master` that are not deleted, in chunks.

    `last` is the id before them, and the greatest id of the node is returned. Entries with the fields of the
    master entry refer to those: what is small here may be large where each entry is copied, so a chunk counts
    its fields.
    """
    read = _Elements(data, offset)
    valid, deleted = read.count(), read.count()
    fields = yield from read.some(read.count())
    if read.number() != 0:
        raise read.damaged("has a master entry without end")
    found: list[Entry] = []
    repeated, size = 0, sum(map(len, fields)) if len(fields) <= _WOVEN else len(data)
    while not read.is_at_end():
        flags = read.number()
        id_ = ((master[0] + read.number()) & _MASK, (master[1] + read.number()) & _MASK)
        if id_ <= last or id_ < master or not 0 <= flags <= (_DELETED | _SAME_FIELDS):
            raise read.damaged(f"has {_shown(id_)} with flags {flags} behind {_shown(last)}")
        last = id_
        if flags & _SAME_FIELDS:
            values = yield from read.some(len(fields))
            words = yield from _woven(fields, values)
            elements = len(values) + 3
            repeated += size
        else:
            words = yield from read.some(2 * read.count())
            elements = len(words) + 4
        if read.number() != elements:
            raise read.damaged(f"has another number than {elements} behind {_shown(id_)}")
        if flags & _DELETED:
            deleted -= 1
        else:
            valid -= 1
            found.append((id_, words))
        if read.taken >= STEP_ELEMENTS or repeated >= STEP_BYTES:
            read.taken = repeated = 0
            yield found
            found = []
    if valid or deleted:
        raise read.damaged("has another number of entries, or of deleted ones, than it says")
    yield found
    return last


def _woven(fields: list[bytes], values: list[bytes]) -> Generator[None, None, list[bytes]]:
    """Both in turns."""
    words: list[bytes] = []
    for start in range(0, len(fields), _WOVEN):
        pairs = zip(fields[start : start + _WOVEN], values[start : start + _WOVEN], strict=True)
        words += chain.from_iterable(pairs)
        if start + _WOVEN < len(fields):
            yield
    return words


def _shown(id_: StreamId) -> str:
    return "the beginning" if id_ < (0, 0) else f"{id_[0]}-{id_[1]}"


# On the way out.


def size_in_node(words: Sequence[bytes]) -> int:
    """About the bytes that an entry of these takes."""
    return sum(map(len, words)) + 7 * len(words) + 40


class NodePacking:
    """A node that is made. Its first entry is the master, too."""

    __slots__ = ("_entries", "_fields", "_pack", "master")

    def __init__(self, id_: StreamId) -> None:
        self.master = id_
        self._pack = Packing()
        self._fields: Sequence[bytes] | None = None
        self._entries = 0

    def add(self, entry: Entry) -> Generator[None, None, None]:
        """One with an id above the others', in steps if it has many fields."""
        id_, words = entry
        pack = self._pack
        if self._fields is None:
            self._fields = words[::2]
            for number in (0, 0, len(self._fields)):
                pack.add_number(number)
            yield from self._put(self._fields)
            pack.add_number(0)
        is_same = words[::2] == self._fields
        pack.add_number(_SAME_FIELDS if is_same else 0)
        for mine, masters in zip(id_, self.master, strict=True):
            pack.add_number((mine - masters + _SIGN) % (2 * _SIGN) - _SIGN)
        if is_same:
            yield from self._put(words[1::2])
            pack.add_number(len(words) // 2 + 3)
        else:
            pack.add_number(len(words) // 2)
            yield from self._put(words)
            pack.add_number(len(words) + 4)
        self._entries += 1

    def _put(self, words: Sequence[bytes]) -> Generator[None, None, None]:
        since = 0
        for word in words:
            self._pack.add(word)
            since += len(word) + STEP_BYTES // STEP_ELEMENTS
            if since > STEP_BYTES:
                since = 0
                yield

    def made(self) -> bytes:
        """The listpack."""
        self._pack.set_first(self._entries)
        return self._pack.made()
