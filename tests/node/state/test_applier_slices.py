"""The applier inside an entry that takes several slices: what waits, what goes on, and when it is over."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.machine.driving import collect
from tests.machine.long_work import LONG
from tests.node.recorded_work import ORIGIN, Asked, CommittedLog
from trikv.machine.batch import Hello, Item, Submission
from trikv.machine.effects import WRITTEN, Touched
from trikv.machine.machine import Machine
from trikv.machine.replies import OK
from trikv.machine.snapshot import Restore
from trikv.machine.suspended import Suspended
from trikv.node.audience import Audience, News
from trikv.node.events import Event, Installed, OwnApplied
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import RELEASE_INSIDE, RELEASE_KEYS, Applier, Inside, ServeReads, Swap
from trikv.node.waiters import Waiters
from trikv.raft.types import DiskId, Entry, Member, Membership, SnapshotMeta

MEMBERS = Membership((Member(ORIGIN, DiskId(b"disk" * 4), voter=True, address=""),))


class Bench:
    """An applier whose every look at the clock finds its slice over, at the end of a founded log."""

    def __init__(self, boot_ms: Callable[[], int] | None = None) -> None:
        self.log = CommittedLog(machine=Machine(LONG))
        clock = count(step=Applier.SLICE_MS)
        self.boot_ms = boot_ms or (lambda: next(clock))
        self.incarnation = self.log.commit(Hello(ORIGIN, b"n"))
        self.inbox = Mailbox[Event]()
        self.waiters = Waiters()
        self.audience = Audience()
        self.applier = Applier(
            origin=ORIGIN,
            machine=Machine(LONG),
            position=SnapshotMeta(0, 0, Membership(())),
            waiters=self.waiters,
            inbox=self.inbox,
            audience=self.audience,
            boot_ms=self.boot_ms,
            boot_us=lambda: self.boot_ms() * 1000,
            seed=1,
        )
        self.applier.machine.apply_membership(1, [ORIGIN])
        self.applier.position = SnapshotMeta(1, 1, MEMBERS)
        self.applier.put(self.log.entries[1:])
        while not self.applier._advance():
            pass
        self.waiters.reopen(self.incarnation)
        self.inbox.take_at_once()
        self._sequence = 0

    def submission(self, *commands: tuple[bytes, ...]) -> Submission:
        """The next one of this node."""
        self._sequence += 1
        return Submission(ORIGIN, self.incarnation, self._sequence, 0, commands)

    def write(self, *commands: tuple[bytes, ...]) -> tuple[Asked, Entry]:
        """A client's write, and the entry that carries it."""
        asked = Asked(*commands)
        item = self.submission(*commands)
        self.waiters.expect(item.sequence, asked.work)
        return asked, self.entry(item)

    def snapshot(self) -> Machine:
        """The machine of a snapshot of the whole log."""
        restore = Restore(LONG)
        restore.feed(collect(self.log.machine.walk({})))
        return restore.finish()[1]

    def entry(self, *items: Item) -> Entry:
        """The next entry of the log."""
        self.log.commit(*items)
        return self.log.entries[-1]


def reading(index: int, *asked: Asked, confirmed_ms: int = 0) -> ServeReads:
    """Reads confirmed at an index."""
    return ServeReads(index, deque(one.work for one in asked), 0, confirmed_ms)


GET = (b"GET", b"k")


async def test_a_position_moves_when_its_entry_is_whole() -> None:
    """Before that nobody is answered, no read is served, not even of an earlier index; nothing applies."""
    bench = Bench()
    applier = bench.applier
    at = applier.position.index
    asked, first = bench.write((b"WORK", b"k", b"5"), GET)
    _, behind = bench.write((b"SET", b"k", b"later"))
    early, exact = Asked(GET, writes=False), Asked(GET, writes=False)
    applier.put([first])
    applier.put([reading(at, early), reading(first.index, exact)])
    applier.put([behind])
    for _ in range(3):
        assert not applier._advance()
        assert applier.inside is not None
        assert (applier.position.index, applier.machine.index) == (at, first.index)
        assert applier.machine.suspended
        assert asked.outcomes == early.outcomes == exact.outcomes == []
    async with trio.open_nursery() as nursery:
        await nursery.start(applier.run)
        applier.carry_out()
        assert applier.position.index == at, "the task is at it, once it has been left a rest"
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert applier.position.index == behind.index
    assert applier.inside is None
    assert asked.outcomes == [[5, b"....."]]
    assert early.outcomes == exact.outcomes == [[b"....."]]


