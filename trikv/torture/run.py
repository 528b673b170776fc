"""One torture from start to verdict: load and storm together, then recovery, reading back, judging."""

import secrets
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

import attrs
import trio

from trikv.torture.crowd import FINISH_S, Crowd
from trikv.torture.evidence import Evidence
from trikv.torture.judge import Findings, judge
from trikv.torture.options import NODES, Options, Target
from trikv.torture.reading import Reader, Reading
from trikv.torture.storm import Blow, Storm
from trikv.torture.system import System, TortureError

START_S = 60.0
"""Enough for three processes to start on a busy machine."""
GIVE_UP_S = 30.0


class Show(Protocol):
    """Shows the progress of a run."""

    def phase(self, text: str) -> None:
        """A new phase of the run begins."""

    def blow(self, blow: Blow) -> None:
        """A fault is over."""

    async def load(self, evidence: Evidence, begin_s: float, until_s: float) -> None:
        """Show the progress of the load, until cancelled."""


@attrs.frozen
class Result:
    """The results of a finished run."""

    title: str
    seconds: float
    """How long the load took."""
    blows: list[Blow]
    findings: Findings
    lost_by: list[int]
    """For each fault, how many lost unique writes it cost: a write counts for the first fault that ended
    after its acknowledgement."""


@attrs.define
class Stop:
    """A person's request to end early: the load ends, and everything until then is judged."""

    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    """The scope of the load under way."""
    asked: bool = False

    def ask(self) -> None:
        """End the load."""
        self.asked = True
        self.scope.cancel()


def _new_evidence() -> Evidence:
    return Evidence(b"torture:%b:" % secrets.token_hex(4).encode())


async def torture_system(
    system: System, options: Options, show: Show, stop: Stop, *, replicas: int = 0
) -> Result:
    """Torture a system that is started here. Raises TortureError or OSError if that is impossible.

    `replicas`: how many must have a write, by WAIT, for it to count as acknowledged; 0: its answer is enough.
    """
    evidence = _new_evidence()
    storm = Storm(system, evidence.tally, show.blow, clients=options.clients, seed=options.seed)
    crowd = Crowd(evidence, system.where, clients=options.clients, seed=options.seed, replicas=replicas)
    ends: list[str] = []
    try:
        show.phase(f"{system.title}: starting three nodes")
        await system.start(range(1, NODES + 1))
        if not await storm.heal():
            raise TortureError(f"{system.title} does not come up: {storm.troubles[0]}")
        show.phase(f"{system.title}: {options.seconds:g} s of load and faults")
        begin_s = trio.current_time()
        await _load(crowd, evidence, options.seconds, show, stop, storm.rage)
        seconds = trio.current_time() - begin_s
        show.phase(f"{system.title}: healing, reading everything back")
        await storm.heal()
        readings = await _read_all(system, evidence)
        digests = await system.digests()
    finally:
        with trio.CancelScope(shield=True):
            ends = await system.stop()
    show.phase(f"{system.title}: searching the history")
    findings = judge(evidence, readings, digests, [*storm.troubles, *ends])
    return Result(system.title, seconds, storm.blows, findings, blame(storm.blows, evidence, findings.lost))


async def torture_target(target: Target, options: Options, show: Show, stop: Stop) -> Result:
    """Put the load on a server that another person runs, and read back; nothing is killed or frozen."""
    evidence = _new_evidence()
    crowd = Crowd(
        evidence,
        lambda _client, _attempt: target.address,
        clients=options.clients,
        seed=options.seed,
        password=target.password,
    )
    reader = Reader(evidence, lambda: target.address, password=target.password, give_up_s=GIVE_UP_S)
    show.phase(f"{target.address}: {options.seconds:g} s of load")
    begin_s = trio.current_time()
    await _load(crowd, evidence, options.seconds, show, stop, trio.sleep_until)
    seconds = trio.current_time() - begin_s
    show.phase(f"{target.address}: reading everything back")
    reading = await reader.read(str(target.address))
    findings = judge(evidence, [reading])
    if findings.clean:
        await reader.forget()
    return Result(str(target.address), seconds, [], findings, [])


def blame(blows: Sequence[Blow], evidence: Evidence, lost: Iterable[bytes]) -> list[int]:
    """Count lost writes for each fault: for the first that ended after their acknowledgement."""
    ends_s = [blow.over_s for blow in blows]
    counts = [0] * len(blows)
    for key in lost:
        place = bisect_left(ends_s, evidence.acknowledged_s[key])
        if place < len(blows):
            counts[place] += 1
    return counts


async def _load(
    crowd: Crowd,
    evidence: Evidence,
    seconds: float,
    show: Show,
    stop: Stop,
    meanwhile: Callable[[float], Awaitable[None]],
) -> None:
    """Let the crowd work while `meanwhile` goes on, then finish."""
    begin_s = trio.current_time()
    until_s = begin_s + seconds
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.work)
        async with trio.open_nursery() as inner:
            inner.start_soon(partial(show.load, evidence, begin_s, until_s))
            stop.scope = trio.CancelScope()
            with stop.scope:
                if stop.asked:
                    stop.scope.cancel()
                await meanwhile(until_s)
            inner.cancel_scope.cancel()
        crowd.finish()
        nursery.cancel_scope.deadline = trio.current_time() + FINISH_S


async def _read_all(system: System, evidence: Evidence) -> list[Reading]:
    """Read through every node if each answers for all; otherwise through the leader."""
    readings = []
    for node in range(1, NODES + 1) if system.reads_anywhere else [0]:
        where = partial(system.where, node, 0)
        reader = Reader(evidence, where, password=None, give_up_s=GIVE_UP_S)
        address = where()
        name = f"{system.title} at {address}"
        readings.append(await reader.read(name))
    return readings
