"""The driver: the one task that owns Raft. It never waits for a disk or a socket.

A turn takes everything that has come in, steps Raft, then acts on its `Ready`: jobs to the writer, messages
to the links, committed entries to the applier. All proposals that wait when their time comes (see `pacing`)
become one entry: group commit without a timer. After the turn the applier works for a few milliseconds, in
this task.
"""

from collections import deque
from typing import assert_never

import attrs
import structlog
import trio

from trikv.front.seam import Work
from trikv.host.seam import Host
from trikv.machine.replies import CommandError
from trikv.node import events
from trikv.node.consensus.alarm import Alarm
from trikv.node.consensus.clock_watch import ClockWatch
from trikv.node.consensus.durability import Durability, voters_holding
from trikv.node.consensus.leading import Leading, stamp_of
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.pacing import DiskFirst, Pace
from trikv.node.consensus.proposals import CLUSTERDOWN, Proposals
from trikv.node.consensus.reads import Reads
from trikv.node.consensus.retention import Retention
from trikv.node.consensus.swap import Joiner
from trikv.node.consensus.turns import Gathering, brings_requests
from trikv.node.events import Event, OtherEvent
from trikv.node.mailbox import Mailbox
from trikv.node.peers.founding import record_for, standing
from trikv.node.peers.links import Identity, Links
from trikv.node.peers.password_guard import PasswordGuard
from trikv.node.state.applier import Applier, ServeReads
from trikv.node.state.snapshotter import Snapshotter
from trikv.node.state.writer import Writer
from trikv.node.waiters import Waiters
from trikv.protocol import messages as said
from trikv.protocol.messages import PeerMessage
from trikv.raft.core import Raft
from trikv.raft.messages import AppendEntries
from trikv.raft.ready import ConfirmedRead, Ready
from trikv.raft.roles import Role
from trikv.raft.types import DiskId, EntryKind, NodeId, ReadId

STOPPING = CommandError(
    "CLUSTERDOWN this node is shutting down; the command was not executed, use another node"
)
FORWARD_BYTES_MAX = 1024 * 1024
"""How much of the window one turn hands over; the rest follows in the next."""
HOUSEKEEPING_MS = 1000
"""Log time's slew, join requests and the log's memory are looked after this often."""
_NEVER_MS = 1 << 62
WRITER_STEPS = 2
"""Turns of Trio's loop after which the writer, woken in this one, has surely begun its sync: what is applied
then is applied while the disk works."""

log = structlog.get_logger()


@attrs.frozen
class Parts:
    """What the driver hands work to. Each is owned by another task, but for the pure ones of its own."""

    host: Host
    raft: Raft
    proposals: Proposals
    waiters: Waiters
    reads: Reads
    log_time: LogTime
    leading: Leading
    links: Links
    writer: Writer
    applier: Applier
    snapshotter: Snapshotter
    durability: Durability
    retention: Retention
    inbox: Mailbox[Event]
    identity: Identity
    guard: PasswordGuard


