"""Connecting a Trio client by real sockets. Code that runs in a simulation does not import this."""

from typing import Final

import trio

from trikv.client import login
from trikv.client.dialogue import REPLY_BYTES_MAX, REPLY_S_MAX
from trikv.client.endpoint import Address
from trikv.client.on_trio import TrioClient

CONNECT_S: Final = 2.0
"""The time-out for connecting and for the answer to the password."""


async def dial(
    address: Address,
    *,
    password: bytes | None = None,
    timeout_s: float = REPLY_S_MAX,
    reply_bytes_max: int = REPLY_BYTES_MAX,
) -> TrioClient:
    """Connect, and give the password if there is one. Raises OSError, TimeoutError included; Refused."""
    with trio.move_on_after(CONNECT_S):
        client = TrioClient(
            await _stream_to(address), str(address), timeout_s=timeout_s, reply_bytes_max=reply_bytes_max
        )
        try:
            if password is not None:
                login.check(await client.call(*login.question(password)))
        except BaseException:
            await client.aclose()
            raise
        return client
    raise TimeoutError(f"{address}: no connection within {CONNECT_S:g} s")


async def _stream_to(address: Address) -> trio.SocketStream:
    if address.is_path:
        return await trio.open_unix_socket(address.host)
    # A client is no part of a node, so it does not use a host.
    return await trio.open_tcp_stream(*address)  # noqa: TID251
