"""How much of the log stays in memory."""

import tracemalloc
from typing import cast

import attrs
from hypothesis import given
from hypothesis import strategies as st

from tests.node.driver_rig import leading
from trikv.node.consensus.retention import Retention, RetentionSettings
from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck
from trikv.raft.types import Entry, EntryKind

SETTINGS = RetentionSettings(tail_bytes=1_000, follower_bytes=5_000, follower_silent_ms=30_000)


@attrs.define
class Follower:
    """What a leader knows of a peer."""

    match: int
    last_ack_ms: int = 0


@attrs.define
class FakeRaft:
    """A log in memory, entries of 100 bytes each unless given."""

    last_index: int
    durable_index: int
    progress: dict[int, Follower] = attrs.field(factory=dict)
    first_index: int = 1
    entry_bytes: int = 100

    @property
    def log_bytes(self) -> int:
        return (self.last_index - self.first_index + 1) * self.entry_bytes

    def entries_between(self, first: int, last: int) -> list[Entry]:
        assert first >= self.first_index
        payload = bytes(self.entry_bytes)
        return [Entry(index, 1, EntryKind.BATCH, payload) for index in range(first, last + 1)]

    def compact(self, index: int) -> None:
        assert self.first_index <= index <= self.last_index
        self.first_index = index + 1


def trim(raft: FakeRaft, *, applied: int | None = None, now_ms: int = 0) -> int:
    """Trim; how many entries stay."""
    Retention(SETTINGS).trim(cast("Raft", raft), raft.last_index if applied is None else applied, now_ms)
    return raft.last_index - raft.first_index + 1


def test_tail_stays_whatever_is_applied() -> None:
    """A follower back from a short absence finds the newest thousand bytes."""
    assert trim(FakeRaft(10, 10)) == 10
    assert trim(FakeRaft(700, 700)) == 10


def test_what_is_not_applied_or_not_durable_stays() -> None:
    """Memory is the only place from which those could be taken."""
    assert trim(FakeRaft(40, 40), applied=15) == 25
    assert trim(FakeRaft(40, 12)) == 28


def test_follower_that_answers_is_waited_for_up_to_a_bound() -> None:
    """The log grows to `follower_bytes` for its sake, not beyond; not after half a minute of silence."""
    assert trim(FakeRaft(45, 45, {2: Follower(5)})) == 40
    assert trim(FakeRaft(90, 90, {2: Follower(5)})) == 50
    assert trim(FakeRaft(45, 45, {2: Follower(5)}), now_ms=30_000) == 10


def test_another_look_is_due_after_a_step() -> None:
    """Growth alone makes it due, counted from what the last look had to leave, and never below the tail."""
    retention = Retention(attrs.evolve(SETTINGS, step_bytes=300))
    retention.trim(cast("Raft", FakeRaft(2, 2)), 2, 0)
    assert next(size for size in range(0, 2_000, 100) if retention.is_due(size)) == 1_300
    retention.trim(cast("Raft", FakeRaft(45, 45, {2: Follower(0)})), 45, 0)
    assert not retention.is_due(4_700)
    assert retention.is_due(4_800)


def test_a_leader_drops_as_it_writes() -> None:
    """However much is written before a second is over: the tail and a step, no more."""
    desk = leading()
    settings = attrs.evolve(SETTINGS, step_bytes=500)
    desk.driver._retention = Retention(settings)
    most = 0
    for _ in range(100):
        desk.submit(b"SET", b"k", bytes(100))
        desk.sync()
        for peer in desk.raft.progress:
            desk.hear(peer, AppendAck(2, desk.raft.last_index))
        most = max(most, desk.raft.log_bytes)
    assert settings.tail_bytes < most < settings.tail_bytes + settings.step_bytes + 300


def test_an_entry_holds_no_more_memory_than_its_payload() -> None:
    """What is counted as a log's bytes is what it takes: the encoder's spare room stays with the encoder."""
    desk = leading()
    before = desk.raft.log_bytes
    tracemalloc.start()
    try:
        desk.driver._leading.propose([bytes(60_000 + 100 * number) for number in range(50)], desk.host.now_ms)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert desk.raft.log_bytes - before > 3_000_000
    assert taken < 1.1 * (desk.raft.log_bytes - before)


@given(
    last=st.integers(1, 900),
    durable=st.integers(0, 900),
    applied=st.integers(0, 900),
    matches=st.lists(st.integers(0, 900), max_size=4),
    first=st.integers(1, 900),
)
def test_never_drops_what_is_needed_nor_keeps_too_much(
    last: int, durable: int, applied: int, matches: list[int], first: int
) -> None:
    """Dropped: applied, durable, beyond the tail. Kept at most: the follower's bytes, or what is not done."""
    first, durable, applied = min(first, last), min(durable, last), min(applied, last)
    raft = FakeRaft(last, durable, {n: Follower(min(m, last)) for n, m in enumerate(matches)}, first)
    kept = trim(raft, applied=applied)
    if raft.first_index != first:
        assert raft.first_index - 1 <= min(durable, applied)
        assert kept >= 10
    done = min(durable, applied)
    assert kept <= max(50, last - done, 10)
    once = raft.first_index
    trim(raft, applied=applied)
    assert raft.first_index == once, "a second look finds nothing to do"


def test_with_nothing_to_keep_all_that_is_done_goes() -> None:
    """A tail of no bytes is an empty log in memory, whatever its entries weigh."""
    raft = FakeRaft(600, 600)
    settings = RetentionSettings(tail_bytes=0, follower_bytes=0, follower_silent_ms=30_000)
    Retention(settings).trim(cast("Raft", raft), 600, 0)
    assert raft.first_index == 601
