"""How a recovered log and the newest snapshot go together (PROTOCOL 8)."""

import pytest

from tests.storage.model import GENESIS, entry, meta
from trikv.raft.ready import WriteJob
from trikv.raft.types import HardState, SnapshotMeta
from trikv.storage.errors import StorageCorrupt
from trikv.storage.recovery import StartPlan, plan

STATE = HardState(3, None)
ENTRIES = [entry(5, 1), entry(6, 2), entry(7, 2)]


def test_no_snapshot_yet() -> None:
    """A young log stands alone."""
    assert plan(GENESIS, [entry(1)], STATE, None) == StartPlan(GENESIS, (entry(1),), STATE, None)


@pytest.mark.parametrize("newest", [meta(4), meta(5), meta(7, 2)])
def test_the_log_holds_the_snapshot(newest: SnapshotMeta) -> None:
    """Held as base or as entry: the log is kept whole."""
    assert plan(meta(4), ENTRIES, STATE, newest) == StartPlan(meta(4), tuple(ENTRIES), STATE, None)


@pytest.mark.parametrize("newest", [meta(8, 3), meta(6, 3), meta(100, 3)])
def test_the_log_is_behind_or_conflicts(newest: SnapshotMeta) -> None:
    """An installed snapshot whose reset was not recorded: entries go, the hard state stays."""
    found = plan(meta(4), ENTRIES, STATE, newest)
    assert found == StartPlan(newest, (), STATE, WriteJob(number=0, reset=newest))


@pytest.mark.parametrize("newest", [None, meta(3)])
def test_base_beyond_the_snapshot(newest: SnapshotMeta | None) -> None:
    """A snapshot is missing: the entries it held are nowhere on this disk."""
    with pytest.raises(StorageCorrupt, match="begins after index 4"):
        plan(meta(4), ENTRIES, STATE, newest)


def test_terms_disagree_at_the_base() -> None:
    """Two terms at one committed index cannot be."""
    with pytest.raises(StorageCorrupt, match="disagree"):
        plan(meta(4), ENTRIES, STATE, meta(4, 2))
