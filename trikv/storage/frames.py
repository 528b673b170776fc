"""The bytes of the log: records, and the batches that carry them. Knows no files and no meanings.

A batch is what one sync makes durable::

    magic 4 | mark 4 | number 8 | body length 8 | flags 4 | crc of the 28 before 4 | body | padding

and its body is records, end to end::

    crc 4 | payload length 4 | kind 1 | payload        (crc over length, kind and payload; kinds start at 1)

All integers are little-endian; the crc is CRC-32 as zlib computes it. Batches start at multiples of 32, so
a batch header never straddles a 512-byte sector, and end in 2 to 33 bytes of padding that are not zero.

**Why padding, and why stuffing.** Recovery may cut the last batch only if its missing part reads as the zeros
that were there before it (PROTOCOL 11). That test is sound only if no *written* sector can read as zeros. So
a body with a run of 256 zeros is stuffed: two non-zero bytes after each 254. Then every sector that a batch
touches holds at least two non-zero bytes. A sector of zeros was never written, one flipped byte cannot make
one, and values that consist of zeros change nothing about that. The padding serves the same end: a batch
that ends in a zero is unfinished.

The mark is a crc of the disk's random id: bytes inside a client's value cannot pass for a batch header.
"""

import struct
from collections.abc import Iterator
from zlib import crc32

import attrs

MAGIC = b"TKVB"
HEADER_BYTES = 32
SECTOR_BYTES = 512
ALIGNMENT = 32
"""Batches start at multiples of it. It divides a sector and is the size of a batch header."""

_HEADER = struct.Struct("<4sIQQI")
_CRC = struct.Struct("<I")
_RECORD = struct.Struct("<IB")
_ENTRY = struct.Struct("<IBQQB")
_RECORD_HEAD_BYTES = _CRC.size + _RECORD.size
_ENTRY_FIXED_BYTES = _ENTRY.size - _RECORD.size

_STUFFED = 1
_STUFF = b"\xa5\xa5"
_STUFF_EVERY = 254
_ZERO_RUN = bytes(256)
_PADDING = b"\xa5" * (ALIGNMENT + 2)
ENTRY_KIND = 2
"""The record kind of a log entry. It is named here because `entry_record` packs it in one step (hot path)."""


class BadFrame(Exception):  # noqa: N818 - read as a sentence: "raise BadFrame('...')"
    """Bytes that are no batch or record. The text says why; the caller adds file and offset."""


@attrs.frozen
class BatchHeader:
    """A batch header whose own crc is right."""

    mark: int
    number: int
    """1 for the first batch of a log; one more for each batch, across segments."""
    body_bytes: int
    stuffed: bool

    @property
    def padding_bytes(self) -> int:
        """Bytes of padding behind the body: 2 to 33, so that the batch ends at a multiple of `ALIGNMENT`."""
        return _padding_bytes(self.body_bytes)

    @property
    def total_bytes(self) -> int:
        """Length of the whole batch: header, body and padding."""
        return HEADER_BYTES + self.body_bytes + self.padding_bytes


def record(kind: int, payload: bytes) -> bytes:
    """A record of any kind but an entry, ready to go into a batch."""
    # The crc covers length and kind too. A crc of the payload alone would be 0 for none, and a row of zeros
    # would be a valid record.
    head = _RECORD.pack(len(payload), kind)
    return _CRC.pack(crc32(payload, crc32(head))) + head + payload


def entry_record(index: int, term: int, kind: int, payload: bytes) -> tuple[bytes, bytes]:
    """The record of a log entry, in two parts so that a large payload is not copied here."""
    head = _ENTRY.pack(len(payload) + _ENTRY_FIXED_BYTES, ENTRY_KIND, index, term, kind)
    return _CRC.pack(crc32(payload, crc32(head))) + head, payload


def entry_fields(payload: bytes) -> tuple[int, int, int, bytes]:
    """Index, term, entry kind and payload out of the payload of a log entry's record. Raises BadFrame."""
    if len(payload) < _ENTRY_FIXED_BYTES:
        raise BadFrame("an entry record is too short")
    index, term, kind = _ENTRY_FIELDS.unpack_from(payload)
    return index, term, kind, payload[_ENTRY_FIXED_BYTES:]


