"""What an event or a peer's message means, and who gets it.

Half of the messages between nodes never touch Raft. Here each kind finds its owner; nothing is kept here but
what the routing itself needs. It runs inside the driver's turn, so whoever it calls may not wait.
"""

from typing import assert_never

from trikv.host.seam import Entropy
from trikv.machine.batch import stamp_of
from trikv.node import events
from trikv.node.consensus.admission import Admission
from trikv.node.consensus.forwarding import Forwarding
from trikv.node.consensus.leader_reach import leader_in_reach
from trikv.node.consensus.leading import Leading
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.proposals import Proposals
from trikv.node.consensus.read_exchange import ReadExchange
from trikv.node.consensus.read_questions import ReadQuestions
from trikv.node.consensus.swap import Joiner
from trikv.node.consensus.turns import DiskFirst
from trikv.node.consensus.voters_holding import voters_holding
from trikv.node.drain import Drain
from trikv.node.events import OtherEvent
from trikv.node.peers.founding import record_for, standing
from trikv.node.peers.leader_calls import LeaderCalls
from trikv.node.peers.levels import Levels
from trikv.node.peers.links import Identity, Links
from trikv.node.peers.password_guard import PasswordGuard
from trikv.node.state.applier import Applier
from trikv.node.state.snapshotter import Snapshotter
from trikv.node.state.writer import Writer
from trikv.node.waiters import Waiters
from trikv.protocol import messages as said
from trikv.protocol.messages import PeerMessage
from trikv.raft.core import Raft
from trikv.raft.messages import AppendEntries
from trikv.raft.types import DiskId, EntryKind, NodeId


