"""Accepting connections as streams: one that died while it waited is no reason to stop."""

import errno
import socket

import pytest
import structlog
import trio
from trio.testing import MockClock

from trikv.host.endings import ACCEPT_RETRY_S, WARN_S
from trikv.host.sockets import listener_at
from trikv.host.stream_acceptor import SocketAcceptor


class Refusing:
    """A listening socket whose `accept` fails so often."""

    def __init__(self, inner: trio.socket.SocketType, errors: list[int]) -> None:
        self._inner = inner
        self._errors = errors

    async def accept(self) -> tuple[trio.socket.SocketType, object]:
        """The next error, then the next connection."""
        await trio.lowlevel.checkpoint()
        if self._errors:
            number = self._errors.pop(0)
            raise OSError(number, errno.errorcode[number])
        return await self._inner.accept()

    def fileno(self) -> int:
        """The inner one's."""
        return self._inner.fileno()

    def close(self) -> None:
        """The inner one."""
        self._inner.close()


async def acceptor_with(errors: list[int]) -> SocketAcceptor:
    """An acceptor at a free port, that meets these errors first."""
    acceptor = SocketAcceptor(await listener_at("127.0.0.1:0"))
    acceptor._socket = Refusing(acceptor._socket, errors)  # type: ignore[assignment]
    return acceptor


async def test_a_connection_that_died_while_it_waited_is_passed_over() -> None:
    """The next one is accepted, without a word and without a pause."""
    acceptor = await acceptor_with([errno.ECONNABORTED, errno.EPROTO])
    host, _, port = acceptor.address.rpartition(":")
    with socket.create_connection((host, int(port))) as client, structlog.testing.capture_logs() as lines:
        accepted = await acceptor.accept()
        assert accepted.local == acceptor.address
        assert accepted.remote == "{}:{}".format(*client.getsockname())
        await accepted.stream.aclose()
    assert lines == []
    acceptor.stop_accepting()


async def test_without_room_it_warns_once_and_waits(autojump_clock: MockClock) -> None:
    """For as long as descriptors lack: a line every ten seconds, an attempt every tenth of one."""
    del autojump_clock
    attempts = int(WARN_S / ACCEPT_RETRY_S) + 5
    acceptor = await acceptor_with([errno.EMFILE] * attempts)
    acceptor_closes = trio.Event()

    async def accept() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await acceptor.accept()
        acceptor_closes.set()

    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            await trio.sleep(WARN_S + 3 * ACCEPT_RETRY_S)
            acceptor.stop_accepting()
            await acceptor_closes.wait()
    assert [line["event"] for line in lines] == ["cannot accept connections"] * 2
