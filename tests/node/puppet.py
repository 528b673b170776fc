"""A peer whose every move the test makes: it speaks the real protocol, and is driven by nothing else.

So a whole node can be put before what is rare among honest peers, at an exact moment, without a look inside.
"""

import json
from typing import Any, TypeVar

import trio

from tests.node.counting import until
from tests.node.simcluster import PORT, SECRET, SimCluster
from trikv.node.events import Event, LinkUp, PeerSaid
from trikv.node.mailbox import Mailbox
from trikv.node.peers.links import Identity, Links
from trikv.protocol.frames import DEFAULT_LIMITS
from trikv.protocol.messages import (
    DiskStanding,
    PeerMessage,
    ReadReply,
    ReadRequest,
    SnapshotAck,
    SnapshotChunk,
)
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    Heartbeat,
    HeartbeatAck,
    PreVote,
    PreVoteAck,
    RequestVote,
    VoteAck,
)
from trikv.raft.types import Entry, SnapshotMeta
from trikv.sim.host import SimHost

M = TypeVar("M", bound=PeerMessage)
CHUNK_BYTES = 60_000
CONNECTIONS_MAX = 64
"""Of peers; more than any test makes."""
PATIENCE_S = 20.0
"""Virtual seconds: longer than any timer of a node."""


