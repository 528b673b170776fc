"""The simulated network: addresses, connecting, accepting; `trikv.host.seam.Network` for one life.

Clients are served by `trikv.host.stream_server`, the same code that serves real streams.
"""

import errno
import os
import random
from collections import deque
from collections.abc import Callable, Sequence

import attrs
import trio

from trikv.addresses import join_address, split_address
from trikv.host.endings import Lingering
from trikv.host.seam import Address, ConversationFactory, Listening, StreamHandler, Traffic
from trikv.host.stream_server import Accepted, listen_streams, serve_streams
from trikv.sim.connection import (
    CLIENT_PATIENCE,
    PEER_PATIENCE,
    SERVER_PATIENCE,
    Connection,
    Patience,
)
from trikv.sim.fabric import Fabric
from trikv.sim.life import Life
from trikv.sim.stream import SimStream

BACKLOG = 1024
SYN_RETRIES_S = (1.0, 2.0, 4.0, 8.0)
"""A connection attempt that nobody answers is repeated after these times, then it times out. Linux does the
same, later."""


class SimAcceptor:
    """A bound address of one life: `trikv.host.stream_server.Acceptor`."""

    def __init__(self, net: "Net", life: Life, machine: str, address: str, patience: Patience) -> None:
        self.address = address
        self.life = life
        self.machine = machine
        self.patience = patience
        self.is_closed = False
        self._net = net
        self._waiting: deque[Accepted] = deque()
        self._changed = trio.lowlevel.ParkingLot()

    async def accept(self) -> Accepted:
        """The next connection. Raises ClosedResourceError once `stop_accepting` was called."""
        await trio.lowlevel.checkpoint()
        while True:
            self.life.check()
            if self.is_closed:
                raise trio.ClosedResourceError
            if self._waiting:
                return self._waiting.popleft()
            await self._changed.park()

    def offer(self, accepted: Accepted) -> bool:
        """A connection arrived. False: the backlog is full, and the attempt gets no answer."""
        if len(self._waiting) >= BACKLOG:
            return False
        self._waiting.append(accepted)
        self._changed.unpark_all()
        return True

    def stop_accepting(self) -> None:
        """Unbind; connections that nobody has accepted are reset."""
        if not self.life.over:
            self.shut()

    def shut(self) -> None:
        """Do what a kernel does when a process closes its listener or dies."""
        if self.is_closed:
            return
        self.is_closed = True
        self._net.unbind(self)
        while self._waiting:
            stream = self._waiting.popleft().stream
            assert isinstance(stream, SimStream)
            stream.reset()
        self._changed.unpark_all()


@attrs.define
class MachineSockets:
    """What the fabric knows of a machine's sockets, to end them when it crashes."""

    up: bool = True
    streams: list[SimStream] = attrs.field(factory=list)
    sweep_at: int = 64


