"""The applier: the one task that owns the machine.

It applies committed entries in order, answers the clients that wait on this node, and serves confirmed
reads as soon as their index is applied, always between two applies, so that a read sees whole entries
only. Nothing is awaited within an apply; after a few milliseconds of them it lets other tasks run, so
that heartbeats leave in time however long the backlog.
"""

from collections import deque
from collections.abc import Callable

import msgspec
import structlog
import trio

from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied, Opened, Outcome, Reason, Skipped
from trikv.machine.replies import Reply
from trikv.node.events import Event, Installed, OwnApplied, OwnDisowned, OwnHello, OwnSkipped, Progress
from trikv.node.mailbox import Mailbox
from trikv.node.proposals import Waiters
from trikv.node.service import Work
from trikv.raft.types import Entry, EntryKind, Membership, SnapshotMeta

RELEASE_KEYS = 2_000
"""Keys freed in one slice: about a millisecond."""

log = structlog.get_logger()
_decode_membership = msgspec.msgpack.Decoder(Membership).decode


class ServeReads(msgspec.Struct, gc=False):
    """Answer `works` once `index` is applied; TTLs are reckoned at `log_time_ms` at the least."""

    index: int
    works: list[Work]
    log_time_ms: int
    confirmed_ms: int
    """Boot time: what waits for too long (this node's log stands still) is failed, see `lapsed_reads`."""


class Swap(msgspec.Struct):
    """Replace the machine by a snapshot's."""

    meta: SnapshotMeta
    machine: Machine


Order = tuple[Entry, ...] | ServeReads | Swap


