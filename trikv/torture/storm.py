"""The faults: one after another, until the time is over; after each the system must serve again."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import trio

from trikv.torture.evidence import Tally
from trikv.torture.options import NODES
from trikv.torture.system import System, TortureError

SERVED_S: Final = 30.0
"""Clients must be served within this time of a fault. The promise is 2 s; a busy machine takes the rest."""
WHOLE_S: Final = 60.0
"""A node that was killed must be back and follow within this time."""
LEADERLESS: Final = f"after {WHOLE_S:g} s not all nodes followed one leader"
SERVED_STEPS: Final = 4
"""This many answers for each client, on average, show that the system serves; one may have been under way."""
SUSPECT_S: Final = 1.0
"""A leader silent for this long is replaced from outside, if the system does not do it itself."""
POLL_S: Final = 0.02

KINDS: Final = {
    "kill the leader": 8,
    "pause the leader": 3,
    "kill all": 2,
    "outlive": 3,
    "pause a follower": 2,
    "kill a follower": 2,
    "pause two": 1,
}
"""The kinds of faults, and how often each is drawn."""
ALWAYS: Final = ("kill the leader", "pause the leader", "kill all", "outlive")
"""The first faults of every storm; it has the first three even if the time is over before."""
ALWAYS_COUNT: Final = 3


@attrs.frozen
class Blow:
    """The record of one fault."""

    at_s: float
    text: str
    over_s: float
    """When it was over and the nodes were started again, on Trio's clock."""
    served_s: float | None
    """From the kill, or the beginning of the pause, until clients had answers again; None: not in time."""


class Storm:
    """Draws faults from the seed, and does them to a system."""

    def __init__(
        self, system: System, tally: Tally, say: Callable[[Blow], None], *, clients: int, seed: int
    ) -> None:
        self._clients = clients
        self._system = system
        self._tally = tally
        self._source = random.Random(f"{seed} storm")  # noqa: S311 - faults, not secrets
        self._say = say
        self.blows: list[Blow] = []
        self.troubles: list[str] = []
        """One line for each thing that the system did not do in time."""

    async def rage(self, until_s: float) -> None:
        """Do one fault after another until the time is over, or until the system does not survive one."""
        try:
            await self._rage(until_s)
        except TortureError as error:
            self.troubles.append(str(error))

    async def _rage(self, until_s: float) -> None:
        start_s = trio.current_time()
        while trio.current_time() < until_s or len(self.blows) < ALWAYS_COUNT:
            await trio.sleep(self._source.uniform(0.4, 1.2))
            if not await _within(WHOLE_S, self._system.whole):
                self.troubles.append(LEADERLESS)
                return
            count = len(self.blows)
            kind = ALWAYS[count] if count < len(ALWAYS) else self._draw()
            at_s = trio.current_time() - start_s
            text, served_s = await self._strike(kind)
            blow = Blow(at_s, text, trio.current_time(), served_s)
            self.blows.append(blow)
            self._say(blow)
            if served_s is None:
                self.troubles.append(f"nobody was served for {SERVED_S:g} s after: {text}")
                return

    async def heal(self) -> bool:
        """Start all nodes and wait until they have caught up. False, with a new trouble, if they have not."""
        try:
            await self._system.revive()
            if await _within(WHOLE_S, self._system.whole):
                return True
        except TortureError as error:
            self.troubles.append(str(error))
        else:
            self.troubles.append(LEADERLESS)
        return False

    def _draw(self) -> str:
        (kind,) = self._source.choices(list(KINDS), list(KINDS.values()))
        return kind

    async def _strike(self, kind: str) -> tuple[str, float | None]:
        leader = await self._leader()
        others = [node for node in range(1, NODES + 1) if node != leader]
        other = self._source.choice(others)
        everyone = [leader, *others]
        match kind:
            case "kill the leader":
                return f"node{leader}, the leader, killed", await self._kill([leader])
            case "kill a follower":
                return f"node{other}, a follower, killed", await self._kill([other])
            case "kill all":
                return "all nodes killed at once", await self._kill_all(everyone)
            case "outlive":
                text = f"node{others[0]} and node{others[1]} killed, then the leader, node{leader}, back last"
                return text, await self._outlive(leader, others)
            case "pause the leader":
                return await self._pause(f"node{leader}, the leader,", [leader])
            case "pause a follower":
                return await self._pause(f"node{other}, a follower,", [other])
            case _:
                pair = self._source.sample(everyone, 2)
                return await self._pause(f"node{pair[0]} and node{pair[1]}", pair)

    async def _kill(self, victims: Sequence[int]) -> float | None:
        await self._system.kill(victims)
        await self._system.fail_over()
        served_s = await self._served()
        await trio.sleep(self._source.uniform(0, 0.5))
        await self._system.start(victims)
        return served_s

    async def _kill_all(self, everyone: Sequence[int]) -> float | None:
        await self._system.kill(everyone)
        await self._system.start(everyone)
        return await self._served()

    async def _outlive(self, leader: int, others: Sequence[int]) -> float | None:
        """The leader outlives the others for a moment: no other node has what it acknowledges then."""
        await self._system.kill(others)
        await trio.sleep(self._source.uniform(0.3, 0.8))
        await self._system.kill([leader])
        await self._system.start(others)
        await self._system.fail_over()
        served_s = await self._served()
        await self._system.start([leader])
        return served_s

    async def _pause(self, who: str, victims: Sequence[int]) -> tuple[str, float | None]:
        pause_s = self._source.uniform(SUSPECT_S, 2.5)
        served: list[float | None] = []

        async def watch() -> None:
            served.append(await self._served())

        async with trio.open_nursery() as nursery:
            self._system.pause(victims)
            nursery.start_soon(watch)
            try:
                await trio.sleep(SUSPECT_S)
                await self._system.fail_over()
                await trio.sleep(pause_s - SUSPECT_S)
            finally:
                self._system.resume(victims)
            await self._system.fail_over()  # a resumed node must learn its role before clients ask it
        return f"{who} stopped for {pause_s:.1f} s, then resumed", served[0]

    async def _leader(self) -> int:
        """The leader; node 1 if none is known in time, because any node must survive any fault."""
        found: list[int] = []

        async def known() -> bool:
            leader = await self._system.leader()
            found.extend([leader] if leader is not None else [])
            return leader is not None

        await _within(SERVED_S, known)
        return found[0] if found else 1

    async def _served(self) -> float | None:
        """Seconds until `SERVED_STEPS` answers for each client have come; None: not in time."""
        begun_s, before = trio.current_time(), self._tally.answered
        with trio.move_on_after(SERVED_S):
            while self._tally.answered < before + SERVED_STEPS * self._clients:  # noqa: ASYNC110 - the clients count, not us
                await trio.sleep(POLL_S)
            return trio.current_time() - begun_s
        return None


async def _within(seconds: float, question: Callable[[], Awaitable[bool]]) -> bool:
    """Ask until the answer is yes; returns whether it came in time."""
    with trio.move_on_after(seconds):
        while not await question():  # noqa: ASYNC110 - processes are asked, nobody here knows
            await trio.sleep(POLL_S)
        return True
    return False
