"""Damage to what was durable is reported with file and place: never applied, never cut, never guessed at."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.memory_disk import MemoryDisk
from tests.storage.model import (
    DISK_ID,
    IDENTITY,
    SMALL,
    START,
    Log,
    contents,
    create,
    damaged,
    entry,
    job,
    meta,
    reopen,
    run_now,
    segments,
)
from trikv.storage import frames
from trikv.storage.batching import LogState
from trikv.storage.errors import LogMissing, StorageCorrupt, StrayName
from trikv.storage.reader import mark_of
from trikv.storage.records import RecordKind, SegmentHeader, encode
from trikv.storage.segment import segment_path
from trikv.storage.wal import header_batch

MARK = mark_of(DISK_ID)
STATE = LogState(START.hard_state, START.base, 0)
HEADER = header_batch(IDENTITY, STATE, sequence=1, number=1)


def two_segments() -> tuple[MemoryDisk, Log]:
    """A disk with acknowledged entries in two segments, sparse ones among them."""
    disk = MemoryDisk()
    wal = create(disk)
    work = [
        job(entry(1, 1, b"first" * 20)),
        job(entry(2, 1, bytes(700) + b"\1" + bytes(150)), number=2),
        job(entry(3, 1, b"third" * 150), number=3),
        job(entry(4, 1, bytes(90)), number=4, term=2),
    ]
    for one in work:
        run_now(wal.write([one]))
    return disk, START.through(work)


def one_segment(*batches: bytes, size: int = 4096, header: bytes = HEADER) -> MemoryDisk:
    """A disk with one segment of hand-made batches."""
    disk = MemoryDisk()
    run_now(disk.make_directory("wal"))
    file = run_now(disk.create(segment_path(1)))
    run_now(file.write(0, (header + b"".join(batches)).ljust(size, b"\0")))
    return disk.killed()


def batch(number: int, *records: bytes, mark: int = MARK) -> bytes:
    """A batch of whole records."""
    return frames.seal(list(records), sum(map(len, records)), number, mark)


def an_entry(index: int, payload: bytes = b"payload") -> bytes:
    """The record of an entry of term 1."""
    return b"".join(frames.entry_record(index, 1, 2, payload))


def refusal(disk: MemoryDisk) -> StorageCorrupt:
    """The StorageCorrupt that recovery raises."""
    with pytest.raises(StorageCorrupt) as caught:
        reopen(disk)
    assert "--refill" in str(caught.value)
    assert str(caught.value.offset) in str(caught.value)
    return caught.value


def test_every_flipped_byte_is_reported() -> None:
    """If any byte of acknowledged data is changed, recovery refuses, or returns every entry as it was."""
    disk, log = two_segments()
    assert contents(reopen(disk.killed())) == log
    paths = segments(disk)
    assert len(paths) == 2
    refused = 0
    for path in paths:
        data = bytes(disk.names_now[path].cache)
        used = len(data.rstrip(b"\0"))
        for offset in range(used + 40):
            for changed in {data[offset] ^ 0x81, 0} - {data[offset]}:
                spoiled = damaged(disk, path, offset, bytes((changed,)))
                try:
                    assert contents(reopen(spoiled)) == log
                except StorageCorrupt as error:
                    assert error.file == path  # noqa: PT017 - either outcome is right, each with its demand
                    refused += 1
                else:
                    assert path == paths[-1], "a sealed segment is never mended"
                    assert offset >= used - 1, "only behind the records can a change be harmless"
    assert refused > 2000


def test_mended_padding_is_whole_again() -> None:
    """A last batch that misses only the end of its padding is kept, and does not trouble a later start."""
    disk, log = two_segments()
    path = segments(disk)[-1]
    used = len(bytes(disk.names_now[path].cache).rstrip(b"\0"))
    recovered = reopen(damaged(disk, path, used - 1, b"\0"))
    assert contents(recovered) == log
    spoiled = damaged(disk, path, used - 1, b"\0")
    wal = reopen(spoiled).wal
    more = [job(entry(5, 2))]
    run_now(wal.write(more))
    assert contents(reopen(spoiled)) == log.through(more)


@pytest.mark.parametrize("kept", [1, 20, 31, 32, 40, 100, 600])
def test_a_prefix_is_torn(kept: int) -> None:
    """A last batch of which only the first bytes were written is cut, kept aside, and said."""
    tail = batch(3, an_entry(2, b"t" * 600))
    disk = one_segment(batch(2, an_entry(1)), tail[:kept])
    recovered = reopen(disk)
    assert [e.index for e in recovered.entries] == [1]
    assert recovered.repaired is not None
    assert "never acknowledged" in recovered.repaired
    (name,) = run_now(disk.names("aside"))
    assert bytes(disk.names_now[f"aside/{name}"].cache) == tail[:kept].rstrip(b"\0")
    assert reopen(disk).repaired is None


@pytest.mark.parametrize("missing", range(4))
def test_missing_sectors_are_torn(missing: int) -> None:
    """A last batch of which any whole sector was not written is cut."""
    tail = batch(3, an_entry(2, b"t" * 1500))
    disk = one_segment(batch(2, an_entry(1)), tail)
    start = len(HEADER) + len(batch(2, an_entry(1)))
    first = start - start % 512 + missing * 512
    low, high = max(first, start), min(first + 512, start + len(tail))
    recovered = reopen(damaged(disk, segment_path(1), low, bytes(high - low)))
    assert [e.index for e in recovered.entries] == [1]
    assert recovered.repaired is not None


def test_only_a_few_torn_tails_are_kept() -> None:
    """The directory of cut tails is bounded."""
    disk = one_segment(batch(2, an_entry(1)), batch(3, an_entry(2))[:30])
    run_now(disk.make_directory("aside"))
    for number in range(20):
        run_now(disk.create(f"aside/{number:020}-1.torn"))
    run_now(disk.create("aside/mine.torn"))
    run_now(disk.make_directory("aside/00000000000000000000-0.torn"))
    repaired = reopen(disk).repaired or ""
    names = run_now(disk.names("aside"))
    assert len(names) == 10  # those two, and as many as are kept
    cut = repaired.partition("a copy is in aside/")[2].partition(";")[0]
    assert cut in names, "what was cut just now is kept, though it is the oldest by its name"
    assert "an old one stays: aside/00000000000000000000-0.torn" in repaired


def test_zeros_that_were_written_are_no_tear() -> None:
    """A sector of zeros inside a value does not let a flipped byte pass for a torn batch."""
    disk = one_segment(batch(2, an_entry(1, bytes(2000))))
    assert reopen(disk).entries[0].payload == bytes(2000)
    refusal(damaged(disk, segment_path(1), len(HEADER) + 34, b"\xff"))


def test_a_wrong_batch_with_anything_behind_it_is_corrupt() -> None:
    """A batch that another followed was durable, torn-looking or not."""
    bad = batch(2, an_entry(1, b"x" * 1200))
    disk = one_segment(bad, batch(3, an_entry(2)))
    spoiled = damaged(disk, segment_path(1), 512, bytes(512))
    assert refusal(spoiled).offset == len(HEADER)
    assert "checksum" in refusal(spoiled).what


def test_a_lost_header_before_a_batch_is_corrupt() -> None:
    """A zero header does not end the log if a later batch proves that this one was durable."""
    first = batch(2, an_entry(1, b"x" * 1200))
    disk = one_segment(first, batch(3, an_entry(2)))
    spoiled = damaged(disk, segment_path(1), len(HEADER), bytes(512 - len(HEADER) % 512))
    assert f"bytes up to {len(HEADER) + len(first)}" in refusal(spoiled).what


def test_a_zero_header_in_a_sector_that_was_written_is_corrupt() -> None:
    """Zeros that do not reach the end of their sector were not left there by a missing write."""
    disk = one_segment(batch(2, an_entry(1, b"x" * 1200)))
    refusal(damaged(disk, segment_path(1), len(HEADER), bytes(32)))


def test_a_value_cannot_pass_for_a_batch() -> None:
    """A batch image inside a client's value, with another mark, does not turn a torn tail into corruption."""
    forged = batch(4, an_entry(9), mark=MARK ^ 1)
    prefix = b"-" * (-len(HEADER) % 512 + 32)
    tail = batch(2, an_entry(1, prefix + forged + frames.MAGIC * 9 + b"!" * 1200))
    disk = one_segment(tail)
    recovered = reopen(damaged(disk, segment_path(1), len(HEADER), bytes(512 - len(HEADER) % 512)))
    assert recovered.entries == []
    assert recovered.repaired is not None


