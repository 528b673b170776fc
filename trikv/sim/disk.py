"""A simulated disk: `trikv.storage.disk.Disk` over a `Volume`, with latency and faults, for one life."""

import errno
import os
import random
import zlib
from collections import deque

import attrs
import trio

from trikv.sim.determinism import sleep_until
from trikv.sim.life import Life, Record
from trikv.sim.volume import Added, Inode, Moved, Removed, Volume, parent


@attrs.define
class DiskTraits:
    """How a machine's disk behaves. It outlives processes and may be changed while they run."""

    sync_ms_min: float = 0.3
    sync_ms_max: float = 2.0
    """A sync takes a time, in ms, drawn from this range; writes to the cache take none."""
    lies: bool = False
    """Syncs return as usual and do nothing, like a drive that acknowledges from its volatile cache.

    The pages stay dirty: the next honest sync of the file writes them, a power cut before it loses them.
    """
    lies_told: int = 0
    """Syncs that lied so far."""
    failures: dict[str, deque[int]] = attrs.field(factory=dict)
    """For each operation the errno values with which its next calls fail."""
    broken: dict[str, int] = attrs.field(factory=dict)
    """For each operation the errno value with which all its calls fail, until the entry is removed."""

    def fail(self, operation: str, number: int, times: int = 1) -> None:
        """Let the next `times` calls of `operation` (a method's name) raise OSError(`number`).

        ``write_and_sync`` counts as a ``write`` and then a ``sync``. A failing sync leaves its pages clean
        and unwritten, like Linux.
        """
        self.failures.setdefault(operation, deque()).extend([number] * times)

    def raise_failure(self, operation: str, path: str) -> None:
        """Raise the error that `fail` or `broken` ordered for this call, if any."""
        waiting = self.failures.get(operation)
        if waiting:
            raise _error(waiting.popleft(), path)
        if operation in self.broken:
            raise _error(self.broken[operation], path)

    def mend(self) -> None:
        """Remove all faults, also those that were ordered and have not come."""
        plain = DiskTraits(lies_told=self.lies_told)
        for field in attrs.fields(DiskTraits):
            setattr(self, field.name, getattr(plain, field.name))


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


