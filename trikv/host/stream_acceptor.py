"""Accepting connections as Trio streams: for peers, and for clients if the hub cannot serve them."""

from collections.abc import Callable

import structlog
import trio

from trikv.host.endings import ACCEPT_RETRY_S, NO_ROOM, WARN_S
from trikv.host.sockets import Listener
from trikv.host.stream_server import Accepted

log = structlog.get_logger()


class SocketAcceptor:
    """`trikv.host.stream_server.Acceptor` over a listening socket."""

    def __init__(
        self,
        listener: Listener,
        stream_of: Callable[[trio.socket.SocketType], trio.abc.Stream] = trio.SocketStream,
    ) -> None:
        """`stream_of` turns an accepted socket into a stream, which then owns it."""
        self.address = listener.address
        self._listener = listener
        self._socket = trio.socket.from_stdlib_socket(listener.socket)
        self._stream_of = stream_of
        self._warn_again_at = float("-inf")

    async def accept(self) -> Accepted:
        """The next stream. If descriptors run out it warns, at most every `WARN_S`, and waits."""
        while True:
            try:
                sock, peer = await self._socket.accept()
                remote, local = self._listener.ends(sock, peer)
                return Accepted(self._stream_of(sock), remote, local)
            except OSError as error:
                if self._socket.fileno() < 0:
                    raise trio.ClosedResourceError from error
                if error.errno in NO_ROOM:
                    self._warn(error)
                    await trio.sleep(ACCEPT_RETRY_S)
                # Any other error means that one waiting connection died (ECONNABORTED and similar): go on.

    def stop_accepting(self) -> None:
        """Close the listening socket; `accept` raises ClosedResourceError from then on."""
        self._socket.close()  # Trio's own close wakes a task that waits in `accept`
        self._listener.close()

    def _warn(self, error: OSError) -> None:
        if trio.current_time() >= self._warn_again_at:
            self._warn_again_at = trio.current_time() + WARN_S
            log.warning("cannot accept connections", address=self.address, error=error.strerror)
