"""Files that appear whole or not at all: written aside, synced, renamed, and the directory synced.

Snapshots, backups, the dump, the identity and repaired tails all go this way. The sync is paced: a file of
many megabytes synced at once would hold up the log's own syncs on the same device.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from trikv.storage.disk import Disk, DiskFile
from trikv.storage.errors import Unwritable, writable
from trikv.storage.layout import UNFINISHED, is_unfinished, names_in, own_file, path_of

SYNC_EVERY_BYTES = 1 << 20
"""Small enough not to hold up the log: 64 MB at once stall its syncs by 30 ms. Large enough to be rare."""


class AsideFile:
    """A file in the making. As an async context manager it aborts what was not published."""

    def __init__(self, disk: Disk, directory: str, name: str, mark: str, file: DiskFile) -> None:
        self._disk = disk
        self._directory = directory
        self._file = file
        self._unsynced_bytes = 0
        self._ended = False
        self._unfinished_path = path_of(directory, name + mark + UNFINISHED)
        self.path = path_of(directory, name)
        """Where the file will be."""
        self.size = 0
        """Bytes appended so far."""

    @classmethod
    async def create(cls, disk: Disk, directory: str, name: str, mark: str = "") -> Self:
        """Begin `directory`/`name`; an older file of that name stays until `publish`. `directory` may be new.

        `mark` tells apart two files that are made at once for the same name. Raises NoRoom, Unwritable or
        StrayName.
        """
        path = path_of(directory, name + mark + UNFINISHED)
        with writable(path_of(directory, name)):
            if directory:
                await disk.make_directory(directory)
                parent, _, _ = directory.rpartition("/")
                await disk.sync_directory(parent)
            if await disk.exists(path):
                with own_file(path):
                    await disk.remove(path)
            return cls(disk, directory, name, mark, await disk.create(path))

    async def append(self, data: bytes) -> None:
        """Add `data`. Raises NoRoom or Unwritable, after which only `abort` makes sense, or OSError."""
        with writable(self.path):
            await self._file.write(self.size, data)
            self.size += len(data)
            self._unsynced_bytes += len(data)
            # In pieces: one sync of many megabytes would hold up the log's own syncs on the same device.
            if self._unsynced_bytes >= SYNC_EVERY_BYTES:
                self._unsynced_bytes = 0
                await self._file.sync()

    async def publish(self) -> str:
        """Make the file durable under its name, replacing an older one; return its path."""
        with writable(self.path):
            # Synced before the rename: otherwise a power cut may leave the name on a file without content.
            await self._file.sync()
            self._file.close()
            await self._disk.rename(self._unfinished_path, self.path)
            self._ended = True
            await self._disk.sync_directory(self._directory)
        return self.path

    async def abort(self) -> None:
        """Forget the file. Does nothing after `publish` or another `abort`."""
        if not self._ended:
            self._ended = True
            self._file.close()
            with (
                suppress(Unwritable),
                writable(self._unfinished_path),
            ):  # then it stays until a start removes it
                await self._disk.remove(self._unfinished_path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.abort()


async def write_whole(disk: Disk, directory: str, name: str, data: bytes) -> None:
    """Put a small file in place, durably. The old content survives any failure."""
    async with await AsideFile.create(disk, directory, name) as file:
        await file.append(data)
        await file.publish()


async def prune(
    disk: Disk, directory: str, obsolete: Callable[[Iterable[str]], list[str]]
) -> list[Unwritable]:
    """Remove from `directory` what `obsolete` picks of its names; `layout` has the rules.

    Returns the errors of those that could not be removed: a directory of such a name, a file that may not
    be touched. An old file that stays does no harm to the new one.
    """
    refusals: list[Unwritable] = []
    for name in obsolete(await names_in(disk, directory)):
        try:
            with writable(path_of(directory, name)), suppress(FileNotFoundError):  # somebody may be quicker
                await disk.remove(path_of(directory, name))
        except Unwritable as error:
            refusals.append(error)
    return refusals


async def remove_unfinished(disk: Disk, directory: str) -> None:
    """Remove what an earlier life left half written. Raises StrayName for a directory of such a name."""
    for name in await names_in(disk, directory):
        if is_unfinished(directory, name):
            with own_file(path_of(directory, name)):
                await disk.remove(path_of(directory, name))
