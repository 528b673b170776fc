"""Elements that are drawn: each is as likely as any other, wherever it is."""

from collections import Counter

import pytest

from trikv.machine.draws import Draws
from trikv.machine.values.set import Set

DRAWN = 20
"""How often each is drawn on average."""


@pytest.mark.parametrize("count", [1, 100, 300, 511, 513, 1500, 2000])
def test_each_element_is_as_likely_as_any_other(count: int) -> None:
    """In one part, among parts of which none, half or nearly all were split once more."""
    one = Set(0, b"secret")
    one.put_each([b"m%d" % at for at in range(count)])
    draws = Draws(1, count)
    drawn = Counter(one.drawn(draws)[0] for _ in range(DRAWN * count))
    assert len(drawn) == count
    assert max(drawn.values()) <= 3 * DRAWN
    # By part: what was drawn differs from its share by no more than five standard deviations.
    for part in one.parts:
        mean = DRAWN * len(part)
        assert abs(sum(drawn[name] for name in part) - mean) <= 5 * mean**0.5


def test_what_is_popped_is_gone() -> None:
    """All of them, each once, through every merger of parts."""
    one = Set(0, b"secret")
    names = [b"m%d" % at for at in range(1500)]
    one.put_each(names)
    draws = Draws(2)
    assert sorted(one.pop(draws) for _ in names) == sorted(names)
    assert (one.count, one.charge) == (0, one.recounted())
