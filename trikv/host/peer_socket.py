"""A connection to a peer: a Trio stream over a plain socket that can also send at once.

Trio's own stream needs three system calls and four task steps to send and receive one small message. A link
sends one for every batch, and most fit the kernel's buffer. So `send_nowait` gives bytes to the kernel in the
middle of a synchronous step, and `receive_some` waits first and reads once.
"""

import socket

import trio

from trikv.host.seam import PeerStream

RECEIVE_BYTES = 65536


class PeerSocket(PeerStream):
    """A connected, non-blocking TCP socket. One task sends, one receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send_nowait(self, data: bytes) -> int:
        """How many bytes of `data` the kernel took; 0 also if the connection is broken."""
        try:
            return self._socket.send(data)
        except OSError:  # no room, or an error that the next `send_all` meets again and raises
            return 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Return when the kernel has taken all of `data`. Raises trio's BrokenResourceError."""
        await trio.lowlevel.checkpoint()
        self._check_open()
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                try:
                    sent += self._socket.send(view[sent:])
                except BlockingIOError:
                    await self.wait_send_all_might_not_block()
                except OSError as error:
                    raise self._problem(error) from error

    async def wait_send_all_might_not_block(self) -> None:
        """Return when the kernel has room for more. Raises trio's BrokenResourceError."""
        self._check_open()
        try:
            await trio.lowlevel.wait_writable(self._socket)
        except OSError as error:  # the kernel may refuse to watch one more socket
            raise self._problem(error) from error

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Wait for bytes and return those that have come; b"" once the peer has closed its side."""
        while True:
            self._check_open()
            try:
                await trio.lowlevel.wait_readable(self._socket)
                return self._socket.recv(max_bytes or RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._problem(error) from error

    async def aclose(self) -> None:
        """Close; a task that waits in another method gets ClosedResourceError."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError("this end was closed")

    def _problem(self, error: OSError) -> Exception:
        if self._socket.fileno() < 0:
            return trio.ClosedResourceError("this end was closed")
        return trio.BrokenResourceError(f"connection broken: {error}")
