"""Links: authenticated connections to the peers, one task each.

Every node dials every peer and only sends on what it dialled; what it accepted it only reads. So a link
that stopped working one way is noticed by the side that needs it, and there is no quarrel about which of
two connections counts. Messages that do not fit a bounded queue are dropped: Raft and the proposals
tolerate loss, not unbounded memory (PROTOCOL 15).
"""

from contextlib import suppress
from functools import partial
from typing import Literal

import attrs
import structlog
import trio

from trikv.host.seam import Host, Listening, PeerStream
from trikv.node.descriptors import STRANGERS_MAX
from trikv.node.events import Event, LinkDown, LinkUp, PeerSaid
from trikv.node.mailbox import Mailbox
from trikv.protocol.errors import PeerProtocolError
from trikv.protocol.events import NeedData
from trikv.protocol.frames import PeerSender, PieceLimits
from trikv.protocol.messages import PeerMessage
from trikv.protocol.peer import BLANK_CLUSTER, NONCE_BYTES, Established, PeerHandshake, Send
from trikv.raft.types import DiskId, NodeId

RECEIVE_BYTES = 256 * 1024
PUSH_BYTES_MAX = 256 * 1024
"""What one message may make leave in the midst of a driver's turn; a backlog leaves in the link's task."""
HANDSHAKE_S = 5.0
STRANGER_WARNING_S = 10.0
BACKOFF_S_MIN, BACKOFF_S_MAX = 0.05, 1.0

log = structlog.get_logger()


@attrs.define
class Identity:
    """Who this node is to its peers. `cluster` changes once, when a blank disk is adopted."""

    node_id: NodeId
    disk: DiskId
    cluster: bytes = BLANK_CLUSTER
    address: str = ""
    """host:port where the peers reach it; empty if nobody need know."""


