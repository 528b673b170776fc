"""Elements that are there twice are found, however many there are."""

import pytest

from trikv.rdb.errors import DamagedError
from trikv.rdb.unique import Unique


@pytest.mark.parametrize("count", [0, 1, 300, 10_000])
def test_what_came_before_is_known(count: int) -> None:
    """In one table or in many; the error names it, and where it was."""
    seen = Unique("member")
    names = [b"%d" % number for number in range(count)]
    for start in range(0, count, 256):
        seen.add(names[start : start + 256], start)
    seen.add([b"new"], count)
    for again in {b"new", *names[:1], *names[-1:]}:
        with pytest.raises(DamagedError, match=rf"member {again!r} is there twice \(offset 7\)"):
            seen.add([b"newer" + again, again], 7)


def test_what_comes_twice_at_once_is_found() -> None:
    """Two of one chunk."""
    with pytest.raises(DamagedError, match="field b'a' is there twice"):
        Unique("field").add([b"a", b"b", b"a"], 0)


def test_many_are_freed_in_steps() -> None:
    """A few tables a step, so that none is long; few elements need none."""
    seen = Unique("member")
    assert list(seen.forgotten()) == []
    for start in range(0, 10_000, 250):
        seen.add([b"%d" % number for number in range(start, start + 250)], 0)
    assert len(list(seen.forgotten())) > 50