def wrong_first_batches() -> dict[str, tuple[MemoryDisk, str]]:
    """Segments with a wrong beginning, and what is said of each."""
    other = header_batch(IDENTITY, STATE, sequence=2, number=1)
    newer = SegmentHeader(2, IDENTITY.cluster, 1, DISK_ID, 1, START.hard_state, START.base, 0)
    marked = frames.seal([payload := frames.record(RecordKind.SEGMENT, encode(newer))], len(payload), 1, MARK)
    old = SegmentHeader(1, IDENTITY.cluster, 1, DISK_ID, 1, START.hard_state, START.base, 0)
    record = frames.record(RecordKind.SEGMENT, encode(old))
    return {
        "zeros": (one_segment(header=b""), "begin with a segment header"),
        "cut": (one_segment(header=HEADER[:40]), "checksum"),
        "an entry": (one_segment(header=batch(1, an_entry(1))), "begin with a segment header"),
        "another's": (one_segment(header=other), "renamed or copied"),
        "newer": (one_segment(header=marked), "newer version"),
        "foreign mark": (one_segment(header=batch(1, record, mark=7)), "another disk"),
        "long": (one_segment(header=HEADER, size=64), "beyond the end"),
        "garbage": (one_segment(header=batch(1, frames.record(1, b"\xc1"))), "does not decode"),
        "unpadded": (one_segment(header=HEADER[:-1] + b"\1"), "begin with a segment header"),
    }


