"""When turns begin, what they take, and what they hold back: large batches, nothing held for long."""

from typing import cast

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.node.driver_rig import LEADER, OTHER, Desk, following, leading
from tests.node.recorded_work import Asked
from tests.raft.cluster import disk_of
from trikv.host.seam import Clock
from trikv.node.consensus.read_questions import ReadQuestions, ReadSettings
from trikv.node.consensus.turns import (
    DISK_FIRST_MS,
    HOLD_MS,
    NEVER_MS,
    SETTLE_MS_MAX,
    SETTLE_ROUNDS_MAX,
    DiskFirst,
    Pace,
    Turns,
    brings_requests,
)
from trikv.node.events import Event, LinkDown, LogRoom, OwnApplied, PeerSaid, Persisted
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier
from trikv.protocol.messages import Forward, PeerMessage, ReadReply, ReadRequest
from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, AppendEntries, Heartbeat, HeartbeatAck
from trikv.raft.types import Entry, EntryKind

ACK, DISK = AppendAck(1, 7), b"d" * 16


class FakeRaft:
    """Says what the test wants."""

    late = early = True

    def answer_can_wait(self, _peer: int, _disk: bytes, _message: object) -> bool:
        return self.late

    def sync_can_wait(self, _job: int) -> bool:
        return self.early


class FakeClock:
    """Stands still unless told."""

    now_ms = 1_000
    step_ms = 0

    def boot_ms(self) -> int:
        self.now_ms += self.step_ms
        return self.now_ms

    def wall_ms(self) -> int:
        return 500_000 + self.now_ms


def turns_of(inbox: Mailbox[Event], clock: FakeClock, raft: FakeRaft) -> Turns:
    """With reads of a node that has none, and an applier that nobody asks."""
    return Turns(
        inbox,
        cast("Clock", clock),
        cast("Raft", raft),
        ReadQuestions(1, 1, ReadSettings()),
        cast("Applier", None),
    )


class Rig:
    """The turns of a driver, with their surroundings."""

    def __init__(self) -> None:
        self.inbox: Mailbox[Event] = Mailbox()
        self.clock = FakeClock()
        self.raft = FakeRaft()
        self.turns = turns_of(self.inbox, self.clock, self.raft)

    async def taken_while(self, *events: Event) -> list[Event] | None:
        """What `take` returns when these come one by one; None where it still waits."""
        taken: list[list[Event]] = []

        async def take() -> None:
            taken.append(await self.turns.take())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            for event in events:
                await trio.testing.wait_all_tasks_blocked()
                self.inbox.put(event)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return taken[0] if taken else None


async def test_what_can_wait_comes_with_the_next_that_cannot() -> None:
    """In the order of its arrival; a turn of its own it gets none."""
    rig = Rig()
    late, early, applied = PeerSaid(2, DISK, ACK), Persisted(3), OwnApplied(5, 6)
    assert await rig.taken_while(late, early, applied) is None
    beat = PeerSaid(2, DISK, Heartbeat(1, 2, 3))
    assert await rig.taken_while(beat) == [late, early, applied, beat]
    assert await rig.taken_while(beat) == [beat]


async def test_what_raft_needs_now_does_not_wait() -> None:
    """A majority's own answer, and the sync that is wanting."""
    rig = Rig()
    rig.raft.late = rig.raft.early = False
    for event in (PeerSaid(2, DISK, ACK), PeerSaid(2, DISK, HeartbeatAck(1, 2, 3)), Persisted(1)):
        assert await rig.taken_while(event) == [event]


async def test_a_wake_up_brings_what_waits() -> None:
    """The alarm's turn, at each heartbeat at the latest, takes it."""
    rig = Rig()
    late = PeerSaid(2, DISK, ACK)
    assert await rig.taken_while(late) is None
    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: _expect(rig, [late]))
            await trio.testing.wait_all_tasks_blocked()
            rig.inbox.wake()


async def _expect(rig: Rig, events: list[Event]) -> None:
    assert await rig.turns.take() == events


async def test_a_peers_clock_goes_on_while_its_answer_waits() -> None:
    """Its deviation from ours is what counts (PROTOCOL 20): both move on alike."""
    rig = Rig()
    assert await rig.taken_while(PeerSaid(2, DISK, HeartbeatAck(1, 2, 7_000, 400))) is None
    rig.clock.now_ms += 90
    work = Asked((b"GET", b"k"), writes=False).work
    assert await rig.taken_while(work) == [PeerSaid(2, DISK, HeartbeatAck(1, 2, 7_090, 400)), work]


