"""Asking a node for INFO over its client port, as any client could."""

from typing import Final

import trio

from trikv.client.dial import dial
from trikv.client.endpoint import Address
from trikv.client.errors import Refused
from trikv.client.on_trio import TrioClient
from trikv.cluster.watch import Status
from trikv.system_text import to_bytes

PATIENCE_S: Final = 1.0
"""A node that is silent for longer counts as not answering, so that it does not hold up the others."""
_REPLY_BYTES_MAX: Final = 1 << 20
"""INFO is some kilobytes. A server that sends more is no node of ours."""


class Probe:
    """Asks one node by its client port. The connection is kept between questions."""

    def __init__(self, host: str, port: int, password: str = "") -> None:
        self._address = Address(host, port)
        self._password = to_bytes(password) if password else None
        self._client: TrioClient | None = None

    async def status(self) -> Status | None:
        """Give what the node says of itself; None if it does not answer, or does not let us ask."""
        with trio.move_on_after(PATIENCE_S):
            try:
                return await self._ask()
            except (OSError, Refused):
                pass
        await (
            self.aclose()
        )  # the question may still be answered: a later answer must not be taken for the next
        return None

    async def aclose(self) -> None:
        """Close the connection, if any."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _ask(self) -> Status | None:
        if self._client is None:
            # The supervisor is a client of its nodes, not part of one.
            self._client = await dial(
                self._address, password=self._password, reply_bytes_max=_REPLY_BYTES_MAX
            )
        reply = await self._client.call("INFO", "server", "raft")
        return Status.parse(reply.decode(errors="replace")) if isinstance(reply, bytes) else None
