"""How much the applier does at once, and in what order."""

import sys
from collections import deque
from collections.abc import Callable
from itertools import count

import msgspec
import pytest
import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from tests.machine.driving import collect
from tests.node.recorded_work import ORIGIN, Asked, CommittedLog
from trikv.machine.batch import Batch, Hello, Submission
from trikv.machine.cut import Cut
from trikv.machine.effects import WRITTEN, Touched
from trikv.machine.evaluation import Poisoned
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Whole
from trikv.machine.snapshot import Restore
from trikv.machine.suspended import Suspended
from trikv.node.audience import Audience, News, behind
from trikv.node.events import Event, Installed, OwnApplied, OwnDisowned, OwnHello, OwnSkipped
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import RELEASE_KEYS, Applier, ServeReads, Swap
from trikv.node.waiters import Waiters
from trikv.raft.types import Entry, EntryKind, Member, Membership, SnapshotMeta

MEMBERS = Membership((Member(ORIGIN, b"disk" * 4, voter=True, address="n1:1"),))
WRITES = 6


class Bench:
    """An applier at the beginning of a log of a membership, a Hello and some writes."""

    def __init__(self, boot_ms: Callable[[], int]) -> None:
        self.log = CommittedLog()
        first = self.log.entries[0]
        self.log.entries[0] = msgspec.structs.replace(first, payload=msgspec.msgpack.encode(MEMBERS))
        self.incarnation = self.log.commit(Hello(ORIGIN, b"n"))
        for sequence in range(1, WRITES + 1):
            write = (b"APPEND", b"k", b"%d" % sequence)
            self.log.commit(Submission(ORIGIN, self.incarnation, sequence, 0, (write,)))
        self.inbox = Mailbox[Event]()
        self.waiters = Waiters()
        self.audience = Audience()
        self.applier = Applier(
            origin=ORIGIN,
            machine=Machine(),
            position=SnapshotMeta(0, 0, Membership(())),
            waiters=self.waiters,
            inbox=self.inbox,
            audience=self.audience,
            boot_ms=boot_ms,
            boot_us=lambda: boot_ms() * 1000,
            seed=1,
        )

    @property
    def entries(self) -> list[Entry]:
        """The whole log."""
        return self.log.entries


def reading(index: int, *asked: Asked) -> ServeReads:
    """Reads confirmed at an index."""
    return ServeReads(index, deque(one.work for one in asked), 0, 0)


async def test_what_takes_long_goes_on_in_a_task_and_in_order() -> None:
    """A slice ends when its time is up; all is applied in the end, and reads see the state at their place."""
    clock = count(step=Applier.SLICE_MS)  # every look at the clock finds the slice over
    bench = Bench(lambda: next(clock))
    applier = bench.applier
    middle = Asked((b"MGET", b"k"), writes=False)
    late = Asked((b"GET", b"k"), writes=False)
    last = bench.entries[-1].index
    applier.put(bench.entries[: last - 3])
    applier.put((reading(last - 3, middle, late),))
    applier.put(bench.entries[last - 3 :])
    async with trio.open_nursery() as nursery:
        await nursery.start(applier.run)
        applier.carry_out()
        assert applier.position.index == 1
        applier.carry_out()
        assert applier.position.index == 1, "the task is at it: a turn of the driver does not take over"
        await wait_all_tasks_blocked()
        assert applier.position.index == last
        assert (middle.outcomes, late.outcomes) == ([[[b"123"]]], [[b"123"]])
        nursery.cancel_scope.cancel()


def test_an_entry_of_many_submissions_takes_several_slices() -> None:
    """Each may be long, and an entry may have those of many clients: others have their turn between."""
    clock = count(step=Applier.SLICE_MS)  # every look at the clock finds the slice over
    bench = Bench(lambda: next(clock))
    writes = [((b"INCR", b"n"),) for _ in range(3)]
    bench.log.commit(
        *(
            Submission(ORIGIN, bench.incarnation, WRITES + 1 + more, 0, each)
            for more, each in enumerate(writes)
        )
    )
    applier = bench.applier
    applier.put(bench.entries[:-1])
    while not applier._advance():
        pass
    applier.put(bench.entries[-1:])
    lengths = []
    while not applier._advance():
        assert applier.inside is not None
        lengths.append(applier.machine.space.databases[0].find(b"n"))
    assert [one and one.value for one in lengths] == [b"1", b"2"]
    assert (applier.inside, applier.position.index) == (None, bench.entries[-1].index)