async def test_settling_takes_what_comes_and_ends_when_nothing_does() -> None:
    """One idle round of the loop is enough."""
    rig = Rig()
    works: list[Event] = [Asked((b"GET", b"k"), writes=False).work for _ in range(4)]
    batch = works[:1]
    rig.inbox.put(works[1])
    settled = trio.Event()

    async def settle() -> None:
        await rig.turns.settle(batch)
        settled.set()

    async def ask() -> None:
        """In the rounds that follow, twice each: Trio draws who runs first."""
        for work in works[2:]:
            await trio.lowlevel.checkpoint()
            rig.inbox.put(work)
        await settled.wait()
        rig.inbox.put(Persisted(1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(settle)
        nursery.start_soon(ask)
    assert works[:2] == batch[:2]
    assert Persisted(1) not in batch
    assert batch + rig.inbox.take_at_once() == [*works, Persisted(1)]


class Endless(Mailbox[Event]):
    """Somebody has always just asked."""

    def __len__(self) -> int:
        return 1

    def take_at_once(self) -> list[Event]:
        return [Persisted(1)]


async def test_settling_is_bounded_in_rounds_and_in_time() -> None:
    """Whoever asks without end gets his turn, and so does everybody else."""
    for step_ms, rounds in ((0, SETTLE_ROUNDS_MAX), (1, SETTLE_MS_MAX)):
        rig = Rig()
        rig.clock.step_ms = step_ms
        turns = turns_of(Endless(), rig.clock, rig.raft)
        batch: list[Event] = []
        await turns.settle(batch)
        assert len(batch) == rounds, step_ms


def test_clients_works_and_peers_bundles_are_requests() -> None:
    """What Raft says to Raft is none: nobody asks more because of it."""
    write, read = Asked((b"SET", b"k", b"v")).work, Asked((b"GET", b"k"), writes=False).work
    forward, question = PeerSaid(2, DISK, Forward((b"x",))), PeerSaid(2, DISK, ReadRequest(()))
    for event in (write, forward):
        assert brings_requests([Persisted(1), event], writes=True, reads=False)
        assert not brings_requests([event], writes=False, reads=True)
    for event in (read, question):
        assert brings_requests([Persisted(1), event], writes=False, reads=True)
        assert not brings_requests([event], writes=True, reads=False)
    assert not brings_requests([Persisted(1), PeerSaid(2, DISK, ACK)], writes=True, reads=True)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=40))
def test_nothing_is_held_for_longer_than_it_may(turns: list[tuple[int, bool, bool]]) -> None:
    """Whatever turns come, what waits goes when it is free, or at the turn that is due."""
    pace, now_ms, since_ms = Pace(), 0, None
    for elapsed_ms, waiting, free in turns:
        now_ms += elapsed_ms
        now_ms = min(now_ms, pace.due_ms)  # the alarm's turn comes by then
        goes = pace.lets_go(now_ms, waiting=waiting, free=free)
        assert goes <= waiting
        assert goes or not (waiting and free)
        since_ms = None if goes or not waiting else now_ms if since_ms is None else since_ms
        assert pace.is_holding is (since_ms is not None)
        assert since_ms is None or now_ms - since_ms < HOLD_MS


def test_a_leader_proposes_at_once_where_nothing_is_under_way() -> None:
    """A lone client waits for nobody."""
    desk = leading()
    desk.submit(b"SET", b"k", b"v")
    assert desk.raft.last_index == 4


def test_what_comes_while_a_batch_is_under_way_becomes_the_next_one() -> None:
    """Three writes in three turns: one entry, once the first has committed and all have had time to ask."""
    desk = leading()
    first = desk.submit(b"SET", b"k", b"0")
    others = [desk.submit(b"APPEND", b"k", b"%d" % number) for number in (1, 2, 3)]
    assert desk.raft.last_index == 4
    desk.sync()
    desk.hear(OTHER, AppendAck(2, 4))
    assert (first.code, desk.raft.last_index) == ("OK", 4)
    assert desk.turn_at_once()
    assert desk.raft.last_index == 5
    desk.sync()
    desk.hear(OTHER, AppendAck(2, 5))
    assert [asked.code for asked in others] == ["OK"] * 3


