"""The client over a Trio stream: replies, time-outs, cancellation, closings."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, MockClock, memory_stream_pair

from trikv.client.errors import ClosedError, FloodError, GarbledError
from trikv.client.on_trio import TrioClient
from trikv.client.replies import ErrorReply

Stream = trio.StapledStream[MemorySendStream, MemoryReceiveStream]
PING = b"*1\r\n$4\r\nPING\r\n"


@pytest.fixture
async def pair() -> AsyncIterator[tuple[TrioClient, Stream]]:
    """A client, and the other end of its stream."""
    ours, theirs = memory_stream_pair()
    async with TrioClient(ours, "there") as client:
        yield client, theirs


async def test_commands_are_answered_in_order(pair: tuple[TrioClient, Stream]) -> None:
    """One at a time or many in one piece; an error is a value."""
    client, server = pair
    await server.send_all(b"+PONG\r\n-ERR no\r\n:1\r\n$-1\r\n:2\r\n")
    assert await client.call("PING") == b"PONG"
    error, number = await client.pipeline(("NONE",), ("INCR", "n"))
    assert isinstance(error, ErrorReply)
    assert number == 1
    await client.send("GET", "k")
    await client.send_many([("INCR", "n"), ("PING",)])
    assert [await client.receive(), await client.receive()] == [None, 2]
    assert (await server.receive_some()).count(b"*") == 6


async def test_a_silent_server_times_out(autojump_clock: MockClock) -> None:
    """TimeoutError after the time given; then nothing more is asked."""
    ours, _theirs = memory_stream_pair()
    async with TrioClient(ours, "there", timeout_s=3) as client:
        with pytest.raises(TimeoutError, match="there: no reply within 3 s"):
            await client.call("PING")
        assert autojump_clock.current_time() == 3
        with pytest.raises(ConnectionError, match="asked before"):
            await client.call("PING")
        with pytest.raises(TimeoutError):
            await client.receive()


async def test_a_receive_that_was_cancelled_can_be_done_again(
    pair: tuple[TrioClient, Stream], autojump_clock: MockClock
) -> None:
    """Who waits long for an answer may look at something else meanwhile: no byte is lost."""
    client, server = pair
    await client.send("WAIT", 1, 0)
    await server.send_all(b"$5\r\nab")
    with trio.move_on_after(1):
        await client.receive()
    assert autojump_clock.current_time() == 1
    await server.send_all(b"cde\r\n")
    assert await client.receive() == b"abcde"


async def test_an_end_a_break_and_garbage_are_errors_of_the_connection(
    pair: tuple[TrioClient, Stream],
) -> None:
    """All are OSError, and say which."""
    client, server = pair
    await server.send_all(b"what?\r\n")
    with pytest.raises(GarbledError, match="there: does not speak"):
        await client.call("PING")
    ours, theirs = memory_stream_pair()
    other = TrioClient(ours, "there")
    await theirs.send_eof()
    with pytest.raises(ClosedError, match="there: closed"):
        await other.call("PING")
    await theirs.aclose()
    with pytest.raises(ConnectionError, match="there: "):
        await other.send("PING")


async def test_the_bound_on_a_reply_can_be_chosen() -> None:
    """For who expects but little."""
    ours, theirs = memory_stream_pair()
    async with TrioClient(ours, "there", reply_bytes_max=100) as client:
        await theirs.send_all(b"$1000\r\n" + bytes(200))
        with pytest.raises(FloodError):
            await client.call("INFO")


async def test_closing_never_waits_and_is_done_though_cancelled(pair: tuple[TrioClient, Stream]) -> None:
    """What a ``finally`` does behind it is done, too."""
    client, server = pair
    closed = False
    with trio.CancelScope() as scope:
        scope.cancel()
        await client.aclose()
        closed = True
    assert closed
    assert await server.receive_some() == b""


async def test_push_messages_are_given_to_who_asks_for_them(pair: tuple[TrioClient, Stream]) -> None:
    """They are no replies."""
    client, server = pair
    await server.send_all(b">1\r\n+invalidate\r\n+PONG\r\n")
    assert await client.call("PING") == b"PONG"
    assert client.take_pushes() == [[b"invalidate"]]
    assert await server.receive_some() == PING
