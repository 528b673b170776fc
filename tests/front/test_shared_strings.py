"""Long strings that replies share: which of them nothing was made of yet."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trikv.front.shared_strings import SHARED_BYTES_MIN, SHARED_MAX, SharedStrings
from trikv.machine.replies import Pairs, Reply, Verbatim, long_strings, weight

LONG = SHARED_BYTES_MIN
LONG_STRINGS = [bytes(LONG + number) for number in range(3)]
ELEMENTS: st.SearchStrategy[Reply] = st.recursive(
    st.one_of(
        st.sampled_from(LONG_STRINGS),
        st.sampled_from([b"short", 7, None, Verbatim(b"text"), bytes(LONG - 1)]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.just(b"k"), inner),
    ),
    max_leaves=5,
)


def leaves(reply: Reply) -> list[Reply]:
    """Those of a reply, in the order in which they are made."""
    if isinstance(reply, list | tuple):
        return [leaf for each in reply for leaf in leaves(each)]
    if isinstance(reply, dict):
        return [leaf for pair in reply.items() for each in pair for leaf in leaves(each)]
    return [reply]


@given(st.lists(ELEMENTS, max_size=6), st.lists(st.integers(0, 2 * LONG), max_size=6))
def test_what_may_be_gone_is_forgotten(replies: list[Reply], steps: list[int]) -> None:
    """By bytes: those that begin behind what was made are held, each as often as it comes."""
    shared = SharedStrings(replies)
    made_bytes = 0
    for step in (0, *steps):
        made_bytes += step
        shared.passed(made_bytes)
        held: Counter[int] = Counter()
        at = 0
        for leaf in leaves(list(replies)):
            if isinstance(leaf, bytes) and len(leaf) >= LONG and at >= made_bytes:
                held[id(leaf)] += len(leaf)
            at += weight([leaf])
        assert shared.lengths.keys() == held.keys()
        assert shared.bytes == held.total()
    shared.passed(weight(replies) + 1)
    assert (shared.lengths, shared.bytes) == ({}, 0)


def test_the_last_ones_are_looked_for() -> None:
    """The others count for each who has asked for them."""
    values = [bytes(LONG) for _ in range(SHARED_MAX + 1)]
    shared = SharedStrings(list(values))
    assert list(shared.lengths) == [id(value) for value in values[1:]]
    assert shared.bytes == SHARED_MAX * LONG


def test_strings_in_pairs_are_found() -> None:
    """A long member of a sorted set as well as any other value."""
    long = b"x" * SHARED_BYTES_MIN
    assert list(long_strings([Pairs([(b"a", 1.0), (long, 2.0)])], SHARED_BYTES_MIN)) == [(1, long)]
    text = Verbatim(b"x" * SHARED_BYTES_MIN)
    assert list(long_strings([text, long], SHARED_BYTES_MIN)) == [(SHARED_BYTES_MIN, long)]
