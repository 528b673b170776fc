"""What a turn takes: all there is, what can wait for another, and no more than its time allows."""

from typing import cast

import trio

from tests.node.recorded_work import Asked
from trikv.host.seam import Clock
from trikv.node.consensus.turns import SETTLE_MS_MAX, SETTLE_ROUNDS_MAX, Gathering, brings_requests
from trikv.node.events import Event, OwnApplied, PeerSaid, Persisted
from trikv.node.mailbox import Mailbox
from trikv.protocol.messages import Forward, ReadRequest
from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, Heartbeat, HeartbeatAck

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


class Rig:
    """A gathering with its surroundings."""

    def __init__(self) -> None:
        self.inbox: Mailbox[Event] = Mailbox()
        self.clock = FakeClock()
        self.raft = FakeRaft()
        self.gathering = Gathering(self.inbox, cast("Clock", self.clock), cast("Raft", self.raft))

    async def taken_while(self, *events: Event) -> list[Event] | None:
        """What `take` returns when these come one by one; None where it still waits."""
        taken: list[list[Event]] = []

        async def take() -> None:
            taken.append(await self.gathering.take())

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
    assert await rig.gathering.take() == events


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
        await rig.gathering.settle(batch)
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
        gathering = Gathering(Endless(), cast("Clock", rig.clock), cast("Raft", rig.raft))
        batch: list[Event] = []
        await gathering.settle(batch)
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
