"""The total of all clients' input: what counts, who is let in, who goes first."""

import pytest

from trikv.front.inputs import DEFAULT_BYTES_MIN, LARGE_BYTES, SMALL_BYTES, InputTotal, bytes_max

MIB = 1 << 20


@pytest.mark.parametrize(
    ("configured", "cap", "wanted"),
    [
        (0, 256 * MIB, 64 * MIB),
        (0, 1024 * MIB, 256 * MIB),
        (0, 32 * MIB, DEFAULT_BYTES_MIN),
        (0, 0, DEFAULT_BYTES_MIN),
        (16 * MIB, 1024 * MIB, 16 * MIB),
    ],
)
def test_the_total_follows_the_cap_unless_it_is_configured(configured: int, cap: int, wanted: int) -> None:
    """A quarter of the cap in force, at least 64 MiB; what an operator gives goes before."""
    assert bytes_max(configured, cap) == wanted


def test_small_input_is_neither_counted_nor_given_up() -> None:
    """Connections with commands of the usual size never appear, however many they are."""
    total = InputTotal()
    for number in range(10_000):
        total.note(number, SMALL_BYTES)
    assert (total.total, total.largest_first(), total.goal(0)) == (0, [], None)
    total.note(1, SMALL_BYTES + 1)
    assert (total.total, total.largest_first()) == (SMALL_BYTES + 1, [1])
    total.note(1, 0)
    assert (total.total, total.largest_first()) == (0, [])


def test_the_largest_go_first_and_down_to_the_goal() -> None:
    """Past the total a sixteenth of it is made free, from the largest on."""
    total = InputTotal()
    for number, size in ((1, 50_000), (2, 90_000), (3, 20_000)):
        total.note(number, size)
    assert total.goal(160_000) is None
    total.note(3, 30_000)
    assert total.goal(160_000) == 150_000
    assert total.largest_first() == [2, 1, 3]
    total.note(2, 10_000)
    assert total.largest_first() == [1, 3, 2]


def test_what_is_in_flight_counts_and_keeps_room_for_others() -> None:
    """Large requests may fill three quarters of the total, others seven eighths; alone anything goes.

    So giving up all that waits always brings the total down to where the search for the largest ends.
    """
    total = InputTotal()
    most = 16 * LARGE_BYTES
    assert total.has_room(2 * most, most)
    total.in_flight = 12 * LARGE_BYTES
    assert total.total == total.in_flight
    assert not total.has_room(LARGE_BYTES + 1, most)
    assert total.has_room(LARGE_BYTES, most)
    total.in_flight = 14 * LARGE_BYTES
    assert not total.has_room(SMALL_BYTES + 1, most)
    total.note(1, 2 * LARGE_BYTES + 5_000)
    goal = total.goal(most)
    assert goal == most - LARGE_BYTES
    assert goal > total.in_flight
