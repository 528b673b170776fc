"""The seam to a disk: `trikv.host` implements it on files, the simulator on memory. Knows no format.

Paths are relative to the node's data directory, with ``/`` between parts. Every method may raise OSError.
Methods that may block on the device are coroutines (the real host runs them in a thread); a caller awaits
one before it starts the next on the same file.
"""

from typing import Protocol


class DiskFile(Protocol):
    """An open file. Its calls are awaited one after the other."""

    async def write(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`. Reaches the page cache only."""

    async def write_and_sync(self, offset: int, data: bytes) -> None:
        """Write all of `data` at `offset`, then ``fdatasync``, in one hop to the disk's thread."""

    async def sync(self) -> None:
        """``fdatasync``. After an error the file must never be used again (RELIABILITY 15)."""

    async def read(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes; shorter only at the end of the file."""

    def size(self) -> int:
        """The file's present length in bytes, zeros written ahead included."""

    def close(self) -> None:
        """Close without syncing: what was written since the last sync may be lost in a power cut."""


class Disk(Protocol):
    """A node's data directory: the only part of the file system that storage knows."""

    async def create(self, path: str) -> DiskFile:
        """Create a file, readable and writable, mode 0600. FileExistsError if it is there."""

    async def open(self, path: str) -> DiskFile:
        """Open an existing file for reading and writing. FileNotFoundError if absent."""

    async def make_directory(self, path: str) -> None:
        """Create a directory (and its parents); no error if it exists."""

    async def names(self, path: str) -> list[str]:
        """The names in a directory, sorted; empty if it does not exist. `""` is the data directory."""

    async def exists(self, path: str) -> bool:
        """Whether there is a file or directory of that name."""

    async def rename(self, old: str, new: str) -> None:
        """Replace `new` by `old`, atomically. Durable only after `sync_directory`."""

    async def remove(self, path: str) -> None:
        """Remove a file. Durable only after `sync_directory`."""

    async def sync_directory(self, path: str) -> None:
        """``fsync`` the directory, so that created, renamed and removed names survive a power cut."""

    async def is_in_place(self, path: str) -> bool:
        """Whether the directory `path` and the data directory are still the ones that were opened.

        If somebody has removed, moved or replaced one, nobody will find what is written to open files there.
        """
