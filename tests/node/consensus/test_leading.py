"""What only the leader does: batches, clock entries, the founding entry, swaps."""

from collections.abc import Sequence
from typing import cast

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.raft.cluster import Cluster
from tests.raft.groups import led
from trikv.host.seam import Host
from trikv.machine.batch import Batch, Bootstrap, Forgotten, stamp_of
from trikv.machine.features import FEATURE_LEVEL
from trikv.node.consensus.leading import Leading, LeadingSettings
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.swap import Joiner
from trikv.node.state.applier import Applier
from trikv.raft.core import Raft
from trikv.raft.types import EntryKind, SnapshotMeta

SETTINGS = LeadingSettings(batch_bytes_max=1_000, clock_entry_interval_ms=5)


@attrs.define
class StillWorld:
    """Stands for a host: a wall clock that stands still, entropy that repeats itself."""

    @property
    def clock(self) -> "StillWorld":
        return self

    @property
    def entropy(self) -> "StillWorld":
        return self

    def wall_ms(self) -> int:
        return 1_000_000

    def bytes(self, count: int) -> bytes:
        return bytes(range(count))


@attrs.define
class Machine:
    """Stands for the machine: founded or not, with a next deadline."""

    feature_level: int = 1
    deadline_ms: int | None = None

    def next_deadline_ms(self) -> int | None:
        return self.deadline_ms


class FakeApplier:
    """Stands for the applier: how far it has got is said by the test."""

    def __init__(self, raft: Raft) -> None:
        self.machine = Machine()
        self._raft = raft
        self.index = raft.last_index

    @property
    def position(self) -> SnapshotMeta:
        return SnapshotMeta(self.index, self._raft.term, self._raft.membership)


@pytest.fixture
def group() -> Cluster:
    """Three nodes led by node 1."""
    return led(3)


class Leader:
    """A leader's duties over a real core, elected at boot time 1000."""

    def __init__(self, group: Cluster) -> None:
        self.raft = group.turn(1)
        self.applier = FakeApplier(self.raft)
        self.log_time = LogTime(0)
        self.leading = Leading(
            self.raft,
            cast("Applier", self.applier),
            self.log_time,
            cast("Host", StillWorld()),
            Bootstrap(777, FEATURE_LEVEL),
            SETTINGS,
        )
        self.first = self.raft.last_index + 1
        self.leading.elected(1_000)

    def batches(self) -> list[Batch]:
        """What was proposed since the election."""
        entries = self.raft.entries_between(self.first, self.raft.last_index)
        kinds = [entry for entry in entries if entry.kind is EntryKind.BATCH]
        return [msgspec.msgpack.decode(entry.payload, type=Batch) for entry in kinds]

    def clock_entries(self) -> int:
        """How many of those carry nothing but time."""
        return sum(not batch.items for batch in self.batches())


def items(count: int) -> list[bytes]:
    """Encoded items of some bytes each."""
    return [msgspec.msgpack.encode(Forgotten(1, 5, sequence)) for sequence in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2_500), max_size=30))
def test_items_are_joined_in_order_up_to_a_size(sizes: list[int]) -> None:
    """None lost, none twice, none out of turn; an entry passes the limit only where one item does."""
    leader = Leader(led(3))
    blobs = [msgspec.msgpack.encode([n, b"x" * size]) for n, size in enumerate(sizes)]
    assert leader.leading.propose(blobs, 1_000)
    seen: list[int] = []
    for entry in leader.raft.entries_between(leader.first, leader.raft.last_index):
        _, _, joined = msgspec.msgpack.decode(entry.payload)
        numbers = [number for number, _ in joined]
        seen += numbers
        assert sum(len(blobs[number]) for number in numbers) <= 1_000 or len(numbers) == 1
    assert seen == list(range(len(sizes)))
    assert not sizes or leader.raft.last_index - leader.first < len(sizes)


def test_entries_carry_rising_stamps_and_a_seed(group: Cluster) -> None:
    """The stamp is log time by the quorum's clocks; a peer reads it from the bytes alone."""
    leader = Leader(group)
    assert leader.leading.propose(items(1), 1_000)
    assert leader.leading.propose(items(2), 1_250)
    first, second = leader.batches()
    assert second.stamp_ms - first.stamp_ms == 250
    assert first.seed == int.from_bytes(bytes(range(8)), "big")
    payload = leader.raft.entries_between(leader.raft.last_index, leader.raft.last_index)[0].payload
    assert stamp_of(payload) == second.stamp_ms


def test_refused_proposals_are_reported(group: Cluster) -> None:
    """While leadership is handed over nothing is taken: the caller sends again later."""
    leader = Leader(group)
    assert leader.raft.transfer(2)
    assert not leader.leading.propose(items(1), 1_000)
    assert leader.leading.propose([], 1_000), "nothing to propose is no refusal"
    assert leader.batches() == []