@pytest.mark.parametrize("case", wrong_first_batches())
def test_a_segment_begins_with_its_header(case: str) -> None:
    """A file with a segment's name was synced with its header before it got the name."""
    disk, said = wrong_first_batches()[case]
    if case == "long":
        disk.names_now[segment_path(1)].cache[64:] = b""
    assert said in refusal(disk).what


def wrong_batches() -> dict[str, tuple[bytes, str]]:
    """Batches that cannot follow the header, and what is said of them."""
    record = frames.record
    torn_record = record(RecordKind.TRUNCATE, b"abc")[:-1]
    return {
        "number": (batch(9, an_entry(1)), "batch 9 stands where batch 2 belongs"),
        "mark": (batch(2, an_entry(1), mark=MARK ^ 1), "header of batch 2 is wrong"),
        "index": (batch(2, an_entry(2)), "entry 2 follows entry 0"),
        "kind": (batch(2, b"".join(frames.entry_record(1, 1, 77, b""))), "unknown kind 77"),
        "record kind": (batch(2, record(99, b"")), "kind 99"),
        "short entry": (batch(2, record(2, b"1234")), "too short"),
        "truncate": (batch(2, record(4, encode(5))), "dropped"),
        "base": (batch(2, record(6, encode(meta(3)))), "compacted up to 3"),
        "second header": (batch(2, record(1, b"")), "kind 1"),
        "hard state": (batch(2, record(3, b"\xc1")), "does not decode"),
        "record length": (batch(2, torn_record), "beyond its batch"),
        "record head": (batch(2, an_entry(1) + b"\1\2\3"), "cut short"),
        "term": (
            batch(
                2, b"".join(frames.entry_record(1, 5, 2, b"")), b"".join(frames.entry_record(2, 4, 2, b""))
            ),
            "term below",
        ),
        "base term": (batch(2, an_entry(1), record(6, encode(meta(1, 9)))), "not the entry's"),
        "length": (
            frames._header(MARK, 2, 1 << 20, 0) + b"x" * 100,
            "beyond the end of the file",
        ),
    }


@pytest.mark.parametrize("case", wrong_batches())
def test_records_that_contradict_are_refused(case: str) -> None:
    """A record with a good checksum is still refused if it cannot follow what came before."""
    data, said = wrong_batches()[case]
    assert said in refusal(one_segment(data)).what


def test_stuffing_is_checked() -> None:
    """Damage to the stuffed bytes is noticed like damage to stored ones."""
    disk = one_segment(data := batch(2, an_entry(1, bytes(2000))))
    assert data[32 + 254 : 32 + 256] == b"\xa5\xa5"
    assert (
        "between the stored ones"
        in refusal(damaged(disk, segment_path(1), len(HEADER) + 32 + 254, b"?")).what
    )


def test_a_missing_segment_is_named() -> None:
    """Gaps in the numbers, a lost first or last-but-one segment, are corruption."""
    disk = MemoryDisk()
    wal = create(disk)
    for index in range(1, 12):
        run_now(wal.write([job(entry(index, 1, b"p" * 400))]))
    paths = segments(disk)
    assert len(paths) > 3
    for path in paths[:-1]:
        lost = disk.killed()
        run_now(lost.remove(path))
        assert "missing" in refusal(lost).what
    renamed = disk.killed()
    run_now(renamed.rename(paths[0], "wal/first.wal"))
    with pytest.raises(StrayName, match=r"^wal/first\.wal .* not a log segment"):
        reopen(renamed)


def test_batches_missing_between_segments_are_noticed() -> None:
    """A sealed segment that ends too early is corrupt: the next begins with a later batch."""
    disk = MemoryDisk()
    wal = create(disk)
    for index in range(1, 8):
        run_now(wal.write([job(entry(index, 1, b"p" * 400))]))
    first = segments(disk)[0]
    data = bytes(disk.names_now[first].cache)
    last_batch = data.rindex(frames.MAGIC)
    lost = damaged(disk, first, last_batch, bytes(len(data) - last_batch))
    assert "is missing" in refusal(lost).what


def test_a_later_header_must_continue_the_log() -> None:
    """A segment whose header tells another state than the records before it is refused."""
    disk = one_segment(batch(2, an_entry(1)))
    wrong = header_batch(IDENTITY, STATE, sequence=2, number=3)
    file = run_now(disk.create(segment_path(2)))
    run_now(file.write(0, wrong.ljust(2048, b"\0")))
    assert "does not continue" in refusal(disk).what


def test_no_log() -> None:
    """A directory without segments is a blank disk, not a corrupt one."""
    with pytest.raises(LogMissing):
        reopen(MemoryDisk())


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2100), st.integers(0, 700), st.booleans())
def test_arbitrary_bytes(noise: bytes, at: int, keep_header: bool) -> None:  # noqa: FBT001 - drawn
    """For any content of a file, recovery returns a log or raises StorageCorrupt, and nothing else."""
    disk = one_segment(batch(2, an_entry(1, b"x" * 300)), size=SMALL.segment_bytes)
    spoiled = damaged(disk, segment_path(1), len(HEADER) + at if keep_header else at, noise)
    try:
        recovered = reopen(spoiled)
    except StorageCorrupt:
        return
    assert [e.payload for e in recovered.entries] in ([], [b"x" * 300])
