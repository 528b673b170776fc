"""The blocking client: replies, time-outs, closings."""

import time

import hiredis
import pytest

from tests.bench.fake_server import FakeServer, bulk, honest
from trikv.bench.connection import Connection, Refused, error_code


def test_commands_are_answered_in_order() -> None:
    """One at a time or many at once, replies come back in order, nulls and empty strings told apart."""
    with FakeServer(honest({})) as server, Connection(server.address, timeout_s=5) as connection:
        assert connection.command("SET", "k", b"\x00\xff") == b"OK"
        connection.send([("GET", "k"), ("GET", "none"), ("INCR", "n")])
        assert [connection.receive() for _ in range(3)] == [b"\x00\xff", None, 1]
        connection.command("SET", "empty", b"")
        assert connection.command("GET", "empty") == b""


def test_an_error_reply_is_a_value() -> None:
    """The node's error is returned, not raised, and the connection lives on."""
    with FakeServer(honest({})) as server, Connection(server.address, timeout_s=5) as connection:
        reply = connection.command("NONSENSE")
        assert isinstance(reply, hiredis.ReplyError)
        assert error_code(reply) == "ERR"
        assert connection.command("PING") == b"PONG"


@pytest.mark.parametrize(("text", "code"), [("OOM no room", "OOM"), ("all lower", "ERR"), ("", "ERR")])
def test_an_errors_code_is_its_first_word(text: str, code: str) -> None:
    """Codes are capitals; what has none counts as ERR."""
    assert error_code(hiredis.ReplyError(text)) == code


def test_a_silent_node_times_out() -> None:
    """No reply within the limit is a TimeoutError."""
    with FakeServer(lambda _: None) as server, Connection(server.address, timeout_s=0.1) as connection:
        begun = time.perf_counter()
        with pytest.raises(TimeoutError):
            connection.command("PING")
        assert time.perf_counter() - begun < 2


def test_a_closed_connection_is_an_error_at_once() -> None:
    """A node that closes with a reply owed is a ConnectionError."""
    with FakeServer(honest({}), die_after=1) as server, Connection(server.address, timeout_s=5) as connection:
        connection.send([("PING",), ("PING",)])
        connection.receive()
        with pytest.raises(ConnectionError):
            connection.receive()


def test_bytes_that_are_no_reply_are_an_error_at_once() -> None:
    """What does not speak the Redis protocol is said to be that."""
    with (
        FakeServer(lambda _: b"HTTP/1.1 200\r\n") as server,
        Connection(server.address, timeout_s=5) as connection,
        pytest.raises(ConnectionError, match="Redis"),
    ):
        connection.command("PING")


def test_a_refused_password_names_the_reason() -> None:
    """AUTH's error is raised as Refused, and the socket closed: a leak would warn, and fail the test."""
    with (
        FakeServer(lambda _: b"-WRONGPASS invalid\r\n") as server,
        pytest.raises(Refused, match="WRONGPASS"),
    ):
        Connection(server.address, timeout_s=5, password=b"x")


def test_a_password_opens_the_connection() -> None:
    """After AUTH the connection is like any other."""
    with (
        FakeServer(lambda args: b"+OK\r\n" if args[0] == b"AUTH" else bulk(b"v")) as server,
        Connection(server.address, timeout_s=5, password=b"x") as connection,
    ):
        assert connection.command("GET", "k") == b"v"
