"""Carrying out faults: each strike finds its victim, breaks something, and mends it after its time.

What mends itself does so in a task of its own, so that faults overlap as they were drawn. `heal` ends all of
them at once. **One budget for durable losses**: a wiped disk forgets acknowledged entries, so a second loss
is withheld until the first disk is a voter again and has caught up; else the faults, and not the product,
would have lost data.
"""

import errno
from collections.abc import Sequence
from functools import partial
from typing import assert_never

import trio

from trikv.raft.roles import Role
from trikv.sim import faults as f
from trikv.sim.cluster import POLL_S, Cluster
from trikv.sim.faults import Fault, Strike
from trikv.sim.knobs import Knobs
from trikv.sim.marks import Marks

TRIPWIRE_S = 2.0
"""How long a crash waits for its step."""
COUP_S = 0.04
"""A coup strikes within this of each election."""


class Striker:
    """Breaks a cluster by a schedule."""

    def __init__(self, cluster: Cluster, knobs: Knobs, marks: Marks) -> None:
        self._cluster = cluster
        self._fabric = cluster.world.fabric
        self._knobs = knobs
        self._marks = marks
        self._lost: int | None = None
        """The node whose disk was lost and is not back in full: the budget is spent."""
        self._cuts: dict[tuple[int, int], int] = {}
        """How many faults cut each direction."""
        self.struck = 0

    async def run(self, strikes: Sequence[Strike]) -> None:
        """Strike at the scheduled times; returns after the last. Cancel it, then `heal`."""
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            for strike in strikes:
                await trio.sleep_until(begun + strike.at_ms / 1000)
                self.struck += 1
                self._cluster.world.record("fault", repr(strike.fault))
                nursery.start_soon(self._strike, strike.fault)

    def _victim(self, node: int) -> int:
        """A node's number; while nobody leads, a strike at the leader meets the first."""
        return node or self._cluster.leader() or 1

    async def _strike(self, fault: Fault) -> None:  # noqa: PLR0915 - a line or two a kind
        match fault:
            case f.Kill(node, down_ms):
                await self._end([self._victim(node)], down_ms, power=False)
            case f.PowerLoss(node, down_ms):
                await self._end([self._victim(node)], down_ms, power=True)
            case f.BlackOut(down_ms):
                await self._end(list(self._cluster.ids), down_ms, power=True)
            case f.Coup(ms, down_ms):
                await self._coup(ms, down_ms)
            case f.Isolate(node, ms, way):
                await self._cut(self._around(self._victim(node), way), ms)
            case f.Split(side, ms):
                ids = self._cluster.ids
                await self._cut([(a, b) for a in ids for b in ids if (a in side) != (b in side)], ms)
            case f.Bridge(node, ms):
                others = [n for n in self._cluster.ids if n != self._victim(node)]
                await self._cut([(a, b) for a in others for b in others if a != b], ms)
            case f.SlowLinks(node, ms, latency_ms):
                await self._slow_links(self._victim(node), ms, latency_ms)
            case f.Cut(node):
                self._reset(self._victim(node))
            case f.BreakMidFrame(node):
                for one, other in self._around(self._victim(node), "out"):
                    self._fabric.break_mid_frame(f"node{one}", f"node{other}")
            case f.Strand(node):
                for one, other in self._around(self._victim(node), "out"):
                    self._fabric.strand(f"node{one}", f"node{other}")
            case f.Loss(node, ms, percent):
                await self._lose_packets(self._victim(node), ms, percent)
            case f.Pause(node, ms):
                await self._pause(self._victim(node), ms)
            case f.Drift(node, ms, ppm):
                clock = self._cluster.machine(self._victim(node)).clock
                clock.drift_ppm = ppm
                await trio.sleep(ms / 1000)
                clock.drift_ppm = 0
            case f.CrashAt(node, count, step, down_ms, power):
                await self._crash_at(self._victim(node), count, step, down_ms, power=power)
            case f.Rot(node, down_ms):
                await self._rot(self._victim(node), down_ms)
            case f.SlowDisk(node, ms, sync_ms):
                await self._slow_disk(self._victim(node), ms, sync_ms)
            case f.SyncError(node, down_ms):
                await self._disk_error(self._victim(node), "sync", down_ms)
            case f.WriteError(node, down_ms):
                await self._disk_error(self._victim(node), "write", down_ms)
            case f.NoSpace(node, ms):
                await self._no_space(self._victim(node), ms)
            case f.ClockStep(node, step_ms):
                self._cluster.machine(self._victim(node)).clock.jump_wall(step_ms)
            case f.Wipe(node, down_ms):
                await self._wipe(self._victim(node), down_ms)
            case _:
                assert_never(fault)

    def heal(self) -> None:
        """Everything works again: links, disks, power. Clocks stay as they are."""
        self._cuts.clear()
        self._fabric.heal_all()
        for number in self._cluster.ids:
            machine = self._cluster.machine(number)
            machine.volume.capacity_bytes = None
            machine.disk_traits.mend()
            machine.resume()
            machine.clock.drift_ppm = 0
            self._set_loss(number, 0.0)
            self._set_sync(number, self._knobs.sync_ms_max)
            self._set_latency(number, self._knobs.latency_ms_max)
        self._cluster.start()

    # ---------------------------------------------------------------- crashes

    async def _end(self, victims: list[int], down_ms: int, *, power: bool) -> None:
        for number in victims:
            self._note_crash(number)
            self._cluster.hold(number)
            if power:
                self._cluster.lose_power(number)
            else:
                self._cluster.kill(number)
        try:
            await trio.sleep(down_ms / 1000)
        finally:
            for number in victims:
                self._cluster.release(number)

    def _note_crash(self, number: int) -> None:
        parts = self._cluster.parts(number)
        if parts is not None and parts.raft.role is Role.LEADER and parts.raft.last_index > parts.raft.commit:
            self._marks.sometimes("leader lost mid-batch")

    async def _coup(self, ms: int, down_ms: int) -> None:
        source = self._cluster.world.stream_of(f"coup at {trio.current_time():.3f}")
        until = trio.current_time() + ms / 1000
        async with trio.open_nursery() as nursery:
            while trio.current_time() < until:
                leader = self._cluster.leader()
                if leader is not None:
                    await trio.sleep(source.uniform(0, COUP_S))
                    nursery.start_soon(partial(self._end, [leader], down_ms, power=False))
                await trio.sleep(POLL_S)

    async def _crash_at(self, number: int, count: int, step: str, down_ms: int, *, power: bool) -> None:
        """Whatever the node does then, it does not come to its next line."""
        tripped = trio.Event()

        def trip() -> None:
            self._note_crash(number)
            self._cluster.hold(number)
            (self._cluster.lose_power if power else self._cluster.kill)(number)
            tripped.set()

        machine = self._cluster.machine(number)
        wire = machine.after(count, step, trip)
        with trio.move_on_after(TRIPWIRE_S):
            await tripped.wait()
        machine.disarm(wire)
        if tripped.is_set():
            try:
                await trio.sleep(down_ms / 1000)
            finally:
                self._cluster.release(number)

    async def _pause(self, number: int, ms: int) -> None:
        machine = self._cluster.machine(number)
        machine.pause()
        try:
            await trio.sleep(ms / 1000)
        finally:
            machine.resume()

    async def _rot(self, number: int, down_ms: int) -> None:
        if not self._may_lose(number):
            return
        volume = self._cluster.machine(number).volume
        files = sorted(path for path, inode in volume.names.items() if inode is not None and len(inode.cache))
        source = self._cluster.world.stream_of(f"rot at {trio.current_time():.3f}")
        if files:
            volume.rot(source.choice(files))
            self._cluster.rotten[number] = True
        await self._end([number], down_ms, power=False)

    def _may_lose(self, number: int) -> bool:
        """Take the budget of durable losses for `number`, if the last loss has been made good."""
        if self._lost is not None and not self._is_whole(self._lost):
            self._marks.sometimes("durable loss withheld by the budget")
            return False
        self._lost = number
        return True

    async def _wipe(self, number: int, down_ms: int) -> None:
        if not self._may_lose(number):
            return
        self._cluster.hold(number)
        self._cluster.lose_power(number)
        self._cluster.wipe(number)
        try:
            await trio.sleep(down_ms / 1000)
        finally:
            self._cluster.release(number)

    def _is_whole(self, number: int) -> bool:
        """The disk of `number` is a voter's, and holds all that is committed."""
        parts, leader = self._cluster.parts(number), self._cluster.leader()
        leading = self._cluster.parts(leader) if leader is not None else None
        if parts is None or leading is None:
            return False
        voters = [member.disk for member in leading.raft.membership.members if member.voter]
        whole = parts.identity.disk in voters and parts.raft.durable_index >= leading.raft.commit
        if whole:
            self._marks.sometimes("blank disk swapped in")
        return whole

    # ---------------------------------------------------------------- network

    def _around(self, number: int, way: str) -> list[tuple[int, int]]:
        others = [n for n in self._cluster.ids if n != number]
        inward = [(n, number) for n in others] if way in {"both", "in"} else []
        outward = [(number, n) for n in others] if way in {"both", "out"} else []
        return inward + outward

    async def _cut(self, ways: list[tuple[int, int]], ms: int) -> None:
        for way in ways:
            self._cuts[way] = self._cuts.get(way, 0) + 1
            self._fabric.cut(f"node{way[0]}", f"node{way[1]}", both_ways=False)
        await trio.sleep(ms / 1000)
        for way in ways:
            self._cuts[way] -= 1
            if not self._cuts[way]:
                self._fabric.heal(f"node{way[0]}", f"node{way[1]}", both_ways=False)

    async def _slow_links(self, number: int, ms: int, latency_ms: int) -> None:
        self._set_latency(number, latency_ms)
        await trio.sleep(ms / 1000)
        self._set_latency(number, self._knobs.latency_ms_max)

    def _set_latency(self, number: int, latency_ms: float) -> None:
        for other in self._cluster.ids:
            if other != number:
                for ends in ((number, other), (other, number)):
                    self._fabric.link(f"node{ends[0]}", f"node{ends[1]}").latency_ms_max = latency_ms

    def _reset(self, number: int) -> None:
        for one, other in self._around(number, "out"):
            self._fabric.break_all(f"node{one}", f"node{other}")

    async def _lose_packets(self, number: int, ms: int, percent: int) -> None:
        self._set_loss(number, percent / 100)
        await trio.sleep(ms / 1000)
        self._set_loss(number, 0.0)

    def _set_loss(self, number: int, share: float) -> None:
        for one, other in self._around(number, "both"):
            self._fabric.link(f"node{one}", f"node{other}").loss = share

    # ------------------------------------------------------------------ disks

    def _set_sync(self, number: int, sync_ms: float) -> None:
        self._cluster.machine(number).disk_traits.sync_ms_max = sync_ms

    async def _slow_disk(self, number: int, ms: int, sync_ms: int) -> None:
        self._set_sync(number, sync_ms)
        await trio.sleep(ms / 1000)
        self._set_sync(number, self._knobs.sync_ms_max)

    async def _disk_error(self, number: int, operation: str, down_ms: int) -> None:
        """The next such call fails; what is left of the order goes when its time is over."""
        traits = self._cluster.machine(number).disk_traits
        traits.fail(operation, errno.EIO)
        await trio.sleep(down_ms / 1000)
        traits.failures.pop(operation, None)

    async def _no_space(self, number: int, ms: int) -> None:
        volume = self._cluster.machine(number).volume
        volume.capacity_bytes = volume.used_bytes()
        await trio.sleep(ms / 1000)
        volume.capacity_bytes = None
