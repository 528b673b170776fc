"""Connections that others dial to this node: strangers at first, then peers, who are only listened to."""

from collections.abc import Awaitable, Callable

import structlog
import trio

from trikv.node.descriptors import STRANGERS_MAX
from trikv.node.events import Event, PeerSaid
from trikv.node.mailbox import Mailbox
from trikv.protocol.errors import PeerProtocolError
from trikv.protocol.events import NeedData
from trikv.protocol.handshake import Established
from trikv.raft.types import NodeId

RECEIVE_BYTES = 128 * 1024
"""Read at once. From the size that is a mapping of its own (`host.allocator`) every read would make one."""
STRANGER_WARNING_S = 10.0

log = structlog.get_logger()


class Incoming:
    """The connections that peers have made to this node, and those that strangers try to make."""

    def __init__(
        self,
        prove: Callable[[trio.abc.Stream], Awaitable[Established]],
        patience_s: float,
        inbox: Mailbox[Event],
    ) -> None:
        """`prove`: the listener's side of the handshake, for which a stranger has `patience_s`."""
        self._shake_hands = prove
        self._patience_s = patience_s
        self._inbox = inbox
        self._accepted = 0
        self.received_bytes = 0
        """From peers that have proved themselves."""
        self._proved: dict[int, tuple[NodeId, trio.CancelScope]] = {}
        self._strangers: dict[int, trio.CancelScope] = {}
        """Connections that have not proved themselves yet, the oldest first."""
        self._refused = 0
        self._warn_again_at = float("-inf")

    def drop(self, peer: NodeId | None = None) -> None:
        """End what `peer` dialled, or what everybody did."""
        for sender, scope in list(self._proved.values()):
            if peer in (None, sender):
                scope.cancel()

    async def accept(self, stream: trio.abc.Stream) -> None:
        """Serve a connection to its end."""
        established = await self._prove(stream)
        if established is not None:
            await self._listen_to(stream, established)

    async def _prove(self, stream: trio.abc.Stream) -> Established | None:
        """Let a stranger prove itself; None if it did not, and the connection is closed.

        There is room for few. A newcomer pushes the oldest out: a peer proves itself in two round trips,
        and whoever only sits there must not keep it from doing so.
        """
        number = self._accepted = self._accepted + 1
        if len(self._strangers) >= STRANGERS_MAX:
            self._strangers.pop(next(iter(self._strangers))).cancel()
        scope = self._strangers[number] = trio.CancelScope(deadline=trio.current_time() + self._patience_s)
        reason = "it took too long"
        try:
            with scope:
                return await self._shake_hands(stream)
        except (PeerProtocolError, OSError, trio.BrokenResourceError) as error:
            reason = str(error)
        finally:
            self._strangers.pop(number, None)
        self._warn_of_stranger(reason)
        await trio.aclose_forcefully(stream)
        return None

    def _warn_of_stranger(self, reason: str) -> None:
        """At most now and then: whoever knocks must not fill the log."""
        self._refused += 1
        if trio.current_time() >= self._warn_again_at:
            log.warning("refused connections on the peer port", reason=reason, count=self._refused)
            self._refused = 0
            self._warn_again_at = trio.current_time() + STRANGER_WARNING_S

    async def _listen_to(self, stream: trio.abc.Stream, established: Established) -> None:
        number = self._accepted = self._accepted + 1
        scope = trio.CancelScope()
        self._proved[number] = (established.peer_id, scope)
        try:
            with scope:
                await self._read_messages(stream, established)
        except (PeerProtocolError, OSError, trio.BrokenResourceError) as error:
            log.warning("dropped a peer's connection", peer=established.peer_id, reason=str(error))
        finally:
            del self._proved[number]
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await trio.aclose_forcefully(stream)

    async def _read_messages(self, stream: trio.abc.Stream, established: Established) -> None:
        wire, peer, disk, inbox = established.wire, established.peer_id, established.peer_disk, self._inbox
        while data := await stream.receive_some(RECEIVE_BYTES):
            self.received_bytes += len(data)
            wire.receive(bytes(data))
            while not isinstance(message := wire.next_event(), NeedData):
                inbox.put(PeerSaid(peer, disk, message))
