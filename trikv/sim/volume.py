"""A simulated disk's memory: the contents of page cache and platters, for data and for names.

A process that is killed leaves the page cache, so nothing is lost. A power cut leaves the platters, and any
part of what was not synced: sectors of data, and a prefix of the changes of names. The rules are the
strictest that POSIX allows: a sync of a file does not make its name durable, and a sync of a directory does
not make its files' data durable.
"""

import random
from collections.abc import Callable
from enum import Enum

import attrs

SECTOR_BYTES = 512


class Keep(Enum):
    """How much of what was not synced survives a power cut."""

    NONE = "none"
    ALL = "all"
    SOME = "some"
    """Any sectors, and any prefix of the changes of names, drawn from the seed."""

    def chooser(self, source: random.Random) -> Callable[[], bool]:
        """A function that says of one unsynced thing after another whether it survives."""
        match self:
            case Keep.NONE:
                return lambda: False
            case Keep.ALL:
                return lambda: True
            case Keep.SOME:
                return lambda: source.random() < 0.5


class Inode:
    """The bytes of one file, in the cache and on the platters."""

    def __init__(self) -> None:
        self.cache = bytearray()
        self.platter = bytearray()
        self.dirty: dict[int, None] = {}
        """Numbers of the sectors that were written since the last sync."""

    def write(self, offset: int, data: bytes) -> None:
        """Write into the cache; a hole before `offset` reads as zeros."""
        if not data:
            return
        end = offset + len(data)
        if len(self.cache) < end:
            self.cache.extend(bytes(end - len(self.cache)))
        self.cache[offset:end] = data
        self.dirty.update(dict.fromkeys(range(offset // SECTOR_BYTES, (end - 1) // SECTOR_BYTES + 1)))

    def sync(self) -> None:
        """Bring all dirty sectors, and the length, to the platters."""
        self._grow(len(self.cache))
        for sector in self.dirty:
            self._store(sector)
        self.dirty.clear()

    def forget_dirty(self) -> None:
        """Mark dirty pages clean without writing them: Linux does that when writing back fails."""
        self.dirty.clear()

    def rot(self, at: int, mask: int) -> None:
        """Flip the bits of `mask` in the byte at `at`, on the platters and for the next reader.

        Bytes that were written since the last sync stay in the cache, and will cover the damage.
        """
        if at < len(self.platter):
            self.platter[at] ^= mask
        if at // SECTOR_BYTES not in self.dirty:
            self.cache[at] ^= mask

    def lose_power(self, source: random.Random, keep: Keep) -> None:
        """Drop the cache; of its dirty sectors those survive that `keep` chooses."""
        chosen = keep.chooser(source)
        size = len(self.cache)
        for sector in sorted(self.dirty):
            if chosen():
                self._grow(min(size, (sector + 1) * SECTOR_BYTES))
                self._store(sector)
        if len(self.platter) < size and chosen():
            self._grow(size)  # the length survived, the data did not
        self.cache = bytearray(self.platter)
        self.dirty.clear()

    def _grow(self, size: int) -> None:
        if len(self.platter) < size:
            self.platter.extend(bytes(size - len(self.platter)))

    def _store(self, sector: int) -> None:
        part = slice(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
        self.platter[part] = self.cache[part]


Names = dict[str, Inode | None]
"""Path to file; None is a directory. The data directory itself is `""`."""


def parent(path: str) -> str:
    """The path of the directory that holds `path`; empty for the data directory."""
    return path.rpartition("/")[0]


@attrs.frozen
class Added:
    """A change of names: a file or directory got one."""

    path: str
    inode: Inode | None


@attrs.frozen
class Removed:
    """A change of names: a file lost its."""

    path: str


@attrs.frozen
class Moved:
    """A change of names: a file, or a directory with all in it, was renamed."""

    old: str
    new: str


NameChange = Added | Removed | Moved


def _apply(change: NameChange, names: Names) -> None:
    match change:
        case Added(path, inode):
            names[path] = inode
        case Removed(path):
            names.pop(path, None)
        case Moved(old, new):
            inside = old + "/"
            for path in [path for path in names if path == old or path.startswith(inside)]:
                names[new + path[len(old) :]] = names.pop(path)


def _directories(change: NameChange) -> tuple[str, ...]:
    match change:
        case Added(path) | Removed(path):
            return (parent(path),)
        case Moved(old, new):
            return (parent(old), parent(new))


class Volume:
    """The files of one machine. It outlives the processes of that machine."""

    def __init__(self, source: random.Random) -> None:
        self.names: Names = {"": None}
        self.capacity_bytes: int | None = None
        """None: never full."""
        self.lied = False
        """Whether a sync has returned without writing, so that there may still be unwritten pages."""
        self._durable: Names = {"": None}
        self._journal: list[NameChange] = []
        self._source = source
        self._rot_source = random.Random(source.getrandbits(64))  # noqa: S311 - reproducible by design

    def change(self, change: NameChange) -> None:
        """Change a name in the cache. `sync_directory` makes it durable."""
        _apply(change, self.names)
        self._journal.append(change)

    def sync_directory(self, path: str) -> None:
        """Make changes of names in this directory durable, and those that a rename ties to them."""
        wanted = {path}
        taken: list[NameChange] = []
        left: list[NameChange] = []
        for change in reversed(self._journal):
            directories = _directories(change)
            if wanted.isdisjoint(directories):
                left.append(change)
            else:
                wanted.update(directories)
                taken.append(change)
        for change in reversed(taken):
            _apply(change, self._durable)
        self._journal = left[::-1]

    def used_bytes(self) -> int:
        """The sum of the lengths of all files, as the cache has them."""
        return sum(len(inode.cache) for inode in self.names.values() if inode is not None)

    def missing_bytes(self, growth: int) -> int:
        """How many of `growth` more bytes do not fit the disk; 0 if all do."""
        if self.capacity_bytes is None or growth <= 0:
            return 0
        return min(growth, max(0, self.used_bytes() + growth - self.capacity_bytes))

    def rot(self, path: str, *, start: int = 0, end: int | None = None) -> int:
        """Flip one bit, drawn from the seed, of the file at `path` between two offsets.

        Returns the offset of its byte, or -1 if there is no byte in that range.
        """
        inode = self.names.get(path)
        if inode is None:
            return -1
        end = len(inode.cache) if end is None else min(end, len(inode.cache))
        if start >= end:
            return -1
        at = self._rot_source.randrange(start, end)
        inode.rot(at, 1 << self._rot_source.randrange(8))
        return at

    def is_synced(self) -> bool:
        """Whether a power cut now would lose nothing, data or names."""
        return not self._journal and not any(inode.dirty for inode in self.names.values() if inode)

    def settle(self) -> None:
        """Bring everything to the platters, like a drive with a capacitor when the power goes."""
        for change in self._journal:
            _apply(change, self._durable)
        self._journal.clear()
        for inode in self.names.values():
            if inode is not None:
                inode.sync()
        self.lied = False

    def lose_power(self, keep: Keep) -> None:
        """Cut the power: from here on only the platters count, with what `keep` chooses of the rest."""
        self.lied = False
        chosen = keep.chooser(self._source)
        for change in self._journal:
            if not chosen():
                break
            _apply(change, self._durable)
        self._journal.clear()
        for path in list(self._durable):
            if path and not self._reachable(path):
                del self._durable[path]
        self.names = dict(self._durable)
        seen: dict[int, None] = {}
        for inode in self.names.values():
            if inode is not None and id(inode) not in seen:
                seen[id(inode)] = None
                inode.lose_power(self._source, keep)

    def _reachable(self, path: str) -> bool:
        """Whether all parents of `path` are durable directories."""
        while path:
            path = parent(path)
            if self._durable.get(path, self) is not None:
                return False
        return True
