"""Asking a node for INFO over its client port, as any client could."""

from typing import Final

import hiredis
import trio

from trikv.cluster.watch import Status
from trikv.system_text import to_bytes

PATIENCE_S: Final = 1.0
"""A node that is silent for longer counts as not answering, so that it does not hold up the others."""
_REPLY_BYTES_MAX: Final = 1 << 20
"""INFO is some kilobytes. A server that sends more is no node of ours."""


class Probe:
    """Asks one node by its client port. The connection is kept between questions."""

    def __init__(self, host: str, port: int, password: str = "") -> None:
        self._where = (host, port)
        self._password = password
        self._stream: trio.SocketStream | None = None

    async def status(self) -> Status | None:
        """What the node says of itself; None if it does not answer."""
        with trio.move_on_after(PATIENCE_S):
            try:
                return await self._ask()
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, hiredis.ProtocolError):
                pass
        self.close()  # the question may still be answered: a later answer must not be taken for the next
        return None

    def close(self) -> None:
        """Close the connection, if any; the next question opens another."""
        if self._stream is not None:
            self._stream.socket.close()
            self._stream = None

    async def _ask(self) -> Status | None:
        if self._stream is None:
            # The supervisor is a client of its nodes, not part of one, so it needs no host.
            self._stream = await trio.open_tcp_stream(*self._where)  # noqa: TID251
            if self._password:
                await self._command(b"AUTH", to_bytes(self._password))
        reply = await self._command(b"INFO", b"server", b"raft")
        return Status.parse(reply.decode(errors="replace")) if isinstance(reply, bytes) else None

    async def _command(self, *words: bytes) -> object:
        """Send one command and wait for its reply. Raises OSError or Trio's resource errors."""
        stream = self._stream
        assert stream is not None
        await stream.send_all(
            b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        )
        reader = hiredis.Reader(notEnoughData=Ellipsis)
        taken = 0
        while (reply := reader.gets()) is Ellipsis:
            data = await stream.receive_some()
            taken += len(data)
            if not data or taken > _REPLY_BYTES_MAX:
                raise BrokenPipeError("the node closed the connection or does not speak RESP")
            reader.feed(data)
        return reply
