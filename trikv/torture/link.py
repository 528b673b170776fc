"""A client's connection: RESP over a Trio stream, with a time-out on everything."""

from collections.abc import Sequence
from typing import Any, Final

import hiredis
import trio

from trikv.bench.connection import Refused, encode, wants_none
from trikv.bench.options import Address

CONNECT_S_MAX: Final = 2.0
REPLY_S_MAX: Final = 15.0
"""A node answers within its command deadline of 10 s, if by an error."""
_RECEIVE_BYTES: Final = 65_536

Args = tuple[bytes, ...]


class Link:
    """One connection. Error replies are returned as `hiredis.ReplyError` values, never raised."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._reader = hiredis.Reader(notEnoughData=Ellipsis)

    @classmethod
    async def open(cls, address: Address, password: bytes | None = None) -> "Link":
        """Connect. Raises OSError; Refused where the server does not accept the password."""
        with trio.move_on_after(CONNECT_S_MAX):
            # The torturer is a client like any other: no host stands between.
            stream = await trio.open_tcp_stream(*address)  # noqa: TID251
            link = cls(stream)
            if password is not None:
                (reply,) = await link.exchange([(b"AUTH", password)])
                if isinstance(reply, hiredis.ReplyError) and not wants_none(reply):
                    link.close()
                    raise Refused(str(reply))
            return link
        raise TimeoutError(f"{address}: no connection within {CONNECT_S_MAX:g} s")

    def close(self) -> None:
        """Close at once; harmless twice."""
        self._stream.socket.close()

    async def exchange(self, commands: Sequence[Args], *, patience_s: float = REPLY_S_MAX) -> list[Any]:
        """Send commands in one piece and give their replies.

        Raises OSError, TimeoutError included: then nobody knows what was done, and the link is of no more
        use.
        """
        with trio.move_on_after(patience_s):
            try:
                await self._stream.send_all(b"".join(map(encode, commands)))
                return [await self._reply() for _ in commands]
            except (trio.BrokenResourceError, trio.ClosedResourceError, hiredis.ProtocolError) as error:
                raise ConnectionError(str(error) or "the connection broke") from error
        raise TimeoutError(f"no reply within {patience_s:g} s")

    async def _reply(self) -> Any:
        while (reply := self._reader.gets()) is Ellipsis:
            data = await self._stream.receive_some(_RECEIVE_BYTES)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._reader.feed(bytes(data))
        return reply
