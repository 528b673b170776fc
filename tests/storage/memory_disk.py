"""A disk in memory that forgets like a real one: page cache against platter, names against directories.

A `MemoryDisk` records every operation that changes it. `crash` gives the disks that a power cut may leave.
Of each file they have what was synced, and any choice of 512-byte sectors, or a prefix, of what was written
since. Of each directory they have its names at the last sync, or after any prefix of the changes since.
"""

import errno
import os
from collections.abc import Callable, Iterable
from copy import deepcopy

SECTOR = 512


class Inode:
    """A file's content: the cache, and what the platter holds."""

    def __init__(self, data: bytes = b"") -> None:
        self.cache = bytearray(data)
        self.platter = bytearray(data)
        self.writes: list[tuple[int, bytes]] = []
        """Unsynced writes, in order."""

    def write(self, offset: int, data: bytes) -> None:
        """Into the cache."""
        if len(self.cache) < offset:
            self.cache.extend(bytes(offset - len(self.cache)))
        self.cache[offset : offset + len(data)] = data
        self.writes.append((offset, bytes(data)))

    def sync(self) -> None:
        """Make the platter equal the cache."""
        self.platter = bytearray(self.cache)
        self.writes = []

    def forget_dirt(self) -> None:
        """Do what Linux does after a failed sync: mark pages clean that are not on the platter."""
        self.writes = []


class MemoryFile:
    """An open file of a MemoryDisk."""

    def __init__(self, disk: "MemoryDisk", path: str, inode: Inode) -> None:
        self._disk = disk
        self._inode = inode
        self._created_as = path
        self.closed = False

    @property
    def path(self) -> str:
        """The name that the file bears now."""
        names = self._disk.names_now.items()
        return next((name for name, inode in names if inode is self._inode), self._created_as)

    async def write(self, offset: int, data: bytes) -> None:
        assert not self.closed
        self._disk.step("write", self.path)
        self._disk.take_room(offset + len(data) - len(self._inode.cache))
        self._inode.write(offset, data)

    async def write_and_sync(self, offset: int, data: bytes) -> None:
        await self.write(offset, data)
        await self.sync()

    async def sync(self) -> None:
        assert not self.closed
        try:
            self._disk.step("sync", self.path)
        except OSError:
            self._inode.forget_dirt()
            raise
        self._inode.sync()

    async def read(self, offset: int, size: int) -> bytes:
        assert not self.closed
        return bytes(self._inode.cache[offset : offset + size])

    def size(self) -> int:
        return len(self._inode.cache)

    def close(self) -> None:
        self.closed = True