async def test_the_driver_hears_once_of_all_that_applied_in_a_row() -> None:
    """But of a new life only after what the old one had applied: that must not be proposed again."""
    bench = Bench(lambda: 0)
    incarnation = bench.incarnation
    bench.log.commit(
        *(Submission(ORIGIN, incarnation, WRITES + more, 0, ((b"INCR", b"n"),)) for more in (1, 2, 3)),
        Hello(ORIGIN, b"another"),
    )
    bench.applier.put(bench.entries)
    bench.applier.carry_out()
    heard = await bench.inbox.take()
    last = bench.entries[-1].index
    assert heard == [
        OwnHello(b"n", incarnation),
        *(OwnApplied(incarnation, sequence + 1) for sequence in range(1, WRITES + 1)),
        OwnApplied(incarnation, WRITES + 4),
        OwnHello(b"another", last),
    ]


async def test_reads_wait_for_their_index_whatever_their_order() -> None:
    """An earlier, slower leader may answer late: each is served as soon as its own index is applied."""
    bench = Bench(lambda: 0)
    asked = {index: Asked((b"GET", b"k"), writes=False) for index in (6, 4, 9)}
    for index, one in asked.items():
        bench.applier.put((reading(index, one),))
    bench.applier.put(bench.entries)
    bench.applier.carry_out()
    assert [one.outcomes for one in asked.values()] == [[[b"123"]], [[b"1"]], [[b"123456"]]]


async def test_reads_are_in_time_after_others_have_lapsed() -> None:
    """Those that waited for too long are taken out; the rest go on in the order of their indexes."""
    bench = Bench(lambda: 0)
    applier = bench.applier
    first, near = bench.entries[0].index, bench.entries[3].index
    lost, late, soon = (Asked((b"GET", b"k"), writes=False) for _ in range(3))
    # In the order of a heap: without the first, the second would stand in front of the third.
    for index, asked, confirmed_ms in ((first, lost, 0), (near + 1_000, late, 1), (near, soon, 1)):
        applier.put((ServeReads(index, deque((asked.work,)), 0, confirmed_ms),))
    applier.carry_out()
    assert applier.lapsed_reads(0) == [lost.work]
    applier.put(bench.entries[:4])
    applier.carry_out()
    assert (soon.outcomes, late.outcomes) == ([[b"1"]], [])


def test_each_read_draws_by_a_seed_of_its_own() -> None:
    """RANDOMKEY answers another key each time, although nothing has changed."""
    bench = Bench(lambda: 0)
    sets = tuple((b"SET", b"k%d" % number, b"v") for number in range(100))
    bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 1, 0, sets))
    bench.applier.put(bench.entries)
    bench.applier.carry_out()
    asked = [Asked((b"RANDOMKEY",), writes=False) for _ in range(20)]
    bench.applier.put((reading(1, *asked),))
    bench.applier.carry_out()
    assert len({repr(one.outcomes) for one in asked}) > 10


async def test_held_reads_cost_little_however_many_wait() -> None:
    """Ten thousand questions at as many indexes: each entry looks at those that it sets free, not at all."""
    bench = Bench(lambda: 0)
    asked = [Asked((b"GET", b"k"), writes=False) for _ in range(10_000)]
    for number, one in enumerate(asked):
        bench.applier.put((reading(4 + 10_000 - number, one),))
    calls = 0

    def count_calls(*_: object) -> None:
        nonlocal calls
        calls += 1

    bench.applier.carry_out()
    bench.applier.put(bench.entries)
    sys.setprofile(count_calls)
    try:
        bench.applier.carry_out()
    finally:
        sys.setprofile(None)
    assert sum(bool(one.outcomes) for one in asked) == WRITES - 1
    assert calls < 5_000
    lapsed = bench.applier.lapsed_reads(0)
    assert len(lapsed) == 10_000 - (WRITES - 1)


