"""Followers that lost what they acknowledged: who is named, and how often."""

import structlog

from trikv.node.consensus.lost_entries import ERROR_INTERVAL_MS, LostEntries
from trikv.raft.progress import DENIALS_MIN, Progress


def follower(match: int, denials: int) -> Progress:
    """What a leader knows of one that has acknowledged `match` and denied it so often."""
    progress = Progress(1, 0)
    progress.acked(match, 0)
    for _ in range(denials):
        progress.denied(0)
    return progress


def named(watch: LostEntries, now_ms: int, followers: dict[int, Progress]) -> list[tuple[int, int]]:
    """Look once: whom it names, and what these had acknowledged."""
    with structlog.testing.capture_logs() as lines:
        watch.look(now_ms, followers)
    assert all(line["log_level"] == "error" and "--refill" in line["event"] for line in lines)
    return [(line["peer"], line["acknowledged"]) for line in lines]


def test_each_that_has_lost_entries_is_named() -> None:
    """In the order of their ids; who denied once or twice may have answered late."""
    followers = {
        4: follower(9, DENIALS_MIN),
        3: follower(7, DENIALS_MIN - 1),
        2: follower(5, DENIALS_MIN + 1),
    }
    assert named(LostEntries(), 0, followers) == [(2, 5), (4, 9)]


def test_they_are_named_once_a_minute() -> None:
    """As long as they stay; nobody is named before there is one."""
    watch = LostEntries()
    assert named(watch, 10_000, {2: follower(5, 0)}) == []
    assert named(watch, 10_001, {2: follower(5, DENIALS_MIN)}) == [(2, 5)]
    assert named(watch, 10_000 + ERROR_INTERVAL_MS, {2: follower(5, DENIALS_MIN)}) == []
    assert named(watch, 10_001 + ERROR_INTERVAL_MS, {2: follower(5, DENIALS_MIN)}) == [(2, 5)]
