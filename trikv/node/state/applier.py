"""The applier: the one owner of the machine.

It applies committed entries in order, answers the clients that wait at this node, and serves confirmed
reads as soon as their index is applied: always between two applies, so that a read sees whole entries
only. The driver lets it carry out its orders at the end of each turn, because most take less time than to
wake a task for them. Orders that are left after a few milliseconds go on in a task of its own, which lets
others run in between, so that heartbeats leave in time however long the backlog is.

A single entry may take longer than that: a resumable command stops inside it, and the applier goes on with
it in slices (PROTOCOL 61). Meanwhile nothing else is applied, no read is served, and the position stays where
it was: at the last entry that is wholly applied. Whoever needs the state waits for `Applier.until_whole`.
"""

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from itertools import islice
from typing import TypeAlias, assert_never

import msgspec
import structlog
import trio

from trikv.front.figures import ApplierStatistics
from trikv.front.seam import Work
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied, LifeOpened, Outcome, Reason, Skipped, Whole
from trikv.machine.replies import Reply, drop
from trikv.machine.suspended import Suspended
from trikv.node.audience import Audience
from trikv.node.events import Event, Installed, OwnApplied, OwnDisowned, OwnHello, OwnSkipped
from trikv.node.mailbox import Mailbox
from trikv.node.waiters import Waiters
from trikv.raft.types import Entry, EntryKind, Membership, SnapshotMeta

RELEASE_KEYS = 2_000
"""Keys freed in one slice, or what counts for as many. It takes about a millisecond; of elements, three."""
RELEASE_INSIDE = 500
"""As many between two slices of one entry: who waits for such a slice waits for what is freed there, too."""
READS_TOGETHER_MAX = 16
"""Reads carried out before the first of them is answered."""

log = structlog.get_logger()
_decode_membership = msgspec.msgpack.Decoder(Membership).decode


class ServeReads(msgspec.Struct, gc=False):
    """Answer `works` once `index` is applied; TTLs are computed for `log_time_ms` or later."""

    index: int
    works: deque[Work]
    log_time_ms: int
    confirmed_ms: int
    """Boot time. Reads that wait for too long, because this node's log stands still, fail: `lapsed_reads`."""


class Swap(msgspec.Struct):
    """Replace the machine with that of a snapshot."""

    meta: SnapshotMeta
    machine: Machine


Order: TypeAlias = Entry | ServeReads | Swap


class Inside(msgspec.Struct):
    """An entry of which only a part is applied."""

    entry: Entry
    rest: Suspended
    began_ms: int
    """Boot time."""
    spent_us: int


