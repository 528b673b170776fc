"""Proposals while their own node is inside an entry that takes long (PROTOCOL 61)."""

import attrs

from tests.node.consensus.test_proposals import BIG, LIMITS, opened, sequences
from tests.node.recorded_work import appending


def test_nothing_is_sent_again_or_given_up_inside_an_entry() -> None:
    """Its own node is the one that is late: no time of waiting counts that falls into the entry."""
    proposals, _ = opened()
    first, second = appending(1), appending(2)
    proposals.submit([first.work], 0)
    assert sequences(proposals.outgoing(0, BIG)) == [1]
    proposals.stand_still(4_000)
    assert proposals.stands_still
    assert proposals.deadline_ms() is None, "the driver would take turn after turn"
    proposals.submit([second.work], 9_000)
    for now_ms in (9_000, 30_000):
        proposals.tick(now_ms)
        proposals.nudge(now_ms)
        proposals.rewind(now_ms)
        assert proposals.expire(now_ms) == []
    assert sequences(proposals.outgoing(9_500, BIG)) == [2], "what is new goes on its way"
    assert sequences(proposals.outgoing(30_000, BIG)) == []
    proposals.move_again(40_000)
    proposals.tick(40_000)
    assert sequences(proposals.outgoing(40_000, BIG)) == [1, 2], "what was put off comes now, once"
    # 4 of its 10 seconds had passed for the first, none for the second.
    assert proposals.expire(45_999) == []
    assert [work for work, _ in proposals.expire(46_000)] == [first.work]
    assert proposals.expire(49_999) == []
    assert [work for work, _ in proposals.expire(50_000)] == [second.work]


def test_what_waits_for_a_sequence_has_its_time_again_behind_an_entry() -> None:
    """It was refused as nothing that was done, but it could not have been answered either."""
    proposals, _ = opened(attrs.evolve(LIMITS, window_proposals_max=1))
    asked = [appending(number) for number in range(3)]
    proposals.submit([one.work for one in asked], 0)
    proposals.outgoing(0, BIG)
    proposals.stand_still(1_000)
    proposals.move_again(21_000)
    assert proposals.expire(29_999) == []
    assert [work for work, _ in proposals.expire(30_000)] == [asked[1].work, asked[2].work, asked[0].work]


def test_progress_is_waited_for_again_behind_an_entry() -> None:
    """The window is not sent again at once, as if the leader had been silent all the time."""
    proposals, _ = opened()
    proposals.submit([appending(1).work], 0)
    proposals.outgoing(0, BIG)
    proposals.stand_still(100)
    proposals.tick(4_900)
    proposals.move_again(5_000)
    proposals.tick(5_000)
    assert proposals.outgoing(5_000, BIG) == []
    proposals.tick(5_000 + LIMITS.resend_after_ms)
    assert sequences(proposals.outgoing(5_500, BIG)) == [1]