async def test_other_tasks_run_between_two_slices() -> None:
    """However long a command takes: so heartbeats leave, and sockets are served."""
    bench = Bench()
    _, entry = bench.write((b"WORK", b"k", b"50"))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while bench.applier.position.index < entry.index:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        await nursery.start(bench.applier.run)
        bench.applier.put([entry])
        bench.applier.carry_out()
        nursery.start_soon(other)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert turns >= 45
    assert bench.applier.slices >= 50


def test_the_driver_is_woken_and_told_when_an_entry_is_whole() -> None:
    """Its clients' time stood still meanwhile."""
    bench = Bench()
    asked, entry = bench.write((b"WORK", b"k", b"2"))
    bench.applier.put([entry])
    while not bench.applier._advance():
        assert not bench.inbox.was_called
    assert asked.outcomes == [[2]]
    assert bench.inbox.take_at_once() == [OwnApplied(bench.incarnation, 2)]


def test_what_a_long_entry_took_is_counted_once_with_all_its_slices() -> None:
    """INFO's commandstats show the time of the whole command."""
    bench = Bench()
    _, entry = bench.write((b"WORK", b"k", b"4"))
    bench.applier.put([entry])
    while not bench.applier._advance():
        assert "WORK" not in bench.applier.machine.tally.commands()
    counted = bench.applier.machine.tally.commands()["WORK"]
    assert counted.calls == 1
    assert counted.usec >= 5 * Applier.SLICE_MS * 1000


def test_figures_say_for_how_long_it_is_inside_an_entry() -> None:
    """An operator who sees that nothing is answered finds the reason in INFO."""
    bench = Bench()
    _, entry = bench.write((b"WORK", b"k", b"4"))
    assert bench.applier.statistics(0).inside_ms is None
    bench.applier.put([entry])
    bench.applier._advance()
    assert (bench.applier.statistics(0).inside_ms or 0) > 0
    while not bench.applier._advance():
        pass
    assert bench.applier.statistics(0).inside_ms is None


def test_reads_do_not_lapse_inside_an_entry_and_have_their_time_again_behind_it() -> None:
    """They wait for this node, not for a log that stands still."""
    now = [0]
    bench = Bench(lambda: now[0])
    applier = bench.applier
    _, entry = bench.write((b"WORK", b"k", b"2"))
    _, behind = bench.write((b"SET", b"k", b"v"))
    late = Asked(GET, writes=False)
    applier.put([reading(behind.index, late, confirmed_ms=0)])
    applier.carry_out()
    applier.SLICE_MS = 0
    applier.put([entry])
    now[0] = 100
    assert not applier._advance()
    now[0] = 20_000
    assert applier.lapsed_reads(10_000) == []
    while not applier._advance():
        pass
    assert applier.inside is None
    assert applier.lapsed_reads(10_000) == []
    assert applier.lapsed_reads(19_999) == []
    assert applier.lapsed_reads(20_000) == [late.work]


async def test_who_waits_for_the_end_of_an_entry_comes_before_the_next_one() -> None:
    """Digests and snapshots get their moment, even if only long commands follow each other."""
    bench = Bench()
    applier = bench.applier
    entries = [bench.write((b"WORK", b"k%d" % number, b"3"))[1] for number in range(20)]
    seen: list[int] = []

    async def look() -> None:
        while applier.position.index < entries[-1].index:
            await applier.until_whole()
            assert applier.machine.digest()
            assert applier.machine.index == applier.position.index
            seen.append(applier.position.index)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        await nursery.start(applier.run)
        applier.put(entries)
        applier.carry_out()
        nursery.start_soon(look)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert {entry.index for entry in entries} <= set(seen)


async def test_a_snapshot_overtakes_the_entry_that_is_under_way() -> None:
    """Its rest is given up, and so are the entries behind it; reads see the snapshot's state."""
    bench = Bench()
    applier, old = bench.applier, bench.applier.machine
    asked, first = bench.write((b"WORK", b"k", b"9"))
    _, second = bench.write((b"SET", b"k", b"second"))
    behind = Asked(GET, writes=False)
    applier.put([first, second, reading(first.index, behind)])
    assert not applier._advance()
    assert applier.inside is not None
    rest = applier.inside.rest
    bench.write((b"SET", b"k", b"third"))
    meta = SnapshotMeta(bench.log.entries[-1].index, 1, MEMBERS)
    machine = bench.snapshot()
    waited = trio.Event()

    async def wait() -> None:
        await applier.until_whole()
        assert applier.machine is machine
        waited.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        applier.install(Swap(meta, machine))
        await wait_all_tasks_blocked()
        assert waited.is_set()
        nursery.cancel_scope.cancel()
    assert applier.inside is None
    assert applier.position == meta
    assert old.suspended
    assert old.keys() == 0
    with pytest.raises(StopIteration):
        next(rest._steps)
    while not applier._advance():
        pass
    assert (behind.outcomes, asked.outcomes) == ([[b"third"]], [])
    assert Installed(meta.index, machine.row(ORIGIN)) in bench.inbox.take_at_once()
    _, last = bench.write((b"APPEND", b"k", b"!"))
    applier.put([last])
    applier.carry_out()
    assert applier.position.index == last.index


