"""A simulated machine, and the host that one life of a process on it sees."""

import random
from collections.abc import Awaitable, Callable

import trio

from trikv.host.seam import Clock, Descriptors, Entropy, Network, System, Usage
from trikv.sim.clock import SimClock, SimEntropy
from trikv.sim.determinism import Freezer
from trikv.sim.disk import DiskTraits, SimDisk
from trikv.sim.life import OWNER, Life, Record, Tripwire
from trikv.sim.network import Net, SimNetwork
from trikv.sim.volume import Keep, Volume
from trikv.storage.disk import Disk


class SimHost:
    """`trikv.host.seam.Host` for one life. Once `life` is over its handles raise `Fenced`."""

    def __init__(self, life: Life, *, network: Network, clock: Clock, entropy: Entropy, disk: Disk) -> None:
        self.life = life
        self.network = network
        self.clock = clock
        self.entropy = entropy
        self.disk = disk

    def process_id(self) -> int:
        """0: a simulated node has no process of its own."""
        return 0

    def descriptors(self) -> Descriptors:
        """No limit, and none open: a simulated node has no descriptors."""
        return Descriptors()

    def resident_bytes(self) -> int:
        """0: the memory of this process says nothing about one node, and differs from run to run."""
        return 0

    def usage(self) -> Usage:
        """All 0, for the same reason."""
        return Usage()

    def system(self) -> System:
        """Unknown, so that runs are equal on all machines."""
        return System()

    def lines_dropped(self) -> int:
        """0: a simulated node's log is a list in memory, which takes every line."""
        return 0


class Machine:
    """A machine outlives its processes: the volume, the clocks, the name on the network."""

    def __init__(
        self,
        name: str,
        net: Net,
        stream_of: Callable[[str], random.Random],
        record: Record,
        freezer: Freezer,
    ) -> None:
        self.name = name
        self.volume = Volume(stream_of(f"power {name}"))
        self.disk_traits = DiskTraits()
        self.clock = SimClock()
        self.lives = 0
        self._net = net
        self._stream_of = stream_of
        self._record = record
        self._freezer = freezer
        self._tripwires: list[Tripwire] = []
        self._life: Life | None = None
        self._scope: trio.CancelScope | None = None

    @property
    def is_running(self) -> bool:
        """Whether a process lives on this machine, paused or not."""
        return self._life is not None

    @property
    def is_paused(self) -> bool:
        """Whether its process is frozen by `pause`."""
        return self._life is not None and self._freezer.is_frozen(self._life)

    def boot(self) -> SimHost:
        """Start a life. At most one at a time (the data directory is locked)."""
        assert self._life is None, f"{self.name} runs already"
        self.lives += 1
        self._net.power_on(self.name)
        self._life = life = Life(f"{self.name}, life {self.lives}", self._tripwires)
        self._record("boot", life.name)
        return SimHost(
            life,
            network=SimNetwork(self._net, life, self.name),
            clock=self.clock,
            entropy=SimEntropy(self._stream_of(f"entropy {life.name}")),
            disk=SimDisk(
                life, self.volume, self.disk_traits, self._stream_of(f"disk {life.name}"), self._record
            ),
        )

    async def run(self, main: Callable[[SimHost], Awaitable[None]]) -> None:
        """Boot, run `main`, and close what it left open, as a kernel does when a process ends.

        Returns when `main` returns or the machine crashes. An exception of a living process is raised; one
        that a dying process raises on its way out is dropped.
        """
        host = self.boot()
        outside = OWNER.set(host.life)
        with trio.CancelScope() as self._scope:
            try:
                await main(host)
            except BaseException as error:
                if not host.life.over:
                    raise
                cancelled = _cancellation_in(error)
                if cancelled is not None:
                    raise cancelled from None
            finally:
                OWNER.reset(outside)
                if self._life is host.life:
                    self.kill()

    def kill(self) -> None:
        """``kill -9``: the page cache survives, connections are closed by the kernel."""
        self._end_life("kill")
        self._net.kill(self.name)

    def lose_power(self, keep: Keep = Keep.SOME) -> None:
        """Cut the power: only what was synced is sure to survive, and peers hear nothing."""
        self._end_life("lose power")
        self._net.lose_power(self.name)
        self.volume.lose_power(keep)
        self.clock.reboot()

    def pause(self) -> None:
        """``SIGSTOP``: no task of the process runs. Its kernel goes on: data comes in, windows fill.

        Only tasks inside of `run` are paused. They learn of what happened meanwhile when they are resumed:
        timers that were due, bytes that came, connections that broke.
        """
        if self._life is not None and not self.is_paused:
            self._record("pause", self.name)
            self._freezer.freeze(self._life)

    def resume(self) -> None:
        """``SIGCONT``: undo `pause`. Does nothing if the process is not paused."""
        if self.is_paused:
            self._record("resume", self.name)
            self._freezer.thaw(self._life)

    def after(self, count: int, step: str, action: Callable[[], None]) -> Tripwire:
        """Call `action` at the `count`-th next `step` (see `Tripwire`) of this machine's processes.

        That is in the middle of the task that took the step. If the action ends the process (`kill`,
        `lose_power`), that task does not get any further.
        """
        wire = Tripwire(step, count, action)
        self._tripwires.append(wire)
        return wire

    def disarm(self, wire: Tripwire) -> None:
        """Remove a tripwire that has not acted. Harmless if it has."""
        if wire in self._tripwires:
            self._tripwires.remove(wire)

    def _end_life(self, how: str) -> None:
        """End the present life, if there is one: fence it, then cancel its tasks."""
        self._record(how, self.name)
        if self._life is not None:
            # Before the cancellation: a ``finally`` block must not write from beyond the grave.
            self._life.over = True
            self._freezer.thaw(self._life)
            self._life = None
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None


def _cancellation_in(error: BaseException) -> BaseException | None:
    """The part of `error` that belongs to Trio: it must reach its scope."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(trio.Cancelled)
    return error if isinstance(error, trio.Cancelled) else None
