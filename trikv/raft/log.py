"""The entries in memory: a list behind a base. It knows nothing of disks, present terms or commits."""

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

from trikv.raft.types import Entry

_term_of = attrgetter("term")


class RaftLog:
    """Entries base + 1 … last, without gaps, their terms never falling.

    The base is the entry before the first one in memory: of it only index and term are known.
    """

    __slots__ = ("_entries", "base_index", "base_term", "last_index", "payload_bytes")

    _entries: list[Entry]
    base_index: int
    base_term: int
    last_index: int
    """Index of the last entry; the base's if there is none. Kept: a turn asks for it many times."""
    payload_bytes: int
    """Sum over the entries in memory."""

    def __init__(self, base_index: int, base_term: int, entries: Sequence[Entry]) -> None:
        self.reset(base_index, base_term)
        self.append(entries)

    @property
    def first_index(self) -> int:
        """Index of the first entry in memory, or where it would be."""
        return self.base_index + 1

    @property
    def last_term(self) -> int:
        """Term of the last entry; the base's if there is none."""
        return self._entries[-1].term if self._entries else self.base_term

    def term_at(self, index: int) -> int | None:
        """The term of the entry at `index`; None beyond the end and below the base."""
        position = index - self.base_index - 1
        if 0 <= position < len(self._entries):
            return self._entries[position].term
        return self.base_term if position == -1 else None

    def slice(self, first: int, last: int) -> tuple[Entry, ...]:
        """Entries `first` … `last`, both included; empty if last < first."""
        base = self.base_index
        assert first > base, "these entries are compacted away"
        return tuple(self._entries[first - base - 1 : max(last - base, 0)])

    def slice_bytes(self, first: int, last: int, bytes_max: int) -> tuple[tuple[Entry, ...], int]:
        """As many of `first` … `last` as fit into `bytes_max` of payload, at least one; and their bytes."""
        base = self.base_index
        assert base < first <= last <= self.last_index, "no such entries"
        entries = self._entries
        start = end = first - base - 1
        size = len(entries[end].payload)
        end += 1  # at least one, or an entry above the limit would never leave
        stop = last - base
        while end < stop:
            more = size + len(entries[end].payload)
            if more > bytes_max:
                break
            size = more
            end += 1
        return tuple(entries[start:end]), size

    def bytes_between(self, after: int, last: int) -> int:
        """Payload bytes of the entries after `after`, up to and including `last`."""
        base = self.base_index
        return sum(len(entry.payload) for entry in self._entries[after - base : last - base])

    def last_not_above(self, index: int, term: int) -> int:
        """The highest index up to `index` whose entry's term is not above `term`.

        Both sides of a conflict use it to skip whole terms in one round trip (paper, end of 5.3). Below
        the base nothing is known: then the answer is an index under the base that may be too high.
        """
        if index < self.base_index:
            return index
        count = bisect_right(self._entries, term, 0, index - self.base_index, key=_term_of)
        if count:
            return self.base_index + count
        return self.base_index if self.base_term <= term else self.base_index - 1

    def append(self, entries: Sequence[Entry]) -> None:
        """Add `entries`, which must follow the last one."""
        if not entries:
            return
        assert entries[0].index == self.last_index + 1, "entries leave a gap"
        assert entries[-1].index == self.last_index + len(entries), "entries are not consecutive"
        assert entries[0].term >= self.last_term, "terms fall"
        self._entries.extend(entries)
        self.last_index = entries[-1].index
        self.payload_bytes += sum(len(entry.payload) for entry in entries)

    def truncate(self, index: int) -> None:
        """Drop the entries at `index` and above."""
        assert self.base_index < index <= self.last_index, "nothing to cut there"
        self.payload_bytes -= self.bytes_between(index - 1, self.last_index)
        del self._entries[index - self.base_index - 1 :]
        self.last_index = index - 1

    def compact(self, index: int) -> None:
        """Drop the entries up to and including `index`, which becomes the base."""
        term = self.term_at(index)
        assert term is not None, "cannot compact to an unknown entry"
        self.payload_bytes -= self.bytes_between(self.base_index, index)
        del self._entries[: index - self.base_index]
        self.base_index, self.base_term = index, term

    def reset(self, base_index: int, base_term: int) -> None:
        """Drop all entries and start after a snapshot at `base_index`."""
        self._entries = []
        self.base_index, self.base_term = base_index, base_term
        self.last_index = base_index
        self.payload_bytes = 0
