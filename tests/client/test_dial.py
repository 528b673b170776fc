"""A Trio client by real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.fake_server import FakeServer, bulk, honest
from trikv.client import dial as dialling
from trikv.client.dial import dial
from trikv.client.endpoint import Address
from trikv.client.errors import Refused


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that does what Redis does."""
    with FakeServer(honest({})) as server:
        yield server


async def test_it_is_a_client_like_any_other(server: FakeServer) -> None:
    """Over TCP."""
    async with await dial(server.address) as client:
        assert await client.pipeline(("SET", "k", "v"), ("GET", "k")) == [b"OK", b"v"]


async def test_a_path_is_dialled_too(tmp_path: Path) -> None:
    """A Unix socket."""
    path = str(tmp_path / "s")
    with trio.socket.socket(trio.socket.AF_UNIX) as listener:
        await listener.bind(path)
        listener.listen()
        async with await dial(Address(path, 0)) as client:
            other, _ = await listener.accept()
            with other:
                await other.send(b"+PONG\r\n")
                assert await client.call("PING") == b"PONG"


async def test_a_password_opens_the_connection() -> None:
    """After AUTH the connection is like any other."""
    with FakeServer(lambda args: b"+OK\r\n" if args[0] == b"AUTH" else bulk(b"v")) as server:
        async with await dial(server.address, password=b"x") as client:
            assert await client.call("GET", "k") == b"v"


async def test_a_refused_password_names_the_reason() -> None:
    """And the socket is closed: a leak would warn, and fail the test."""
    with FakeServer(lambda _: b"-WRONGPASS invalid\r\n") as server, pytest.raises(Refused, match="WRONGPASS"):
        await dial(server.address, password=b"x")


async def test_nobody_there_is_an_error_and_so_is_one_that_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time for connecting includes the answer to the password."""
    with FakeServer(lambda _: None) as server:
        monkeypatch.setattr(dialling, "CONNECT_S", 0.05)
        with pytest.raises(TimeoutError, match=r"no connection within 0\.05 s"):
            await dial(server.address, password=b"x")
    with pytest.raises(OSError, match="connect"):
        await dial(server.address)
