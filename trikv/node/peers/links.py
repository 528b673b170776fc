"""Links: authenticated connections to the peers, one task each (`outgoing`, `incoming`).

Every node dials every peer and only sends on what it dialled; what it accepted it only reads. So a link
that stopped working one way is noticed by the side that needs it, and there is no quarrel about which of
two connections counts. Messages that do not fit a bounded queue are dropped: Raft and the proposals
tolerate loss, not unbounded memory (PROTOCOL 15).
"""

from functools import partial
from typing import Literal

import attrs
import trio

from trikv.front.figures import LinksStatistics, LinkStatistics
from trikv.host.seam import Host, Listening, PeerStream
from trikv.node.events import Event
from trikv.node.mailbox import Mailbox
from trikv.node.peers.incoming import Incoming
from trikv.node.peers.outgoing import Outgoing
from trikv.protocol.errors import PeerProtocolError
from trikv.protocol.frames import PieceLimits
from trikv.protocol.handshake import BLANK_CLUSTER, NONCE_BYTES, Established, PeerHandshake, Send
from trikv.protocol.messages import PeerMessage
from trikv.raft.types import DiskId, NodeId

HANDSHAKE_S = 5.0


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
        self._outgoing: dict[NodeId, Outgoing] = {}
        self._incoming = Incoming(self._prove, HANDSHAKE_S, inbox)
        self._nursery: trio.Nursery | None = None
        """Of the dialling tasks, while `run` does."""
        self._sent_before_bytes = 0
        """To peers that were removed."""
        for peer in sorted(peers):
            self.add(peer, peers[peer])

    def add(self, peer: NodeId, address: str) -> None:
        """Link to `peer` at `address` from now on; if it is known at another one, there instead."""
        assert peer != self._identity.node_id, "a node is no peer of its own"
        known = self._outgoing.get(peer)
        if known is not None:
            if known.address == address:
                return
            self._close(known)
        self._outgoing[peer] = outgoing = Outgoing(peer, address, self.dial, self._inbox)
        self._outgoing = {number: self._outgoing[number] for number in sorted(self._outgoing)}
        if self._nursery is not None:
            self._nursery.start_soon(outgoing.run)

    def remove(self, peer: NodeId) -> None:
        """Dial `peer` no more and drop what it dialled; what was on its way is lost. No error if unknown.

        It may connect again like any node that knows the secret, and is then nobody's peer.
        """
        outgoing = self._outgoing.pop(peer, None)
        if outgoing is not None:
            self._close(outgoing)
        self._incoming.drop(peer)

    def _close(self, outgoing: Outgoing) -> None:
        outgoing.close()
        self._sent_before_bytes += outgoing.sent_bytes

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

    def statistics(self) -> LinksStatistics:
        """For INFO: every peer, and what waits to be sent to all of them."""
        return LinksStatistics(
            queued_bytes=sum(outgoing.queued_bytes for outgoing in self._outgoing.values()),
            peers={
                peer: LinkStatistics(address=outgoing.address, is_up=outgoing.is_up)
                for peer, outgoing in self._outgoing.items()
            },
        )

    @property
    def received_bytes(self) -> int:
        """From peers that have proved themselves, since the start."""
        return self._incoming.received_bytes

    @property
    def sent_bytes(self) -> int:
        """To peers, removed ones included, since the start."""
        return self._sent_before_bytes + sum(outgoing.sent_bytes for outgoing in self._outgoing.values())

    def reset(self) -> None:
        """Close every connection and dial again: what was proved on them (a blank disk) no longer holds."""
        for outgoing in self._outgoing.values():
            outgoing.reset()
        self._incoming.drop()

    async def run(
        self, addresses: tuple[str, ...], connections_max: int, *, task_status: trio.TaskStatus[Listening]
    ) -> None:
        """Listen at `addresses` and dial all peers, until cancelled. Raises OSError for a taken port."""
        async with trio.open_nursery() as nursery:
            listen = partial(self._host.network.listen, connections_max=connections_max)
            listening = await nursery.start(listen, addresses, self._incoming.accept)
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

    async def _prove(self, stream: trio.abc.Stream) -> Established:
        return await self._shake_hands(stream, self._handshake("listener", None))

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
