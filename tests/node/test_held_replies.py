"""The memory of replies that wait: what several clients ask for counts once, while one holds it."""

from collections.abc import Iterator

from tests.front.doubles import FakeWire
from trikv.front.outflow import AHEAD_BYTES, PART_BYTES, SHARED_BYTES_MIN, SHARED_MAX, Outflow
from trikv.machine.replies import Reply
from trikv.node.held_replies import HeldReplies

LONG = SHARED_BYTES_MIN
HEAD = 16
"""Bytes of a part that are no value."""


class Taker:
    """A conversation that takes whatever is made."""

    def send_part(self, data: bytes) -> None:
        del data

    def poured(self) -> None:
        raise AssertionError("it has made its last part")

    def end_slow(self, reason: str) -> None:
        raise AssertionError(reason)

    def end(self, reason: str) -> None:
        raise AssertionError(reason)


def outflow(*replies: Reply, part_bytes: int = PART_BYTES) -> Outflow:
    """One that is made from `replies`, `part_bytes` at a time."""
    held = list(replies)

    def parts() -> Iterator[tuple[bytes, bool]]:
        while held:
            yield bytes(part_bytes), True

    return Outflow(parts(), Taker(), FakeWire(), AHEAD_BYTES, held)


def test_a_string_that_many_have_asked_for_counts_once() -> None:
    """Wherever it stands in a reply; one of equal content is another, and short ones count each time."""
    first, second, short = bytes(LONG), bytes(LONG + 1), bytes(LONG - 1)
    outflows = [
        outflow(first, short),
        outflow([first, (second,), {b"k": second}], 1),
        outflow(bytes(bytearray(LONG)), short),
    ]
    held = HeldReplies(outflows)
    assert held.total_bytes == LONG + (LONG + 1) + 1 + LONG + 2 * (LONG - 1)


def test_what_is_let_go_stays_for_others() -> None:
    """The last holder lets it go for good; one that asked for it twice holds it twice."""
    value = bytes(LONG)
    both = [outflow(value, value, b"x" * 10), outflow(value)]
    held = HeldReplies(both)
    assert held.total_bytes == LONG + 10
    held.let_go(both[0])
    assert held.total_bytes == LONG
    held.let_go(both[1])
    assert held.total_bytes == 0


def test_what_was_made_holds_nothing() -> None:
    """From the front: what may have been let go is not looked for, and what is under way counts alone."""
    values = [bytes(LONG) for _ in range(4)]
    under_way, waiting = outflow(*values, part_bytes=LONG + HEAD), outflow(*values)
    assert under_way.pour()
    held = HeldReplies([under_way])
    assert held.total_bytes == 3 * LONG - HEAD
    assert [identity for identity, _ in under_way.held_strings()] == [id(values[3]), id(values[2])]
    assert HeldReplies([under_way, waiting]).total_bytes == 4 * LONG + (LONG - HEAD)


def test_only_the_last_strings_are_looked_for() -> None:
    """The others count for each who has asked for them: a bound on the time, and clients go too early."""
    values = [bytes(LONG) for _ in range(SHARED_MAX + 1)]
    assert HeldReplies([outflow(*values), outflow(*values)]).total_bytes == (SHARED_MAX + 2) * LONG