class MemoryDisk:
    """A data directory in memory."""

    def __init__(self) -> None:
        self.names_now: dict[str, Inode] = {}
        self.names_synced: dict[str, Inode] = {}
        self.changes: list[tuple[str, str, Inode | None]] = []
        """Unsynced (directory, path, inode or None if removed), in order; a rename is one of each."""
        self.directories: set[str] = {""}
        self.room: int | None = None
        self.fail: Callable[[str, str], int | None] = lambda _kind, _path: None
        """Called before each operation with its kind and path; a returned errno makes it fail."""
        self.observe: Callable[[str, str], None] = lambda _kind, _path: None
        """Called before each operation: what is on the disk now is what a crash here leaves."""
        self.steps = 0

    def step(self, kind: str, path: str) -> None:
        """Count an operation that changes the disk; it may fail here."""
        self.steps += 1
        self.observe(kind, path)
        self.may_fail(kind, path)

    def may_fail(self, kind: str, path: str) -> None:
        """An operation that changes nothing may fail as well."""
        code = self.fail(kind, path)
        if code is not None:
            raise OSError(code, errno.errorcode[code], path)

    def take_room(self, size: int) -> None:
        """Raise ENOSPC if a file grows beyond the room that is left."""
        if self.room is not None and size > 0:
            if size > self.room:
                raise OSError(errno.ENOSPC, "no room")
            self.room -= size

    async def create(self, path: str) -> MemoryFile:
        self.step("create", path)
        if path in self.names_now:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        assert directory_of(path) in self.directories, path
        self._change(path, Inode())
        return MemoryFile(self, path, self.names_now[path])

    async def open(self, path: str) -> MemoryFile:
        self.may_fail("open", path)
        self._demand_file(path)
        return MemoryFile(self, path, self.names_now[path])

    async def make_directory(self, path: str) -> None:
        self.may_fail("make_directory", path)
        parts = path.split("/")
        self.directories.update("/".join(parts[: n + 1]) for n in range(len(parts)))

    async def names(self, path: str) -> list[str]:
        self.may_fail("names", path)
        if path in self.names_now:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        inside = [name for name in self.names_now if directory_of(name) == path]
        below = [name for name in self.directories if name and directory_of(name) == path]
        return sorted(name.rpartition("/")[2] for name in inside + below)

    async def exists(self, path: str) -> bool:
        return path in self.names_now or path in self.directories

    async def rename(self, old: str, new: str) -> None:
        self.step("rename", new)
        inode = self.names_now[old]
        self.changes.append(("rename", f"{old}>{new}", inode))
        del self.names_now[old]
        self.names_now[new] = inode

    async def remove(self, path: str) -> None:
        self.step("remove", path)
        self._demand_file(path)
        if self.room is not None:
            self.room += len(self.names_now[path].cache)
        self._change(path, None)

    async def is_in_place(self, path: str) -> bool:
        return not path or path in self.directories

    async def sync_directory(self, path: str) -> None:
        self.step("sync_directory", path)
        self.names_synced = {
            name: inode for name, inode in self.names_synced.items() if directory_of(name) != path
        } | {name: inode for name, inode in self.names_now.items() if directory_of(name) == path}
        self.changes = [change for change in self.changes if directory_of(change[1].split(">")[0]) != path]

    def _demand_file(self, path: str) -> None:
        if path in self.directories:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if path not in self.names_now:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _change(self, path: str, inode: Inode | None) -> None:
        self.changes.append(("change", path, inode))
        if inode is None:
            del self.names_now[path]
        else:
            self.names_now[path] = inode

    def killed(self) -> "MemoryDisk":
        """The disk after kill -9: the page cache survives, and stays unsynced."""
        copy = MemoryDisk()
        # In one go, so that a file that has two names, or one and a change to come, stays one file.
        copy.names_now, copy.names_synced, copy.changes, copy.directories = deepcopy(
            (self.names_now, self.names_synced, self.changes, self.directories)
        )
        copy.room = self.room
        return copy

    def crashed(self, keep: Callable[[int], bool], changes_kept: int = 0, prefix: int = 0) -> "MemoryDisk":
        """The disk after a power cut.

        Of the unsynced changes of names the first `changes_kept` survive; of the unsynced data the first
        `prefix` bytes of each file's writes, and each sector for which `keep(number)` is true, counted over
        the sectors that unsynced writes touch.
        """
        names = dict(self.names_synced)
        for kind, path, inode in self.changes[:changes_kept]:
            if kind == "rename":
                old, new = path.split(">")
                names.pop(old, None)
                assert inode is not None
                names[new] = inode
            elif inode is None:
                names.pop(path, None)
            else:
                names[path] = inode
        count = 0
        contents = {}
        for name, inode in names.items():
            content = bytearray(inode.platter)
            left = prefix
            for offset, data in inode.writes:
                if len(content) < offset:
                    content.extend(bytes(offset - len(content)))
                content[offset : offset + min(left, len(data))] = data[:left]
                left = max(0, left - len(data))
                for sector in sectors(offset, len(data)):
                    if keep(count):
                        start, end = max(sector, offset), min(sector + SECTOR, offset + len(data))
                        if len(content) < start:
                            content.extend(bytes(start - len(content)))
                        content[start:end] = data[start - offset : end - offset]
                    count += 1
            contents[name] = bytes(content)
        return self._of(contents)

    def unsynced_sectors(self) -> int:
        """How many sectors unsynced writes touch, over all files that have a name or may get one."""
        return sum(len(list(sectors(o, len(d)))) for i in set(self.names_now.values()) for o, d in i.writes)

    def _of(self, contents: dict[str, bytes]) -> "MemoryDisk":
        disk = MemoryDisk()
        disk.directories = set(self.directories)
        for name, data in contents.items():
            disk.names_now[name] = disk.names_synced[name] = Inode(data)
        return disk


def sectors(offset: int, size: int) -> Iterable[int]:
    """The starts of the sectors that `size` bytes at `offset` touch."""
    return range(offset - offset % SECTOR, offset + size, SECTOR)


def directory_of(path: str) -> str:
    """All before the last part of a path."""
    return path.rpartition("/")[0]