def test_clock_entry_once_a_key_is_due_one_at_a_time_and_five_ms_apart(group: Cluster) -> None:
    """While one is under way, no other; the timer says when the next deadline comes."""
    leader = Leader(group)
    leader.applier.machine.deadline_ms = leader.log_time.now_ms(1_000) + 200
    assert leader.leading.deadline_ms() == 1_200
    leader.leading.keep_up(1_199)
    assert leader.clock_entries() == 0
    leader.leading.keep_up(1_200)
    assert leader.clock_entries() == 1
    assert leader.leading.deadline_ms() is None, "its application asks again"
    leader.leading.keep_up(1_300)
    assert leader.clock_entries() == 1
    leader.applier.index = leader.raft.last_index
    leader.leading.keep_up(1_204)
    assert leader.clock_entries() == 1
    assert leader.leading.deadline_ms() == 1_205
    leader.leading.keep_up(1_205)
    assert leader.clock_entries() == 2


def test_a_clock_entry_that_is_refused_is_tried_again_at_its_distance(group: Cluster) -> None:
    """A leader that hands over takes nothing; asked without a pause, the node would turn on the spot."""
    leader = Leader(group)
    leader.applier.machine.deadline_ms = leader.log_time.now_ms(1_000) + 200
    assert leader.raft.transfer(2)
    leader.leading.keep_up(1_200)
    assert leader.clock_entries() == 0
    assert leader.leading.deadline_ms() == 1_205


def test_no_deadline_no_timer(group: Cluster) -> None:
    """A cluster without lifetimes writes no clock entries."""
    leader = Leader(group)
    assert leader.leading.deadline_ms() is None
    leader.leading.keep_up(9_000)
    assert leader.batches() == []


def test_first_leader_writes_members_and_settings_once(group: Cluster) -> None:
    """The log itself names the members and the cap; nothing else is done before."""
    leader = Leader(group)
    leader.applier.machine.feature_level = 0
    leader.applier.machine.deadline_ms = 0
    assert not leader.leading.is_founded
    leader.leading.keep_up(1_000)
    leader.leading.keep_up(1_100)
    kinds = [entry.kind for entry in leader.raft.entries_between(leader.first, leader.raft.last_index)]
    assert kinds == [EntryKind.MEMBERSHIP, EntryKind.BATCH]
    assert [batch.items for batch in leader.batches()] == [(Bootstrap(777, FEATURE_LEVEL),)]


def test_only_a_disk_whose_release_knows_the_rules_joins(group: Cluster) -> None:
    """An older release would carry out the log differently."""
    leader = Leader(group)
    leader.applier.machine.feature_level = FEATURE_LEVEL
    joiner = Joiner(b"d" * 16, "", 0)
    leader.leading.asked_to_join(2, joiner, knows=FEATURE_LEVEL - 1)
    assert not leader.leading.joiners
    leader.leading.asked_to_join(2, joiner, knows=FEATURE_LEVEL)
    assert leader.leading.joiners == {2: joiner}


def test_nothing_is_done_before_the_terms_first_entry_has_applied(group: Cluster) -> None:
    """A new leader's machine may be far behind its log: what it shows is no ground to act on."""
    leader = Leader(group)
    leader.applier.machine.deadline_ms = 0

    class Behind(FakeApplier):
        @property
        def position(self) -> SnapshotMeta:
            return SnapshotMeta(0, 0, leader.raft.membership)

    behind = Leading(
        leader.raft,
        cast("Applier", Behind(leader.raft)),
        leader.log_time,
        cast("Host", StillWorld()),
        Bootstrap(0),
        SETTINGS,
    )
    behind.keep_up(5_000)
    assert leader.batches() == []


def test_blank_disk_that_asks_is_swapped_in_one_change_at_a_time(group: Cluster) -> None:
    """The first change removes the lost disk; the next waits for it to commit."""
    leader = Leader(group)
    leader.leading.joiners[3] = Joiner(b"a new disk......", "", 1_000)
    leader.leading.keep_up(1_000)
    assert ids(leader.raft) == [1, 2]
    leader.leading.keep_up(1_001)
    assert ids(leader.raft) == [1, 2]


def ids(raft: Raft) -> Sequence[int]:
    """The members in force."""
    return [member.id for member in raft.membership.members]


def test_a_refusal_ends_the_row_of_entries(group: Cluster) -> None:
    """What is behind a refused entry must not be proposed before it: the caller sends all again, in order."""
    leader = Leader(group)
    before = leader.raft.last_index
    assert leader.raft.transfer(2)
    blobs = [msgspec.msgpack.encode([number, b"x" * 900]) for number in range(3)]
    assert not leader.leading.propose(blobs, 1_000)
    assert leader.raft.last_index == before


def test_a_founding_that_is_refused_is_tried_again_in_the_same_term(
    group: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The members are being changed, or the leader hands over: the settings are written when it may again."""
    leader = Leader(group)
    leader.applier.machine.feature_level = 0
    with monkeypatch.context() as patched:
        patched.setattr(leader.raft, "propose", lambda _: None)
        leader.leading.keep_up(1_000)
        assert leader.batches() == []
    leader.leading.keep_up(1_010)
    leader.leading.keep_up(1_020)
    assert [batch.items for batch in leader.batches()] == [(Bootstrap(777, FEATURE_LEVEL),)]