class Puppet:
    """A member's id and disk without the member."""

    def __init__(self, cluster: SimCluster, number: int, disk: bytes, cluster_id: bytes) -> None:
        self.number = number
        self.disk = disk
        self.cluster_id = cluster_id
        self.term = 0
        """Of the latest message that named one."""
        self.holds = 0
        """The last entry that it took."""
        self.acks = True
        """Answers a leader's heartbeats by itself."""
        self.takes = True
        """Says of all entries it is sent that they are on its disk."""
        self.votes = False
        """Helps whoever asks to be elected."""
        self.reads_at: int | None = None
        """As a leader: confirms reads at this index."""
        self.led: int | None = None
        """Whom it sends heartbeats, until that is taken back."""
        self._cluster = cluster
        self._heard: list[tuple[int, PeerMessage, float]] = []
        self._news = trio.Event()
        self._links: Links | None = None

    def begin(self) -> None:
        """Live on the machine, where no other process may be. What an earlier life heard is forgotten."""
        self.forget()
        self._cluster.stand_in(self.number, self._main)

    def end(self) -> None:
        """``kill -9``."""
        self._links = None
        self._cluster.kill(self.number)

    async def _main(self, host: SimHost) -> None:
        inbox = Mailbox[Event]()
        peers = {n: f"node{n}:{PORT + 10000}" for n in self._cluster.nodes if n != self.number}
        identity = Identity(self.number, self.disk, self.cluster_id)
        links = self._links = Links(host, identity, SECRET, peers, inbox, DEFAULT_LIMITS)
        async with trio.open_nursery() as nursery:
            await nursery.start(links.run, (f"node{self.number}:{PORT + 10000}",), CONNECTIONS_MAX)
            nursery.start_soon(self._beat)
            while True:
                for event in await inbox.take():
                    if isinstance(event, PeerSaid):
                        self._hear(event.peer, event.message)
                    elif isinstance(event, LinkUp):
                        self._wake()

    async def _beat(self) -> None:
        while True:
            if self.led is not None:
                self.say(self.led, Heartbeat(self.term, 0, 0))
            await trio.sleep(0.05)

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _hear(self, peer: int, message: PeerMessage) -> None:
        self._heard.append((peer, message, trio.current_time()))
        match message:
            case Heartbeat(term=term, round=number) if self.acks:
                self.term = term
                self.say(peer, HeartbeatAck(term, number, self.wall_ms()))
            case AppendEntries(term=term, prev_index=previous, entries=entries) if self.takes:
                self.term = term
                self.holds = previous + len(entries)
                self.say(peer, AppendAck(term, self.holds))
            case ReadRequest(reads=reads) if self.reads_at is not None:
                self.say(peer, ReadReply(reads, self.reads_at, 0))
            case PreVote(term=term) if self.votes:
                self.say(peer, PreVoteAck(term, True, self.wall_ms()))
            case RequestVote(term=term) if self.votes:
                self.say(peer, VoteAck(term, True, self.wall_ms()))
            case _:
                pass
        self._wake()

    def wall_ms(self) -> int:
        """Its machine's wall clock."""
        return self._cluster.world.machine(f"node{self.number}").clock.wall_ms()

    def say(self, peer: int, message: PeerMessage) -> None:
        """Send; lost where there is no link."""
        if self._links is not None:
            self._links.send(peer, message)

    async def linked(self, peer: int) -> None:
        """Wait until what is said to `peer` leaves."""
        with trio.fail_after(PATIENCE_S):
            await until(lambda: self._links is not None and self._links.is_up(peer))

    async def welcomed(self, peer: int) -> None:
        """Wait until `peer` has noticed that a life began here: its link to this machine stands."""
        await self.linked(peer)
        await self.hear(DiskStanding, peer)

    async def lead(self, peer: int, term: int) -> None:
        """Make `peer` follow this puppet in `term`, and go on doing so."""
        await self.linked(peer)
        self.term, self.led = term, peer
        with trio.fail_after(PATIENCE_S):
            await until(lambda: self._cluster.parts(peer).raft.leader == self.number)

    def resign(self) -> None:
        """Lead nobody any more, and help to elect whoever asks."""
        self.led, self.votes = None, True

    def append(self, peer: int, *entries: Entry, commit: int) -> None:
        """As a leader would."""
        raft = self._cluster.parts(peer).raft
        previous = entries[0].index - 1 if entries else raft.last_index
        self.say(peer, AppendEntries(self.term, previous, raft.term_at(previous), commit, entries))

    def send_piece(self, peer: int, meta: SnapshotMeta, document: bytes, start: int, end: int) -> None:
        """As a leader: a part of a snapshot, in chunks."""
        for offset in range(start, end, CHUNK_BYTES):
            data = document[offset : min(end, offset + CHUNK_BYTES)]
            self.say(peer, SnapshotChunk(self.term, meta, offset, len(document), data))

    async def send_snapshot(self, peer: int, meta: SnapshotMeta, document: bytes) -> int:
        """All of it; what the answer to the last chunk is: its length, or -1."""
        self.send_piece(peer, meta, document, 0, len(document))
        with trio.fail_after(PATIENCE_S):
            while True:
                offsets = [ack.offset for ack in self.heard(SnapshotAck, peer) if ack.index == meta.index]
                if offsets and offsets[-1] in {-1, len(document)}:
                    return offsets[-1]
                await self._news.wait()

    def heard(self, kind: type[M], peer: int | None = None) -> list[M]:
        """All that it was told of one kind, by `peer` or by anybody, since the last `forget`."""
        return [said for sender, said, _ in self._heard if isinstance(said, kind) and peer in (None, sender)]

    def forget(self) -> None:
        """What was heard so far is not looked at any more."""
        self._heard.clear()

    async def hear(self, kind: type[M], peer: int | None = None, *, within_s: float = PATIENCE_S) -> M:
        """Wait for the first message of that kind since the last `forget`."""
        with trio.fail_after(within_s):
            while not (heard := self.heard(kind, peer)):
                await self._news.wait()
        return heard[0]


def identity_of(cluster: SimCluster, number: int) -> tuple[bytes, bytes]:
    """Disk and cluster of a node's data directory, as its identity file tells."""
    document: dict[str, Any] = json.loads(cluster.file(number, "identity.json"))
    return bytes.fromhex(document["disk"]), bytes.fromhex(document["cluster"])


def possess(cluster: SimCluster, number: int, *, disk: bytes | None = None) -> Puppet:
    """Kill a node and put a puppet in its place, on the same disk unless another is named."""
    own_disk, cluster_id = identity_of(cluster, number)
    cluster.kill(number)
    puppet = Puppet(cluster, number, disk or own_disk, cluster_id)
    puppet.begin()
    return puppet
