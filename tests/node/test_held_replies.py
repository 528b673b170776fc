"""The memory of replies that wait: what several clients ask for counts once, while one holds it."""

from collections.abc import Iterator

from tests.front.doubles import FakeWire
from trikv.front.outflow import AHEAD_BYTES, PART_BYTES, Outflow
from trikv.front.shared_strings import SHARED_BYTES_MIN
from trikv.machine.replies import Reply
from trikv.node.held_replies import held_bytes, to_give_up

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


def outflow(*replies: Reply, part_bytes: int = PART_BYTES, sent_bytes: int = 0) -> Outflow:
    """One that is made from `replies`, `part_bytes` at a time."""
    held = list(replies)

    def parts() -> Iterator[tuple[bytes, bool]]:
        while held:
            yield bytes(part_bytes), True

    made = Outflow(parts(), Taker(), FakeWire(), AHEAD_BYTES, held)
    made.goes_on_behind(sent_bytes, ends_reply=True)
    return made


def test_a_string_that_many_have_asked_for_counts_once() -> None:
    """Wherever it stands in a reply; one of equal content is another, and short ones count each time."""
    first, second, short = bytes(LONG), bytes(LONG + 1), bytes(LONG - 1)
    outflows = [
        outflow(first, short),
        outflow([first, (second,), {b"k": second}], 1),
        outflow(bytes(bytearray(LONG)), short),
    ]
    assert held_bytes(outflows) == LONG + (LONG + 1) + 1 + LONG + 2 * (LONG - 1)


def test_what_was_made_holds_nothing() -> None:
    """From the front; what is under way counts alone."""
    values = [bytes(LONG) for _ in range(4)]
    under_way, waiting = outflow(*values, part_bytes=LONG + HEAD), outflow(*values)
    assert under_way.pour()
    assert held_bytes([under_way]) == 3 * LONG - HEAD
    assert held_bytes([under_way, waiting]) == 4 * LONG + (LONG - HEAD)
    begun = outflow(*values, sent_bytes=LONG + HEAD)
    assert held_bytes([begun]) == 3 * LONG - HEAD
    assert held_bytes([begun, waiting]) == 4 * LONG + (LONG - HEAD)


def test_who_frees_the_most_is_given_up() -> None:
    """What others hold as well is not freed, and who holds nothing else stays as long as it can."""
    value, short = bytes(10 * LONG), bytes(LONG - 1)
    sharing = [outflow(value), outflow(value, short)]
    alone = [outflow(bytes(LONG)), outflow(bytes(2 * LONG))]
    outflows = [*sharing, *alone, outflow(1)]
    total = held_bytes(outflows)
    assert total == 10 * LONG + (LONG - 1) + 3 * LONG
    assert to_give_up(outflows, total) == []
    assert to_give_up(outflows, total - 1) == [(alone[1], total)]
    found = to_give_up(outflows, 0)
    assert [one for one, _ in found] == [alone[1], alone[0], sharing[1], sharing[0]]
    assert [before for _, before in found] == [total, total - 2 * LONG, total - 3 * LONG, 10 * LONG]
