"""Elements that are drawn: each is as likely as any other, wherever it is."""

from collections import Counter

import pytest

from trikv.machine.draws import Draws, key_of
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


@pytest.mark.parametrize("count", [1, 100, 1500])
def test_popping_many_is_popping_each(count: int) -> None:
    """Through every merger of parts, and where another value has the parts too."""
    one = Set(0, b"secret")
    one.put_each([b"m%d" % at for at in range(count)])
    other = one.twin(1)
    keys = [key_of(1, 2, 3, 4, at) for at in range(count)]
    together = one.twin(2)
    assert together.pop_each(keys) == [other.pop(Draws.keyed(key)) for key in keys]
    assert (one.count, one.charge) == (count, one.recounted())
    for each in (together, other):
        assert (each.count, each.charge) == (0, each.recounted())


def test_a_document_of_nearly_empty_parts_is_refused() -> None:
    """No value comes to be so. A draw would look for its elements among thousands of gaps."""
    one = Set(0, b"secret")
    one.put_each([b"m%d" % at for at in range(300)])
    for is_full in (True, False):
        restored = Set.begun(1, b"secret", one.shape())
        for part in one.parts:
            restored.restore(one.elements(part)[: None if is_full else 60])
        if is_full:
            restored.finish()
        else:
            with pytest.raises(ValueError, match="120 elements do not fill 2 parts"):
                restored.finish()
