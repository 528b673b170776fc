"""A simulated world: machines, the network between them, and one seed that decides everything."""

import hashlib
import random

import msgspec
import trio

from trikv.sim.determinism import Freezer
from trikv.sim.fabric import Fabric
from trikv.sim.host import Machine
from trikv.sim.life import OWNER, Life
from trikv.sim.network import Net
from trikv.sim.stream import SimStream

_encode = msgspec.msgpack.Encoder().encode
TRACE_BATCH = 1024
"""Events digested at a time."""


class SimWorld:
    """A world, for use inside `trikv.sim.determinism.simulate`, or in tests under a `MockClock`.

    Each component draws from a random stream of its own, named after it: one fault less, or one connection
    more, does not change the others' draws.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.fabric = Fabric(self.record)
        self.events = 0
        self._net = Net(self.fabric, self.stream_of)
        self._machines: dict[str, Machine] = {}
        self._freezer = Freezer(OWNER)
        self._clients = Life("the clients")
        self._trace = hashlib.blake2b(digest_size=16)
        self._untraced: list[tuple[float, tuple[str | int | bytes, ...]]] = []

    def stream_of(self, component: str) -> random.Random:
        """The random stream of a component: a function of the seed and the name only."""
        return random.Random(f"{self.seed}/{component}")  # noqa: S311 - reproducible by design

    def machine(self, name: str) -> Machine:
        """The machine of that name, made when first asked for. `name` is also its host in addresses."""
        if name not in self._machines:
            self._machines[name] = Machine(name, self._net, self.stream_of, self.record, self._freezer)
        return self._machines[name]

    async def connect(self, address: str, *, source: str = "client") -> SimStream:
        """A client's connection, from the machine `source`, which never crashes. Raises OSError."""
        return await self._net.connect(self._clients, source, address)

    def record(self, *event: str | int | bytes) -> None:
        """Add an event to the trace, with the virtual time of now."""
        self.events += 1
        self._untraced.append((trio.current_time(), event))
        if len(self._untraced) >= TRACE_BATCH:
            self._digest()

    def trace_hash(self) -> str:
        """The digest of all recorded events: equal for equal seeds."""
        self._digest()
        return self._trace.hexdigest()

    def _digest(self) -> None:
        self._trace.update(_encode(self._untraced))
        self._untraced.clear()
