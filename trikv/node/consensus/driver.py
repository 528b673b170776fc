"""The driver: the one task that owns Raft. It never waits for a disk or a socket.

A turn takes everything that has come in, steps Raft, then acts on its `Ready`: jobs to the writer, messages
to the links, committed entries to the applier. All proposals that wait when their time comes (see `turns`)
become one entry: group commit without a timer. After the turn the applier works for a few milliseconds, in
this task.

Who gets what has come in is the `router`'s to know, when a turn begins the `turns`'.
"""

import structlog
import trio

from trikv.front.seam import Work
from trikv.node.consensus.parts import DriverParts, Parts
from trikv.node.consensus.proposals import CLUSTERDOWN
from trikv.node.consensus.turns import NEVER_MS
from trikv.node.events import Event
from trikv.protocol.messages import JoinRequest
from trikv.raft.ready import Ready
from trikv.raft.roles import Role
from trikv.raft.types import NodeId

HOUSEKEEPING_MS = 1000
"""How often log time's slew, join requests, forgotten calls and the log's memory are looked after."""
WRITER_STEPS = 2
"""Turns of Trio's loop after which the writer, woken in this one, has surely begun its sync: what is applied
then is applied while the disk works."""

log = structlog.get_logger()


class Driver:
    """Turns events into Raft's steps, and Raft's `Ready` into orders."""

    def __init__(self, parts: Parts, own: DriverParts) -> None:
        # Taken out of the records: a turn then pays one look-up for each use, not two.
        self._clock = parts.host.clock
        self._raft = parts.raft
        self._identity = parts.identity
        self._proposals = parts.proposals
        self._reads = parts.reads
        self._log_time = parts.log_time
        self._links = parts.links
        self._writer = parts.writer
        self._applier = parts.applier
        self._snapshotter = parts.snapshotter
        self._turns = own.turns
        self._router = own.router
        self._admission = own.admission
        self._forwarding = own.forwarding
        self._read_exchange = own.read_exchange
        self._leading = own.leading
        self._retention = own.retention
        self._calls = own.calls
        self._clock_watch = own.clock_watch
        self._lost_entries = own.lost_entries
        self._seen: tuple[int, NodeId | None, Role] = (0, None, Role.FOLLOWER)
        self._housekeeping_due_ms = 0
        self._clients_due_ms = 0

    @property
    def works(self) -> int:
        """Commands taken since the start: whether it moves tells an idle node from a busy one."""
        return self._admission.works + self._forwarding.items

    async def run_alarm(self) -> None:
        """The timer's own task; run it beside `run`."""
        await self._turns.run_alarm()

    async def run(self) -> None:
        """Take turns until cancelled."""
        turns, applier = self._turns, self._applier
        while True:
            batch, settled = await turns.next()
            has_job = self.turn(batch, settled=settled)
            if applier.has_orders and not turns.holds_applying:
                # The writer first: a disk that works meanwhile costs nothing.
                for _ in range(WRITER_STEPS if has_job else 0):
                    await trio.lowlevel.checkpoint()
                applier.carry_out()

    def turn(self, batch: list[Event], *, settled: bool) -> bool:
        """One turn: inputs, timers, outputs. Synchronous, and short. True if the writer got a job.

        `settled`: those who were answered last have had the time to ask again. No step may wait: whatever
        another task did in between would be seen by half of the turn.
        """
        raft = self._raft
        # First: what comes in this turn may end a batch, and those whom it answers have yet to ask again.
        writes_free, reads_free = self._turns.free(settled=settled)
        now = self._clock.boot_ms()
        raft.begin(now, self._clock.wall_ms())
        if (self._applier.inside is not None) is not self._proposals.stands_still:
            self._notice_applier(now)
        works = [event for event in batch if isinstance(event, Work)]
        if len(works) < len(batch):  # events first: one of them may say that works cannot be taken
            for event in batch:
                if not isinstance(event, Work):
                    self._router.handle(event, now)
        if works:
            self._admission.take(works, now)
        raft.tick()  # after the inputs: a heartbeat among them means that there is nothing to campaign for
        if now >= self._clients_due_ms:
            self._look_after_clients(now)
        # After all that may change it, and before anything is proposed: a new leader needs its log time.
        self._notice_leadership(now)
        if now >= self._housekeeping_due_ms:
            self._keep_house(now)
        elif self._retention.is_due(raft.log_bytes):
            self._trim_log(now)
        self._forwarding.go(now, free=writes_free)
        self._read_exchange.ask(now, free=reads_free)
        ready = raft.ready()  # last of all inputs: all of the above leaves together
        self._act(ready, now)
        # After the orders of this turn were put, or the applier would have nothing to hold.
        self._turns.hold_applying(now, log_has_room=not self._admission.no_room)
        self._clients_due_ms = min(
            self._proposals.deadline_ms() or NEVER_MS, self._reads.deadline_ms() or NEVER_MS
        )
        self._turns.arm(self._next_deadline(now))
        return ready.job is not None

    # ------------------------------------------------------------------ timers

    def _look_after_clients(self, now: int) -> None:
        """What they wait for is asked again, or given up."""
        self._proposals.tick(now)
        self._reads.tick(now)
        for work, error in self._proposals.expire(now):
            work.failed(error)
        for work in self._reads.expire(now):
            work.failed(CLUSTERDOWN)

    def _notice_applier(self, now: int) -> None:
        """It has come into an entry that takes long, or out of it: no time counts between (PROTOCOL 61)."""
        inside = self._applier.inside
        if inside is not None:
            self._proposals.stand_still(inside.began_ms)
        else:
            self._proposals.move_again(now)
        self._clients_due_ms = now

    def _notice_leadership(self, now: int) -> None:
        raft = self._raft
        seen = (raft.term, raft.leader, raft.role)
        if seen == self._seen:
            return
        previous, self._seen = self._seen, seen
        if raft.role is Role.LEADER and previous != seen:
            self._leading.elected(now)
        elif previous[2] is Role.LEADER:
            self._log_time.follow()
        if seen[:2] != previous[:2]:
            self._proposals.rewind(now)
            self._reads.retry()
            self._calls.lost()
            log.info("raft", role=raft.role.name.lower(), term=raft.term, leader=raft.leader)

    def _keep_house(self, now: int) -> None:
        self._housekeeping_due_ms = now + HOUSEKEEPING_MS
        raft, identity = self._raft, self._identity
        self._trim_log(now)
        for work in self._applier.lapsed_reads(now - self._reads.patience_ms):
            work.failed(self._admission.behind)
        self._calls.expire(now)
        self._clock_watch.look(now, raft.peer_clocks)
        if raft.role is Role.LEADER:
            self._leading.slew(now)
            self._lost_entries.look(now, raft.progress)
            is_alone = sum(member.voter for member in raft.membership.members) == 1
            if self._admission.no_room and not raft.is_transferring and not is_alone:
                raft.step_down()  # nobody took over in a second: a leader that cannot write is none
        elif not any(member.disk == identity.disk and member.voter for member in raft.membership.members):
            for peer in self._links.peers():  # to all: who leads may be unknown to a disk that is nobody yet
                self._links.send(peer, JoinRequest(identity.disk, identity.address))

    def _trim_log(self, now: int) -> None:
        self._retention.trim(self._raft, self._applier.position.index, now)

    def _next_deadline(self, now: int) -> int:
        """When the next turn is due at the latest. What comes in meanwhile is never due before that."""
        raft = self._raft
        # Inside an entry nothing can be proposed for expiry, and keys that are due stay so.
        expires = raft.role is Role.LEADER and self._applier.inside is None
        expiry_ms = self._leading.deadline_ms() if expires else None
        return self._turns.due(
            now,
            raft.deadline(),
            self._housekeeping_due_ms,
            self._clients_due_ms,
            NEVER_MS if expiry_ms is None else expiry_ms,
        )

    # ----------------------------------------------------------------- outputs

    def _act(self, ready: Ready, now: int) -> None:
        """Hand out what Raft has decided. Nothing here waits for its being done."""
        if ready.job is not None:
            self._turns.disk_first.issued(ready.job.number)
            self._writer.put(ready.job)  # before the messages: the sync begins while they are encoded
        for peer, message in ready.messages:
            self._links.send(peer, message)
        if ready.install is not None:  # before the entries: those behind it apply to the snapshot's machine
            self._applier.install(self._snapshotter.take_loaded(ready.install))
        self._applier.put(ready.committed)
        if ready.reads:  # behind the entries: most are served as soon as these have been applied
            self._read_exchange.answer(ready.reads, now)
        for peer in ready.snapshots_wanted:
            self._snapshotter.send_to(peer, self._raft.term, self._raft.first_index - 1)
