"""Reading a segment back: where it ends, and whether that end is torn, clean, or corrupt (PROTOCOL 11).

Only the last batch of the last segment may be unfinished, because batch n + 1 is written after the sync of
batch n has returned, and a segment is begun after the last sync of the one before it. Bytes that are wrong
anywhere else were once durable, so cutting them could lose an acknowledged entry. These are the cases at the
place of the next batch, in the last segment:

=====================================  ==========================================================
what is there                          what it is
=====================================  ==========================================================
zeros to the end of the file           the clean end
a zero header, then bytes              torn if the rest of that sector is zeros too and no batch
                                       header follows; else corrupt
part of a header, then only zeros      torn: a prefix of the batch was written
any other invalid header               corrupt
a header, but bytes beyond its batch   corrupt, if anything in the batch is wrong
a batch with wrong records             torn if a part of it reads as never written; else corrupt
a batch with only its padding unwhole  whole, if it is the padding's end that is missing
=====================================  ==========================================================

A torn batch was never acknowledged, so cutting it is safe, and so would be keeping it.
"""

from zlib import crc32

import attrs

from trikv.storage import frames
from trikv.storage.disk import DiskFile
from trikv.storage.errors import StorageCorrupt
from trikv.storage.frames import HEADER_BYTES, SECTOR_BYTES, BadFrame, BatchHeader
from trikv.storage.records import Contradiction, LogReplay, RecordKind

PIECE_BYTES = 256 * 1024
"""How much is read at once. It bounds memory. It is a multiple of the alignment of batches, so that no batch
header lies across two pieces."""


@attrs.frozen
class SegmentEnd:
    """Where the batches of a segment end."""

    offset: int
    """Everything before it is whole."""
    next_number: int
    """The number of the batch that would stand there."""
    mark: int
    """The mark of this log's batch headers."""
    torn: str | None
    """What is unfinished at `offset`, in words; None if the segment ends cleanly."""
    torn_end: int
    """End of what an unfinished write left behind; `offset` if it left nothing."""
    unpadded_bytes: int = 0
    """If the last batch is whole except for its padding: the bytes before `offset` to be written again."""


def mark_of(disk: bytes) -> int:
    """The mark that the batches of this disk's log carry."""
    return crc32(disk)


