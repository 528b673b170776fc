"""The blocking client: replies, time-outs, closings."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.fake_server import FakeServer, bulk, honest
from trikv.client.blocking import BlockingClient
from trikv.client.endpoint import Address
from trikv.client.errors import ClosedError, GarbledError, Refused
from trikv.client.replies import ErrorReply


@pytest.fixture
def client() -> Iterator[BlockingClient]:
    """A client of a server that does what Redis does."""
    with FakeServer(honest({})) as server, BlockingClient(server.address, timeout_s=5) as client:
        yield client


def test_commands_are_answered_in_order(client: BlockingClient) -> None:
    """One at a time or many at once, replies come back in order, nulls and empty strings told apart."""
    assert client.call("SET", "k", b"\x00\xff") == b"OK"
    client.send_many([("GET", "k"), ("GET", "none")])
    client.send("INCR", "n")
    assert [client.receive() for _ in range(3)] == [b"\x00\xff", None, 1]
    assert client.pipeline(("SET", "empty", b""), ("GET", "empty")) == [b"OK", b""]
    assert client.pipeline() == []


def test_an_error_reply_is_a_value(client: BlockingClient) -> None:
    """The node's error is returned, not raised, and the connection lives on."""
    reply = client.call("NONSENSE")
    assert isinstance(reply, ErrorReply)
    assert reply.code == "ERR"
    assert client.call("PING") == b"PONG"


def test_a_silent_node_times_out() -> None:
    """No reply within the limit is a TimeoutError."""
    with FakeServer(lambda _: None) as server, BlockingClient(server.address, timeout_s=0.1) as client:
        begun = time.perf_counter()
        with pytest.raises(TimeoutError):
            client.call("PING")
        assert time.perf_counter() - begun < 2


def test_a_time_out_is_that_of_the_whole_reply() -> None:
    """A server that sends a byte now and then is not waited for without end."""
    done = threading.Event()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        BlockingClient(Address(*listener.getsockname()), timeout_s=0.2) as client,
    ):
        server, _ = listener.accept()
        server.sendall(b"$1000000\r\n")

        def dribble() -> None:
            while not done.wait(0.01):
                server.sendall(b"x")

        thread = threading.Thread(target=dribble)
        thread.start()
        begun = time.perf_counter()
        with pytest.raises(TimeoutError):
            client.call("GET", "k")
        assert time.perf_counter() - begun < 2
        done.set()
        thread.join()
        server.close()


def test_time_that_is_over_is_a_time_out(client: BlockingClient) -> None:
    """Whenever it is found to be over: a socket would take no time left for not waiting at all."""
    with pytest.raises(TimeoutError, match=r"no reply within 5 s"):
        client._set_timeout(time.perf_counter())


def test_after_a_time_out_nothing_more_is_asked() -> None:
    """The late reply would be taken for the answer to the next command."""
    with FakeServer(lambda _: None) as server, BlockingClient(server.address, timeout_s=0.05) as client:
        with pytest.raises(TimeoutError):
            client.call("GET", "a")
        with pytest.raises(ConnectionError, match="asked before"):
            client.call("GET", "b")


def test_a_closed_connection_is_an_error_at_once() -> None:
    """A node that closes with a reply owed is a ClosedError."""
    with FakeServer(honest({}), die_after=1) as server, BlockingClient(server.address, timeout_s=5) as client:
        client.send_many([("PING",), ("PING",)])
        client.receive()
        with pytest.raises(ClosedError):
            client.receive()


def test_bytes_that_are_no_reply_are_an_error_at_once() -> None:
    """What does not speak the Redis protocol is said to be that, by its address."""
    with (
        FakeServer(lambda _: b"HTTP/1.1 200\r\n") as server,
        BlockingClient(server.address, timeout_s=5) as client,
        pytest.raises(GarbledError, match=f"{server.address}: does not speak the Redis protocol"),
    ):
        client.call("PING")


def test_a_refused_password_names_the_reason() -> None:
    """AUTH's error is raised as Refused, and the socket closed: a leak would warn, and fail the test."""
    with (
        FakeServer(lambda _: b"-WRONGPASS invalid\r\n") as server,
        pytest.raises(Refused, match="WRONGPASS"),
    ):
        BlockingClient(server.address, timeout_s=5, password=b"x")


def test_a_password_opens_the_connection() -> None:
    """After AUTH the connection is like any other."""
    with (
        FakeServer(lambda args: b"+OK\r\n" if args[0] == b"AUTH" else bulk(b"v")) as server,
        BlockingClient(server.address, timeout_s=5, password=b"x") as client,
    ):
        assert client.call("GET", "k") == b"v"


def test_push_messages_are_given_to_who_asks_for_them() -> None:
    """They are no replies, and are there when the reply behind them is."""
    push = b">2\r\n+message\r\n+hello\r\n"
    with (
        FakeServer(lambda _: push + b"+PONG\r\n" + push) as server,
        BlockingClient(server.address, timeout_s=5) as client,
    ):
        assert client.call("PING") == b"PONG"
        assert client.take_pushes() == [[b"message", b"hello"]]
        assert client.call("PING") == b"PONG"
        assert client.take_pushes() == [[b"message", b"hello"]] * 2
