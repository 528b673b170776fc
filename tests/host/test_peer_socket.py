"""The stream of a connection to a peer: what is sent at once, and how its end shows."""

import socket
from collections.abc import Iterator

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trikv.host.peer_socket import PeerSocket


@pytest.fixture
def pair() -> Iterator[tuple[PeerSocket, socket.socket]]:
    """A peer's stream, and the plain socket at its other end."""
    here, there = socket.socketpair()
    here.setblocking(False)
    yield PeerSocket(here), there
    here.close()
    there.close()


def fill(stream: PeerSocket) -> int:
    """Give the kernel as much as it takes at once."""
    total = 0
    while sent := stream.send_nowait(b"x" * 65_536):
        total += sent
    return total


async def test_what_the_kernel_does_not_take_is_sent_when_it_does(
    pair: tuple[PeerSocket, socket.socket],
) -> None:
    """`send_nowait` says how much went; `send_all` waits for the rest, and no byte is lost between."""
    stream, other = pair
    filled = fill(stream)
    assert filled > 0
    received = bytearray()

    async def read() -> None:
        while len(received) < filled + 300_000:
            await trio.sleep(0.001)
            received.extend(other.recv(1 << 20))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await stream.send_all(b"y" * 300_000)
    assert received == b"x" * filled + b"y" * 300_000


async def test_a_connection_that_is_gone_shows_when_it_is_waited_for(
    pair: tuple[PeerSocket, socket.socket],
) -> None:
    """At once nothing is taken and nothing raised: a synchronous step is not the place to hear of it."""
    stream, other = pair
    other.close()
    assert stream.send_nowait(b"x") == 0
    with pytest.raises(trio.BrokenResourceError, match="connection broken"):
        await stream.send_all(b"x")
    assert await stream.receive_some() == b""


@pytest.mark.parametrize("method", ["send", "wait", "receive"])
@pytest.mark.parametrize("closed_before", [True, False])
async def test_who_waits_in_a_stream_that_is_closed_here_is_told(
    pair: tuple[PeerSocket, socket.socket], method: str, *, closed_before: bool
) -> None:
    """Closed, not broken: this end has done it. Closing it again is harmless."""
    stream, _ = pair
    fill(stream)
    told: list[str] = []

    async def use() -> None:
        try:
            match method:
                case "send":
                    await stream.send_all(b"y")
                case "wait":
                    await stream.wait_send_all_might_not_block()
                case _:
                    await stream.receive_some(1)
        except trio.ClosedResourceError:
            told.append("closed")

    if closed_before:
        await stream.aclose()
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(use)
            await wait_all_tasks_blocked()
            await stream.aclose()
    assert told == ["closed"]


@pytest.mark.parametrize("method", ["wait_writable", "wait_readable"])
async def test_a_kernel_that_watches_no_more_sockets_breaks_the_connection(
    pair: tuple[PeerSocket, socket.socket], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A shortage is met like a connection that broke: the link is made again, later."""
    stream, _ = pair

    async def refuse(_: object) -> None:
        await trio.lowlevel.checkpoint()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trio.lowlevel, method, refuse)
    fill(stream)
    using = stream.send_all(b"x") if method == "wait_writable" else stream.receive_some()
    with pytest.raises(trio.BrokenResourceError, match="No space left"):
        await using


async def test_a_false_alarm_is_waited_out(
    pair: tuple[PeerSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel may call a socket readable that is not: what has not come is no end."""
    stream, other = pair
    wait, alarms = trio.lowlevel.wait_readable, [1]

    async def hasty(sock: object) -> None:
        if alarms:
            alarms.pop()
            await trio.lowlevel.checkpoint()
            other.send(b"late")
            monkeypatch.setattr(stream, "_socket", Blocking(sock))
        else:
            await wait(sock)  # type: ignore[arg-type]

    class Blocking:
        """Has nothing at the first look."""

        def __init__(self, sock: object) -> None:
            self._sock = sock

        def recv(self, _: int) -> bytes:
            monkeypatch.setattr(stream, "_socket", self._sock)
            raise BlockingIOError

    monkeypatch.setattr(trio.lowlevel, "wait_readable", hasty)
    assert await stream.receive_some() == b"late"