class Router:
    """Gives every event to its owner."""

    def __init__(
        self,
        *,
        identity: Identity,
        entropy: Entropy,
        raft: Raft,
        proposals: Proposals,
        waiters: Waiters,
        reads: ReadQuestions,
        read_exchange: ReadExchange,
        forwarding: Forwarding,
        admission: Admission,
        leading: Leading,
        log_time: LogTime,
        disk_first: DiskFirst,
        drain: Drain,
        calls: LeaderCalls,
        levels: Levels,
        guard: PasswordGuard,
        links: Links,
        writer: Writer,
        applier: Applier,
        snapshotter: Snapshotter,
    ) -> None:
        self._identity = identity
        self._entropy = entropy
        self._raft = raft
        self._proposals = proposals
        self._waiters = waiters
        self._reads = reads
        self._read_exchange = read_exchange
        self._forwarding = forwarding
        self._admission = admission
        self._leading = leading
        self._log_time = log_time
        self._disk_first = disk_first
        self._drain = drain
        self._calls = calls
        self._levels = levels
        self._guard = guard
        self._links = links
        self._writer = writer
        self._applier = applier
        self._snapshotter = snapshotter

    def handle(self, event: OtherEvent, now_ms: int) -> None:
        """Whatever has come in, but clients' works."""
        match event:
            case events.PeerSaid(peer=peer, disk=disk, message=message):
                self.hear(peer, disk, message, now_ms)
            case events.Persisted(job=job):
                self._disk_first.persisted(job)
                self._raft.persisted(job)
            case events.OwnApplied(incarnation=incarnation, next_sequence=sequence):
                if incarnation == self._waiters.incarnation:
                    self._proposals.applied_below(sequence, now_ms)
            case events.OwnSkipped():
                self._proposals.nudge(now_ms)
            case events.OwnDisowned(incarnation=incarnation):
                if incarnation == self._waiters.incarnation:
                    self._proposals.disowned(self._entropy.bytes(16), now_ms)
            case events.OwnHello(nonce=nonce, incarnation=incarnation):
                self._proposals.opened(nonce, incarnation, self._entropy.bytes(16), now_ms)
            case events.LinkUp(peer=peer):
                self._link_up(peer, now_ms)
            case events.LinkDown(peer=peer):
                self._link_down(peer)
            case events.Installed():
                self._installed(event, now_ms)
            case events.SnapshotReceived(peer=peer, disk=disk, term=term, meta=meta):
                if not self._raft.install(peer, disk, term, meta):
                    self._snapshotter.forget_loaded(meta)
            case events.TransferEnded(peer=peer, index=index, ok=ok):
                self._raft.snapshot_sent(peer, index, ok=ok)
            case events.Barrier(work=work):
                self._reads.submit([work], now_ms)
            case events.AskLeader():
                self._ask_leader(event, now_ms)
            case events.HandOver():
                self._give_leadership_away()
            case events.Compact(meta=meta):
                self._writer.compact(meta)
            case events.LogRoom():
                self._admission.room_changed(event)
                if not event.there:
                    self._give_leadership_away()
            case _:
                assert_never(event)

    def hear(self, peer: NodeId, disk: DiskId, message: PeerMessage, now_ms: int) -> None:
        """A peer's message; `disk` is the one that the peer's link has proved."""
        match message:
            case said.Forward(items=items):
                self._forwarding.take(peer, items)
            case said.ForwardRejected():
                self._proposals.nudge(now_ms)
            case said.ReadRequest(reads=reads, by_lease=by_lease):
                self._read_exchange.asked(peer, reads, by_lease=by_lease)
            case said.ReadReply(reads=reads, index=index, log_time_ms=log_time_ms):
                self._read_exchange.serve(reads, index, log_time_ms, now_ms)
            case said.ReadRejected():
                self._read_exchange.rejected(peer)
            case said.SnapshotChunk():
                self._snapshotter.chunk_came(peer, disk, message)
            case said.SnapshotAck():
                self._snapshotter.ack_came(peer, message)
            case said.DurableRequest():
                self._links.send(peer, self._answer(message))
            case said.DurableReply():
                self._calls.answered(message)
            case said.DiskStanding():
                self._stands(peer, disk, message)
            case said.BootstrapRecord():
                pass  # meant for a blank disk; this one has its record
            case said.JoinRequest():
                self._wants_in(peer, disk, message, now_ms)
            case said.Draining() | said.Drained():
                self._drain.heard(peer, message)
            case _:
                self._note_stamp(message)
                self._raft.receive(peer, disk, message)

    # ------------------------------------------------------------- Raft's messages

    def _note_stamp(self, message: PeerMessage) -> None:
        """Log time follows every stamp that enters our log; they rise, so the last one is enough."""
        if isinstance(message, AppendEntries):
            for entry in reversed(message.entries):
                if entry.kind is EntryKind.BATCH:
                    self._log_time.saw(stamp_of(entry.payload))
                    return

    # ----------------------------------------------------------- calls to the leader

    def _ask_leader(self, call: events.AskLeader, now_ms: int) -> None:
        request = self._calls.ask(call, now_ms)
        if request is None:
            return
        leader = leader_in_reach(self._raft, self._links)
        if leader == self._raft.node_id:
            self._calls.answered(self._answer(request))
        elif leader is None or not self._links.send(leader, request):
            self._calls.failed(request.counter)

    def _answer(self, request: events.LeaderRequest) -> events.LeaderAnswer:
        """This node's answer, to itself or to a peer. 0 voters: it does not lead."""
        return said.DurableReply(request.counter, voters_holding(self._raft, request.index))

    # ------------------------------------------------------------------------- links

    def _link_up(self, peer: NodeId, now_ms: int) -> None:
        raft, identity = self._raft, self._identity
        raft.reachable(peer)
        configured = [identity.node_id, *self._links.peers()]
        mark = self._guard.mark
        # Before anything lets the peer answer a client: what Raft says leaves at the end of the turn. So it
        # knows first whether it may serve.
        told = standing(blank=False, cluster=identity.cluster, configured=configured, password=mark)
        self._links.send(peer, told)
        for message in self._drain.came_up(peer):
            self._links.send(peer, message)
        if peer == raft.leader:  # what was on the last link may be lost
            self._proposals.rewind(now_ms)
            self._reads.retry()

    def _link_down(self, peer: NodeId) -> None:
        self._raft.unreachable(peer)
        self._snapshotter.link_down(peer)
        if peer == self._raft.leader:
            self._calls.lost()

    def _stands(self, peer: NodeId, disk: DiskId, message: said.DiskStanding) -> None:
        self._guard.heard(peer, message.password)
        self._levels.told(peer, message.feature_level, cluster=self._applier.machine.feature_level)
        if message.blank:
            cluster, level = self._identity.cluster, self._leading.feature_level
            self._links.send(peer, record_for(cluster, self._raft.membership, level, peer, disk))

    def _wants_in(self, peer: NodeId, disk: DiskId, message: said.JoinRequest, now_ms: int) -> None:
        # Nobody asks for another's disk, and a node of no configuration is nobody's replacement.
        if message.disk == disk and peer in self._links.peers():
            # A release that did not say where it is reached is reached where it is configured.
            address = message.address or self._links.address_of(peer)
            self._leading.asked_to_join(peer, Joiner(disk, address, now_ms), knows=self._levels.of(peer))

    # ------------------------------------------------------------------- what befell

    def _installed(self, event: events.Installed, now_ms: int) -> None:
        self._raft.installed(event.index)
        # Log time does not go back behind the state's.
        self._log_time.saw(self._applier.machine.now_ms)
        for work, error in self._proposals.installed(event.row, self._entropy.bytes(16), now_ms):
            work.failed(error)

    def _give_leadership_away(self) -> None:
        links, drain = self._links, self._drain
        self._leading.give_away(
            {peer for peer in links.peers() if links.is_up(peer) and not drain.stops(peer)}
        )