_ENTRY_FIELDS = struct.Struct("<QQB")


def seal(parts: list[bytes], size: int, number: int, mark: int) -> bytes:
    """A whole batch, ready to be written: `parts` are its records, `size` bytes in all."""
    batch = b"".join((_header(mark, number, size, 0), *parts, padding(_padding_bytes(size))))
    # Half a sector: any sector with fewer than two bytes that are not zero has such a run in it.
    if _ZERO_RUN not in batch:
        return batch
    body = b"".join(parts)
    body = _STUFF.join([body[at : at + _STUFF_EVERY] for at in range(0, size, _STUFF_EVERY)])
    size = len(body)
    return b"".join((_header(mark, number, size, _STUFFED), body, padding(_padding_bytes(size))))


def batch_header(data: bytes) -> BatchHeader | None:
    """The batch header that `data` starts with, or None if there is no valid one."""
    if len(data) < HEADER_BYTES:
        return None
    magic, mark, number, body_bytes, flags = _HEADER.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _HEADER.size)
    if magic != MAGIC or crc != crc32(data[: _HEADER.size]) or flags & ~_STUFFED:
        return None
    return BatchHeader(mark, number, body_bytes, bool(flags & _STUFFED))


def records(header: BatchHeader, batch: bytes) -> list[tuple[int, bytes]]:
    """The (kind, payload) pairs of a whole batch. Raises BadFrame at the first record that is wrong.

    The padding is not checked here; see `padding_is_whole`.
    """
    body = batch[HEADER_BYTES : HEADER_BYTES + header.body_bytes]
    if header.stuffed:
        step = _STUFF_EVERY + len(_STUFF)
        pieces = [body[at : at + step] for at in range(0, len(body), step)]
        if any(piece[_STUFF_EVERY:] != _STUFF for piece in pieces[:-1]):
            raise BadFrame("bytes between the stored ones are wrong")
        body = b"".join([piece[:_STUFF_EVERY] for piece in pieces])
    return list(_split(body))


def padding_is_whole(header: BatchHeader, batch: bytes) -> bool:
    """Whether the batch ends in exactly the padding that belongs there."""
    return batch[HEADER_BYTES + header.body_bytes :] == padding(header.padding_bytes)


def padding(size: int) -> bytes:
    """`size` bytes of padding, at most 34; none of them is zero."""
    return _PADDING[:size]


def unwritten_part(offset: int, batch: bytes) -> str | None:
    """Which part of a batch that stands at `offset` of its file was never written, in words; None if none.

    It is the batch's end, or whole sectors, and it reads as zeros.
    """
    if batch.endswith(b"\0"):
        return "its end was never written"
    start = -offset % SECTOR_BYTES
    for at in range(start, len(batch), SECTOR_BYTES):
        piece = batch[at : at + SECTOR_BYTES]
        if piece.count(0) == len(piece):
            return f"the sector at byte {offset + at} was never written"
    return None


def _header(mark: int, number: int, body_bytes: int, flags: int) -> bytes:
    head = _HEADER.pack(MAGIC, mark, number, body_bytes, flags)
    return head + _CRC.pack(crc32(head))


def _padding_bytes(body_bytes: int) -> int:
    return (-body_bytes - 2) % ALIGNMENT + 2


def _split(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(body):
        if len(body) - at < _RECORD_HEAD_BYTES:
            raise BadFrame("a record is cut short by its batch's end")
        (crc,) = _CRC.unpack_from(body, at)
        length, kind = _RECORD.unpack_from(body, at + _CRC.size)
        end = at + _RECORD_HEAD_BYTES + length
        if end > len(body):
            raise BadFrame("a record reaches beyond its batch")
        payload = body[at + _RECORD_HEAD_BYTES : end]
        if crc != crc32(payload, crc32(body[at + _CRC.size : at + _RECORD_HEAD_BYTES])):
            raise BadFrame("a record's checksum is wrong")
        yield kind, payload
        at = end
