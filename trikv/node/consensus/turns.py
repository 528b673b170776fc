"""When the driver's turns begin, and what they may hold back. Decided here and nowhere else.

A turn costs all nodes the same whatever is in it, and so does a batch of the log: turns, messages, syncs and
wake-ups were two thirds of a SET with fifty clients, because their requests went in groups behind each other.
So there are few turns and large batches. It is only about when, never about what: nothing depends on it but
speed.

**A turn begins** when something has come that cannot wait, or a timer is due.

- It takes all that has come.
- If it brings requests that may go on, it first waits until a round of Trio's loop has brought nothing more
  (`SETTLE_ROUNDS_MAX`): clients that were answered together ask together.
- What changes nothing now is kept for the next turn, whatever causes that one: answers that come after a
  majority has said as much, answers to a heartbeat that no read waits for, a leader's own sync while no peer
  has answered, and that own proposals have applied. For every batch a leader had three such turns, and one
  for every heartbeat at rest. There is a turn with every heartbeat and every timer, so nothing is kept for
  longer.

**A turn holds back** requests while a batch of their kind is under way (`Pace`), and a follower's applying
while its disk is about to answer (`DiskFirst`). What was held goes on in the turn that follows the end of
that. A batch then holds nearly all requests, and a lone client waits for one idle round of the loop, some
15 us. Writes are held by the leader alone, which makes the batches; reads by each node, which asks the
questions. If a round trip takes longer than `HOLD_MS`, batches follow each other at that distance, as many as
there are.
"""

import msgspec
import trio

from trikv.front.seam import Work
from trikv.host.seam import Clock
from trikv.node.consensus.alarm import Alarm
from trikv.node.consensus.read_questions import ReadQuestions
from trikv.node.events import Event, OwnApplied, PeerSaid, Persisted
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier
from trikv.protocol import messages as said
from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, HeartbeatAck
from trikv.raft.roles import Role

SETTLE_ROUNDS_MAX = 16
"""Rounds of the loop that may go by while more comes in. Each serves every ready socket once."""
SETTLE_MS_MAX = 2
"""And after so long no further one begins: less than what else may stand before a heartbeat."""
HOLD_MS = 3
"""Nothing is held for longer: what two batches under way cost is little beside such a round trip."""
DISK_FIRST_MS = 20
"""Nor is applying put off for longer, if nobody waits for it: a sync of that length is a slow disk's."""
NEVER_MS = 1 << 62
"""Boot time of what is not due."""


class Pace:
    """The pace of one kind of request."""

    __slots__ = ("due_ms",)

    def __init__(self) -> None:
        self.due_ms = NEVER_MS
        """Boot time at which it is to be asked again at the latest; `NEVER_MS` while nothing is held."""

    @property
    def is_holding(self) -> bool:
        """True while requests wait for their time, not for a leader."""
        return self.due_ms != NEVER_MS

    def lets_go(self, now_ms: int, *, waiting: bool, free: bool) -> bool:
        """Asked once a turn: whether what is `waiting` goes on now. `free`: nothing speaks for holding it."""
        if not waiting or free or now_ms >= self.due_ms:
            self.due_ms = NEVER_MS
            return waiting
        if self.due_ms == NEVER_MS:
            self.due_ms = now_ms + HOLD_MS
        return False


class DiskFirst:
    """Whether a follower's applying waits for its disk's answer.

    The leader waits for that answer, and nobody here for the other. The disk's thread needs the interpreter
    to say that it is done, and would get it only after the applying.
    """

    __slots__ = ("_issued", "_job", "_persisted", "due_ms")

    def __init__(self) -> None:
        self.due_ms = NEVER_MS
        """Boot time at which it is to be asked again at the latest; `NEVER_MS` while nothing is held."""
        self._issued = self._persisted = 0
        """The latest job given out, and reported."""
        self._job: int | None = None
        """The one that is waited for. No later one is: a busy disk would put off the applying for ever."""

    def issued(self, job: int) -> None:
        """The disk has got this job."""
        self._issued = job

    def persisted(self, job: int) -> None:
        """The disk has done it, and all before it."""
        self._persisted = job

    def holds(self, now_ms: int, *, may_wait: bool) -> bool:
        """Asked once a turn. `may_wait`: there is something to apply, and nobody here waits for it."""
        job = self._job
        if job is None and may_wait and self._persisted < self._issued:
            self._job, self.due_ms = self._issued, now_ms + DISK_FIRST_MS
            return True
        if job is not None and may_wait and self._persisted < job and now_ms < self.due_ms:
            return True
        self._job, self.due_ms = None, NEVER_MS
        return False


