"""One segment file being made ready, and one being written.

A segment's file is *written* with zeros to its full size and synced before it takes its first record, so
that a batch's ``fdatasync`` changes no metadata. It is made under an unfinished name (`WAL/next.tmp`), gets
its header, is synced, renamed to its number, and its directory synced: a file that bears a number always
begins with a whole header. Segments are never recycled: old records must not turn up behind new ones.
"""

import attrs

from trikv.storage.disk import Disk, DiskFile
from trikv.storage.errors import NoRoom, room_for
from trikv.storage.layout import UNFINISHED, WAL, own_file, path_of

SUFFIX = ".wal"


def segment_path(sequence: int) -> str:
    """The path of a segment: `wal/00000000000000000001.wal`."""
    return path_of(WAL, f"{sequence:020}{SUFFIX}")


@attrs.define
class Segment:
    """What the writer knows of a segment that holds records."""

    sequence: int
    used_bytes: int
    """Header and batches; zeros follow."""
    top_index: int
    """The highest entry index written to it since its last reset; 0 for none. A base at or above it lets the
    segment go."""


class SegmentFile:
    """A file that is zeroed piece by piece, and takes records once it is published."""

    def __init__(self, disk: Disk, file: DiskFile, path: str) -> None:
        self._disk = disk
        self._path = path
        self.file = file
        self.size = 0
        """Bytes written so far, zeros included; the whole file once `fill` has reached its end."""

    @classmethod
    async def begin(cls, disk: Disk, name: str) -> "SegmentFile":
        """Begin an empty file under the unfinished name `name`.tmp. Raises NoRoom or StrayName."""
        path = path_of(WAL, name + UNFINISHED)
        if await disk.exists(path):
            with own_file(path):
                await disk.remove(path)
        with room_for("the next log segment"):
            return cls(disk, await disk.create(path), path)

    async def append(self, data: bytes) -> None:
        """Write at the end, without a sync."""
        with room_for("the next log segment"):
            await self.file.write(self.size, data)
        self.size += len(data)

    async def fill(self, size: int, piece_bytes: int) -> bool:
        """Write and sync one piece of zeros; True while the file is shorter than `size`."""
        # Written, not allocated by `fallocate`: that alone makes small syncs no faster at this size.
        piece = min(piece_bytes, size - self.size)
        if piece > 0:
            with room_for("the next log segment"):
                await self.file.write_and_sync(self.size, bytes(piece))
            self.size += piece
        return self.size < size

    async def publish(self, path: str) -> None:
        """Give the synced file its name, durably."""
        await self._disk.rename(self._path, path)
        await self._disk.sync_directory(WAL)
        self._path = path

    async def discard(self) -> None:
        """Forget the file; it must not have been published."""
        self.file.close()
        await self._disk.remove(self._path)


class NextSegment:
    """The file that will be the next segment. It is made ready while the present one still has room."""

    def __init__(self, disk: Disk, segment_bytes: int, piece_bytes: int) -> None:
        self._disk = disk
        self._segment_bytes = segment_bytes
        self._piece_bytes = piece_bytes
        self._file: SegmentFile | None = None
        self.syncs = 0
        """Pieces of zeros synced so far."""

    async def prepare(self, least_bytes: int = 0) -> bool:
        """Do one bounded piece of work; True while more is to do.

        `least_bytes`: needed for a batch that is larger than a segment. Raises NoRoom, which changes nothing.
        """
        try:
            if self._file is None:
                self._file = await SegmentFile.begin(self._disk, "next")
            size = self._file.size
            more = await self._file.fill(max(self._segment_bytes, least_bytes), self._piece_bytes)
        except NoRoom:
            # Given back even if most of it is zeroed: a file whose sync failed is never used again.
            if self._file is not None:
                file, self._file = self._file, None
                await file.discard()
            raise
        self.syncs += self._file.size > size
        return more

    async def take(self, least_bytes: int) -> SegmentFile:
        """Finish the file and hand it over, still without a header and a number. Raises NoRoom."""
        while await self.prepare(least_bytes):
            pass
        assert self._file is not None
        file, self._file = self._file, None
        return file

    def close(self) -> None:
        """Close the file, if there is one; the next start removes it."""
        if self._file is not None:
            self._file.file.close()
            self._file = None