def test_an_own_proposal_that_was_skipped_is_told_by_its_reason() -> None:
    """A gap: one before it was lost. No row of that life: it is disowned. Before it, what had applied."""
    bench = Bench(lambda: 0)
    waiters, incarnation = bench.waiters, bench.incarnation
    waiters.reopen(incarnation)
    write = ((b"INCR", b"n"),)
    bench.log.commit(Submission(ORIGIN, incarnation, WRITES + 1, 0, write))
    bench.log.commit(Submission(ORIGIN, incarnation, WRITES, 0, write))
    bench.log.commit(Submission(ORIGIN, incarnation, WRITES + 3, 0, write))
    bench.applier.put(bench.entries)
    bench.applier.carry_out()
    assert bench.inbox.take_at_once()[-2:] == [OwnApplied(incarnation, WRITES + 2), OwnSkipped()]
    waiters.reopen(99)
    bench.log.commit(Submission(ORIGIN, 99, 1, 0, write))
    bench.log.commit(Submission(ORIGIN, 98, 1, 0, write))
    bench.applier.put(bench.entries[-2:])
    bench.applier.carry_out()
    assert bench.inbox.take_at_once() == [OwnDisowned(99)], "what an earlier life lost is nobody's any more"


def test_a_command_that_failed_inside_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what can be reported; it had no effect, so the log goes on behind it and nothing more is said."""
    bench = Bench(lambda: 0)
    noted: list[Poisoned] = []
    apply = Machine.apply

    def apply_with_a_fault(
        machine: Machine, index: int, payload: bytes, *, origin: int, is_over: Callable[[], bool]
    ) -> Whole | Suspended:
        if index == 4:
            noted.append(Poisoned(index, "SETNX", "its digest", "KeyError"))
        return apply(machine, index, payload, origin=origin, is_over=is_over)

    monkeypatch.setattr(Machine, "apply", apply_with_a_fault)
    monkeypatch.setattr(Machine, "poisoned", property(lambda _: noted[-1]))
    monkeypatch.setattr(Machine, "poison_count", property(lambda _: len(noted)))
    with structlog.testing.capture_logs() as lines:
        bench.applier.put(bench.entries)
        bench.applier.carry_out()
    (line,) = lines
    assert line["log_level"] == "error"
    told = {"command": "SETNX", "digest": "its digest", "problem": "KeyError", "index": 4}
    assert told.items() <= line.items()
    assert bench.applier.position.index == bench.entries[-1].index


async def test_what_a_flush_set_aside_is_freed_in_slices() -> None:
    """While there is nothing better to do: entries that come meanwhile go first."""
    bench = Bench(lambda: 0)
    applier = bench.applier
    sets = tuple((b"SET", b"key%d" % number, b"v") for number in range(3 * RELEASE_KEYS))
    bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 1, 0, sets))
    bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 2, 0, ((b"FLUSHALL",),)))
    async with trio.open_nursery() as nursery:
        await nursery.start(applier.run)
        applier.put(bench.entries)
        applier.carry_out()
        assert applier.machine.space.account.discarded
        assert applier.machine.keys() == 0
        await wait_all_tasks_blocked()
        assert not applier.machine.space.account.discarded
        nursery.cancel_scope.cancel()


async def test_a_replaced_machine_is_freed_in_slices() -> None:
    """A snapshot has taken its place: its keys go bit by bit, and no count of the new one hears of it."""
    bench = Bench(lambda: 0)
    applier = bench.applier
    sets = tuple((b"SET", b"key%d" % number, b"v") for number in range(3 * RELEASE_KEYS))
    bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 1, 0, sets))
    async with trio.open_nursery() as nursery:
        await nursery.start(applier.run)
        applier.put(bench.entries)
        applier.carry_out()
        old, tally = applier.machine, applier.machine.tally
        new = Machine()
        applier.put((Swap(SnapshotMeta(1_000, 1, MEMBERS), new),))
        applier.carry_out()
        assert (applier.machine, new.tally) == (new, tally)
        assert bench.inbox.take_at_once()[-1] == Installed(1_000, None)
        await wait_all_tasks_blocked()
        assert not old.release(1)
        nursery.cancel_scope.cancel()


def test_who_waits_hears_behind_the_replies_of_the_entry() -> None:
    """So nobody is told of a write before its own client has its answer; and what he looks at is whole."""
    bench = Bench(lambda: 0)
    applier = bench.applier
    applier.put(bench.entries)
    applier.carry_out()
    bench.waiters.reopen(bench.incarnation)
    order: list[str] = []
    listener = bench.audience.admit(lambda: order.append(f"woken at {applier.position.index}"))
    listener.add_key(0, b"k")
    assert listener.park(behind(applier.position.index))
    asked = Asked((b"APPEND", b"k", b"x"))
    asked.work.answered = lambda _: order.append("answered")
    bench.waiters.expect(WRITES + 1, asked.work)
    bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 1, 0, asked.work.commands))
    entry = bench.entries[-1]
    applier.put([entry])
    applier.carry_out()
    assert order == ["answered", f"woken at {entry.index}"]
    assert not listener.park(behind(entry.index - 1))
    assert listener.park(behind(entry.index))


def test_a_snapshots_machine_tells_whom_the_old_one_told() -> None:
    """All are woken by the swap, when the new state can be looked at, and hear of what comes behind it."""
    bench = Bench(lambda: 0)
    applier = bench.applier
    applier.put(bench.entries)
    applier.carry_out()
    seen: list[int] = []
    listener = bench.audience.admit(lambda: seen.append(applier.machine.index), room_bytes=1 << 10)
    listener.add_key(0, b"k")
    assert listener.take() is None
    restore = Restore()
    restore.feed(collect(bench.log.machine.walk({})))
    machine = restore.finish()[1]
    machine.skip(1_000)
    applier.put((Swap(SnapshotMeta(1_000, 1, MEMBERS), machine),))
    applier.carry_out()
    assert seen == [1_000]
    assert listener.take() == News([], missed=True)
    assert listener.take() is None
    item = Submission(ORIGIN, bench.incarnation, WRITES + 1, 0, ((b"SET", b"k", b"v"),))
    data = msgspec.msgpack.encode(Batch(1, 0, (item,)))
    applier.put((Entry(1_001, 1, EntryKind.BATCH, data),))
    applier.carry_out()
    assert listener.take() == News([Touched((1_001, 1), 0, b"k", WRITTEN)], missed=False)


async def test_what_is_discarded_is_freed_though_orders_wait() -> None:
    """One slice in each pause: a node that works through a long log does not keep all that was flushed."""
    clock = count(step=Applier.SLICE_MS)  # every look at the clock finds the slice over
    bench = Bench(lambda: next(clock))
    applier = bench.applier
    sets = tuple((b"SET", b"key%d" % number, b"v") for number in range(RELEASE_KEYS))
    bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 1, 0, sets))
    bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 2, 0, ((b"FLUSHALL",),)))
    flushed = bench.entries[-1].index
    for more in range(10):
        bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 3 + more, 0, ((b"INCR", b"n"),)))
    last = bench.entries[-1].index
    read = Asked((b"GET", b"n"), writes=False)
    left: list[tuple[int, bool]] = []
    read.work.answered = lambda _: left.append(
        (applier.position.index, bool(applier.machine.space.account.discarded))
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(applier.run)
        applier.put(bench.entries[: last - 1])
        applier.put((reading(flushed, read),))
        applier.put(bench.entries[last - 1 :])
        applier.carry_out()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert left == [(last - 1, False)]


def test_what_replaced_machines_held_is_freed_in_slices() -> None:
    """Whatever comes between: another snapshot, or the end of a read that the first machine had begun."""
    bench = Bench(lambda: 0)
    applier = bench.applier
    sets = tuple((b"SET", b"key%d" % number, b"v") for number in range(RELEASE_KEYS))
    bench.log.commit(Submission(ORIGIN, bench.incarnation, WRITES + 1, 0, sets))
    applier.put(bench.entries)
    applier.carry_out()
    first = applier.machine
    cut = Cut(first.space.databases)
    applier.put((Swap(SnapshotMeta(1_000, 1, MEMBERS), Machine()),))
    applier.put((Swap(SnapshotMeta(2_000, 1, MEMBERS), Machine()),))
    applier.carry_out()
    assert applier.machine.discarded is first.discarded
    slices = 1
    while applier.machine.release(RELEASE_KEYS):
        slices += 1
    assert slices > 2
    cut.close()
    assert applier.machine.discarded, "what the cut has kept is freed in slices, too"
    while applier.machine.release(RELEASE_KEYS):
        pass
    assert applier.machine.space.pending_keys() == 0
    assert applier.machine.tally.freed_keys == 0, "no FLUSHALL has removed them"
