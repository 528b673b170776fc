"""The real host: it implements the seam of `trikv.host.seam` by the operating system."""

import os
import select
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

import trio

from trikv.host import clock
from trikv.host.clock import RealClock, RealEntropy
from trikv.host.disk import RealDisk
from trikv.host.endings import Lingering
from trikv.host.hub import Hub
from trikv.host.seam import (
    Address,
    Clock,
    ConversationFactory,
    Descriptors,
    Entropy,
    Listening,
    Network,
    PeerStream,
    StreamHandler,
    System,
    Traffic,
    Usage,
)
from trikv.host.sockets import dial, listen_on, peer_stream
from trikv.host.stream_acceptor import SocketAcceptor
from trikv.host.stream_server import listen_streams, serve_streams
from trikv.storage.disk import Disk

HAS_EPOLL = sys.platform == "linux" and hasattr(select, "epoll")


class RealNetwork:
    """`trikv.host.seam.Network` on TCP and Unix sockets."""

    def __init__(self, *, use_epoll: bool = HAS_EPOLL) -> None:
        """`use_epoll`: False serves clients by tasks over streams, as on platforms without epoll."""
        self.traffic = Traffic()
        self.lingering = Lingering()
        self._use_epoll = use_epoll

    async def serve(
        self,
        addresses: tuple[Address, ...],
        factory: ConversationFactory,
        *,
        task_status: trio.TaskStatus[Listening],
    ) -> None:
        """Serve clients at all of `addresses` until cancelled."""
        listeners = await listen_on(addresses)
        if self._use_epoll:
            try:
                hub = Hub(listeners, factory, self.lingering, self.traffic)
            except OSError:  # no descriptor left for its epoll
                for listener in listeners:
                    listener.close()
                raise
            task_status.started(hub)
            await hub.run()
        else:
            acceptors = [SocketAcceptor(listener) for listener in listeners]
            await serve_streams(acceptors, factory, self.traffic, self.lingering, task_status=task_status)

    async def listen(
        self,
        addresses: tuple[str, ...],
        handler: StreamHandler,
        *,
        connections_max: int,
        task_status: trio.TaskStatus[Listening],
    ) -> None:
        """Accept peers at all of `addresses` until cancelled."""
        acceptors = [SocketAcceptor(listener, peer_stream) for listener in await listen_on(addresses)]
        await listen_streams(acceptors, handler, connections_max=connections_max, task_status=task_status)

    async def dial(self, address: str) -> PeerStream:
        """Connect to a peer, with one attempt at one address. Raises OSError that names the address."""
        return await dial(address)


class RealHost:
    """`trikv.host.seam.Host`. A context manager: it holds the lock of its data directory until closed.

    Raises OSError if the directory cannot be made or locked: `trikv.host.disk.DataDirectoryBusy` if another
    process has it, `DataDirectoryUnusable` if it is a place for none. All say so in one line.
    """

    def __init__(
        self,
        data_directory: str,
        *,
        use_epoll: bool = HAS_EPOLL,
        lines_dropped: Callable[[], int] = lambda: 0,
    ) -> None:
        """`lines_dropped` tells how many lines the writer of this process's log has dropped."""
        self.network: Network = RealNetwork(use_epoll=use_epoll)
        self.clock: Clock = RealClock()
        self.entropy: Entropy = RealEntropy()
        self._lines_dropped = lines_dropped
        self._disk = RealDisk(data_directory)
        self.disk: Disk = self._disk

    def process_id(self) -> int:
        """This process's number in the operating system."""
        return os.getpid()

    def descriptors(self) -> Descriptors:
        """How many descriptors this process may have, and has open."""
        return clock.descriptors()

    def resident_bytes(self) -> int:
        """Resident memory of this process, in bytes; 0 if unknown."""
        return clock.resident_bytes()

    def usage(self) -> Usage:
        """Processor time and peak memory of this process so far. Call it in the main thread."""
        return clock.usage()

    def system(self) -> System:
        """Kernel, release and processor of this machine, and its memory."""
        return clock.system()

    def lines_dropped(self) -> int:
        """How many lines of this process's log could not be written."""
        return self._lines_dropped()

    def close(self) -> None:
        """Unlock the data directory. Its files must be closed before."""
        self._disk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
