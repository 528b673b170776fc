"""A node: the tree of nurseries. `Node.run` reads top to bottom as the start order."""

from functools import partial

import structlog
import trio

from trikv.config import NodeConfig
from trikv.host.seam import Host
from trikv.node.assembly import SHIPPED, Assembly, Ports, assemble, lay_groundwork
from trikv.node.client_ports import serve_clients, share_descriptors, sweep_connections
from trikv.node.consensus.parts import Parts
from trikv.node.joining import Joining, refuse_other_peers
from trikv.node.peers.links import Identity
from trikv.node.state.loading import Document, load_keys
from trikv.node.state.opening import open_identity, open_log, tidy_up
from trikv.node.state.own_writes import send_maxmemory, warn_of_cap
from trikv.node.state.writer import watch_log_directory
from trikv.node.stopping import Stopping
from trikv.storage.wal import Wal

log = structlog.get_logger()


class Node:
    """One member of a cluster, or a cluster of its own if no peers are configured.

    To embed it: ``await nursery.start(Node(config, host).run)``, and cancel the nursery to stop. The phases
    of a stop (dump included) run shielded, as long as there is progress within ``stop_deadline_ms``.
    """

    def __init__(
        self,
        config: NodeConfig,
        host: Host,
        secret: bytes = b"",
        load: Document | None = None,
        *,
        ports: Ports = SHIPPED,
    ) -> None:
        """`secret` is the one that the cluster's nodes share; it may be empty only without peers.

        `load` opens a backup or dump that fills the cluster if it is empty.
        """
        self._host = host
        self._load = load
        self.dumped: bool | None = None
        """After a stop: whether it wrote its dump. None before, and if a node that never joined a cluster
        was stopped by phases."""
        self._assembly: Assembly | None = None
        self._stop = trio.Event()
        self._core = trio.CancelScope(shield=True)
        self._ground = lay_groundwork(config, host, secret, stop=self.stop, ports=ports)

    @property
    def parts(self) -> Parts | None:
        """The parts, once the log is open and their tasks run."""
        return self._assembly.parts if self._assembly is not None else None

    @property
    def works(self) -> int:
        """How many submissions and slices of long entries it has handled: standing still, it is idle."""
        if self._assembly is None:
            return 0
        slices = self._assembly.parts.applier.slices
        return self._assembly.driver.works + self._ground.service.works + slices

    @property
    def input_bytes(self) -> int:
        """What all clients together make this node hold of their requests."""
        return self._ground.connections.input.total

    def stop(self) -> None:
        """Stop by phases; `run` returns after the last one."""
        self._stop.set()

    def stop_now(self) -> None:
        """Stop at once: no dump, clients just lose their connection. Nothing acknowledged is lost."""
        if self.dumped is None:  # if there is a dump already, `_serve` has set this
            self.dumped = False
        self._core.cancel()

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until stopped or cancelled; started with the first client address.

        Raises OSError (a taken port, a failing disk), `trikv.storage.errors.StorageError`, and ConfigError
        if the data directory is another node's or another cluster's; possibly in exception groups.
        """
        async with trio.open_nursery() as outer:
            outer.start_soon(self._stop_when_cancelled)
            with self._core:
                async with trio.open_nursery() as nursery:
                    wal = await self._serve(nursery, task_status)
                    nursery.cancel_scope.cancel()
                if wal is not None:
                    await wal.close()
            outer.cancel_scope.cancel()

    async def _stop_when_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.stop()

    async def _serve(self, nursery: trio.Nursery, task_status: trio.TaskStatus[str]) -> Wal | None:
        """The start order. Returns the log, to be closed after the last task that writes it has ended."""
        ground, host = self._ground, self._host
        settings, figures = ground.settings, ground.figures
        shares = share_descriptors(host, settings)
        await tidy_up(host)
        disk = await open_identity(host, settings.node_id)
        opened = await open_log(host, disk, settings.wal)
        if opened is not None:
            await refuse_other_peers(opened, settings)
        # Not earlier: a port that answers must mean that the log has been read and may be served.
        listening = await nursery.start(serve_clients, ground)
        address = listening.addresses[0]
        figures.run_id, figures.tcp_port = disk.disk.hex(), address.rpartition(":")[2]
        identity = Identity(disk.node, disk.disk, address=settings.own_address)
        if opened is not None:
            identity.cluster = opened.cluster  # before the first handshake, which tells the cluster
        links = ground.make_links(identity)
        if links.peers():
            await nursery.start(links.run, settings.peer_addresses, shares.accepted_peers_max)
        nursery.start_soon(sweep_connections, ground)
        nursery.start_soon(ground.outflows.run)
        if opened is None:
            joining = Joining(ground, disk, links, self._stop)
            nursery.start_soon(joining.wake_on_stop)
            opened = await joining.become_member()
            if opened is None:  # stopped before there was a cluster
                task_status.started(address)
                ground.connections.close_all()
                return None
            identity.cluster = opened.cluster
            links.reset()  # the handshakes told the peers of a blank disk, which no longer holds
        assembly = await assemble(ground, opened, identity, links)
        await self._start_tasks(nursery, assembly)
        log.info(
            "serving",
            node=settings.node_id,
            address=",".join(listening.addresses),
            cluster=opened.cluster.hex(),
        )
        task_status.started(address)
        await self._stop.wait()
        stopping = Stopping(assembly.parts, ground.connections, ground.outflows, listening, settings.stop)
        try:
            await stopping.run()
        finally:  # a stop at once may come after the dump was written
            self.dumped = stopping.dumped
        return opened.wal

    async def _start_tasks(self, nursery: trio.Nursery, assembly: Assembly) -> None:
        parts, driver, member = assembly.parts, assembly.driver, assembly.member
        # The driver last, because from its first turn on it hands work to all the others.
        await nursery.start(parts.writer.run)
        await nursery.start(parts.applier.run)
        await nursery.start(parts.snapshotter.run)
        await nursery.start(member.operations.run)
        nursery.start_soon(driver.run_alarm)
        nursery.start_soon(watch_log_directory, self._host.disk, self._ground.settings.data_directory)
        nursery.start_soon(driver.run)
        # Only now that the tasks answer are clients served; before this they were refused.
        self._ground.service.joined(member)
        self._assembly = assembly
        nursery.start_soon(partial(self._submit_settings, parts))

    async def _submit_settings(self, parts: Parts) -> None:
        """Submit what the operator's flags ask of the cluster, once there is a majority."""
        settings = self._ground.settings
        if settings.asks_maxmemory:
            await send_maxmemory(parts.inbox, settings.maxmemory)
        await warn_of_cap(parts.inbox, parts.applier, settings.maxmemory)
        if self._load is not None:
            await load_keys(parts.inbox, parts.applier, self._load)