class Links:
    """All connections between this node and its peers.

    Peers may be added and removed at any time. No lock is needed: whoever calls does so between two waits of
    the links' own tasks, and these look again after each.
    """

    def __init__(
        self,
        host: Host,
        identity: Identity,
        secret: bytes,
        peers: dict[NodeId, str],
        inbox: Mailbox[Event],
        limits: PieceLimits,
    ) -> None:
        self._host = host
        self._identity = identity
        self._secret = secret
        self._inbox = inbox
        self._limits = limits
        self._outgoing: dict[NodeId, _Outgoing] = {}
        self._incoming: dict[int, tuple[NodeId, trio.CancelScope]] = {}
        self._nursery: trio.Nursery | None = None
        """Of the dialling tasks, while `run` does."""
        self._accepted = 0
        self.received_bytes = 0
        """From peers that have proved themselves."""
        self.sent_bytes = 0
        """To them."""
        self._strangers: dict[int, trio.CancelScope] = {}
        """Connections that have not proved themselves yet, the oldest first."""
        self._refused = 0
        self._warn_again_at = float("-inf")
        for peer in sorted(peers):
            self.add(peer, peers[peer])

    def add(self, peer: NodeId, address: str) -> None:
        """Link to `peer` at `address` from now on; if it is known at another one, there instead."""
        assert peer != self._identity.node_id, "a node is no peer of its own"
        known = self._outgoing.get(peer)
        if known is not None:
            if known.address == address:
                return
            known.close()
        self._outgoing[peer] = outgoing = _Outgoing(self, peer, address)
        self._outgoing = {number: self._outgoing[number] for number in sorted(self._outgoing)}
        if self._nursery is not None:
            self._nursery.start_soon(outgoing.run)

    def remove(self, peer: NodeId) -> None:
        """Dial `peer` no more and drop what it dialled; what was on its way is lost. No error if unknown.

        It may connect again like any node that knows the secret, and is then nobody's peer.
        """
        outgoing = self._outgoing.pop(peer, None)
        if outgoing is not None:
            outgoing.close()
        for sender, scope in list(self._incoming.values()):
            if sender == peer:
                scope.cancel()

    def send(self, peer: NodeId, message: PeerMessage) -> bool:
        """Queue `message` for `peer`. False (and dropped) while there is no link or its queue is full."""
        outgoing = self._outgoing.get(peer)
        return outgoing is not None and outgoing.put(message)

    def is_up(self, peer: NodeId) -> bool:
        """True while our connection to `peer` stands."""
        return peer in self._outgoing and self._outgoing[peer].is_up

    def peers(self) -> list[NodeId]:
        """Those that this node links to, ordered. Ask again after any wait: it may change."""
        return list(self._outgoing)

    def addresses(self) -> dict[NodeId, str]:
        """Where each of them is reached."""
        return {peer: outgoing.address for peer, outgoing in self._outgoing.items()}

    def address_of(self, peer: NodeId) -> str:
        """Where this node reaches `peer`; empty for one that it does not link to."""
        outgoing = self._outgoing.get(peer)
        return "" if outgoing is None else outgoing.address

    def queued_bytes(self) -> int:
        """Bytes waiting to be sent, over all links."""
        return sum(outgoing.queued_bytes for outgoing in self._outgoing.values())

    def reset(self) -> None:
        """Close every connection and dial again: what was proved on them (a blank disk) no longer holds."""
        for outgoing in self._outgoing.values():
            outgoing.reset()
        for _, scope in list(self._incoming.values()):
            scope.cancel()

    async def run(
        self, addresses: tuple[str, ...], connections_max: int, *, task_status: trio.TaskStatus[Listening]
    ) -> None:
        """Listen at `addresses` and dial all peers, until cancelled. Raises OSError for a taken port."""
        async with trio.open_nursery() as nursery:
            listen = partial(self._host.network.listen, connections_max=connections_max)
            listening = await nursery.start(listen, addresses, self._accept)
            # From here on `add` starts the task itself; nothing waits in between, so none is started twice.
            self._nursery = nursery
            for outgoing in self._outgoing.values():
                nursery.start_soon(outgoing.run)
            task_status.started(listening)

    async def dial(self, peer: NodeId, address: str) -> tuple[PeerStream, Established]:
        """Connect and prove ourselves. Raises OSError, BrokenResourceError or PeerProtocolError."""
        stream = await self._host.network.dial(address)
        try:
            with trio.fail_after(HANDSHAKE_S):
                established = await self._shake_hands(stream, self._handshake("dialer", peer))
        except BaseException:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await trio.aclose_forcefully(stream)
            raise
        return stream, established

    def _handshake(self, role: Literal["dialer", "listener"], expected_peer: NodeId | None) -> PeerHandshake:
        identity = self._identity
        return PeerHandshake(
            role=role,
            node_id=identity.node_id,
            disk=identity.disk,
            cluster=identity.cluster,
            secret=self._secret,
            nonce=self._host.entropy.bytes(NONCE_BYTES),
            expected_peer=expected_peer,
            limits=self._limits,
        )

    async def _shake_hands(self, stream: trio.abc.Stream, handshake: PeerHandshake) -> Established:
        if greeting := handshake.outgoing():
            await stream.send_all(greeting)
        while True:
            match handshake.next_event():
                case Send(data=data):
                    await stream.send_all(data)
                case Established() as established:
                    return established
                case _:
                    received = bytes(await stream.receive_some(4096))
                    if not received:
                        raise PeerProtocolError("the peer closed the connection during the handshake")
                    handshake.receive(received)

    async def _accept(self, stream: trio.abc.Stream) -> None:
        established = await self._prove(stream)
        if established is not None:
            await self._listen_to(stream, established)

    async def _prove(self, stream: trio.abc.Stream) -> Established | None:
        """Let a stranger prove itself; None where it did not, and the connection is closed.

        There is room for few. A newcomer pushes the oldest out: a peer proves itself in two round trips,
        and whoever only sits there must not keep it from doing so.
        """
        number = self._accepted = self._accepted + 1
        if len(self._strangers) >= STRANGERS_MAX:
            self._strangers.pop(next(iter(self._strangers))).cancel()
        scope = self._strangers[number] = trio.CancelScope(deadline=trio.current_time() + HANDSHAKE_S)
        reason = "it took too long"
        try:
            with scope:
                return await self._shake_hands(stream, self._handshake("listener", None))
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
        self._incoming[number] = (established.peer_id, scope)
        try:
            with scope:
                await self._read_messages(stream, established)
        except (PeerProtocolError, OSError, trio.BrokenResourceError) as error:
            log.warning("dropped a peer's connection", peer=established.peer_id, reason=str(error))
        finally:
            del self._incoming[number]
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await trio.aclose_forcefully(stream)

    async def _read_messages(self, stream: trio.abc.Stream, established: Established) -> None:
        wire, peer, disk, inbox = established.wire, established.peer_id, established.peer_disk, self._inbox
        while data := await stream.receive_some(RECEIVE_BYTES):
            self.received_bytes += len(data)
            wire.receive(bytes(data))
            while not isinstance(message := wire.next_event(), NeedData):
                inbox.put(PeerSaid(peer, disk, message))

    def up(self, peer: NodeId, disk: DiskId) -> None:
        """A dialled connection stands."""
        self._inbox.put(LinkUp(peer, disk))

    def down(self, peer: NodeId) -> None:
        """A dialled connection broke."""
        self._inbox.put(LinkDown(peer))


class _Outgoing:
    """The connection this node dials to one peer, and the queue of what goes over it."""

    def __init__(self, links: Links, peer: NodeId, address: str) -> None:
        self._links = links
        self._peer = peer
        self.address = address
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
        return self._sender is not None

    @property
    def queued_bytes(self) -> int:
        return self._sender.queued_bytes if self._sender is not None else 0

    def put(self, message: PeerMessage) -> bool:
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
            self._links.sent_bytes += taken
            if taken < len(data):
                self._rest = data[taken:]
                break
            pushed += taken
        if self._rest or sender.queued_bytes:
            self._is_blocked = True
            self._bell.put(None)

    def reset(self) -> None:
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
            self._links.down(self._peer)
            log.info("link down", peer=self._peer)

    async def run(self) -> None:
        with self._life:
            await self._keep_up()

    async def _keep_up(self) -> None:
        backoff_s = BACKOFF_S_MIN
        last_reason = ""
        while True:
            with trio.CancelScope() as self._attempt:
                try:
                    stream, established = await self._links.dial(self._peer, self.address)
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
            # Closed since the dial's last wait? Nobody must hear of this link. Up to `up` nothing waits.
            await trio.lowlevel.checkpoint_if_cancelled()
            self._stream, self._sender = stream, established.wire.sender
            self._rest, self._is_blocked = b"", False
            self._links.up(self._peer, established.peer_disk)
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
                self._links.sent_bytes += len(data)
            self._is_blocked = False

    @staticmethod
    async def _watch(stream: trio.abc.Stream, scope: trio.CancelScope) -> None:
        """The peer never speaks here: anything that arrives is its end."""
        with suppress(OSError, trio.BrokenResourceError):
            await stream.receive_some(1)
        scope.cancel()
