"""How a process's descriptors are divided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.host.endings import LINGERING_MAX
from trikv.host.seam import Descriptors
from trikv.node.descriptors import CLIENTS_MAX, LINGERING_MIN, STRANGERS_MAX, Shares, TooFewDescriptors, share

THREE = {"peers": 2, "listeners": 3}
"""One of three nodes with one address for clients, and one for peers."""


def test_a_node_of_three_under_a_small_limit() -> None:
    """256 leave more than half to clients, and the peer port's room follows the number of peers."""
    shares = share(Descriptors(256, 9), **THREE)
    assert shares.clients_max >= 128
    assert shares.lingering_max >= 16
    assert shares.accepted_peers_max == STRANGERS_MAX + 1 + 2 * 4


def test_without_a_limit_all_get_what_they_may() -> None:
    """As in the simulator, or where the system has none."""
    assert share(Descriptors(), peers=0, listeners=1) == Shares(CLIENTS_MAX, LINGERING_MAX, 0)
    assert share(Descriptors(1 << 30), **THREE).clients_max == CLIENTS_MAX


def test_a_limit_that_leaves_none_is_refused_in_one_line() -> None:
    """The line says how many are the least, and what to do; that many serve one client."""
    with pytest.raises(TooFewDescriptors) as caught:
        share(Descriptors(64, 9), **THREE)
    text = str(caught.value)
    assert text.startswith("the limit of 64 open files leaves none for clients; ")
    assert text.endswith(" are the least here: raise it (ulimit -n 1024), then start again")
    least = int(text.partition("; ")[2].partition(" ")[0])
    assert share(Descriptors(least, 9), **THREE) == Shares(1, LINGERING_MIN, 25)
    with pytest.raises(TooFewDescriptors):
        share(Descriptors(least - 1, 9), **THREE)


@given(
    st.integers(1, 1 << 20),
    st.integers(0, 5000),
    st.integers(0, 10),
    st.integers(1, 48),
    st.integers(1, 1000),
)
def test_the_shares_never_pass_the_limit(most: int, held: int, peers: int, listeners: int, more: int) -> None:
    """All shares together fit what is not open yet; whoever raises the limit never loses by it."""
    try:
        shares = share(Descriptors(most, held), peers=peers, listeners=listeners)
    except TooFewDescriptors:
        return
    assert shares.clients_max >= 1
    assert LINGERING_MIN <= shares.lingering_max <= LINGERING_MAX
    taken = held + shares.clients_max + shares.lingering_max + shares.accepted_peers_max + listeners
    assert taken + 40 <= most, "and the log, snapshots and the loop have theirs"
    richer = share(Descriptors(most + more, held), peers=peers, listeners=listeners)
    assert richer.clients_max >= shares.clients_max
