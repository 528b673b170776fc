"""The bytes of batches and records."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trikv.storage import frames
from trikv.storage.frames import BadFrame

SPARSE = st.lists(
    st.binary(max_size=60)
    | st.integers(0, 700).map(bytes)
    | st.integers(0, 600).map(lambda n: b"\0" * n + b"\1"),
    max_size=5,
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 255), SPARSE), min_size=1, max_size=4), st.integers(0, 40))
def test_a_batch_reads_back_and_leaves_no_sector_empty(found: list[tuple[int, bytes]], at: int) -> None:
    """Any records read back as they were; and at any place of the batch, no sector of it could be zeros."""
    parts = [frames.record(kind, payload) for kind, payload in found]
    batch = frames.seal(parts, sum(map(len, parts)), 7, 99)
    header = frames.batch_header(batch)
    assert header is not None
    assert (header.mark, header.number, header.total_bytes) == (99, 7, len(batch))
    assert frames.records(header, batch) == found
    assert frames.padding_is_whole(header, batch)
    offset = at * frames.ALIGNMENT
    assert frames.unwritten_part(offset, batch) is None
    placed = bytes(offset) + batch
    for sector in range(offset - offset % 512, len(placed), 512):
        piece = placed[sector : sector + 512]
        assert len(piece) - piece.count(0) >= 2


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(1, 255), st.binary(max_size=50))
def test_an_entry_reads_back(index: int, term: int, kind: int, payload: bytes) -> None:
    """All fields of an entry come back."""
    parts = list(frames.entry_record(index, term, kind, payload))
    batch = frames.seal(parts, sum(map(len, parts)), 1, 1)
    header = frames.batch_header(batch)
    assert header is not None
    ((record_kind, body),) = frames.records(header, batch)
    assert record_kind == frames.ENTRY_KIND
    assert frames.entry_fields(body) == (index, term, kind, payload)


def test_zeros_are_no_record() -> None:
    """What preallocation leaves is neither a header nor a record (crc32 of nothing is 0)."""
    assert frames.batch_header(bytes(100)) is None
    header = frames.BatchHeader(1, 1, 9, stuffed=False)
    with pytest.raises(BadFrame):
        frames.records(header, bytes(64))


def test_a_short_or_strange_header() -> None:
    """Too few bytes, or flags that this version does not know, are no header."""
    batch = frames.seal([b"x"], 1, 1, 1)
    assert frames.batch_header(batch[:31]) is None
    assert frames.batch_header(frames._header(1, 1, 1, 2)) is None
    assert frames.batch_header(frames._header(1, 1, 1, 1)) is not None
