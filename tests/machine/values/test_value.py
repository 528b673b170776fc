"""Values in parts: forks, digests, documents and the account, whatever happens to them."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.values.numbers import MEAN, NUMBER_BYTES, PART_BYTES, Numbers
from trikv.machine.values.sorted_set import SortedSet
from trikv.machine.values.value import Elements, Shape

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 60)),
        st.tuples(st.just("remove"), st.integers(0, 60)),
        st.tuples(st.sampled_from(["cut", "hash", "restore"]), st.integers(0, 3)),
    ),
    max_size=150,
)


def made(epoch: int, shape: Shape, parts: list[Elements]) -> Numbers:
    """The value that a document with these parts has."""
    value = Numbers.begun(epoch, b"", shape)
    for elements in parts:
        value.restore(elements)
    value.finish()
    return value


def reborn(value: Numbers, epoch: int = 0) -> Numbers:
    """The same, from its document."""
    return made(epoch, value.shape(), [value.elements(part) for part in value.parts])


def numbers(value: Numbers) -> set[int]:
    """All that it holds."""
    return {number for part in value.parts for number in part}


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_a_cut_keeps_what_it_saw_and_nothing_is_lost(steps: list[tuple[str, int]]) -> None:
    """Against a set: after cuts, hashes and restores at any place, with parts that split and merge."""
    value, model = Numbers(0, b""), set[int]()
    cuts: list[tuple[Numbers, set[int], bytes, int]] = []
    epoch = 0
    for what, number in steps:
        if what == "add":
            value = value.at_epoch(epoch)
            assert value.add(number) == (number not in model)
            model.add(number)
        elif what == "remove":
            value = value.at_epoch(epoch)
            assert value.remove(number) == (number in model)
            model.discard(number)
        elif what == "cut":
            cuts.append((value, set(model), value.digest(), value.charge))
            epoch += 1
        elif what == "hash":
            for _ in islice(value.hash_parts(), number):
                pass
        else:
            value = reborn(value, epoch)
        assert numbers(value) == model
        assert value.count == len(model)
        assert value.charge == NUMBER_BYTES * len(model) + PART_BYTES * len(value.parts)
    for seen, held, digest, charge in cuts:
        assert numbers(seen) == held
        assert seen.charge == charge
        assert reborn(seen).digest() == seen.digest() == digest
    assert reborn(value).digest() == value.digest()


def filled(count: int) -> Numbers:
    """That many numbers."""
    value = Numbers(0, b"")
    for number in range(count):
        value.add(number)
    return value


def test_a_write_after_a_cut_copies_one_part() -> None:
    """All others are shared, and the second write copies nothing."""
    old = filled(100 * MEAN)
    new = old.at_epoch(1)
    assert new is not old
    assert new.at_epoch(1) is new
    new.remove(5)
    differing = [place for place, part in enumerate(new.parts) if part is not old.parts[place]]
    assert len(differing) == 1
    part = new.parts[differing[0]]
    new.add(5)
    assert new.parts[differing[0]] is part


def test_only_what_changed_is_hashed_again() -> None:
    """And it can be prepared in steps."""
    value = filled(50 * MEAN)
    assert len(list(value.unhashed())) == len(value.parts)
    taken = [len(list(islice(value.hash_parts(), most))) for most in (20, 1000, 1)]
    assert taken == [20, len(value.parts) - 20, 0]
    before = value.digest()
    value.remove(399)
    assert len(list(value.unhashed())) == 1
    assert value.digest() != before
    value.add(399)
    assert value.digest() == before


def test_the_index_of_a_sorted_set_is_freed_piece_by_piece() -> None:
    """It has as many members as all parts together."""
    value = SortedSet(0, b"")
    for number in range(3_000):
        value.put(b"%d" % number, number % 7)
    pieces = value.released()
    assert len(pieces) == len(value.parts) + len(value.index.members) > 10
    assert max(map(len, pieces)) <= 512


def test_a_part_that_was_split_or_merged_is_hashed_again() -> None:
    """With every hash known before each change, the digest is that of a value that was restored."""
    value = filled(0)
    for change in (value.add, value.remove):
        for number in range(10 * MEAN):
            value.digest()
            assert change(number)
            assert value.digest() == reborn(value).digest()


def test_a_digest_is_of_shape_and_order_too() -> None:
    """Equal elements in another order or other parts are another state: what comes next would differ."""
    first, second = Numbers(0, b""), Numbers(0, b"")
    for number in (1, 2):
        first.add(number)
    for number in (2, 1):
        second.add(number)
    assert first.digest() != second.digest()
    wide = made(0, (1, 0), [[2], [1]])
    assert wide.digest() not in (first.digest(), second.digest())
    assert wide.digest() != made(0, (0, 1), [[2], [1]]).digest()


def test_a_document_that_was_edited_is_refused() -> None:
    """A shape that its parts do not make."""
    with pytest.raises(ValueError, match="do not make the shape"):
        made(0, (1, 0), [[1]])
