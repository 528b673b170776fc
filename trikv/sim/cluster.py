"""Nodes on simulated machines, and a supervisor that boots nodes which have ended, like a service manager."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import trio

from trikv.node.consensus.parts import Parts
from trikv.node.node import Node
from trikv.raft.roles import Role
from trikv.sim.host import Machine, SimHost
from trikv.sim.volume import Keep, Volume
from trikv.sim.world import SimWorld
from trikv.storage.errors import StorageCorrupt, StorageError

RESTART_S = 0.3
"""Pause, in seconds, between the end of a node by itself and its next boot."""
POLL_S = 0.01
"""Time between two checks for a leader, in virtual seconds: each check costs, the time between does not."""

MakeNode: TypeAlias = Callable[[int, SimHost], Node]
OnExit: TypeAlias = Callable[[int, BaseException], None]
OnStop: TypeAlias = Callable[[int, bool], None]
"""Takes a node and whether it says that it has dumped."""


class Cluster:
    """Nodes 1 to `count`; each lives on the machine ``nodeN``.

    A node that ends by an error of its disk is booted again after `RESTART_S`. So is a node that was told to
    stop, after `stopped` was called. Any other exception is a bug: `crashed` is called, and the node stays
    down.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        world: SimWorld,
        count: int,
        make: MakeNode,
        crashed: OnExit,
        stopped: OnStop = lambda _, __: None,
    ) -> None:
        self.world = world
        self.ids = range(1, count + 1)
        self.nodes: dict[int, Node] = {}
        self.disk_exits = 0
        """How often a node has ended by an error of its disk."""
        self.rotten: dict[int, bool] = {}
        """Nodes with damage on their disks. One that refuses to start is refilled, as by an operator."""
        self._nursery = nursery
        self._make = make
        self._crashed = crashed
        self._stopped = stopped
        self._blank_disks = 0
        self._holds = dict.fromkeys(self.ids, 0)
        """How many faults keep the node down at present."""

    def machine(self, number: int) -> Machine:
        """The machine on which node `number` lives, life after life."""
        return self.world.machine(f"node{number}")

    def start(self, *numbers: int) -> None:
        """Boot these nodes (all, if none is named), unless they run or something holds them down."""
        for number in numbers or self.ids:
            if not self._holds[number] and not self.machine(number).is_running:
                self._nursery.start_soon(self._live, number)

    async def _live(self, number: int) -> None:
        machine = self.machine(number)
        if machine.is_running or self._holds[number]:
            return  # two faults that held it down have ended at the same moment, and another task boots it

        async def main(host: SimHost) -> None:
            node = self.nodes[number] = self._make(number, host)
            await node.run()
            self._stopped(number, bool(node.dumped))
            self._nursery.start_soon(self._restart, number)

        try:
            await machine.run(main)
        except* StorageCorrupt as group:
            if self.rotten.pop(number, False):  # our damage; without it the corruption is a bug
                self.wipe(number)
                await self._restart_broken(number)
            else:
                self._crashed(number, group)
        except* (OSError, StorageError):
            await self._restart_broken(number)
        except* Exception as group:  # noqa: BLE001 - a bug of the node is what we look for
            self._crashed(number, group)

    async def _restart_broken(self, number: int) -> None:
        self.disk_exits += 1
        await self._restart(number)

    async def _restart(self, number: int) -> None:
        await trio.sleep(RESTART_S)
        self.start(number)

    def recovered(self, number: int) -> None:
        """A life of node `number` has read all its files: earlier damage to them does not matter any more."""
        self.rotten.pop(number, None)

    def hold(self, number: int) -> None:
        """Keep a node down until `release`; holds add up."""
        self._holds[number] += 1

    def release(self, number: int) -> None:
        """End one `hold`; boot the node if there is no other."""
        self._holds[number] -= 1
        self.start(number)

    def kill(self, number: int) -> None:
        """End a node's process by ``kill -9``, if it runs: see `Machine.kill`."""
        if self.machine(number).is_running:
            self.machine(number).kill()

    def lose_power(self, number: int, keep: Keep = Keep.SOME) -> None:
        """Cut the power: see `Machine.lose_power`. `keep` says what survives of unsynced data."""
        self.machine(number).lose_power(keep)

    def wipe(self, number: int) -> None:
        """Put a blank disk into a machine that is off."""
        self._blank_disks += 1
        self.rotten.pop(number, None)
        self.machine(number).volume = Volume(self.world.stream_of(f"blank disk {self._blank_disks}"))

    def running(self) -> Iterator[int]:
        """The numbers of the nodes whose process lives, paused ones included."""
        return (number for number in self.ids if self.machine(number).is_running)

    def parts(self, number: int) -> Parts | None:
        """The inside of a running node that has joined its cluster; None before, and while it is down."""
        node = self.nodes.get(number)
        if node is None or not self.machine(number).is_running:
            return None
        return node.parts

    def leader(self) -> int | None:
        """The node that leads in the latest term; None while none does."""
        found: tuple[int, int] | None = None
        for number in self.ids:
            parts = self.parts(number)
            if parts is not None and parts.raft.role is Role.LEADER:
                found = max(found or (0, 0), (parts.raft.term, number))
        return found[1] if found is not None else None

    def inside(self, leader: int | None) -> int | None:
        """A node besides the `leader` that is inside an entry at present; None if there is none."""
        for number in self.ids:
            parts = self.parts(number)
            if number != leader and parts is not None and parts.applier.inside is not None:
                return number
        return None

    async def elected(self) -> int:
        """Wait for a leader that a majority follows, and name it."""
        while True:
            number = self.leader()
            if number is not None:
                live = [parts for n in self.ids if (parts := self.parts(n)) is not None]
                if 2 * sum(parts.raft.leader == number for parts in live) > len(self.ids):
                    return number
            await trio.sleep(POLL_S)
