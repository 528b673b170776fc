"""The real host: the operating system behind the seam of `trikv.host.seam`."""

import select
import sys
from types import TracebackType
from typing import Self

import trio

from trikv.host.clock import RealClock, RealEntropy, resident_bytes
from trikv.host.disk import RealDisk
from trikv.host.hub import Hub
from trikv.host.peers import SocketAcceptor
from trikv.host.seam import ConversationFactory, Listening, StreamHandler
from trikv.host.sockets import dial, listening_socket, tune_peer
from trikv.host.stream_server import listen_streams, serve_streams

PEER_CONNECTIONS_MAX = 64
"""Accepted peer connections served at once: two a peer in the largest cluster, and room for strangers,
which are closed within 5 s by the node."""

HAS_EPOLL = sys.platform == "linux" and hasattr(select, "epoll")


class RealNetwork:
    """`trikv.host.seam.Network` on TCP sockets."""

    def __init__(self, *, use_epoll: bool = HAS_EPOLL) -> None:
        """`use_epoll`: False serves clients by tasks over streams, as on platforms without epoll."""
        self._use_epoll = use_epoll

    async def serve(
        self, address: str, factory: ConversationFactory, *, task_status: trio.TaskStatus[Listening]
    ) -> None:
        """Serve clients at `address` until cancelled."""
        listener = await listening_socket(address)
        if self._use_epoll:
            hub = Hub(listener, factory)
            task_status.started(hub)
            await hub.run()
        else:
            await serve_streams(SocketAcceptor(listener), factory, task_status=task_status)

    async def listen(
        self, address: str, handler: StreamHandler, *, task_status: trio.TaskStatus[Listening]
    ) -> None:
        """Accept peers at `address` until cancelled."""
        acceptor = SocketAcceptor(await listening_socket(address), tune_peer)
        await listen_streams(acceptor, handler, connections_max=PEER_CONNECTIONS_MAX, task_status=task_status)

    async def dial(self, address: str) -> trio.abc.Stream:
        """Connect to a peer."""
        return await dial(address)


class RealHost:
    """`trikv.host.seam.Host`. A context manager: it holds the lock of its data directory until closed.

    Raises OSError if the directory cannot be made or locked, `trikv.host.disk.DataDirectoryBusy` (an
    OSError) if another process has it: both say so in one line.
    """

    def __init__(self, data_directory: str, *, use_epoll: bool = HAS_EPOLL) -> None:
        self.network = RealNetwork(use_epoll=use_epoll)
        self.clock = RealClock()
        self.entropy = RealEntropy()
        self.disk = RealDisk(data_directory)

    def resident_bytes(self) -> int:
        """Resident memory of this process."""
        return resident_bytes()

    def close(self) -> None:
        """Unlock the data directory."""
        self.disk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
