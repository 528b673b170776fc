"""Addresses, what they stand for, and sockets that are connected to them."""

import contextlib
import socket
import time
from pathlib import Path

import pytest

from trikv.client.endpoint import Address, Endpoint, connect, resolve

PATIENCE_S = 5.0


def test_an_address_is_shown_as_it_is_written() -> None:
    """Brackets stand around an IPv6 host; a path stands alone."""
    assert str(Address("a", 1)) == "a:1"
    assert str(Address("::1", 4)) == "[::1]:4"
    assert str(Address("./node.sock", 0)) == "./node.sock"
    assert [Address(host, 0).is_path for host in ("/run/x", "./x", "x")] == [True, True, False]


def test_a_path_is_a_unix_socket(tmp_path: Path) -> None:
    """It stands for itself, and can be connected to."""
    address = Address(str(tmp_path / "s"), 0)
    assert resolve(address) == (Endpoint(socket.AF_UNIX, address.host),)
    with pytest.raises(FileNotFoundError):
        connect(address, PATIENCE_S)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address.host)
        listener.listen()
        with connect(address, PATIENCE_S) as sock:
            assert sock.getpeername() == address.host


def test_a_number_stands_for_itself() -> None:
    """IPv4 and IPv6."""
    assert resolve(Address("127.0.0.1", 80)) == (Endpoint(socket.AF_INET, ("127.0.0.1", 80)),)
    assert resolve(Address("::1", 80)) == (Endpoint(socket.AF_INET6, ("::1", 80, 0, 0)),)


def test_a_connected_socket_does_not_wait_to_fill_packets() -> None:
    """And keeps the time-out that it was given."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        connect(Address(*listener.getsockname()), PATIENCE_S) as sock,
    ):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.gettimeout() == PATIENCE_S


def test_each_endpoint_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may listen on 127.0.0.1 alone, and ``localhost`` stand for ::1 first."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        here, nobody = listener.getsockname(), taken.getsockname()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in (nobody, here)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with connect(Address("both", 1), PATIENCE_S) as sock:
            assert sock.getpeername() == here
        found.pop()
        with pytest.raises(ConnectionRefusedError):
            connect(Address("both", 1), PATIENCE_S)


def fill_queue(waiting: contextlib.ExitStack, address: Address) -> None:
    """Connect as often as a listener's queue takes without anybody who accepts, and once more."""
    for _ in range(10):
        waiting.enter_context(connect(address, 0.1))


def test_a_server_that_does_not_answer_is_given_up() -> None:
    """Connecting ends within the time given; nothing is left open: a leak would warn, and fail the test."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = Address(*listener.getsockname())
        begun = time.perf_counter()
        with contextlib.ExitStack() as waiting, pytest.raises(TimeoutError):
            fill_queue(waiting, address)
        assert time.perf_counter() - begun < PATIENCE_S
