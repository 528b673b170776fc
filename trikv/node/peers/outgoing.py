"""One connection that this node dials to a peer: its queue, what leaves of it at once, and its coming back.

It is only sent on. The peer never speaks here, so anything that arrives is its end.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
import trio

from trikv.host.seam import PeerStream
from trikv.node.events import Event, LinkDown, LinkUp
from trikv.node.mailbox import Mailbox
from trikv.protocol.errors import PeerProtocolError
from trikv.protocol.frames import PeerSender
from trikv.protocol.handshake import Established
from trikv.protocol.messages import PeerMessage
from trikv.raft.types import NodeId

PUSH_BYTES_MAX = 256 * 1024
"""What one message may make leave in the midst of a driver's turn; a backlog leaves in the link's task."""
BACKOFF_S_MIN, BACKOFF_S_MAX = 0.05, 1.0

log = structlog.get_logger()


class Outgoing:
    """Dials one peer, and again whenever that ends, until it is closed."""

    def __init__(
        self,
        peer: NodeId,
        address: str,
        dial: Callable[[NodeId, str], Awaitable[tuple[PeerStream, Established]]],
        inbox: Mailbox[Event],
    ) -> None:
        self.address = address
        self.sent_bytes = 0
        """To that peer, over all connections."""
        self._peer = peer
        self._dial = dial
        self._inbox = inbox
        self._sender: PeerSender | None = None
        self._stream: PeerStream | None = None
        self._rest = b""
        """What `_push` could not send; the task is at it, or will be."""
        self._is_blocked = False
        self._bell: Mailbox[None] = Mailbox()
        self._attempt = trio.CancelScope()
        """Around one connection, from its dial to its end."""
        self._life = trio.CancelScope()
        """Around all of them."""

    @property
    def is_up(self) -> bool:
        """True while messages may be put."""
        return self._sender is not None

    @property
    def queued_bytes(self) -> int:
        """Waiting to be sent."""
        return self._sender.queued_bytes if self._sender is not None else 0

    def put(self, message: PeerMessage) -> bool:
        """Queue `message`. False (and dropped) while there is no connection or the queue is full."""
        sender = self._sender
        if sender is None or not sender.put(message):
            return False
        if not self._is_blocked:
            self._push(sender)
        return True

    def _push(self, sender: PeerSender) -> None:
        """Send at once what the kernel takes; nearly always that is all. The task sends the rest.

        A task woken for every message cost more than the message.
        """
        assert self._stream is not None, "a sender has a stream"
        pushed = 0
        while pushed < PUSH_BYTES_MAX and (data := sender.next_write()):
            taken = self._stream.send_nowait(data)
            self.sent_bytes += taken
            if taken < len(data):
                self._rest = data[taken:]
                break
            pushed += taken
        if self._rest or sender.queued_bytes:
            self._is_blocked = True
            self._bell.put(None)

    def reset(self) -> None:
        """Close the connection, and dial again."""
        self._attempt.cancel()

    def close(self) -> None:
        """End for good, in whatever it is: a dial, a send, a pause. It may not have begun yet."""
        # Not left to the task: by then the peer may have another link, whose end nobody must hear of.
        self._fall()
        self._life.cancel()

    def _fall(self) -> None:
        """The link stands no more, if it did."""
        if self._sender is not None:
            self._stream = self._sender = None
            self._inbox.put(LinkDown(self._peer))
            log.info("link down", peer=self._peer)

    async def run(self) -> None:
        """Run until closed."""
        with self._life:
            await self._keep_up()

    async def _keep_up(self) -> None:
        backoff_s = BACKOFF_S_MIN
        last_reason = ""
        while True:
            with trio.CancelScope() as self._attempt:
                try:
                    stream, established = await self._dial(self._peer, self.address)
                except (OSError, trio.BrokenResourceError, trio.TooSlowError, PeerProtocolError) as error:
                    last_reason = self._complain(error, last_reason)
                else:
                    backoff_s, last_reason = BACKOFF_S_MIN, ""
                    await self._use(stream, established)
            await trio.sleep(backoff_s)
            backoff_s = min(BACKOFF_S_MAX, backoff_s * 2)

    def _complain(self, error: BaseException, last_reason: str) -> str:
        """Say once why a peer cannot be reached; a node that is simply down is no warning."""
        reason = str(error) or type(error).__name__
        if isinstance(error, PeerProtocolError) and reason != last_reason:
            log.warning("no link to a peer", peer=self._peer, address=self.address, reason=reason)
        return reason

    async def _use(self, stream: PeerStream, established: Established) -> None:
        try:
            # Closed since the dial's last wait? Nobody must hear of this link. Up to LinkUp nothing waits.
            await trio.lowlevel.checkpoint_if_cancelled()
            self._stream, self._sender = stream, established.wire.sender
            self._rest, self._is_blocked = b"", False
            self._inbox.put(LinkUp(self._peer, established.peer_disk))
            log.info("link up", peer=self._peer, address=self.address)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, stream, nursery.cancel_scope)
                await self._send(stream, self._sender)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the peer is gone; the driver hears LinkDown and we dial again
        finally:
            self._fall()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await trio.aclose_forcefully(stream)

    async def _send(self, stream: PeerStream, sender: PeerSender) -> None:
        while True:
            await self._bell.take()
            while data := self._rest or sender.next_write():
                self._rest = b""
                await stream.send_all(data)
                self.sent_bytes += len(data)
            self._is_blocked = False

    @staticmethod
    async def _watch(stream: trio.abc.Stream, scope: trio.CancelScope) -> None:
        """The peer never speaks here: anything that arrives is its end."""
        with suppress(OSError, trio.BrokenResourceError):
            await stream.receive_some(1)
        scope.cancel()