def test_a_snapshot_waits_its_turn_behind_whole_entries() -> None:
    """What was committed before it is applied and answered, as long as nothing is under way."""
    bench = Bench(lambda: 0)
    applier = bench.applier
    asked, first = bench.write((b"SET", b"k", b"v"))
    bench.write((b"SET", b"k", b"w"))
    applier.put([first])
    applier.install(Swap(SnapshotMeta(bench.log.entries[-1].index, 1, MEMBERS), bench.log.machine))
    assert asked.outcomes == []
    applier.carry_out()
    assert asked.outcomes == [[OK]]
    assert applier.machine is bench.log.machine


def test_a_short_entry_behind_a_long_one_goes_on_in_the_same_slice() -> None:
    """If its end comes before that of the slice, and nobody waits for it."""
    bench = Bench(lambda: 0)
    _, first = bench.write((b"WORK", b"k", b"3"))
    _, second = bench.write((b"SET", b"k", b"v"))
    bench.applier.put([first, second])
    bench.applier.carry_out()
    assert bench.applier.position.index == second.index


def test_who_waits_hears_of_an_entry_when_it_is_whole() -> None:
    """Of all its slices together: in between there is nothing that may be looked at."""
    bench = Bench()
    listener = bench.audience.admit(lambda: None, room_bytes=1 << 10)
    listener.add_key(0, b"k")
    _, entry = bench.write((b"WORK", b"k", b"5"), GET)
    bench.applier.put([entry])
    while not bench.applier._advance():
        assert listener.take() is None
    assert listener.take() == News([Touched((entry.index, 1), 0, b"k", WRITTEN)], missed=False)


def test_nobody_hears_of_an_entry_that_is_given_up() -> None:
    """A snapshot has overtaken it, and says that anything may have changed."""
    bench = Bench()
    listener = bench.audience.admit(lambda: None, room_bytes=1 << 10)
    listener.add_key(0, b"k")
    _, entry = bench.write((b"WORK", b"k", b"5"))
    bench.applier.put([entry])
    assert not bench.applier._advance()
    bench.applier.install(Swap(SnapshotMeta(entry.index, 1, MEMBERS), bench.snapshot()))
    assert listener.take() == News([], missed=True)
    assert listener.take() is None


def test_a_slice_inside_an_entry_ends_before_one_of_many_entries_would() -> None:
    """Its last step may take as long again, and a PING waits for both."""
    bench = Bench(count().__next__)
    steps = count()

    def endless() -> Iterator[None]:
        while True:
            next(steps)
            yield

    _, entry = bench.write((b"WORK", b"k", b"4"))
    bench.applier.inside = Inside(entry, Suspended(endless()), 0, 0)  # type: ignore[arg-type] # never whole
    assert not bench.applier._advance()
    assert 0 < next(steps) <= Applier.INSIDE_MS < Applier.SLICE_MS


@pytest.mark.parametrize("inside", [False, True])
async def test_less_is_freed_between_two_slices_of_one_entry(*, inside: bool) -> None:
    """Whoever waits for the slice waits for that, too. Between two entries freeing keeps up with flushing."""
    bench = Bench()
    applier = bench.applier
    bench.write(*((b"SET", b"key%d" % number, b"v") for number in range(3 * RELEASE_KEYS)))
    bench.write((b"FLUSHALL",))
    bench.write((b"WORK", b"k", b"9"))
    applier.put(bench.log.entries[-3:-1])
    while applier.has_orders:
        applier._advance()
    if inside:
        applier.put(bench.log.entries[-1:])
        applier._advance()
    assert (applier.inside is not None) is inside
    had = applier.machine.space.pending_keys()
    await applier._pause()
    freed = had - applier.machine.space.pending_keys()
    assert (
        RELEASE_INSIDE // 2 < freed <= RELEASE_INSIDE if inside else RELEASE_KEYS // 2 < freed <= RELEASE_KEYS
    )