class Driver:
    """Turns events into Raft's steps, and Raft's `Ready` into orders."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._host = parts.host
        self._raft = parts.raft
        self._proposals = parts.proposals
        self._reads = parts.reads
        self._leading = parts.leading
        self._links = parts.links
        self._gathering = Gathering(parts.inbox, parts.host.clock, parts.raft)
        self._alarm = Alarm(parts.host.clock.boot_ms, parts.inbox.wake)
        self._forwarded: list[tuple[NodeId, tuple[bytes, ...]]] = []
        self._latest_job = self._persisted_job = 0
        self._disk_first = DiskFirst()
        self._holds_applying = False
        self._write_pace = Pace()
        self._read_pace = Pace()
        self._seen: tuple[int, NodeId | None, Role] = (0, None, Role.FOLLOWER)
        self._housekeeping_due_ms = 0
        self._clients_due_ms = 0
        self._clock_watch = ClockWatch()
        self._now_ms = 0
        self.stopping = False
        self.drained = False
        """The stop has come so far that this node needs its peers no more."""
        self.no_room = False
        self._refusal = STOPPING
        """What a write is refused with while `no_room`."""
        self.works = 0
        """Commands taken since the start: whether it moves tells an idle node from a busy one."""
        self.draining: dict[NodeId, bool] = {}
        """Peers that are shutting down; True once they have drained."""
        self.quiet = False
        """This node stops and has answered its clients."""
        self.quiet_peers: set[NodeId] = set()
        """Peers of which that is true."""

    async def run_alarm(self) -> None:
        """The timer's own task; run it beside `run`."""
        await self._alarm.run()

    async def run(self) -> None:
        """Take turns until cancelled."""
        applier = self._parts.applier
        while True:
            batch = [] if self._is_free_for_held() else await self._gathering.take()
            has_job = self.turn(batch, settled=await self._settle(batch))
            if applier.has_orders and not self._holds_applying:
                for _ in range(WRITER_STEPS if has_job else 0):
                    await trio.lowlevel.checkpoint()
                applier.carry_out()

    async def _settle(self, batch: list[Event]) -> bool:
        """Let all who are about to ask do so, into `batch`; False where this is not the time."""
        writes, reads = not self._writes_are_under_way, not self._reads.is_under_way
        if not (self._is_free_for_held() or brings_requests(batch, writes=writes, reads=reads)):
            return False
        await self._gathering.settle(batch)
        return True

    @property
    def _writes_are_under_way(self) -> bool:
        """In the leader's log. A follower holds nothing: the leader does, and one of them is enough."""
        return self._raft.role is Role.LEADER and self._raft.commit < self._raft.last_index

    def _is_free_for_held(self) -> bool:
        """True where requests are held and what they were held for is over."""
        return (self._write_pace.is_holding and not self._writes_are_under_way) or (
            self._read_pace.is_holding and not self._reads.is_under_way
        )

    def turn(self, batch: list[Event], *, settled: bool) -> bool:
        """One turn: inputs, timers, outputs. Synchronous, and short. True where the writer got a job.

        `settled`: those who were answered last have had the time to ask again, see `pacing`.
        """
        writes_free = settled and not self._writes_are_under_way
        reads_free = settled and not self._reads.is_under_way
        now = self._now_ms = self._host.clock.boot_ms()
        raft = self._raft
        raft.begin(now, self._host.clock.wall_ms())
        works = [event for event in batch if isinstance(event, Work)]
        if len(works) < len(batch):  # first what says whether works can be taken
            for event in batch:
                if not isinstance(event, Work):
                    self._handle(event)
        if works:
            self._take(works)
        raft.tick()
        if now >= self._clients_due_ms:
            self._look_after_clients(now)
        self._notice_leadership(now)
        if now >= self._housekeeping_due_ms:
            self._keep_house(now)
        elif self._parts.retention.is_due(raft.log_bytes):
            self._trim_log(now)
        self._hand_over_proposals(now, free=writes_free)
        self._ask_reads(now, free=reads_free)
        ready = raft.ready()
        self._act(ready)
        self._holds_applying = self._lets_the_disk_go_first(now)
        writes_due, reads_due = self._proposals.deadline_ms(), self._reads.deadline_ms()
        self._clients_due_ms = min(writes_due or _NEVER_MS, reads_due or _NEVER_MS)
        self._alarm.arm(self._next_deadline(now))
        return ready.job is not None

    def _lets_the_disk_go_first(self, now: int) -> bool:
        applier, issued, persisted = self._parts.applier, self._latest_job, self._persisted_job
        may_wait = (
            applier.has_orders
            and self._raft.role is not Role.LEADER
            and not self.no_room
            and not applier.is_awaited
        )
        return self._disk_first.holds(now, issued=issued, persisted=persisted, may_wait=may_wait)

    # ------------------------------------------------------------------ inputs

    def _handle(self, event: OtherEvent) -> None:
        match event:
            case events.PeerSaid(peer=peer, disk=disk, message=message):
                self._hear(peer, disk, message)
            case events.Persisted(job=job):
                self._persisted_job = job
                self._raft.persisted(job)
            case events.OwnApplied(incarnation=incarnation, next_sequence=sequence):
                if incarnation == self._parts.waiters.incarnation:
                    self._proposals.applied_below(sequence, self._now_ms)
            case events.OwnSkipped():
                self._proposals.nudge(self._now_ms)
            case events.OwnDisowned(incarnation=incarnation):
                if incarnation == self._parts.waiters.incarnation:
                    self._proposals.disowned(self._host.entropy.bytes(16), self._now_ms)
            case events.OwnHello(nonce=nonce, incarnation=incarnation):
                self._proposals.opened(nonce, incarnation, self._host.entropy.bytes(16), self._now_ms)
            case events.LinkUp() | events.LinkDown():
                self._link_changed(event)
            case events.Installed():
                self._installed(event)
            case events.SnapshotReceived(peer=peer, disk=disk, term=term, meta=meta):
                if not self._raft.install(peer, disk, term, meta):
                    self._parts.snapshotter.forget_loaded(meta)
            case events.TransferEnded(peer=peer, index=index, ok=ok):
                self._raft.snapshot_sent(peer, index, ok=ok)
            case events.Barrier(work=work):
                self._reads.submit([work], self._now_ms)
            case events.HandOver():
                self._give_leadership_away()
            case events.Compact(meta=meta):
                self._parts.writer.compact(meta)
            case events.LogRoom():
                self._room_changed(event)
            case _:
                assert_never(event)

    def _take(self, works: list[Work]) -> None:
        """What clients ask: there are many of them in a turn, so they are not looked at one by one."""
        self.works += len(works)
        writes = [work for work in works if work.writes]
        reads = [work for work in works if not work.writes] if len(writes) < len(works) else []
        if self.stopping:
            for work in works:
                work.failed(STOPPING)
        elif self.no_room:
            for work in writes:
                work.failed(self._refusal)  # after a change of term we could not even learn what became of it
            self._reads.submit(reads, self._now_ms)
        else:
            self._proposals.submit(writes, self._now_ms)
            self._reads.submit(reads, self._now_ms)

    def _hear(self, peer: NodeId, disk: DiskId, message: PeerMessage) -> None:
        raft = self._raft
        match message:
            case said.Forward(items=items):
                self.works += len(items)
                self._forwarded.append((peer, items))
            case said.ForwardRejected():
                self._proposals.nudge(self._now_ms)
            case said.ReadRequest(reads=reads, by_lease=by_lease):
                refused = tuple(read for read in reads if not raft.read(read, by_lease=by_lease))
                if refused:
                    self._links.send(peer, said.ReadRejected(refused))
            case said.ReadReply(reads=reads, index=index, log_time_ms=log_time_ms):
                self._serve(reads, index, log_time_ms)
            case said.ReadRejected():
                if raft.leader != peer:
                    self._reads.retry()
            case said.SnapshotChunk():
                self._parts.snapshotter.chunk_came(peer, disk, message)
            case said.SnapshotAck():
                self._parts.snapshotter.ack_came(peer, message)
            case said.DurableRequest(counter=counter, index=index):
                self._links.send(peer, said.DurableReply(counter, voters_holding(raft, index)))
            case said.DurableReply(counter=counter, voters=voters):
                self._parts.durability.told(counter, voters)
            case said.DiskStanding(blank=blank, password=password, feature_level=level):
                self._parts.guard.heard(peer, password)
                self._leading.level_told(peer, level)
                if blank:
                    cluster, level = self._parts.identity.cluster, self._leading.feature_level
                    self._links.send(peer, record_for(cluster, raft.membership, level, peer, disk))
            case said.BootstrapRecord():
                pass  # meant for a blank disk; this one has its record
            case said.JoinRequest(disk=joining, address=address):
                if joining == disk and peer in self._links.peers():  # a stray node is nobody's replacement
                    self._leading.asked_to_join(peer, Joiner(disk, address, self._now_ms))
            case said.Draining(is_quiet=is_quiet):
                self.draining.setdefault(peer, False)
                if is_quiet:
                    self.quiet_peers.add(peer)
            case said.Drained():
                self.draining[peer] = True
            case _:
                self._note_stamp(message)
                raft.receive(peer, disk, message)

    def _note_stamp(self, message: PeerMessage) -> None:
        """Log time follows every stamp that enters our log; they rise, so the last one is enough."""
        if isinstance(message, AppendEntries):
            for entry in reversed(message.entries):
                if entry.kind is EntryKind.BATCH:
                    self._parts.log_time.saw(stamp_of(entry.payload))
                    return

    def _link_changed(self, event: events.LinkUp | events.LinkDown) -> None:
        raft, peer = self._raft, event.peer
        if isinstance(event, events.LinkDown):
            raft.unreachable(peer)
            self._parts.snapshotter.link_down(peer)
            return
        raft.reachable(peer)
        identity = self._parts.identity
        configured = [identity.node_id, *self._links.peers()]
        mark = self._parts.guard.mark
        # First, so that the peer knows whether it may serve before anything lets it answer a client.
        told = standing(blank=False, cluster=identity.cluster, configured=configured, password=mark)
        self._links.send(peer, told)
        self.draining.pop(peer, None)
        self.quiet_peers.discard(peer)
        if self.stopping:
            self._links.send(peer, said.Draining(self.quiet))
        if self.drained:
            self._links.send(peer, said.Drained())
        if peer == raft.leader:
            self._proposals.rewind(self._now_ms)
            self._reads.retry()

    def _installed(self, event: events.Installed) -> None:
        self._raft.installed(event.index)
        self._parts.log_time.saw(self._parts.applier.machine.now_ms)
        fresh_nonce = self._host.entropy.bytes(16)
        for work, error in self._proposals.installed(event.row, fresh_nonce, self._now_ms):
            work.failed(error)

    def _room_changed(self, event: events.LogRoom) -> None:
        self.no_room = not event.there
        if not event.there:
            log.error("no write is accepted or acknowledged until there is room", lack=event.lack)
            what = "the command was not executed, use another node"
            self._refusal = CommandError(f"CLUSTERDOWN this node cannot write: {event.lack}; {what}")
            self._give_leadership_away()
        else:
            log.info("there is room again: writes are accepted")

    def _give_leadership_away(self) -> None:
        raft = self._raft
        if raft.role is not Role.LEADER:
            return
        voters = {member.id for member in raft.membership.members if member.voter}
        candidates = [
            (progress.match, peer)
            for peer, progress in raft.progress.items()
            if peer in voters and peer not in self.draining and self._links.is_up(peer)
        ]
        if candidates:
            raft.transfer(max(candidates)[1])

    # ------------------------------------------------------------------ timers

    def _look_after_clients(self, now: int) -> None:
        """What they wait for is asked anew, or given up."""
        self._proposals.tick(now)
        self._reads.tick(now)
        for work, error in self._proposals.expire(now):
            work.failed(error)
        for work in self._reads.expire(now):
            work.failed(CLUSTERDOWN)

    def _notice_leadership(self, now: int) -> None:
        raft = self._raft
        seen = (raft.term, raft.leader, raft.role)
        if seen == self._seen:
            return
        previous, self._seen = self._seen, seen
        if raft.role is Role.LEADER and previous != seen:
            self._leading.elected(now)
        elif previous[2] is Role.LEADER:
            self._parts.log_time.follow()
        if seen[:2] != previous[:2]:
            self._proposals.rewind(now)
            self._reads.retry()
            log.info("raft", role=raft.role.name.lower(), term=raft.term, leader=raft.leader)

    def _keep_house(self, now: int) -> None:
        self._housekeeping_due_ms = now + HOUSEKEEPING_MS
        raft, identity = self._raft, self._parts.identity
        self._trim_log(now)
        for work in self._parts.applier.lapsed_reads(now - self._reads.patience_ms):
            work.failed(CLUSTERDOWN)
        self._clock_watch.look(now, raft.peer_clocks)
        if raft.role is Role.LEADER:
            self._leading.slew(now)
            is_alone = sum(member.voter for member in raft.membership.members) == 1
            if self.no_room and not raft.is_transferring and not is_alone:
                raft.step_down()  # nobody took over in a second: a leader that cannot write is none
        elif not any(member.disk == identity.disk and member.voter for member in raft.membership.members):
            for peer in self._links.peers():
                self._links.send(peer, said.JoinRequest(identity.disk, ""))

    def _trim_log(self, now: int) -> None:
        self._parts.retention.trim(self._raft, self._parts.applier.position.index, now)

    def _next_deadline(self, now: int) -> int:
        """When the next turn is due at the latest. What comes in meanwhile is never due before that."""
        due = min(self._raft.deadline(), self._housekeeping_due_ms, self._clients_due_ms)
        for other in (
            self._leading.deadline_ms() if self._raft.role is Role.LEADER else None,
            self._write_pace.deadline_ms(),
            self._read_pace.deadline_ms(),
            self._disk_first.deadline_ms(),
        ):
            if other is not None and other < due:
                due = other
        return max(now, due)

    # ----------------------------------------------------------------- outputs

    def _hand_over_proposals(self, now: int, *, free: bool) -> None:
        raft = self._raft
        waiting = self._proposals.wants_to_go or self._forwarded
        leader = self._leader_in_reach() if waiting else None
        goes = self._write_pace.lets_go(now, waiting=leader is not None, free=free)
        if raft.role is Role.LEADER:
            if goes:
                self._propose(now)
            self._leading.keep_up(now)
            return
        for peer, _ in self._forwarded:
            self._links.send(peer, said.ForwardRejected(raft.term, raft.leader))
        self._forwarded.clear()
        if goes and leader is not None:
            items = self._proposals.outgoing(now, FORWARD_BYTES_MAX)
            if items and not self._links.send(leader, said.Forward(tuple(items))):
                self._proposals.nudge(now)

    def _leader_in_reach(self) -> NodeId | None:
        """Whom to ask: this node itself, or a leader to whom our link stands."""
        leader = self._raft.leader
        if leader is None or self._raft.role is Role.LEADER or self._links.is_up(leader):
            return leader
        return None

    def _propose(self, now: int) -> None:
        items = self._proposals.outgoing(now, FORWARD_BYTES_MAX) if self._leading.is_founded else []
        items.extend(item for _, forwarded in self._forwarded for item in forwarded)
        if items and not (self._leading.is_founded and self._leading.propose(items, now)):
            self._proposals.nudge(now)
            for peer, _ in self._forwarded:
                self._links.send(peer, said.ForwardRejected(self._raft.term, self._raft.leader))
        for peer, _ in self._forwarded:
            self._raft.awaits(peer, self._raft.last_index)
        self._forwarded.clear()

    def _ask_reads(self, now: int, *, free: bool) -> None:
        reads, raft = self._reads, self._raft
        by_lease = reads.by_lease and not self.stopping  # a dump's completeness trusts no clock
        free = free or (by_lease and raft.role is Role.LEADER)  # its own lease costs no batch
        leader = self._leader_in_reach() if reads.wants_to_ask else None
        if not self._read_pace.lets_go(now, waiting=leader is not None, free=free) or leader is None:
            return
        if raft.role is Role.LEADER:
            accepted = raft.read(reads.ask(now), by_lease=by_lease)
            assert accepted, "a leader takes reads"
        else:
            self._links.send(leader, said.ReadRequest((reads.ask(now),), by_lease))

    def _act(self, ready: Ready) -> None:
        parts = self._parts
        if ready.job is not None:
            self._latest_job = ready.job.number
            parts.writer.put(ready.job)
        for peer, message in ready.messages:
            parts.links.send(peer, message)
        if ready.install is not None:
            parts.applier.put((parts.snapshotter.take_loaded(ready.install),))
        parts.applier.put(ready.committed)
        if ready.reads:
            self._answer_reads(ready.reads)
        for peer in ready.snapshots_wanted:
            parts.snapshotter.send_to(peer, self._raft.term, self._raft.first_index - 1)

    def _answer_reads(self, confirmed: tuple[ConfirmedRead, ...]) -> None:
        log_time_ms = self._parts.log_time.now_ms(self._now_ms)
        for one in confirmed:
            if one.read.origin == self._parts.identity.node_id:
                self._serve((one.read,), one.index, log_time_ms)
            else:
                self._links.send(one.read.origin, said.ReadReply((one.read,), one.index, log_time_ms))

    def _serve(self, reads: tuple[ReadId, ...], index: int, log_time_ms: int) -> None:
        works = deque(work for read in reads for work in self._reads.confirmed(read))
        if works:
            self._parts.applier.put((ServeReads(index, works, log_time_ms, self._now_ms),))
