"""Wall clocks that deviate: who is named, from when on, and how often."""

import pytest
import structlog

from trikv.node.consensus.clock_watch import DEVIATION_MS_MAX, WARNING_INTERVAL_MS, ClockWatch
from trikv.raft.types import PeerClock

WALL_MS = 1_700_000_000_000


def clock(ahead_ms: int) -> PeerClock:
    """What a peer reported whose clock is so far ahead of ours."""
    return PeerClock(wall_ms=WALL_MS + ahead_ms, own_wall_ms=WALL_MS, came_ms=0)


def warned(watch: ClockWatch, now_ms: int, **ahead_ms: int) -> list[tuple[int, int]]:
    """Look once at peers (``n2=5``); whom it warns of, and by how much."""
    with structlog.testing.capture_logs() as lines:
        watch.look(now_ms, {int(name[1:]): clock(by) for name, by in ahead_ms.items()})
    assert all(line["log_level"] == "warning" for line in lines)
    return [(line["peer"], line["by_ms"]) for line in lines]


@pytest.mark.parametrize("by_ms", [0, DEVIATION_MS_MAX, -DEVIATION_MS_MAX])
def test_what_a_round_trip_explains_is_no_deviation(by_ms: int) -> None:
    """Up to a second, in both directions, nobody is bothered."""
    assert warned(ClockWatch(), 0, n2=by_ms) == []


def test_every_peer_that_deviates_is_named_with_its_sign() -> None:
    """In the order of their ids: ahead is positive, behind is negative."""
    watch = ClockWatch()
    assert warned(watch, 0, n3=-5_000, n2=DEVIATION_MS_MAX + 1, n4=3) == [(2, 1_001), (3, -5_000)]


def test_a_deviation_is_told_once_a_minute() -> None:
    """A clock that stays wrong fills no log; one that is mended meanwhile is not told again."""
    watch = ClockWatch()
    assert warned(watch, 10_000, n2=2_000) == [(2, 2_000)]
    assert warned(watch, 10_000 + WARNING_INTERVAL_MS - 1, n2=2_000) == []
    assert warned(watch, 10_000 + WARNING_INTERVAL_MS, n2=2_000) == [(2, 2_000)]
    assert warned(watch, 10_000 + 2 * WARNING_INTERVAL_MS, n2=0) == []
    assert warned(watch, 10_001 + 2 * WARNING_INTERVAL_MS, n2=2_000) == [(2, 2_000)]