def test_a_turn_that_was_not_settled_proposes_nothing() -> None:
    """Those who were just answered have not had time to ask again."""
    desk = leading()
    asked = Asked((b"SET", b"k", b"v"))
    desk.driver.turn([asked.work], settled=False)
    assert desk.raft.last_index == 3
    assert desk.turn_at_once()
    assert desk.raft.last_index == 4


def test_a_slow_batch_does_not_hold_up_the_next() -> None:
    """Where a round trip is long, batches follow each other while it lasts."""
    desk = leading()
    desk.submit(b"SET", b"k", b"0")
    desk.submit(b"SET", b"k", b"1")
    desk.host.now_ms += HOLD_MS - 1
    desk.turn()
    assert desk.raft.last_index == 4
    assert desk.driver._next_deadline(desk.host.now_ms) == desk.host.now_ms + 1
    desk.host.now_ms += 1
    desk.turn()
    assert desk.raft.last_index == 5


def test_a_follower_sends_its_writes_on_at_once() -> None:
    """The leader makes the batches; a second wait would double what a client waits for."""
    desk = following()
    desk.submit(b"SET", b"k", b"0")
    desk.submit(b"SET", b"k", b"1")
    assert [peer for peer, _ in desk.links.take(Forward)] == [LEADER, LEADER]


def test_reads_wait_for_the_round_before_them() -> None:
    """On a follower too: one question is under way at a time, and the next takes all who came since."""
    desk = following()
    for _ in range(3):
        desk.turn(Asked((b"GET", b"k"), writes=False).work)
    ((_, request),) = desk.links.take(ReadRequest)
    desk.hear(LEADER, ReadReply(request.reads, 2, 0))
    assert desk.turn_at_once()
    assert len(desk.links.take(ReadRequest)) == 1
    desk = leading()
    desk.links.sent.clear()
    desk.turn(Asked((b"GET", b"k"), writes=False).work)
    beats = desk.links.take(Heartbeat)
    later = Asked((b"GET", b"k"), writes=False)
    desk.turn(later.work)
    assert desk.links.take(Heartbeat) == []
    desk.hear(OTHER, HeartbeatAck(2, beats[0][1].round, 0, 400))
    desk.turn()
    ((_, beat),) = desk.links.take(Heartbeat)
    desk.hear(OTHER, HeartbeatAck(2, beat.round, 0, 400))
    assert later.outcomes == [[None]]


@pytest.mark.parametrize("writes", [True, False])
def test_who_cannot_go_is_not_held(writes: bool) -> None:  # noqa: FBT001 - parametrized
    """Without a leader in reach there is nothing to look at every three milliseconds."""
    desk = following()
    desk.links.is_up = lambda _peer: False  # type: ignore[method-assign,assignment]
    desk.turn(LinkDown(LEADER))
    desk.driver.turn([Asked((b"SET", b"k", b"v"), writes=writes).work], settled=False)
    assert not desk.turn_at_once()
    assert desk.driver._next_deadline(desk.host.now_ms) > desk.host.now_ms + HOLD_MS


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans(), st.booleans()), max_size=60))
def test_applying_is_put_off_for_one_job_and_not_for_long(
    turns: list[tuple[int, bool, bool, bool]],
) -> None:
    """Whatever comes: not where somebody waits, and not beyond the job first waited for, nor the time."""
    disk_first, now_ms, issued, persisted = DiskFirst(), 0, 0, 0
    held: tuple[int, int] | None = None
    for elapsed_ms, issues, reports, may_wait in turns:
        now_ms += elapsed_ms
        now_ms = min(now_ms, disk_first.due_ms)
        persisted = issued if reports else persisted
        issued += issues
        disk_first.persisted(persisted)
        disk_first.issued(issued)
        holds = disk_first.holds(now_ms, may_wait=may_wait)
        if holds:
            held = held or (issued, now_ms)
            assert may_wait
            assert persisted < held[0]
            assert now_ms - held[1] < DISK_FIRST_MS
        else:
            held = None
        assert (disk_first.due_ms != NEVER_MS) is holds