class SegmentReader:
    """Replays one segment file into a `LogReplay`."""

    def __init__(self, file: DiskFile, path: str, replay: LogReplay) -> None:
        self._file = file
        self._path = path
        self._replay = replay
        self._buffer = b""
        self._buffer_at = 0
        self._unpadded_bytes = 0

    async def replay(self, sequence: int, number: int | None, *, last: bool) -> SegmentEnd:
        """Replay all batches. `number`: of the first batch, None if this is the first segment there is.

        `last`: no segment follows, so the last batch may be torn. Raises StorageCorrupt.
        """
        at, number, mark = await self._opening(sequence, number)
        while at + HEADER_BYTES <= self._file.size():
            head = await self._read(at, HEADER_BYTES)
            if not any(head):
                break
            header = frames.batch_header(head)
            if header is None or header.mark != mark:
                return await self._torn_header(at, number, mark, last=last)
            if header.number != number:
                raise self._corrupt(at, f"batch {header.number} stands where batch {number} belongs")
            torn = await self._batch(at, header, last=last)
            if torn is not None:
                end, _ = await self._rest(at, mark)
                return SegmentEnd(at, number, mark, torn, end)
            at += header.total_bytes
            number += 1
        return await self._clean_end(at, number, mark, last=last)

    async def _opening(self, sequence: int, number: int | None) -> tuple[int, int, int]:
        """Read the first batch, the segment's header, and return the place, number and mark of what follows.

        It was synced before the file had its name, so nothing about it can be torn.
        """
        header = frames.batch_header(await self._read(0, HEADER_BYTES))
        if header is None:
            raise self._corrupt(0, "it does not begin with a segment header")
        if number is not None and header.number != number:
            raise self._corrupt(0, f"it begins with batch {header.number}, batch {number} is missing")
        batch = await self._whole(0, header)
        try:
            found = frames.records(header, batch)
        except BadFrame as error:
            raise self._corrupt(0, str(error)) from None
        if not frames.padding_is_whole(header, batch) or [kind for kind, _ in found] != [RecordKind.SEGMENT]:
            raise self._corrupt(0, "it does not begin with a segment header")
        try:
            told = self._replay.segment(found[0][1], sequence)
        except Contradiction as error:
            raise self._corrupt(0, str(error)) from None
        if header.mark != mark_of(told.disk):
            raise self._corrupt(0, "its batches carry the mark of another disk")
        return header.total_bytes, header.number + 1, header.mark

    async def _batch(self, at: int, header: BatchHeader, *, last: bool) -> str | None:
        """Replay one batch; say what is unfinished about it, or None. No record of a torn one is replayed."""
        batch = await self._whole(at, header)
        wrong = None
        try:
            found = frames.records(header, batch)
        except BadFrame as error:
            found, wrong = [], str(error)
        padded = frames.padding_is_whole(header, batch)
        if wrong is not None or not padded:
            # Bytes behind this batch prove that its sync had returned: then it is corrupt, not torn.
            beyond, _ = await self._rest(at + header.total_bytes, header.mark)
            unwritten = frames.unwritten_part(at, batch)
            if not last or beyond > at + header.total_bytes or unwritten is None:
                raise self._corrupt(at, f"batch {header.number}: {wrong or 'its padding is wrong'}")
            if wrong is not None:
                return f"batch {header.number}: {unwritten}"
            self._unpadded_bytes = header.padding_bytes  # all records are here: it is whole
        try:
            for kind, payload in found:
                self._replay.record(kind, payload)
        except (BadFrame, Contradiction) as error:
            raise self._corrupt(at, f"batch {header.number}: {error}") from None
        return None

    async def _torn_header(self, at: int, number: int, mark: int, *, last: bool) -> SegmentEnd:
        end, _ = await self._rest(at, mark)
        if not last or end >= at + HEADER_BYTES:
            raise self._corrupt(at, f"the header of batch {number} is wrong")
        return SegmentEnd(at, number, mark, f"batch {number}: only a part of its header was written", end)

    async def _clean_end(self, at: int, number: int, mark: int, *, last: bool) -> SegmentEnd:
        end, batch_at = await self._rest(at, mark)
        if end == at:
            return SegmentEnd(at, number, mark, None, at, self._unpadded_bytes)
        # Bytes follow a header of zeros. It is torn only if its whole sector was never written: a sector is
        # written whole. A batch header behind it proves that this batch was synced.
        sector_end = at - at % SECTOR_BYTES + SECTOR_BYTES
        if not last or batch_at is not None or any(await self._read(at, sector_end - at)):
            where = end if batch_at is None else batch_at
            raise self._corrupt(at, f"batch {number} is missing, though bytes up to {where} follow it")
        return SegmentEnd(at, number, mark, f"batch {number}: its first sector was never written", end)

    async def _whole(self, at: int, header: BatchHeader) -> bytes:
        if at + header.total_bytes > self._file.size():
            raise self._corrupt(at, f"batch {header.number} reaches beyond the end of the file")
        return await self._read(at, header.total_bytes)

    async def _rest(self, at: int, mark: int) -> tuple[int, int | None]:
        """The end of the bytes from `at` on that are not zero, and the place of the first batch header there.

        The end is `at` itself if there are only zeros.

        Bytes of the present batch's own header at `at` do not count as following.
        """
        end, batch_at = at, None
        size = self._file.size()
        for piece_at in range(at, size, PIECE_BYTES):
            piece = await self._file.read(piece_at, PIECE_BYTES)
            used = len(piece.rstrip(b"\0"))
            if used:
                end = piece_at + used
            found = piece.find(frames.MAGIC)
            while found != -1 and batch_at is None:
                header = frames.batch_header(piece[found : found + HEADER_BYTES])
                if header is not None and header.mark == mark and piece_at + found > at:
                    batch_at = piece_at + found
                found = piece.find(frames.MAGIC, found + 1)
        return end, batch_at

    async def _read(self, at: int, size: int) -> bytes:
        """`size` bytes through a read-ahead buffer; fewer only at the end of the file."""
        start = at - self._buffer_at
        if start < 0 or start + size > len(self._buffer):
            self._buffer = await self._file.read(at, max(size, PIECE_BYTES))
            self._buffer_at, start = at, 0
        return self._buffer[start : start + size]

    def _corrupt(self, at: int, what: str) -> StorageCorrupt:
        return StorageCorrupt(self._path, at, what)
