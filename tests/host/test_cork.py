"""Short replies that leave together: when they leave, and that nothing overtakes them."""

import socket

import pytest

from tests.host.test_hub import wire_and_peer
from trikv.host.cork import BYTES_MAX, REPLIES_MAX


def received(peer: socket.socket) -> bytes:
    """What has arrived, without waiting."""
    peer.setblocking(False)
    try:
        return peer.recv(1 << 20)
    except BlockingIOError:
        return b""


def test_replies_leave_at_the_end_of_the_block() -> None:
    """In the order in which they were given, and at once outside of it."""
    with wire_and_peer() as (wire, peer, _):
        with wire._cork:
            assert wire.send(b"first ") == 0
            assert wire.send(b"second ") == 0
            assert received(peer) == b""
        assert received(peer) == b"first second "
        wire.send(b"third")
        assert received(peer) == b"third"


def test_what_is_long_leaves_at_once_behind_what_was_before_it() -> None:
    """Otherwise its sender would not be told how much the peer has not taken."""
    with wire_and_peer() as (wire, peer, _), wire._cork:
        wire.send(b"first ")
        assert wire.send(bytes(8 << 20)) > 0
        assert received(peer)[:7] == b"first \0"


def test_no_more_than_so_many_wait() -> None:
    """With more answers in one turn the first ones would wait for too long."""
    with wire_and_peer() as (wire, peer, _), wire._cork:
        for _ in range(REPLIES_MAX):
            wire.send(b"x")
        assert received(peer) == b""
        wire.send(b"y")
        assert received(peer) == b"x" * REPLIES_MAX + b"y"


def test_last_words_leave_before_the_connection_closes() -> None:
    """An error and a close in one block: the client reads the error."""
    with wire_and_peer() as (wire, peer, notes), wire._cork:
        wire.send(b"-ERR closing\r\n")
        wire.close()
        assert received(peer) == b"-ERR closing\r\n"
        assert notes.calls == ["half_close"]


def test_replies_to_the_dead_harm_nobody() -> None:
    """The end of one wire does not hold up the replies of others."""
    with wire_and_peer() as (dead, gone, _), wire_and_peer() as (alive, peer, _):
        gone.close()
        alive._cork = dead._cork
        with dead._cork:
            dead.send(b"lost")
            alive.send(b"kept")
        assert received(peer) == b"kept"


def test_an_exception_in_the_block_still_lets_replies_leave() -> None:
    """They were given before it."""
    with wire_and_peer() as (wire, peer, _):
        wire._cork.__enter__()
        wire.send(b"before")
        wire._cork.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
        assert received(peer) == b"before"
        wire.send(b" after")
        assert received(peer) == b" after"


@pytest.mark.parametrize("length", [BYTES_MAX, BYTES_MAX + 1])
def test_how_long_is_short(length: int) -> None:
    """The bound keeps uncounted replies below a few megabytes for ten thousand clients."""
    with wire_and_peer() as (wire, peer, _), wire._cork:
        wire.send(bytes(length))
        assert bool(received(peer)) is (length > BYTES_MAX)
