"""Who waits for a sequence: taken once, by this incarnation alone."""

from tests.node.recorded_work import Asked
from trikv.node.waiters import Waiters


def waiting(*sequences: int, incarnation: int = 5) -> tuple[Waiters, dict[int, Asked]]:
    """Waiters of an incarnation, with a work for each of the sequences."""
    waiters = Waiters()
    waiters.reopen(incarnation)
    asked = {sequence: Asked((b"SET", b"k", b"v")) for sequence in sequences}
    for sequence, one in asked.items():
        waiters.expect(sequence, one.work)
    return waiters, asked


def test_a_work_is_taken_once() -> None:
    """However often the log brings its sequence by, a client has one answer."""
    waiters, asked = waiting(1, 2)
    assert waiters.take(5, 1) is asked[1].work
    assert waiters.take(5, 1) is None
    assert waiters.take(5, 3) is None
    assert len(waiters) == 1


def test_another_incarnations_sequence_is_nobodys() -> None:
    """The same number of an earlier life was another command; who waits goes on waiting."""
    waiters, asked = waiting(1)
    assert waiters.take(4, 1) is None
    assert waiters.take(5, 1) is asked[1].work


def test_those_below_a_sequence_come_in_order() -> None:
    """A snapshot has passed them by: each is told, the oldest first, and the others still wait."""
    waiters, asked = waiting(3, 1, 7, 2)
    assert waiters.take_below(3) == [asked[1].work, asked[2].work]
    assert len(waiters) == 2
    assert waiters.take_below(3) == []


def test_nobody_waits_in_a_new_incarnation() -> None:
    """By the old one nothing can apply any more: who waited was given a sequence of the new one, or told."""
    waiters, _ = waiting(1, 2)
    waiters.reopen(9)
    assert (waiters.incarnation, len(waiters)) == (9, 0)
    assert waiters.take(9, 1) is None
