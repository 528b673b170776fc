"""A simulated world: machines, the network between them, and one seed that decides everything."""

import hashlib
import random

import trio

from trikv.sim.fabric import Fabric
from trikv.sim.host import Machine
from trikv.sim.life import Life
from trikv.sim.network import Net
from trikv.sim.stream import SimStream


class SimWorld:
    """To be used inside `trikv.sim.determinism.simulate`, or in tests under a `MockClock`.

    Each component draws from a random stream of its own, named after it: a fault that is left out, or a
    connection more, does not change what the others draw.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.fabric = Fabric(self.record)
        self.events = 0
        self._net = Net(self.fabric, self.stream_of)
        self._machines: dict[str, Machine] = {}
        self._clients = Life("the clients")
        self._trace = hashlib.blake2b(digest_size=16)

    def stream_of(self, component: str) -> random.Random:
        """The random stream of a component: a function of the seed and the name only."""
        return random.Random(f"{self.seed}/{component}")  # noqa: S311 - reproducible by design

    def machine(self, name: str) -> Machine:
        """The machine of that name (made when first asked for); `name` is also its host in addresses."""
        if name not in self._machines:
            self._machines[name] = Machine(name, self._net, self.stream_of, self.record)
        return self._machines[name]

    async def connect(self, address: str, *, source: str = "client") -> SimStream:
        """A client's connection, from the machine `source`, which never crashes. Raises OSError."""
        return await self._net.connect(self._clients, source, address)

    def record(self, *event: str | int | bytes) -> None:
        """Add an event, with the virtual time, to the trace."""
        self.events += 1
        self._trace.update(repr((trio.current_time(), event)).encode())

    def trace_hash(self) -> str:
        """The digest of all that was recorded: equal for equal seeds."""
        return self._trace.hexdigest()
