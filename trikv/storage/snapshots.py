"""Snapshot files: made aside, named by their position, two of them kept, read in pieces by several at once.

What is in them is the machine's business (one JSON document). A file with a snapshot's name is whole, because
it got the name after its sync. Two are kept: the newest, and one before it, in case the newest turns out
unreadable. A file that is being read is not removed until its last reader is done.
"""

from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Self

import attrs

from trikv.storage.aside import AsideFile, remove_unfinished
from trikv.storage.disk import Disk, DiskFile
from trikv.storage.errors import OPERATORS_DOING, NoRoom, Unwritable, room_for, writable
from trikv.storage.layout import SNAPSHOT, SNAPSHOTS, names_in, own_file, path_of

KEPT = 2


@attrs.frozen(order=True)
class StoredSnapshot:
    """A snapshot file. Ordered by position."""

    index: int
    term: int
    size: int = attrs.field(order=False)
    """In bytes."""

    @property
    def path(self) -> str:
        """Its path, relative to the data directory."""
        return path_of(SNAPSHOTS, _name(self.index, self.term))


class SnapshotReader:
    """An open snapshot. An async context manager: inside it the file stays, whatever is published."""

    def __init__(self, store: "SnapshotStore", snapshot: StoredSnapshot, file: DiskFile) -> None:
        self.snapshot = snapshot
        self._store = store
        self._file = file
        self._closed = False

    @property
    def size(self) -> int:
        """The file's length in bytes."""
        return self.snapshot.size

    async def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes at `offset`; fewer only at the end."""
        return await self._file.read(offset, size)

    def close(self) -> None:
        """Close the file and let it be removed. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._store.reading_ended(self.snapshot)
            self._file.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SnapshotWriter:
    """A snapshot in the making: `append`, then `publish` or `abort`.

    If it comes from another node, `size` is where the next piece belongs, so a transfer can be resumed while
    this process lives. Its content is not checked here: the machine that loads it compares the checksum.
    """

    def __init__(self, store: "SnapshotStore", index: int, term: int, file: AsideFile) -> None:
        self._store = store
        self._index = index
        self._term = term
        self._file = file

    @property
    def size(self) -> int:
        """Bytes appended so far; the offset of the next piece of a transfer."""
        return self._file.size

    async def append(self, data: bytes) -> None:
        """Add a piece. Raises NoRoom, after which only `abort` makes sense."""
        await self._file.append(data)

    async def publish(self) -> StoredSnapshot:
        """Make it durable under its name, then remove snapshots that are no longer needed."""
        await self._file.publish()
        written = StoredSnapshot(self._index, self._term, self._file.size)
        # After the publishing, and without failing it: this one is durable, old ones can go the next time.
        with suppress(NoRoom, *OPERATORS_DOING):
            await self._store.prune(written)
        return written

    async def abort(self) -> None:
        """Give the snapshot up and remove its file. Does nothing after `publish` or another `abort`."""
        await self._file.abort()


class SnapshotStore:
    """The snapshots of one data directory."""

    def __init__(self, disk: Disk, kept: int) -> None:
        self._disk = disk
        self._kept = kept
        self._readers: Counter[StoredSnapshot] = Counter()

    @classmethod
    async def open(cls, disk: Disk, kept: int = KEPT) -> Self:
        """Open the store at a start, and remove what an earlier life left unfinished."""
        await remove_unfinished(disk, SNAPSHOTS)
        # An earlier life may have been killed between a snapshot's rename and the directory's sync. Then only
        # the cache knows the name, and the log would be reset behind a snapshot that a power cut takes away.
        if await disk.exists(SNAPSHOTS):
            await disk.sync_directory(SNAPSHOTS)
        return cls(disk, kept)

    async def begin(self, index: int, term: int) -> SnapshotWriter:
        """Begin a snapshot of the own machine at `index`, which is durable in the log (PROTOCOL 8)."""
        return await self._begin(index, term, "")

    async def begin_install(self, index: int, term: int) -> SnapshotWriter:
        """Begin a snapshot that comes from another node; one of the own machine may be under way too."""
        return await self._begin(index, term, ".install")

    async def list(self) -> list[StoredSnapshot]:
        """All whole snapshots, oldest first. Raises NoRoom if one cannot be opened now."""
        found = []
        with room_for("a look at the snapshots"):
            for name in await names_in(self._disk, SNAPSHOTS):
                match = SNAPSHOT.fullmatch(name)
                if match is not None:
                    with own_file(path_of(SNAPSHOTS, name)):
                        file = await self._disk.open(path_of(SNAPSHOTS, name))
                    found.append(StoredSnapshot(int(match[1]), int(match[2]), file.size()))
                    file.close()
        return sorted(found)

    async def newest(self) -> StoredSnapshot | None:
        """The snapshot at the highest index, None if there is none. Raises NoRoom."""
        found = await self.list()
        return found[-1] if found else None

    async def open_for_reading(self, index: int, term: int) -> SnapshotReader:
        """Open the snapshot at this position. Raises FileNotFoundError if it is gone, or NoRoom."""
        path = path_of(SNAPSHOTS, _name(index, term))
        with room_for(f"a reader of {path}"):
            file = await self._disk.open(path)
        snapshot = StoredSnapshot(index, term, file.size())
        self._readers[snapshot] += 1
        return SnapshotReader(self, snapshot, file)

    async def aside(self, path: str) -> AsideFile:
        """Begin any other document of the data directory: a backup, the dump."""
        directory, _, name = path.rpartition("/")
        return await AsideFile.create(self._disk, directory, name)

    async def prune(self, written: StoredSnapshot) -> None:
        """Remove all except `written` and the newest others; those that are being read go at a later call."""
        others = [snapshot for snapshot in await self.list() if snapshot != written]
        for snapshot in others[: max(0, len(others) + 1 - self._kept)]:
            if not self._readers[snapshot]:
                # What cannot be removed stays and does no harm; the new one is durable already.
                with suppress(Unwritable), writable(snapshot.path):
                    await self._disk.remove(snapshot.path)

    def reading_ended(self, snapshot: StoredSnapshot) -> None:
        """A reader of `snapshot` is done: without another one, the next `prune` may remove the file."""
        self._readers -= Counter((snapshot,))

    async def _begin(self, index: int, term: int, mark: str) -> SnapshotWriter:
        file = await AsideFile.create(self._disk, SNAPSHOTS, _name(index, term), mark)
        return SnapshotWriter(self, index, term, file)


def _name(index: int, term: int) -> str:
    return f"{index:020}-{term:020}.json"