class Applier:
    """Applies the log to the machine."""

    SLICE_MS = 5
    """How long it may run before other tasks get a turn: far below a tenth of the election timeout."""

    def __init__(
        self,
        *,
        origin: int,
        machine: Machine,
        position: SnapshotMeta,
        waiters: Waiters,
        inbox: Mailbox[Event],
        boot_ms: Callable[[], int],
    ) -> None:
        self.machine = machine
        self.position = position
        """Index and term of the last applied entry, and the membership at it."""
        self.bytes_applied = 0
        """Payload bytes applied since the node started: what the snapshotter's threshold counts."""
        self._origin = origin
        self._waiters = waiters
        self._inbox = inbox
        self._boot_ms = boot_ms
        self._orders: Mailbox[Order] = Mailbox()
        self._reads: deque[ServeReads] = deque()
        self._deadline_told: int | None = None
        self._poison_told = machine.poison_count
        self._retired: Machine | None = None
        """A machine that a snapshot has replaced, being freed in slices."""

    def put(self, order: Order) -> None:
        """Carry out `order` after all that were put before; reads wait for their index."""
        self._orders.put(order)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Apply until cancelled."""
        task_status.started()
        while True:
            for order in await self._orders.take():
                match order:
                    case ServeReads():
                        self._reads.append(order)
                    case Swap():
                        self._swap(order)
                    case _:
                        await self._apply(order)
                await self._serve_reads()
            self._report()
            self._log_poison()
            await self._free_memory()

    async def _free_memory(self) -> None:
        """What FLUSHALL set aside goes in slices, while there is nothing better to do."""
        while not len(self._orders) and self._release():
            await trio.lowlevel.checkpoint()

    def _release(self) -> bool:
        if self._retired is not None and not self._retired.release(RELEASE_KEYS):
            self._retired = None
        return self.machine.release(RELEASE_KEYS) or self._retired is not None

    def _log_poison(self) -> None:
        poisoned = self.machine.poisoned
        if self.machine.poison_count != self._poison_told and poisoned is not None:
            self._poison_told = self.machine.poison_count
            log.error(
                "a command failed inside trikv and had no effect; please report it",
                command=poisoned.command,
                digest=poisoned.digest,
                problem=poisoned.problem,
                index=poisoned.index,
            )

    async def _apply(self, entries: tuple[Entry, ...]) -> None:
        begun = self._boot_ms()
        for entry in entries:
            self._apply_one(entry)
            if self._boot_ms() - begun >= self.SLICE_MS:
                self._report()
                await trio.lowlevel.checkpoint()
                begun = self._boot_ms()

    def _apply_one(self, entry: Entry) -> None:
        assert entry.index == self.position.index + 1, "entries apply in order, none twice, none left out"
        machine = self.machine
        membership = self.position.membership
        # The position moves first: whoever is answered below may ask at which index it happened.
        match entry.kind:
            case EntryKind.BATCH:
                self.position = SnapshotMeta(entry.index, entry.term, membership)
                self.bytes_applied += len(entry.payload)
                for outcome in machine.apply(entry.index, entry.payload, origin=self._origin):
                    self._settle(outcome)
            case EntryKind.NOOP:
                self.position = SnapshotMeta(entry.index, entry.term, membership)
                machine.skip(entry.index)
            case EntryKind.MEMBERSHIP:
                membership = _decode_membership(entry.payload)
                self.position = SnapshotMeta(entry.index, entry.term, membership)
                machine.apply_membership(entry.index, [member.id for member in membership.members])

    def _settle(self, outcome: Outcome) -> None:
        waiters = self._waiters
        match outcome:
            case Applied(incarnation=incarnation, sequence=sequence, replies=replies):
                work = waiters.take(incarnation, sequence)
                self._inbox.put_quietly(OwnApplied(incarnation, sequence + 1))
                if work is not None:
                    work.answered(replies)
            case Opened(nonce=nonce, incarnation=incarnation):
                self._inbox.put(OwnHello(nonce, incarnation))
            case Skipped(incarnation=incarnation, reason=reason):
                if incarnation == waiters.incarnation:
                    if reason is Reason.GAP:
                        self._inbox.put(OwnSkipped())
                    elif reason is not Reason.DUPLICATE:
                        self._inbox.put(OwnDisowned(incarnation))

    def _swap(self, order: Swap) -> None:
        assert order.meta.index > self.position.index, "an older snapshot never replaces a newer state"
        self._retired = self.machine
        self._retired.retire()
        self.machine, self._poison_told = order.machine, order.machine.poison_count
        self.position = order.meta
        self._inbox.put(Installed(order.meta.index, order.machine.row(self._origin)))

    async def _serve_reads(self) -> None:
        """Confirmed reads come in the order of their indexes, but for those of an earlier, slower leader.

        Between two of them others get a turn once a slice is over; the state stays as it is meanwhile.
        """
        held: list[ServeReads] = []
        begun = self._boot_ms()
        while self._reads:
            order = self._reads.popleft()
            if order.index > self.position.index:
                held.append(order)
                continue
            for work in order.works:
                work.answered(self.evaluate(work, order.log_time_ms))
                if self._boot_ms() - begun >= self.SLICE_MS:
                    await trio.lowlevel.checkpoint()
                    begun = self._boot_ms()
        self._reads.extend(held)

    def lapsed_reads(self, confirmed_by_ms: int) -> list[Work]:
        """Take out the reads confirmed at that boot time or before whose index has not come since."""
        lapsed = [order for order in self._reads if order.confirmed_ms <= confirmed_by_ms]
        for order in lapsed:
            self._reads.remove(order)
        return [work for order in lapsed for work in order.works]

    def evaluate(self, work: Work, log_time_ms: int) -> list[Reply]:
        """The replies to a read, from the state as it is."""
        return self.machine.read(work.db, work.commands, log_time_ms, work.transactions)

    def _report(self) -> None:
        """Tell the driver how far we are; wake it only for a new expiry to plan."""
        deadline = self.machine.next_deadline_ms()
        event = Progress(self.position.index)
        if deadline != self._deadline_told:
            self._deadline_told = deadline
            self._inbox.put(event)
        else:
            self._inbox.put_quietly(event)
