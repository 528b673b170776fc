"""Submissions of several clients that travel as one proposal: which, how many, and whose reply is whose."""

import attrs
import pytest

from tests.node.consensus.test_proposals import BIG, LIMITS, items_of, opened, sequences
from tests.node.recorded_work import Asked
from trikv.machine.batch import Submission


def test_single_commands_of_one_turn_travel_as_one_proposal() -> None:
    """One sequence for all of them; each is answered with the reply of its own step."""
    proposals, waiters = opened(attrs.evolve(LIMITS, join_max=3))
    asked = [Asked((b"INCRBY", b"n", b"%d" % number)) for number in range(5)]
    for one in asked:
        proposals.submit([one.work], 0)
    joined, rest = items_of(proposals.outgoing(0, BIG))
    assert isinstance(joined, Submission)
    assert (joined.sequence, joined.commands) == (1, tuple(one.work.commands[0] for one in asked[:3]))
    assert isinstance(rest, Submission)
    assert (rest.sequence, len(rest.commands)) == (2, 2)
    work = waiters.take(5, 1)
    assert work is not None
    work.answered([b"a", b"b", b"c"])
    proposals.applied_below(2, 0)
    assert [one.outcomes for one in asked] == [[[b"a"]], [[b"b"]], [[b"c"]], [], []]
    for lapsed, error in proposals.expire(10_000):
        lapsed.failed(error)
    assert [one.code for one in asked] == ["OK", "OK", "OK", "INDETERMINATE", "INDETERMINATE"]


@pytest.mark.parametrize(
    "other",
    [
        Asked((b"SET", b"k", b"v"), db=1),
        Asked((b"SET", b"k", b"v"), (b"SELECT", b"2"), joins=False),
        Asked((b"SET", b"k", b"v" * 20_000)),
        Asked(*[(b"INCR", b"k")] * 9),
    ],
    ids=["another database", "changes the database", "long", "many commands"],
)
def test_whatever_else_travels_alone(other: Asked) -> None:
    """What may change the database for those behind it, is for another one, or is much, joins nobody."""
    proposals, _ = opened(attrs.evolve(LIMITS, join_max=9))
    plain = [Asked((b"SET", b"k", b"v")) for _ in range(2)]
    for one in (plain[0], other, plain[1]):
        proposals.submit([one.work], 0)
    items = items_of(proposals.outgoing(0, BIG))
    assert [item.commands for item in items if isinstance(item, Submission)] == [
        one.work.commands for one in (plain[0], other, plain[1])
    ]


def test_pipelines_of_writes_are_joined_too() -> None:
    """Each client gets the replies of its own commands, in order."""
    proposals, waiters = opened(attrs.evolve(LIMITS, join_max=9))
    asked = [Asked(*[(b"INCR", b"n")] * count) for count in (2, 1, 3)]
    proposals.submit([one.work for one in asked], 0)
    assert sequences(proposals.outgoing(0, BIG)) == [1]
    work = waiters.take(5, 1)
    assert work is not None
    work.answered([1, 2, 3, 4, 5, 6])
    assert [one.outcomes for one in asked] == [[[1, 2]], [[3]], [[4, 5, 6]]]


def test_joined_works_go_on_in_a_life_begun_anew() -> None:
    """They stay together, under a sequence of the new life, and each is answered as ever."""
    proposals, waiters = opened(attrs.evolve(LIMITS, join_max=9))
    asked = [Asked((b"INCR", b"n")) for _ in range(3)]
    proposals.submit([one.work for one in asked], 0)
    assert sequences(proposals.outgoing(0, BIG)) == [1]
    proposals.disowned(b"another life's", 0)
    assert len(proposals.outgoing(0, BIG)) == 1, "Hello"
    proposals.opened(b"another life's", 9, b"", 0)
    (item,) = items_of(proposals.outgoing(0, BIG))
    assert isinstance(item, Submission)
    assert (item.incarnation, item.sequence, len(item.commands)) == (9, 1, 3)
    work = waiters.take(9, 1)
    assert work is not None
    work.answered([1, 2, 3])
    assert [one.outcomes for one in asked] == [[[1]], [[2]], [[3]]]


def test_what_is_joined_stays_small() -> None:
    """Commands are joined up to a number of bytes, and never to more than half of what an entry may hold."""
    asked = [Asked((b"SET", b"k", b"v" * 100)) for _ in range(6)]
    for limits in (
        attrs.evolve(LIMITS, join_max=9, join_bytes_max=320),
        attrs.evolve(LIMITS, join_max=9, entry_bytes_max=640),
    ):
        proposals, _ = opened(limits)
        for one in asked:
            proposals.submit([one.work], 0)
        items = items_of(proposals.outgoing(0, BIG))
        assert [len(item.commands) for item in items if isinstance(item, Submission)] == [3, 3]


def test_what_came_at_another_time_is_not_joined() -> None:
    """Each client is told of its own deadline, not of a neighbour's."""
    proposals, _ = opened(attrs.evolve(LIMITS, join_max=9))
    for moment in (0, 0, 7):
        proposals.submit([Asked((b"SET", b"k", b"v")).work], moment)
    assert sequences(proposals.outgoing(7, BIG)) == [1, 2]
