"""The storm on a system of the test's own: what it does, in which order, and what it finds amiss."""

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from trikv.client.endpoint import Address
from trikv.torture.evidence import Evidence, Tally
from trikv.torture.run import blame
from trikv.torture.storm import ALWAYS_COUNT, SERVED_STEPS, Blow, Storm
from trikv.torture.system import TortureError

CLIENTS = 5
STEP_S = 0.1
"""From one answer to the next."""


class Toy:
    """Three nodes that are numbers; it serves while a majority runs, and led by the lowest that does."""

    title = "toy"
    reads_anywhere = True

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.running: set[int] = set()
        self.paused: set[int] = set()
        self.did: list[str] = []
        self.serves = True
        self.breaks_at: int | None = None
        """So many deaths, then a node ends by itself."""

    def where(self, client: int, attempt: int) -> Address:
        """Nobody connects."""
        raise NotImplementedError

    def _up(self) -> list[int]:
        return sorted(self.running - self.paused)

    async def start(self, nodes: Sequence[int]) -> None:
        """Start."""
        self.did.append(f"start {sorted(nodes)}")
        self.running |= set(nodes)

    async def revive(self) -> None:
        """Start the others."""
        self.paused.clear()
        await self.start([node for node in (1, 2, 3) if node not in self.running])

    async def kill(self, nodes: Sequence[int]) -> None:
        """Kill."""
        self.did.append(f"kill {sorted(nodes)}")
        self.running -= set(nodes)

    def pause(self, nodes: Sequence[int]) -> None:
        """Pause."""
        self.did.append(f"pause {sorted(nodes)}")
        self.paused |= set(nodes)

    def resume(self, nodes: Sequence[int]) -> None:
        """Resume."""
        self.did.append(f"resume {sorted(nodes)}")
        self.paused -= set(nodes)

    async def leader(self) -> int | None:
        """The lowest."""
        return min(self._up(), default=None)

    async def fail_over(self) -> None:
        """By itself."""
        self.did.append("fail over")

    async def whole(self) -> bool:
        """All run."""
        if (
            self.breaks_at is not None
            and len([one for one in self.did if one.startswith("kill")]) >= self.breaks_at
        ):
            raise TortureError("node3 ended by itself: AssertionError")
        return len(self._up()) == 3

    async def stop(self) -> list[str]:
        """Stop."""
        return []

    async def digests(self) -> dict[str, str] | None:
        """None."""
        return None

    async def serve(self) -> None:
        """Answer while a majority runs."""
        while True:
            await trio.sleep(STEP_S)
            if self.serves and len(self._up()) >= 2:
                self.tally.answered += 1


@pytest.fixture
def toy() -> Toy:
    """It runs."""
    made = Toy(Tally())
    made.running = {1, 2, 3}
    return made


async def storm_of(toy: Toy, seconds: float, seed: int = 1) -> Storm:
    """A storm of so many virtual seconds."""
    storm = Storm(toy, toy.tally, lambda _blow: None, clients=CLIENTS, seed=seed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(toy.serve)
        await storm.rage(trio.current_time() + seconds)
        nursery.cancel_scope.cancel()
    return storm


async def test_a_short_storm_has_the_faults_that_count(
    toy: Toy, autojump_clock: trio.testing.MockClock
) -> None:
    """A leader killed, a leader frozen, all killed: even where the time is over before."""
    del autojump_clock
    storm = await storm_of(toy, 0.1)
    assert len(storm.blows) == ALWAYS_COUNT
    assert storm.troubles == []
    assert toy.did == [
        *("kill [1]", "fail over", "start [1]"),
        *("pause [1]", "fail over", "resume [1]", "fail over"),
        *("kill [1, 2, 3]", "start [1, 2, 3]"),
    ]
    assert all(blow.served_s is not None for blow in storm.blows)


async def test_a_long_storm_has_every_fault(toy: Toy, autojump_clock: trio.testing.MockClock) -> None:
    """All kinds come; every node that was killed was started, every one that was stopped was resumed."""
    del autojump_clock
    storm = await storm_of(toy, 200)
    text = "\n".join(blow.text for blow in storm.blows)
    for kind in (
        "the leader, killed",
        "all nodes killed",
        "back last",
        "a follower, killed",
        "a follower, stopped",
    ):
        assert kind in text
    assert " and node" in text
    assert storm.troubles == []
    assert toy.running == {1, 2, 3}
    assert toy.paused == set()
    assert all(
        blow.served_s and blow.served_s >= (SERVED_STEPS * CLIENTS - 1) * STEP_S for blow in storm.blows
    )


async def test_a_system_that_serves_nobody_is_a_finding(
    toy: Toy, autojump_clock: trio.testing.MockClock
) -> None:
    """Half a minute without an answer after a fault: told, and the storm ends."""
    del autojump_clock
    toy.serves = False
    storm = await storm_of(toy, 60)
    assert len(storm.blows) == 1
    assert "nobody was served for 30 s after: node1, the leader, killed" in storm.troubles[0]


async def test_a_node_that_does_not_come_back_is_a_finding(
    toy: Toy, autojump_clock: trio.testing.MockClock
) -> None:
    """So is one that is up and follows nobody, and one that ended by itself."""
    del autojump_clock
    toy.running = {1, 2}
    storm = await storm_of(toy, 60)
    assert storm.troubles == ["after 60 s not all nodes followed one leader"]
    toy.running = {1, 2, 3}
    toy.breaks_at = 0
    storm = await storm_of(toy, 60)
    assert storm.troubles == ["node3 ended by itself: AssertionError"]


async def test_a_storm_that_is_ended_leaves_nobody_stopped(
    toy: Toy, autojump_clock: trio.testing.MockClock
) -> None:
    """A person ends it in the middle of a fault: all are up again after healing."""
    del autojump_clock
    for seconds in (1.2, 2.4, 3.3):
        storm = Storm(toy, toy.tally, lambda _blow: None, clients=CLIENTS, seed=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(toy.serve)
            with trio.move_on_after(seconds):
                await storm.rage(trio.current_time() + 60)
            assert await storm.heal()
            nursery.cancel_scope.cancel()
        assert toy.running == {1, 2, 3}
        assert toy.paused == set()


def test_losses_are_laid_at_the_right_door() -> None:
    """A lost write is counted for the first fault that was over after its acknowledgement."""
    evidence = Evidence(b"p:")
    for key, at_s in ((b"p:1", 1.0), (b"p:2", 5.5), (b"p:3", 6.0), (b"p:4", 9.0)):
        evidence.begin_unique(key)
        evidence.end_unique(key, [b"OK"], at_s)
    blows = [Blow(0.0, "a", 3.0, 0.1), Blow(0.0, "b", 6.0, 0.1), Blow(0.0, "c", 8.0, 0.1)]
    assert blame(blows, evidence, evidence.unique) == [1, 2, 0]
