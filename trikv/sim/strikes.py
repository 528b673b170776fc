"""Carrying out faults: each strike finds its victim, breaks something, and mends it after its time.

A fault with a duration has a task of its own, so that faults overlap as they were drawn. Two of one kind on
one target end one after the other (`trikv.sim.overrides`). `heal` ends all of them at once. Durable losses
have one budget (`trikv.sim.losses`).
"""

import errno
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import assert_never

import trio

from trikv.raft.roles import Role
from trikv.sim import faults as f
from trikv.sim.cluster import POLL_S, Cluster
from trikv.sim.disk import DiskTraits
from trikv.sim.faults import Fault, Strike
from trikv.sim.losses import Losses
from trikv.sim.marks import Marks
from trikv.sim.overrides import Overrides

TRIPWIRE_S = 2.0
"""How long a crash waits for its step, in virtual seconds."""
COUP_S = 0.04
"""A coup kills each new leader within this time of its election."""


class Striker:
    """Breaks a cluster by a schedule."""

    def __init__(self, cluster: Cluster, losses: Losses, marks: Marks, *, aims_inside: bool) -> None:
        """`aims_inside`: `Knobs.aims_inside`."""
        self._aims_inside = aims_inside
        self._cluster = cluster
        self._fabric = cluster.world.fabric
        self._marks = marks
        self._losses = losses
        self._overrides = Overrides()
        self._pauses = dict.fromkeys(cluster.ids, 0)
        self._cuts: dict[tuple[int, int], int] = {}
        """How many faults cut each direction at present."""
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
        """The number of the node that a strike hits. While none leads, a strike at the leader hits node 1."""
        if node:
            return node
        leader = self._cluster.leader()
        inside = self._cluster.inside(leader) if self._aims_inside else None
        return inside or leader or 1

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
                await self._bend_links(self._victim(node), ms, "latency_ms_max", latency_ms)
            case f.Narrow(node, ms, bytes_per_s):
                await self._bend_links(self._victim(node), ms, "bytes_per_s", bytes_per_s)
            case f.Cut(node):
                self._reset(self._victim(node))
            case f.BreakMidFrame(node):
                for one, other in self._around(self._victim(node), "out"):
                    self._fabric.break_mid_frame(f"node{one}", f"node{other}")
            case f.Strand(node):
                for one, other in self._around(self._victim(node), "out"):
                    self._fabric.strand(f"node{one}", f"node{other}")
            case f.Loss(node, ms, percent):
                await self._bend_links(self._victim(node), ms, "loss", percent / 100)
            case f.Pause(node, ms):
                await self._pause(self._victim(node), ms)
            case f.Drift(node, ms, ppm):
                await self._bend(self._cluster.machine(self._victim(node)).clock, ms, "drift_ppm", ppm)
            case f.CrashAt(node, count, step, down_ms, power):
                await self._crash_at(self._victim(node), count, step, down_ms, power=power)
            case f.Rot(node, down_ms):
                await self._rot(self._victim(node), down_ms)
            case f.SlowDisk(node, ms, sync_ms):
                await self._bend(self._traits(self._victim(node)), ms, "sync_ms_max", sync_ms)
            case f.Lie(node, ms):
                await self._bend(self._traits(self._victim(node)), ms, "lies", True)
            case f.SyncError(node, down_ms):
                await self._disk_error(self._victim(node), "sync", down_ms)
            case f.WriteError(node, down_ms):
                await self._disk_error(self._victim(node), "write", down_ms)
            case f.NoSpace(node, ms):
                volume = self._cluster.machine(self._victim(node)).volume
                await self._bend(volume, ms, "capacity_bytes", volume.used_bytes())
            case f.ClockStep(node, step_ms):
                self._cluster.machine(self._victim(node)).clock.jump_wall(step_ms)
            case f.Wipe(node, down_ms):
                await self._wipe(self._victim(node), down_ms)
            case _:
                assert_never(fault)

    def heal(self) -> None:
        """Let everything work again: links, disks, power. Only the time of day stays as it is.

        Call it when `run` is over or cancelled: overridden values went back when its tasks ended.
        """
        self._cuts.clear()
        self._fabric.heal_all()
        for number in self._cluster.ids:
            machine = self._cluster.machine(number)
            machine.disk_traits.failures.clear()
            machine.disk_traits.broken.clear()
            machine.resume()
        self._cluster.start()

    # ---------------------------------------------------------------- crashes

    async def _end(self, victims: list[int], down_ms: int, *, power: bool) -> None:
        for number in victims:
            self._note_crash(number)
            self._cluster.hold(number)  # first, so that nothing boots the node before its time is over
            if power:
                self._losses.cut_power(number)
            else:
                self._cluster.kill(number)
        try:
            await trio.sleep(down_ms / 1000)
        finally:
            for number in victims:
                self._cluster.release(number)

    def _note_crash(self, number: int) -> None:
        parts = self._cluster.parts(number)
        if parts is not None and parts.applier.inside is not None:
            self._marks.sometimes("node crashed inside an entry")
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
        """Let the node crash right after its `count`-th next `step`, before its next line of code."""
        tripped = trio.Event()

        def trip() -> None:
            self._note_crash(number)
            self._cluster.hold(number)
            (self._losses.cut_power if power else self._cluster.kill)(number)
            tripped.set()

        machine = self._cluster.machine(number)
        wire = machine.after(count, step, trip)
        try:
            with trio.move_on_after(TRIPWIRE_S):
                await tripped.wait()
            if tripped.is_set():
                await trio.sleep(down_ms / 1000)
        finally:  # also at the heal: a wire that stays would hold the node down for ever
            machine.disarm(wire)
            if tripped.is_set():
                self._cluster.release(number)

    async def _pause(self, number: int, ms: int) -> None:
        machine = self._cluster.machine(number)
        self._pauses[number] += 1  # counted: the end of one pause must not end another
        machine.pause()
        try:
            await trio.sleep(ms / 1000)
        finally:
            self._pauses[number] -= 1
            if not self._pauses[number]:
                machine.resume()

    async def _rot(self, number: int, down_ms: int) -> None:
        if not self._losses.take(number):
            return
        volume = self._cluster.machine(number).volume
        files = sorted(path for path, inode in volume.names.items() if inode is not None and len(inode.cache))
        source = self._cluster.world.stream_of(f"rot at {trio.current_time():.3f}")
        if files:
            volume.rot(source.choice(files))
            self._cluster.rotten[number] = True
        await self._end([number], down_ms, power=False)

    async def _wipe(self, number: int, down_ms: int) -> None:
        if not self._losses.take(number):
            return
        self._cluster.hold(number)
        self._cluster.lose_power(number)
        self._cluster.wipe(number)
        try:
            await trio.sleep(down_ms / 1000)
        finally:
            self._cluster.release(number)

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

    async def _bend_links(self, number: int, ms: int, name: str, value: float) -> None:
        """Give all links between a node and its peers this attribute for `ms`."""
        with ExitStack() as stack:
            for one, other in self._around(number, "both"):
                link = self._fabric.link(f"node{one}", f"node{other}")
                stack.enter_context(self._overrides.put(link, name, value))
            await trio.sleep(ms / 1000)

    def _reset(self, number: int) -> None:
        for one, other in self._around(number, "out"):
            self._fabric.break_all(f"node{one}", f"node{other}")

    # ------------------------------------------------------------------ disks

    def _traits(self, number: int) -> DiskTraits:
        return self._cluster.machine(number).disk_traits

    async def _bend(self, target: object, ms: int, name: str, value: float) -> None:
        """Give `target` this attribute for `ms`."""
        with self._overrides.put(target, name, value):
            await trio.sleep(ms / 1000)

    async def _disk_error(self, number: int, operation: str, down_ms: int) -> None:
        """Let the next such call fail; if none comes in time, the order is taken back."""
        traits = self._traits(number)
        traits.fail(operation, errno.EIO)
        await trio.sleep(down_ms / 1000)
        traits.failures.pop(operation, None)