class Turns:
    """The receiving end of the driver's mailbox, its timer, and what waits for a later turn."""

    def __init__(
        self, inbox: Mailbox[Event], clock: Clock, raft: Raft, reads: ReadQuestions, applier: Applier
    ) -> None:
        self.writes = Pace()
        """Of this node's and its peers' writes, while this node leads."""
        self.reads = Pace()
        """Of this node's reads."""
        self.disk_first = DiskFirst()
        self.holds_applying = False
        """As the latest turn decided."""
        self._inbox = inbox
        self._clock = clock
        self._raft = raft
        self._reads = reads
        self._applier = applier
        self._alarm = Alarm(clock.boot_ms, inbox.wake)
        self.arm = self._alarm.arm
        """Lets a turn begin at a boot time, if nothing else makes one begin before."""
        self._kept: list[tuple[Event, int]] = []
        """What could wait, and the boot time when it came."""

    async def run_alarm(self) -> None:
        """The timer's own task."""
        await self._alarm.run()

    async def next(self) -> tuple[list[Event], bool]:
        """Wait until the next turn is to begin. What it takes, and whether that has settled.

        Settled: those who were answered last have had the time to ask again.
        """
        # Both stay as they are until the turn: only turns change them, and this is the driver's task.
        writes, reads = not self._writes_are_under_way, not self._reads.is_under_way
        held_is_free = (writes and self.writes.is_holding) or (reads and self.reads.is_holding)
        # What was held is not to wait for an event: what it was held for is over.
        batch = [] if held_is_free else await self.take()
        if held_is_free or brings_requests(batch, writes=writes, reads=reads):
            await self.settle(batch)
            return batch, True
        return batch, False

    def free(self, *, settled: bool) -> tuple[bool, bool]:
        """Whether writes, and whether reads, may go on in a turn that begins now."""
        return settled and not self._writes_are_under_way, settled and not self._reads.is_under_way

    @property
    def _writes_are_under_way(self) -> bool:
        """In the leader's log. A follower holds nothing: the leader does, and one of them is enough."""
        return self._raft.role is Role.LEADER and self._raft.commit < self._raft.last_index

    def hold_applying(self, now_ms: int, *, log_has_room: bool) -> None:
        """Decide whether what is committed is applied after this turn, or when the disk has answered.

        A disk that takes nothing any more (not `log_has_room`) is not waited for.
        """
        applier = self._applier
        may_wait = (
            applier.has_orders
            and self._raft.role is not Role.LEADER
            and log_has_room
            and not applier.is_awaited
        )
        self.holds_applying = self.disk_first.holds(now_ms, may_wait=may_wait)

    def due(self, now_ms: int, *others_ms: int) -> int:
        """When the next turn is due at the latest. `others_ms`: when others are who need one."""
        return max(now_ms, min(*others_ms, self.writes.due_ms, self.reads.due_ms, self.disk_first.due_ms))

    async def take(self) -> list[Event]:
        """Wait for what cannot wait (or for the alarm), and return all that there is."""
        while True:
            batch = await self._inbox.take()
            if self._inbox.was_called or not all(map(self._can_wait, batch)):
                # In the order of arrival: a question that comes last is answered with what was kept before.
                return self._take_kept() + batch if self._kept else batch
            came_ms = self._clock.boot_ms()
            self._kept += [(event, came_ms) for event in batch]

    async def settle(self, batch: list[Event]) -> None:
        """Let whoever is about to ask put that into `batch` too."""
        boot_ms, inbox = self._clock.boot_ms, self._inbox
        stop_ms = boot_ms() + SETTLE_MS_MAX
        for _ in range(SETTLE_ROUNDS_MAX):
            await trio.lowlevel.checkpoint()
            if not len(inbox):
                break
            batch += inbox.take_at_once()
            if boot_ms() >= stop_ms:
                break

    def _can_wait(self, event: Event) -> bool:
        match event:
            case PeerSaid(message=AppendAck() | HeartbeatAck() as message):
                return self._raft.answer_can_wait(event.peer, event.disk, message)
            case Persisted(job=job):
                return self._raft.sync_can_wait(job)
            case OwnApplied():
                return True  # its clients have their answers; room in a full window is made a turn later
            case _:
                return False

    def _take_kept(self) -> list[Event]:
        """What was kept; clocks that peers told go on meanwhile."""
        kept, self._kept = self._kept, []
        now_ms = self._clock.boot_ms()
        return [_brought_up(event, now_ms - came_ms) for event, came_ms in kept]


def brings_requests(batch: list[Event], *, writes: bool, reads: bool) -> bool:
    """True if somebody asks for what may go on now, and others may soon do so, too."""
    for event in batch:
        if isinstance(event, Work):
            if writes if event.writes else reads:
                return True
        elif isinstance(event, PeerSaid) and (
            (writes and isinstance(event.message, said.Forward))
            or (reads and isinstance(event.message, said.ReadRequest))
        ):
            return True
    return False


def _brought_up(event: Event, elapsed_ms: int) -> Event:
    if isinstance(event, PeerSaid) and isinstance(event.message, HeartbeatAck):
        wall_ms = event.message.wall_ms + elapsed_ms
        return PeerSaid(event.peer, event.disk, msgspec.structs.replace(event.message, wall_ms=wall_ms))
    return event