def test_a_follower_answers_the_leader_before_it_applies() -> None:
    """What its clients do not wait for is applied when its disk has said that the next entries are there."""
    desk = following()
    entries = [Entry(index, 1, EntryKind.NOOP, b"") for index in range(3, 60)]
    drive(desk, said(AppendEntries(1, 2, 1, 2, (entries[0],))))
    drive(desk, Persisted(desk.writer.jobs[-1].number))
    drive(desk, said(AppendEntries(1, 3, 1, 3, (entries[1],))))
    assert desk.applier.position.index == 2
    drive(desk, Persisted(desk.writer.jobs[-1].number))
    assert desk.applier.position.index == 3
    for entry in entries[2:]:  # the disk's word and the next entries in one turn, again and again
        last = desk.writer.jobs[-1].number
        previous = entry.index - 1
        drive(desk, Persisted(last), said(AppendEntries(1, previous, 1, previous, (entry,))))
        assert desk.applier.position.index >= previous - 1


def test_a_disk_that_hangs_does_not_keep_a_follower_from_applying() -> None:
    """Twenty milliseconds, then what is committed is applied all the same."""
    desk = following()
    first, second = (Entry(index, 1, EntryKind.NOOP, b"") for index in (3, 4))
    drive(desk, said(AppendEntries(1, 2, 1, 2, (first,))))
    drive(desk, Persisted(desk.writer.jobs[-1].number))
    drive(desk, said(AppendEntries(1, 3, 1, 3, (second,))))
    assert desk.applier.position.index == 2
    assert desk.driver._next_deadline(desk.host.now_ms) == desk.host.now_ms + DISK_FIRST_MS
    desk.host.now_ms += DISK_FIRST_MS
    drive(desk)
    assert desk.applier.position.index == 3


def test_what_others_have_applied_meanwhile_is_put_off_no_more() -> None:
    """The applier's task may come before the disk; a deadline left behind would mean turns without end."""
    desk = following()
    drive(desk, said(AppendEntries(1, 2, 1, 2, (Entry(3, 1, EntryKind.NOOP, b""),))))
    drive(desk, Persisted(desk.writer.jobs[-1].number))
    drive(desk, said(AppendEntries(1, 3, 1, 3, (Entry(4, 1, EntryKind.NOOP, b""),))))
    assert desk.applier.has_orders
    desk.applier.carry_out()
    desk.host.now_ms += DISK_FIRST_MS
    drive(desk)
    assert desk.driver._next_deadline(desk.host.now_ms) > desk.host.now_ms


def test_what_a_client_waits_for_is_applied_at_once() -> None:
    """A read of this node's, confirmed at that index."""
    desk = following()
    drive(desk, said(AppendEntries(1, 2, 1, 2, (Entry(3, 1, EntryKind.NOOP, b""),))))
    drive(desk, Persisted(desk.writer.jobs[-1].number))
    asked = Asked((b"GET", b"k"), writes=False)
    drive(desk, asked.work)
    ((_, request),) = desk.links.take(ReadRequest)
    drive(desk, said(ReadReply(request.reads, 3, 0)))
    drive(desk, said(AppendEntries(1, 3, 1, 3, (Entry(4, 1, EntryKind.NOOP, b""),))))
    assert asked.outcomes == [[None]]


def test_deadlines_behind_one_that_was_given_up_are_kept() -> None:
    """Nothing commits: each write is told after ten seconds of its own, whatever became of the one before."""
    desk = following()
    first = desk.submit(b"SET", b"k", b"0")
    desk.host.now_ms += 1_600
    second = desk.submit(b"SET", b"k", b"1")
    told: list[int] = []
    for _ in range(1_300):
        desk.host.now_ms += 10
        desk.hear(LEADER, Heartbeat(1, 2, 0))
        told += [desk.host.now_ms for asked in (first, second) if asked.outcomes and asked.outcomes.pop()]
    assert told == [11_000, 12_600]


def test_what_a_full_disk_refuses_is_said_before_writes_are_taken() -> None:
    """Both came in one turn: the write was not executed, and its client is told so at once."""
    desk = following()
    asked = Asked((b"SET", b"k", b"v"))
    desk.turn(asked.work, LogRoom(there=False))
    assert asked.code == "CLUSTERDOWN"


def drive(desk: Desk, *events: Event) -> None:
    """A turn and what the driver's task does after it."""
    desk.driver.turn(list(events), settled=True)
    if not desk.driver._turns.holds_applying:
        desk.applier.carry_out()


def said(message: PeerMessage) -> PeerSaid:
    """The leader says so."""
    return PeerSaid(LEADER, disk_of(LEADER), message)