class Applier:
    """Applies the log to the machine."""

    SLICE_MS = 5
    """How long it may run before other tasks get a turn: far below a tenth of the election timeout."""
    INSIDE_MS = 3
    """The same inside an entry, whose slice ends with a step of the command, which may take as long again.

    With 5 ms a PING beside a ZREMRANGEBYRANK of half a million waited for 19 to 22 ms: for slice, step, and
    what was freed after it."""

    def __init__(
        self,
        *,
        origin: int,
        machine: Machine,
        position: SnapshotMeta,
        waiters: Waiters,
        inbox: Mailbox[Event],
        audience: Audience,
        boot_ms: Callable[[], int],
        boot_us: Callable[[], int],
        seed: int,
    ) -> None:
        self.machine = machine
        self.position = position
        """Index and term of the last applied entry, and the membership at it."""
        self.bytes_applied = 0
        """Payload bytes applied since the node started; the snapshotter's threshold counts these."""
        self._origin = origin
        self._waiters = waiters
        self._inbox = inbox
        self._audience = audience
        machine.tell_of(audience.awaited)
        self._boot_ms = boot_ms
        self._boot_us = boot_us
        self._seed = seed
        """Of the latest read: each has the next number. It begins somewhere else in each life of a node."""
        self._memory_peak_bytes = machine.used_memory
        """The largest value that the account had after an entry, since this node started."""
        self._orders: deque[Order] = deque()
        self._held: list[tuple[int, int, ServeReads]] = []
        """Reads by the index they wait for, then by arrival. It is a heap, because there may be ten thousand
        of them, and it is checked after every entry."""
        self._held_count = 0
        self._own_next: tuple[int, int] | None = None
        self._deadline_told: int | None = None
        self._poison_told = machine.poison_count
        self._bell: Mailbox[None] = Mailbox()
        self._is_behind = False
        self.inside: Inside | None = None
        """The entry that is being applied in slices."""
        self.slices = 0
        """Of such entries, since the start: whether it moves tells a long command from one that hangs."""
        self._left_ms = 0
        """Boot time at which the latest of them was whole."""
        self._whole = trio.Event()
        """Those who wait until the machine is not inside an entry any more."""
        self._lets_in = False

    def put(self, orders: Iterable[Order]) -> None:
        """Add `orders`, to be carried out after all earlier ones; reads wait for their index."""
        self._orders.extend(orders)

    def install(self, order: Swap) -> None:
        """Carry out `order` behind all earlier ones; inside an entry at once, because it is overtaken.

        A snapshot that Raft has accepted is ahead of all that was committed here: the entries that wait need
        not be applied any more, nor the rest of that one.
        """
        if self.inside is None:
            self._orders.append(order)
            return
        self.inside.rest.close()
        self.inside = None
        self._orders = deque(one for one in self._orders if not isinstance(one, Entry))
        self._swap(order)
        self._leave()

    async def until_whole(self) -> None:
        """Wait until the machine is inside no entry. It is not before the caller's next checkpoint."""
        while self.inside is not None:
            await self._whole.wait()

    def applied_index(self) -> int:
        """The last entry applied; while a write is being answered, the entry of that write."""
        return self.position.index

    def statistics(self, at_ms: int) -> ApplierStatistics:
        """For INFO; the remaining life of keys is computed from log time `at_ms`."""
        return ApplierStatistics(
            index=self.position.index,
            memory_peak_bytes=self._memory_peak_bytes,
            inside_ms=None if self.inside is None else self._boot_ms() - self.inside.began_ms,
            machine=self.machine.statistics(at_ms),
        )

    @property
    def has_orders(self) -> bool:
        """Whether any order waits to be carried out."""
        return bool(self._orders)

    @property
    def is_awaited(self) -> bool:
        """Whether a client of this node may wait for one of the orders."""
        return bool(self._held or len(self._waiters) or any(map(is_read, self._orders)))

    def read(self, work: Work, at_ms: int) -> list[Reply]:
        """The answers to `work`, which only reads, at this position; TTLs are for `at_ms` or later."""
        self._seed += 1
        return self.machine.read(work.db, work.commands, at_ms, work.transactions, seed=self._seed)

    def carry_out(self) -> None:
        """Carry out orders for about `SLICE_MS`; the rest is left to the task.

        The driver calls it after its turn. It does nothing while the task still works on an earlier rest,
        because orders must be carried out in order.
        """
        if self._is_behind:
            return
        if not self._advance():
            self._is_behind = True
            self._bell.put(None)
            return
        self._wake_for_expiry()
        if self.machine.discarded:
            self._bell.put(None)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Go on with the orders that `carry_out` has left, until cancelled."""
        task_status.started()
        while True:
            await self._bell.take()
            while not self._advance():
                await self._pause()
            self._is_behind = False
            self._wake_for_expiry()
            await self._free_memory()

    async def _pause(self) -> None:
        """Let other tasks run; and those who wait for the end of an entry before another one begins.

        A slice of what was discarded is freed, or a long log that fills and flushes would take any memory.
        """
        self.machine.release(RELEASE_KEYS if self.inside is None else RELEASE_INSIDE)
        await trio.lowlevel.checkpoint()
        if self._lets_in:
            self._lets_in = False
            await trio.lowlevel.checkpoint()  # they were woken in the same round as this task

    def _advance(self) -> bool:
        """Carry out orders for about `SLICE_MS`; True if none is left."""
        boot_ms = self._boot_ms
        stop_ms = boot_ms() + self.SLICE_MS
        if self.inside is not None and not self._go_on(self.inside, stop_ms):
            return False
        orders = self._orders
        while orders:
            order = orders.popleft()
            if isinstance(order, Entry):
                self._apply_one(order, lambda: boot_ms() >= stop_ms)
                if self.inside is not None and not self._go_on(self.inside, stop_ms):
                    return False
                if self._held:
                    self._release_reads()
            elif isinstance(order, ServeReads):
                if not self._serve(order, stop_ms):
                    return False
            elif isinstance(order, Swap):
                self._swap(order)
                self._release_reads()
            else:
                assert_never(order)
            if boot_ms() >= stop_ms and orders:
                return False
        return True

    async def _free_memory(self) -> None:
        """Free in slices what FLUSHALL set aside, while there are no orders."""
        while not self._orders and self.machine.release(RELEASE_KEYS):
            await trio.lowlevel.checkpoint()

    def _log_poison(self) -> None:
        self._poison_told = self.machine.poison_count
        poisoned = self.machine.poisoned
        assert poisoned is not None, "what was counted is kept"
        log.error(
            "a command failed inside trikv and had no effect; please report it",
            command=poisoned.command,
            digest=poisoned.digest,
            problem=poisoned.problem,
            index=poisoned.index,
        )

    def _apply_one(self, entry: Entry, is_over: Callable[[], bool]) -> None:
        assert entry.index == self.position.index + 1, "entries apply in order, none twice, none left out"
        machine = self.machine
        membership = self.position.membership
        match entry.kind:
            case EntryKind.BATCH:
                began_us = self._boot_us()
                came = machine.apply(entry.index, entry.payload, origin=self._origin, is_over=is_over)
                spent_us = self._boot_us() - began_us
                if isinstance(came, Whole):
                    self._applied(entry, came, spent_us)
                else:
                    self.inside = Inside(entry, came, self._boot_ms(), spent_us)
            case EntryKind.NOOP:
                self.position = SnapshotMeta(entry.index, entry.term, membership)
                machine.skip(entry.index)
            case EntryKind.MEMBERSHIP:
                membership = _decode_membership(entry.payload)
                self.position = SnapshotMeta(entry.index, entry.term, membership)
                machine.apply_membership(entry.index, [member.id for member in membership.members])

    def _go_on(self, inside: Inside, stop_ms: int) -> bool:
        """Apply more of that entry in this slice. True if it is whole, and the next one may begin."""
        boot_ms, began_us = self._boot_ms, self._boot_us()
        stop_ms = min(stop_ms, boot_ms() + self.INSIDE_MS)
        came = inside.rest.resume(lambda: boot_ms() >= stop_ms)
        inside.spent_us += self._boot_us() - began_us
        self.slices += 1
        if came is None:
            return False
        self.inside = None
        self._applied(inside.entry, came, inside.spent_us)
        self._leave()
        return not self._lets_in

    def _leave(self) -> None:
        """The machine is whole again: go on with what waited for that."""
        self._left_ms = self._boot_ms()
        # If only long entries followed each other, nobody else would ever find the machine whole.
        self._lets_in = self._whole.statistics().tasks_waiting > 0
        self._whole.set()
        self._whole = trio.Event()
        self._release_reads()
        self._inbox.wake()  # clients' time stood still for the driver

    def _applied(self, entry: Entry, came: Whole, spent_us: int) -> None:
        """That entry is wholly applied, in so much time: answer those who waited for it."""
        machine = self.machine
        # The position moves first, because a client answered below may ask for the index of its write.
        self.position = SnapshotMeta(entry.index, entry.term, self.position.membership)
        self.bytes_applied += len(entry.payload)
        # Before any client is answered, so that an INFO after the answer includes this entry.
        machine.spent(spent_us)
        self._note_memory()
        for outcome in came.outcomes:
            self._settle(outcome)
        # Behind the replies of the same entry: who is told of an effect has had the answer of his own write.
        if came.effects:
            self._audience.route(came.effects)
        self._tell_applied()
        if machine.poison_count != self._poison_told:
            self._log_poison()

    def _settle(self, outcome: Outcome) -> None:
        waiters = self._waiters
        match outcome:
            case Applied(incarnation=incarnation, sequence=sequence, replies=replies):
                work = waiters.take(incarnation, sequence)
                self._own_next = (incarnation, sequence + 1)
                if work is not None:
                    work.answered(replies)
                else:
                    drop(replies)
            case LifeOpened(nonce=nonce, incarnation=incarnation):
                self._tell_applied()
                self._inbox.put(OwnHello(nonce, incarnation))
            case Skipped(incarnation=incarnation, reason=reason):
                self._tell_applied()
                if incarnation == waiters.incarnation:
                    if reason is Reason.GAP:
                        self._inbox.put(OwnSkipped())
                    elif reason is not Reason.DUPLICATE:
                        self._inbox.put(OwnDisowned(incarnation))

    def _tell_applied(self) -> None:
        """One event to the driver for a whole row of applied entries, before it gets any other event."""
        if self._own_next is not None:
            incarnation, next_sequence = self._own_next
            self._own_next = None
            self._inbox.put_without_waking(OwnApplied(incarnation, next_sequence))

    def _swap(self, order: Swap) -> None:
        assert order.meta.index > self.position.index, "an older snapshot never replaces a newer state"
        self.machine.retire()
        order.machine.discard_to(self.machine.discarded)
        order.machine.count_on(self.machine.tally)
        order.machine.tell_of(self._audience.awaited)
        self.machine, self._poison_told = order.machine, order.machine.poison_count
        self._note_memory()
        self.position = order.meta
        self._audience.installed(order.meta.index)
        self._inbox.put(Installed(order.meta.index, order.machine.row(self._origin)))

    def _serve(self, order: ServeReads, stop_ms: int) -> bool:
        """Answer those reads, or hold them until their index is applied; False if the slice was over.

        The rest comes first in the next slice, so that the state does not change until all are answered.
        """
        if order.index > self.position.index:
            self._held_count += 1
            heappush(self._held, (order.index, self._held_count, order))
            return True
        works, stop_us = order.works, stop_ms * 1000
        machine, boot_us = self.machine, self._boot_us
        began_us = boot_us()
        while works:
            answers = self._read_some(works, order.log_time_ms)
            machine.spent(boot_us() - began_us)
            for replies in answers:
                works.popleft().answered(replies)
            began_us = boot_us()
            if works and began_us >= stop_us:
                self._orders.appendleft(order)
                return False
        return True

    def _read_some(self, works: deque[Work], at_ms: int) -> list[list[Reply]]:
        """The answers to the first of `works`: to several if they are quick, because to time each takes long.

        Any other is carried out alone: its answer may be long, and should not be held until others are done.
        """
        quick = self.machine.read_quickly(islice(works, READS_TOGETHER_MAX))
        return quick or [self.read(works[0], at_ms)]

    def _note_memory(self) -> None:
        self._memory_peak_bytes = max(self._memory_peak_bytes, self.machine.used_memory)

    def _release_reads(self) -> None:
        """Put reads whose index is now applied first, before the next entry is applied.

        Confirmed reads arrive in the order of their indexes, except those of an earlier, slower leader.
        """
        ready: list[ServeReads] = []
        while self._held and self._held[0][0] <= self.position.index:
            ready.append(heappop(self._held)[2])
        self._orders.extendleft(reversed(ready))

    def lapsed_reads(self, confirmed_by_ms: int) -> list[Work]:
        """Take out the reads confirmed at that boot time or earlier that still wait for their index.

        The log does not stand still while this node is inside an entry. So none lapse then, and their time
        begins again when the entry is whole.
        """
        if self.inside is not None or self._left_ms > confirmed_by_ms:
            return []
        lapsed = [order for _, _, order in self._held if order.confirmed_ms <= confirmed_by_ms]
        if lapsed:
            self._held = [one for one in self._held if one[2].confirmed_ms > confirmed_by_ms]
            heapify(self._held)
        return [work for order in lapsed for work in order.works]

    def _wake_for_expiry(self) -> None:
        """Let the driver plan again if the next expiry has changed."""
        deadline = self.machine.next_deadline_ms()
        if deadline != self._deadline_told:
            self._deadline_told = deadline
            self._inbox.wake()


def is_read(order: Order) -> bool:
    """Whether a client waits for what it carries out."""
    return isinstance(order, ServeReads)
