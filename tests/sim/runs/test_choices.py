"""Every way in which a command may go is gone, and each only once."""

from itertools import combinations

from trikv.sim.checkers.choices import Choices, ways


def test_every_selection_is_one_way() -> None:
    """As many as there are, whatever the number of items."""
    items = [b"a", b"b", b"c", b"d"]
    for count in range(5):

        def run(choices: Choices, count: int = count) -> tuple[bytes, ...]:
            return tuple(choices.some(items, count))

        assert sorted(ways(run)) == sorted(combinations(items, count))


def test_a_later_fork_may_depend_on_an_earlier_one() -> None:
    """Two draws from what is left after the first."""

    def run(choices: Choices) -> tuple[bytes, bytes]:
        (first,) = choices.some([b"a", b"b", b"c"], 1)
        (second,) = choices.some([each for each in (b"a", b"b", b"c") if each != first], 1)
        return first, second

    found = list(ways(run))
    assert len(found) == len(set(found)) == 6


def test_without_a_fork_there_is_one_way() -> None:
    """What does not draw is run once."""
    assert list(ways(lambda _: 7)) == [7]