class SimFile:
    """An open file of one life: `trikv.storage.disk.DiskFile`."""

    def __init__(self, disk: "SimDisk", inode: Inode, path: str) -> None:
        self._disk = disk
        self._inode = inode
        self._path = path
        self._closed = False

    async def write(self, offset: int, data: bytes) -> None:
        """Write into the page cache, at once. What does not fit the disk raises ENOSPC."""
        await self._start()
        self._write(offset, data)

    async def write_and_sync(self, offset: int, data: bytes) -> None:
        """Write into the cache at once, and to the platters when the sync is over."""
        self._check()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._write(offset, data)
        await self._sync()

    async def sync(self) -> None:
        """Bring what was written to the platters, after the disk's latency."""
        self._check()
        await trio.lowlevel.checkpoint_if_cancelled()
        await self._sync()

    async def read(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes, from the cache."""
        await self._start()
        self._disk.traits.raise_failure("read", self._path)
        return bytes(self._inode.cache[offset : offset + size])

    def size(self) -> int:
        """The file's length in bytes, as the cache has it."""
        self._check()
        return len(self._inode.cache)

    def close(self) -> None:
        """Close the file; an operation that runs goes on to its end."""
        self._disk.life.check()
        self._closed = True

    async def _start(self) -> None:
        self._check()
        await trio.lowlevel.checkpoint()
        self._disk.life.check()

    def _check(self) -> None:
        self._disk.life.check()
        if self._closed:
            raise OSError(errno.EBADF, f"{self._path} is closed")

    def _write(self, offset: int, data: bytes) -> None:
        volume = self._disk.volume
        self._disk.traits.raise_failure("write", self._path)
        growth = offset + len(data) - len(self._inode.cache)
        missing = volume.missing_bytes(growth)
        if missing:
            self._inode.write(offset, data[: len(data) - missing])  # a full disk takes what fits
            raise _error(errno.ENOSPC, self._path)
        self._inode.write(offset, data)
        # Last: a crash that is due right after this step must find the write done.
        self._disk.did("write", self._path, offset, len(data), zlib.crc32(data))

    async def _sync(self) -> None:
        await self._disk.seek()
        try:
            self._disk.traits.raise_failure("sync", self._path)
        except OSError:
            self._inode.forget_dirty()  # a second sync would succeed and write nothing, as on Linux
            raise
        if not self._disk.lies():
            self._inode.sync()
        self._disk.did("sync", self._path)


class SimDisk:
    """A machine's disk as one life sees it: `trikv.storage.disk.Disk`."""

    def __init__(
        self, life: Life, volume: Volume, traits: DiskTraits, source: random.Random, record: Record
    ) -> None:
        self.life = life
        self._record = record
        self.volume = volume
        self.traits = traits
        self._source = source

    def did(self, what: str, path: str, *rest: int) -> None:
        """Record that an operation had its effect. Raises Fenced if a crash was due right after it."""
        self._record(what, self.life.name, path, *rest)
        self.life.did(what, "disk")

    def lies(self) -> bool:
        """Whether this sync lies; if so, count it and note it on the volume."""
        if self.traits.lies:
            self.traits.lies_told += 1
            self.volume.lied = True
        elif self.volume.lied and self.volume.is_synced():
            self.volume.lied = False
        return self.traits.lies

    async def seek(self) -> None:
        """Wait for the device. Like a real operation the wait cannot be cancelled."""
        traits = self.traits
        latency_s = self._source.uniform(traits.sync_ms_min, traits.sync_ms_max) / 1000
        await sleep_until(trio.current_time() + latency_s)
        self.life.check()

    async def create(self, path: str) -> SimFile:
        """Create a file. Raises FileExistsError, or ENOENT without its directory."""
        await self._start("create", path)
        self._reach(path)
        if path in self.volume.names:
            raise _error(errno.EEXIST, path)
        inode = Inode()
        self.volume.change(Added(path, inode))
        self.did("create", path)
        return SimFile(self, inode, path)

    async def open(self, path: str) -> SimFile:
        """Open a file that is there. Raises FileNotFoundError."""
        await self._start("open", path)
        return SimFile(self, self._inode(path), path)

    async def make_directory(self, path: str) -> None:
        """Make a directory and its parents; no error if it is there."""
        await self._start("make_directory", path)
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            ancestor = "/".join(parts[:count])
            if ancestor not in self.volume.names:
                self.volume.change(Added(ancestor, None))
            self._directory(ancestor)
        self.did("make_directory", path)

    async def names(self, path: str) -> list[str]:
        """The names in a directory, sorted; empty if it is not there."""
        await self._start("names", path)
        if self.volume.names.get(path) is not None or self._below_a_file(path):
            raise _error(errno.ENOTDIR, path)
        return sorted(one.rpartition("/")[2] for one in self.volume.names if one and parent(one) == path)

    async def exists(self, path: str) -> bool:
        """Whether there is a file or a directory at `path`."""
        await self._start("exists", path)
        return path in self.volume.names

    async def rename(self, old: str, new: str) -> None:
        """Rename, atomically. Durable only after `sync_directory`."""
        await self._start("rename", old)
        names = self.volume.names
        self._reach(old)
        self._reach(new)
        if old not in names:
            raise _error(errno.ENOENT, old)
        if old == new:
            return
        if new.startswith(old + "/"):
            raise _error(errno.EINVAL, new)
        if new in names:
            self._replaceable(old, new)
        self.volume.change(Moved(old, new))
        self.did("rename", old)

    async def remove(self, path: str) -> None:
        """Remove a file; open handles of it go on."""
        await self._start("remove", path)
        self._inode(path)
        self.volume.change(Removed(path))
        self.did("remove", path)

    async def is_in_place(self, _path: str) -> bool:
        """True: nobody moves directories under a simulated node."""
        await trio.lowlevel.checkpoint()
        return True

    async def sync_directory(self, path: str) -> None:
        """Make the names in a directory durable, after the disk's latency."""
        await self._start("sync_directory", path)
        self._reach(path)
        self._directory(path)
        await self.seek()
        if not self.lies():
            self.volume.sync_directory(path)
        self.did("sync_directory", path)

    async def _start(self, operation: str, path: str) -> None:
        self.life.check()
        await trio.lowlevel.checkpoint()
        self.life.check()
        self.traits.raise_failure(operation, path)

    def _replaceable(self, old: str, new: str) -> None:
        """Check POSIX' rules: a file may replace a file, a directory an empty directory. Raises OSError."""
        names = self.volume.names
        if names[new] is not None:
            if names[old] is None:
                raise _error(errno.ENOTDIR, new)
        elif old.startswith(new + "/"):
            raise _error(errno.ENOTEMPTY, new)
        elif names[old] is not None:
            raise _error(errno.EISDIR, new)
        elif any(path.startswith(new + "/") for path in names):
            raise _error(errno.ENOTEMPTY, new)

    def _reach(self, path: str) -> None:
        """Check that all directories on the way to `path` are there. Raises OSError."""
        if path:
            self._reach(parent(path))
            self._directory(parent(path))

    def _below_a_file(self, path: str) -> bool:
        names = self.volume.names
        while path:
            path = parent(path)
            if names.get(path) is not None:
                return True
        return False

    def _directory(self, path: str) -> None:
        if path not in self.volume.names:
            raise _error(errno.ENOENT, path)
        if self.volume.names[path] is not None:
            raise _error(errno.ENOTDIR, path)

    def _inode(self, path: str) -> Inode:
        self._reach(path)
        if path not in self.volume.names:
            raise _error(errno.ENOENT, path)
        inode = self.volume.names[path]
        if inode is None:
            raise _error(errno.EISDIR, path)
        return inode
