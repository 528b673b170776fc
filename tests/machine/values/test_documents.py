"""Values of each type as documents hold them: what was edited is refused, what is right comes back."""

from math import inf

import pytest

from trikv.machine.values.hash import Hash
from trikv.machine.values.list import List
from trikv.machine.values.set import Set
from trikv.machine.values.sorted_set import SortedSet
from trikv.machine.values.value import Elements, Shape, Value

RIGHT: list[tuple[type[Value], Shape, Elements]] = [
    (Hash, (0, 0), [b"f", b"v", b"g", b"w"]),
    (List, (), [b"a", b"a", b"b"]),
    (Set, (0, 0), [b"a", b"b"]),
    (SortedSet, (0, 0), [b"a", 1.5, b"b", b"inf", b"c", b"-inf", b"d", 2]),
]
WRONG: list[tuple[type[Value], Shape, Elements]] = [
    (Hash, (0, 1), []),
    (Hash, (-1, 0), []),
    (Hash, (99, 0), []),
    (Hash, (0, 0), [b"f"]),
    (Hash, (0, 0), ["f", b"v"]),
    (Hash, (0, 0), [b"f", 1]),
    (Hash, (0, 0), [b"f", b"v", b"f", b"w"]),
    (Hash, (1, 0), [b"f", b"v"]),
    (List, (1,), [b"a"]),
    (List, (), []),
    (List, (), [1]),
    (Set, (0, 0), [b"a", 1]),
    (Set, (0, 0), [b"a", b"a"]),
    (SortedSet, (0, 0), [b"a", b"many"]),
    (SortedSet, (0, 0), [b"a", float("nan")]),
    (SortedSet, (0, 0), [b"a", None]),
]


def made(kind: type[Value], shape: Shape, elements: Elements) -> Value:
    """The value of one part."""
    value = kind.begun(0, b"secret", shape)
    value.restore(elements)
    value.finish()
    return value


@pytest.mark.parametrize(("kind", "shape", "elements"), RIGHT)
def test_a_value_comes_back(kind: type[Value], shape: Shape, elements: Elements) -> None:
    """With the same shape, elements and charge, in parts and packed."""
    value = made(kind, shape, elements)
    assert value.shape() == shape
    assert value.elements(value.parts[0]) == elements
    assert value.charge == value.recounted()
    assert not value.is_small, "it was written as one in parts"
    packed = kind.packed_of(elements)
    opened = kind.opened(packed.body, 0, b"")
    assert opened.is_small
    assert opened.pack() == packed.body
    assert opened.count == value.count


@pytest.mark.parametrize(("kind", "shape", "elements"), WRONG)
def test_what_no_value_has_is_refused(kind: type[Value], shape: Shape, elements: Elements) -> None:
    """Shapes that do not exist, elements of other types, a name twice or in a part that is not its own."""
    with pytest.raises(ValueError, match=r"\w"):
        made(kind, shape, elements)


@pytest.mark.parametrize(
    ("kind", "elements"),
    [
        (Hash, []),
        (Hash, [b"f" * 65, b"v"]),
        (Hash, [b"f", b"v" * 65]),
        (List, [b"a"] * 129),
        (List, [b"a" * 65]),
        (Set, [b"%d" % number for number in range(129)]),
        (SortedSet, [b"m" * 65, 1.0]),
    ],
)
def test_what_is_not_small_is_not_packed(kind: type[Value], elements: Elements) -> None:
    """Nor is what is empty."""
    with pytest.raises(ValueError, match=r"\w"):
        kind.packed_of(elements)


def test_infinities_are_text_in_a_document() -> None:
    """JSON has none."""
    value = made(SortedSet, (0, 0), [b"a", b"inf"])
    assert isinstance(value, SortedSet)
    assert value.get(b"a") == inf
    assert value.elements(value.parts[0]) == [b"a", b"inf"]
