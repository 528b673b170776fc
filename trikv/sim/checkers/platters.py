"""A `trikv.storage.disk.Disk` over a copy of a simulated disk's platters: nothing waits, nothing is lost.

Recovery rewrites what it reads, so it works on a copy. No method waits, so a whole recovery can run between
two events of the simulated world.
"""

import errno
import os

from trikv.sim.volume import Volume, parent

Files = dict[str, bytearray | None]
"""Path to content; None is a directory."""


def files_of(volume: Volume, *, cached: bool = False) -> Files:
    """What a power cut that keeps nothing unsynced would leave; with `cached`, what processes see."""
    if cached:
        return {
            path: None if inode is None else bytearray(inode.cache) for path, inode in volume.names.items()
        }
    durable = volume._durable  # noqa: SLF001 - the platters are what the simulator may look at
    return {path: None if inode is None else bytearray(inode.platter) for path, inode in durable.items()}


class PlatterFile:
    """An open file of the copy. No method waits."""

    def __init__(self, content: bytearray) -> None:
        self._content = content

    async def write(self, offset: int, data: bytes) -> None:
        """Write `data` at `offset`; a hole before it reads as zeros."""
        if len(self._content) < offset:
            self._content.extend(bytes(offset - len(self._content)))
        self._content[offset : offset + len(data)] = data

    async def write_and_sync(self, offset: int, data: bytes) -> None:
        """Write `data` at `offset`: there is no cache to sync."""
        await self.write(offset, data)

    async def sync(self) -> None:
        """All is on the platters."""

    async def read(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes at `offset`; fewer only at the end."""
        return bytes(self._content[offset : offset + size])

    def size(self) -> int:
        """Length of the content in bytes."""
        return len(self._content)

    def close(self) -> None:
        """Close: there is nothing to release."""


class PlatterDisk:
    """The copy of a disk's platters."""

    def __init__(self, files: Files) -> None:
        self.files = files

    async def create(self, path: str) -> PlatterFile:
        """Make a new, empty file. Raises FileExistsError."""
        if path in self.files:
            raise _error(errno.EEXIST, path)
        if self.files.get(parent(path), self) is not None:
            raise _error(errno.ENOENT, path)
        content = self.files[path] = bytearray()
        return PlatterFile(content)

    async def open(self, path: str) -> PlatterFile:
        """Open a file that is there. Raises FileNotFoundError."""
        content = self.files.get(path)
        if content is None:
            raise _error(errno.ENOENT, path)
        return PlatterFile(content)

    async def make_directory(self, path: str) -> None:
        """Make a directory and its parents; no error if it is there."""
        while path:
            self.files.setdefault(path, None)
            path = parent(path)

    async def names(self, path: str) -> list[str]:
        """The names in a directory, sorted."""
        return sorted(one.rpartition("/")[2] for one in self.files if one and parent(one) == path)

    async def exists(self, path: str) -> bool:
        """Whether there is a file or a directory at `path`."""
        return path in self.files

    async def rename(self, old: str, new: str) -> None:
        """Replace `new` by `old`; only files, because recovery renames nothing else."""
        if self.files.get(old) is None:
            raise _error(errno.ENOENT, old)
        self.files[new] = self.files.pop(old)

    async def remove(self, path: str) -> None:
        """Remove a file. Raises FileNotFoundError."""
        if self.files.get(path) is None:
            raise _error(errno.ENOENT, path)
        del self.files[path]

    async def sync_directory(self, path: str) -> None:
        """All is on the platters."""

    async def is_in_place(self, _path: str) -> bool:
        """True: nobody moves directories of a copy."""
        return True


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