class Net:
    """All addresses and connections of a world."""

    def __init__(self, fabric: Fabric, stream_of: Callable[[str], random.Random]) -> None:
        self.fabric = fabric
        self._stream_of = stream_of
        self._bound: dict[str, SimAcceptor] = {}
        self._owners: dict[str, str] = {}
        self._machines: dict[str, MachineSockets] = {}
        self._ports = 49151
        self._connections: dict[tuple[str, str], int] = {}

    def bind(self, life: Life, machine: str, address: str, patience: Patience) -> SimAcceptor:
        """Bind `address` (port 0: a free one). OSError if it is taken."""
        host, port = split_address(address)
        if port == 0:
            address = join_address(host, self._next_port())
        if address in self._bound:
            raise OSError(errno.EADDRINUSE, f"cannot listen on {address}: {os.strerror(errno.EADDRINUSE)}")
        acceptor = self._bound[address] = SimAcceptor(self, life, machine, address, patience)
        self._owners[address] = machine
        return acceptor

    def unbind(self, acceptor: SimAcceptor) -> None:
        """Free the address of `acceptor`, so that it can be bound again."""
        del self._bound[acceptor.address]

    async def connect(
        self, life: Life, machine: str, address: str, patience: Patience = CLIENT_PATIENCE
    ) -> SimStream:
        """Connect from `machine`. OSError as TCP raises it: refused, or timed out."""
        life.check()
        owner = self._owners.get(address, split_address(address)[0])
        there, back = self.fabric.link(machine, owner), self.fabric.link(owner, machine)
        key = (machine, address)
        self._connections[key] = number = self._connections.get(key, 0) + 1
        source = self._stream_of(f"connection {machine}>{address} {number}")
        # Apart from `source`, so that a link that loses does not change the latencies of what it spares.
        trouble = self._stream_of(f"trouble {machine}>{address} {number}")
        for retry_s in SYN_RETRIES_S:
            heard = not there.is_cut and not there.loses(trouble) and not back.loses(trouble)
            await trio.sleep(there.latency_s(source))
            life.check()
            if heard and self.machine(owner).up and not back.is_cut:
                acceptor = self._bound.get(address)
                if acceptor is None:
                    await trio.sleep(back.latency_s(source))
                    raise OSError(
                        errno.ECONNREFUSED, f"cannot reach {address}: {os.strerror(errno.ECONNREFUSED)}"
                    )
                connection = Connection(self.fabric, machine, owner, source, trouble)
                stream = self._join(life, connection, acceptor, patience)
                if stream is not None:
                    self.fabric.record("connect", machine, address)
                    return await self._established(stream, back.latency_s(source))
            await trio.sleep(retry_s)
            life.check()
        raise OSError(errno.ETIMEDOUT, f"cannot reach {address}: {os.strerror(errno.ETIMEDOUT)}")

    async def _established(self, stream: SimStream, latency_s: float) -> SimStream:
        """Wait for the answer's way back; a caller that gives up meanwhile closes the stream."""
        try:
            await trio.sleep(latency_s)
        except trio.Cancelled:
            stream.shut()
            raise
        return stream

    def _join(
        self, life: Life, connection: Connection, acceptor: SimAcceptor, patience: Patience
    ) -> SimStream | None:
        near = SimStream(connection, life, dials=True, patience=patience)
        far = SimStream(connection, acceptor.life, dials=False, patience=acceptor.patience)
        remote = join_address(connection.one, self._next_port())
        if not acceptor.offer(Accepted(far, remote, acceptor.address)):
            return None
        connection.join(near, far)
        self._remember(connection.one, near)
        self._remember(connection.other, far)
        return near

    def machine(self, name: str) -> MachineSockets:
        """The sockets of a machine, made when first asked for."""
        return self._machines.setdefault(name, MachineSockets())

    def kill(self, machine: str) -> None:
        """The process on `machine` died: the kernel closes its sockets, and peers hear of it."""
        for acceptor in [one for one in self._bound.values() if one.machine == machine]:
            acceptor.shut()
        for stream in self.machine(machine).streams:
            stream.shut()
        self.machine(machine).streams.clear()

    def lose_power(self, machine: str) -> None:
        """The sockets on `machine` vanish: no peer is told anything."""
        self.machine(machine).up = False
        for stream in self.machine(machine).streams:
            stream.vanish()
        for acceptor in [one for one in self._bound.values() if one.machine == machine]:
            acceptor.shut()

    def power_on(self, machine: str) -> None:
        """`machine` answers again: by resets to bytes for connections that it has forgotten."""
        sockets = self.machine(machine)
        if not sockets.up:
            sockets.up = True
            for stream in sockets.streams:
                stream.machine_is_back()
            sockets.streams.clear()

    def _remember(self, machine: str, stream: SimStream) -> None:
        """Keep a stream of `machine`. Closed ones are removed when the number of all may have doubled."""
        sockets = self.machine(machine)
        sockets.streams.append(stream)
        if len(sockets.streams) >= sockets.sweep_at:
            sockets.streams = [one for one in sockets.streams if not one.is_closed]
            sockets.sweep_at = max(64, 2 * len(sockets.streams))

    def _next_port(self) -> int:
        self._ports = 49152 if self._ports == 65535 else self._ports + 1
        return self._ports


class SimNetwork:
    """The network as one life sees it: `trikv.host.seam.Network`."""

    def __init__(self, net: Net, life: Life, machine: str) -> None:
        self._net = net
        self._life = life
        self._machine = machine
        self.traffic = Traffic()
        self.lingering = Lingering()

    async def serve(
        self,
        addresses: tuple[Address, ...],
        factory: ConversationFactory,
        *,
        task_status: trio.TaskStatus[Listening],
    ) -> None:
        """Serve clients until cancelled, by the real host's code for streams."""
        acceptors = self._bind(addresses, SERVER_PATIENCE)
        await serve_streams(acceptors, factory, self.traffic, self.lingering, task_status=task_status)

    async def listen(
        self,
        addresses: tuple[str, ...],
        handler: StreamHandler,
        *,
        connections_max: int,
        task_status: trio.TaskStatus[Listening],
    ) -> None:
        """Accept peers until cancelled, by the real host's code for streams."""
        acceptors = self._bind(addresses, PEER_PATIENCE)
        await listen_streams(acceptors, handler, connections_max=connections_max, task_status=task_status)

    async def dial(self, address: str) -> SimStream:
        """Connect to a peer. Raises OSError, like TCP: refused, or timed out."""
        return await self._net.connect(self._life, self._machine, address, PEER_PATIENCE)

    def _bind(self, addresses: Sequence[Address], patience: Patience) -> list[SimAcceptor]:
        """Bind all addresses, or none. Later ones with port 0 take the port that was chosen for the first."""
        self._life.check()
        bound: list[SimAcceptor] = []
        try:
            for address in addresses:
                assert isinstance(address, str), "there are no files here for a Unix socket"
                host, port = split_address(address)
                if port == 0 and bound:
                    port = split_address(bound[0].address)[1]
                where = join_address(host, port)
                bound.append(self._net.bind(self._life, self._machine, where, patience))
        except OSError:
            for acceptor in bound:
                acceptor.stop_accepting()
            raise
        return bound
