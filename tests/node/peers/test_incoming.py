"""Connections that others dial: few strangers, of whom none keeps a peer out or fills the log."""

import pytest
import structlog
import trio
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from trikv.node.descriptors import STRANGERS_MAX
from trikv.node.events import Event
from trikv.node.mailbox import Mailbox
from trikv.node.peers.incoming import STRANGER_WARNING_S, Incoming
from trikv.protocol.errors import PeerProtocolError
from trikv.protocol.handshake import Established

PATIENCE_S = 5.0


async def silent(_: trio.abc.Stream) -> Established:
    """A stranger that only sits there."""
    await trio.sleep_forever()
    raise AssertionError


async def is_closed(stream: trio.abc.ReceiveStream) -> bool:
    """Whether the far end has hung up."""
    with trio.move_on_after(0.001):
        return await stream.receive_some(1) == b""
    return False


async def test_a_newcomer_pushes_out_the_stranger_that_sits_longest(autojump_clock: MockClock) -> None:
    """A peer proves itself in two round trips; so many that only sit there do not keep it from that."""
    del autojump_clock
    incoming = Incoming(silent, PATIENCE_S, Mailbox[Event]())
    ends = []
    async with trio.open_nursery() as nursery:
        for _ in range(STRANGERS_MAX + 2):
            near, far = memory_stream_pair()
            ends.append(far)
            nursery.start_soon(incoming.accept, near)
            await wait_all_tasks_blocked()
        assert [await is_closed(end) for end in ends] == [True] * 2 + [False] * STRANGERS_MAX
        nursery.cancel_scope.cancel()


async def test_a_stranger_has_five_seconds(autojump_clock: MockClock) -> None:
    """Then it is shown the door, and that is all that comes of it."""
    del autojump_clock
    incoming = Incoming(silent, PATIENCE_S, Mailbox[Event]())
    near, far = memory_stream_pair()
    begun = trio.current_time()
    await incoming.accept(near)
    assert trio.current_time() - begun == pytest.approx(PATIENCE_S)
    assert await is_closed(far)


async def test_who_knocks_again_and_again_does_not_fill_the_log(autojump_clock: MockClock) -> None:
    """One line in ten seconds, which says how many there were and why the last one was refused."""
    del autojump_clock

    async def refuse(_: trio.abc.Stream) -> Established:
        raise PeerProtocolError("not a peer of ours")

    incoming = Incoming(refuse, PATIENCE_S, Mailbox[Event]())
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            await incoming.accept(memory_stream_pair()[0])
        await trio.sleep(STRANGER_WARNING_S)
        await incoming.accept(memory_stream_pair()[0])
    assert [(line["count"], line["reason"]) for line in lines] == [
        (1, "not a peer of ours"),
        (5, "not a peer of ours"),
    ]
