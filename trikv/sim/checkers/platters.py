"""A `trikv.storage.disk.Disk` over a copy of a simulated disk's platters: nothing waits, nothing is lost.

Recovery rewrites what it reads, so it works on a copy; and because no method waits, a whole recovery can run
between two events of the simulated world.
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
    """An open file."""

    def __init__(self, content: bytearray) -> None:
        self._content = content

    async def write(self, offset: int, data: bytes) -> None:
        """Write at once."""
        if len(self._content) < offset:
            self._content.extend(bytes(offset - len(self._content)))
        self._content[offset : offset + len(data)] = data

    async def write_and_sync(self, offset: int, data: bytes) -> None:
        """Write at once."""
        await self.write(offset, data)

    async def sync(self) -> None:
        """All is on the platters."""

    async def read(self, offset: int, size: int) -> bytes:
        """Read."""
        return bytes(self._content[offset : offset + size])

    def size(self) -> int:
        """Length in bytes."""
        return len(self._content)

    def close(self) -> None:
        """Nothing to do."""


class PlatterDisk:
    """The copy."""

    def __init__(self, files: Files) -> None:
        self.files = files

    async def create(self, path: str) -> PlatterFile:
        """Make a new file."""
        if path in self.files:
            raise _error(errno.EEXIST, path)
        if self.files.get(parent(path), self) is not None:
            raise _error(errno.ENOENT, path)
        content = self.files[path] = bytearray()
        return PlatterFile(content)

    async def open(self, path: str) -> PlatterFile:
        """Open an existing file."""
        content = self.files.get(path)
        if content is None:
            raise _error(errno.ENOENT, path)
        return PlatterFile(content)

    async def make_directory(self, path: str) -> None:
        """Make the directory and its parents."""
        while path:
            self.files.setdefault(path, None)
            path = parent(path)

    async def names(self, path: str) -> list[str]:
        """Sorted names."""
        return sorted(one.rpartition("/")[2] for one in self.files if one and parent(one) == path)

    async def exists(self, path: str) -> bool:
        """A file or a directory."""
        return path in self.files

    async def rename(self, old: str, new: str) -> None:
        """Replace `new` by `old`; files only, as all that recovery renames."""
        if self.files.get(old) is None:
            raise _error(errno.ENOENT, old)
        self.files[new] = self.files.pop(old)

    async def remove(self, path: str) -> None:
        """Remove a file."""
        if self.files.get(path) is None:
            raise _error(errno.ENOENT, path)
        del self.files[path]

    async def sync_directory(self, path: str) -> None:
        """All is on the platters."""

    async def is_in_place(self, _path: str) -> bool:
        """Nobody moves directories here."""
        return True


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
