"""The entries in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.raft.log import RaftLog
from trikv.raft.types import Entry, EntryKind


def entry(index: int, term: int, payload: bytes = b"ab") -> Entry:
    """An entry."""
    return Entry(index, term, EntryKind.BATCH, payload)


def log_of(*terms: int, base: int = 0, base_term: int = 0) -> RaftLog:
    """A log with entries of these terms after its base."""
    return RaftLog(base, base_term, [entry(base + 1 + n, term) for n, term in enumerate(terms)])


def test_an_empty_log_ends_at_its_base() -> None:
    """Index and term of the last entry are the base's."""
    log = log_of(base=7, base_term=3)
    assert (log.first_index, log.last_index, log.last_term, log.term_at(7)) == (8, 7, 3, 3)
    assert log.term_at(8) is None
    assert log.term_at(6) is None
    assert log.slice(8, 7) == ()


def test_bytes_follow_appends_cuts_and_compaction() -> None:
    """The payload in memory is accounted exactly."""
    log = log_of(1, 1, 2, 2)
    assert log.payload_bytes == 8
    log.truncate(4)
    log.compact(1)
    assert (log.payload_bytes, log.first_index, log.last_index, log.base_term) == (4, 2, 3, 1)
    log.reset(9, 5)
    assert (log.payload_bytes, log.last_index, log.last_term) == (0, 9, 5)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=8), st.integers(1, 10), st.data())
def test_slice_by_bytes_takes_all_that_fits_and_at_least_one(
    payloads: list[bytes], bytes_max: int, data: st.DataObject
) -> None:
    """Against the definition, one entry after the other."""
    log = RaftLog(3, 1, [entry(4 + n, 1, payload) for n, payload in enumerate(payloads)])
    first = data.draw(st.integers(4, log.last_index))
    last = data.draw(st.integers(first, log.last_index))
    taken, size = log.slice_bytes(first, last, bytes_max)
    assert taken == log.slice(first, first + len(taken) - 1)
    assert size == sum(len(each.payload) for each in taken)
    assert len(taken) == 1 or size <= bytes_max
    if taken[-1].index < last:
        assert size + len(log.slice(taken[-1].index + 1, taken[-1].index + 1)[0].payload) > bytes_max


@given(st.lists(st.integers(2, 6), max_size=8).map(sorted), st.integers(0, 12), st.integers(0, 7))
def test_the_last_entry_not_above_a_term_is_found(terms: list[int], index: int, term: int) -> None:
    """Against a walk back from `index`; below the base the answer only promises to be below it."""
    log = log_of(*terms, base=3, base_term=2)
    index = min(index, log.last_index)
    found = log.last_not_above(index, term)
    known = [at for at in range(3, index + 1) if (log.term_at(at) or 0) <= term]
    assert found == max(known) if known else found < 3


def test_broken_appends_and_cuts_are_refused() -> None:
    """Gaps, falling terms, and cuts or compactions outside the log are our own bugs: they crash."""
    log = log_of(1, 2)
    for bad in ([entry(4, 2)], [entry(3, 2), entry(5, 2)], [entry(3, 1)]):
        with pytest.raises(AssertionError):
            log.append(bad)
    with pytest.raises(AssertionError):
        log.truncate(3)
    with pytest.raises(AssertionError):
        log.compact(3)
    log.compact(1)
    with pytest.raises(AssertionError):
        log.slice(1, 2)
    with pytest.raises(AssertionError):
        log.slice_bytes(2, 3, 9)
