"""A node: the tree of nurseries. `Node.run` reads top to bottom as the start order."""

from functools import partial

import structlog
import trio

from trikv.config import ConfigError, NodeConfig
from trikv.front.connections import Connections
from trikv.front.conversation import Conversation
from trikv.front.intake import ConversationLimits
from trikv.front.seam import RuntimeSettings, Work
from trikv.front.statistics import Statistics
from trikv.host.seam import Address, Host, Listening, UnixAddress
from trikv.host.wire import Conversation as Conversing
from trikv.host.wire import Wire
from trikv.machine.batch import Bootstrap
from trikv.node import front_door
from trikv.node.configured import contradiction, latest_membership
from trikv.node.consensus.driver import Driver, Parts
from trikv.node.consensus.leading import Leading, LeadingSettings, stamp_of
from trikv.node.consensus.lease_reads import LeaseReads
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.proposals import ProposalLimits, Proposals
from trikv.node.consensus.reads import Reads
from trikv.node.consensus.retention import Retention, RetentionSettings
from trikv.node.descriptors import Shares, share
from trikv.node.drain import StopLimits
from trikv.node.events import Event, LinkDown, PeerSaid
from trikv.node.front_door import NodeService
from trikv.node.info import OwnInfo
from trikv.node.mailbox import Mailbox
from trikv.node.operations import Operations, OperationSettings
from trikv.node.peers.founding import Adopt, Found, Founding, standing
from trikv.node.peers.links import Identity, Links
from trikv.node.peers.password_guard import PasswordGuard
from trikv.node.state.applier import Applier
from trikv.node.state.loading import Document, load_keys, send_maxmemory, warn_of_cap
from trikv.node.state.opening import OpenedLog, create_log, open_identity, open_log, tidy_up
from trikv.node.state.snapshotter import Snapshotter, SnapshotterSettings
from trikv.node.state.writer import Writer
from trikv.node.status import Status
from trikv.node.stopping import Stopping
from trikv.node.waiters import Waiters
from trikv.protocol.frames import PieceLimits
from trikv.protocol.messages import BootstrapRecord, DiskStanding
from trikv.protocol.peer import BLANK_CLUSTER
from trikv.raft.core import Raft
from trikv.raft.settings import RaftSettings
from trikv.raft.types import EntryKind
from trikv.storage.errors import DirectoryGone
from trikv.storage.identity import DiskIdentity
from trikv.storage.layout import WAL
from trikv.storage.snapshots import SnapshotStore
from trikv.storage.wal import Wal, WalSettings
from trikv.system_text import to_bytes

STANDING_INTERVAL_S = 0.5
WATCH_INTERVAL_S = 15.0
"""Between two looks at the directory of the log: seldom enough to cost nothing."""
"""How often a blank disk says so: bounds how long founding waits for a link that has just come up."""

log = structlog.get_logger()


class Node:
    """One member of a cluster, or a cluster of its own where no peers are configured.

    Embedded: ``await nursery.start(Node(config, host).run)``, and cancel the nursery to stop: the phases of
    a stop (dump included) run shielded, for as long as there is progress within ``stop_deadline_ms``.
    """

    def __init__(
        self, config: NodeConfig, host: Host, secret: bytes = b"", load: Document | None = None
    ) -> None:
        """`secret`: what the cluster's nodes share; may be empty only without peers.

        `load` opens a backup or dump that fills the cluster if it is empty.
        """
        self._config = config
        self._host = host
        self._secret = secret
        self._load = load
        self.dumped: bool | None = None
        """After a stop: whether it wrote its dump. None before, and where a node stopped by phases that never
        joined a cluster."""
        self._driver: Driver | None = None
        self._stop = trio.Event()
        self._core = trio.CancelScope(shield=True)
        self._inbox: Mailbox[Event] = Mailbox()
        self._settings = settings = RuntimeSettings(
            timeout_s=config.timeout_s,
            typed_timeout_s=config.typed_timeout_s,
            maxclients=config.maxclients,
            requirepass=config.requirepass,
            reads=config.reads,
            input_bytes_max=config.input_bytes_max,
        )
        self._connections = Connections(
            settings,
            output_bytes_max=config.output_bytes_max,
            cap=lambda: self._service.cap(config.maxmemory),
        )
        self._statistics = Statistics()
        self._own_info = OwnInfo(host, self._statistics, self._connections, config.node_id)
        self._service = NodeService(host, self._inbox, config.node_id, settings, self._own_info)
        self._guard = PasswordGuard(secret, to_bytes(config.requirepass), self._connections)
        # A submission must fit an entry with what MessagePack adds to its arguments.
        self._limits = ConversationLimits(entry_bytes_max=config.entry_bytes_max * 3 // 4)

    @property
    def works(self) -> int:
        """How many submissions this node has handled: while it stands still, the node is idle."""
        return self._driver.works + self._service.works if self._driver is not None else 0

    @property
    def input_bytes(self) -> int:
        """What all clients together make this node hold of their requests."""
        return self._connections.input.total

    def stop(self) -> None:
        """Stop by phases; `run` returns when they are through."""
        self._stop.set()

    def stop_now(self) -> None:
        """Stop at once: no dump, clients just lose their connection. Nothing acknowledged is lost."""
        if self.dumped is None:  # `_serve` knows better where the dump is there already
            self.dumped = False
        self._core.cancel()

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until stopped or cancelled; started with the first client address.

        Raises OSError (a taken port, a failing disk), `trikv.storage.errors.StorageError`, and ConfigError
        where the data directory is another node's or another cluster's; possibly in exception groups.
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
        """The start order; the log that was opened, to be closed when nobody writes it any more."""
        config, host = self._config, self._host
        shares = self._share_descriptors()
        await tidy_up(host)
        disk = await open_identity(host, config.node_id)
        opened = await open_log(host, disk, self._wal_settings())
        if opened is not None:
            await self._refuse_other_peers(opened)
        listening = await nursery.start(self._serve_clients, shares)
        address = listening.addresses[0]
        self._own_info.run_id, self._own_info.tcp_port = disk.disk.hex(), address.rpartition(":")[2]
        identity = Identity(disk.node, disk.disk, address=self._own_address())
        links = await self._start_links(nursery, identity, opened, shares)
        nursery.start_soon(self._sweep_connections)
        if opened is None:
            opened = await self._become_member(nursery, disk, links)
            if opened is None:  # stopped before there was a cluster
                task_status.started(address)
                self._connections.close_all()
                return None
            identity.cluster = opened.cluster
            links.reset()
        parts, driver = await self._build(opened, identity, links)
        self._driver = driver
        operations = self._operations(parts)
        await nursery.start(parts.writer.run)
        await nursery.start(parts.applier.run)
        await nursery.start(parts.snapshotter.run)
        await nursery.start(operations.run)
        nursery.start_soon(driver.run_alarm)
        nursery.start_soon(self._watch_log_directory)
        nursery.start_soon(driver.run)
        status = Status(parts, driver, self._connections, self._statistics, config.log_tail_bytes)
        self._own_info.stale_percent = status.stale_percent
        lease_reads = self._lease_reads(parts) if config.reads == "lease" else None
        self._service.joined(front_door.Member(parts, operations, status, lease_reads))
        nursery.start_soon(partial(self._submit_settings, parts))
        where = ",".join(listening.addresses)
        log.info("serving", node=config.node_id, address=where, cluster=opened.cluster.hex())
        task_status.started(address)
        await self._stop.wait()
        limits = StopLimits(still_s=config.stop_deadline_ms / 1000)
        stopping = Stopping(parts, self._connections, listening, limits)
        try:
            await stopping.run()
        finally:  # a stop at once may come behind the dump
            self.dumped = stopping.dumped
        return opened.wal

    async def _refuse_other_peers(self, opened: OpenedLog) -> None:
        config = self._config
        membership = latest_membership(opened.base.membership, opened.entries)
        if (wrong := contradiction(config.node_id, config.peers, membership)) is not None:
            await opened.wal.close()
            raise ConfigError(wrong)
        strange = sorted(config.peers.keys() - {member.id for member in membership.members})
        if membership.members and strange:
            log.warning("no members of this cluster yet: they hold no copy until they join", peers=strange)

    # ---------------------------------------------------------------- clients

    def _share_descriptors(self) -> Shares:
        """Before anybody connects. Raises TooFewDescriptors."""
        config, settings = self._config, self._settings
        listeners = len(self._client_addresses())
        if config.peers:  # each address beyond the first has room for one more connection of a peer
            listeners += 2 * len(config.peer_addresses)
        there = self._host.descriptors()
        shares = share(there, peers=max(0, len(config.peers) - 1), listeners=listeners)
        settings.clients_max = shares.clients_max
        if settings.maxclients > shares.clients_max:
            log.warning(
                "maxclients is lowered to what the limit of open files leaves; ulimit -n raises it",
                asked=settings.maxclients,
                in_force=shares.clients_max,
                open_files_max=there.most,
            )
            settings.maxclients = shares.clients_max
        return shares

    def _client_addresses(self) -> tuple[Address, ...]:
        config = self._config
        if not config.unix_socket:
            return config.addresses
        return (*config.addresses, UnixAddress(config.unix_socket, int(config.unix_socket_mode, 8)))

    async def _serve_clients(self, shares: Shares, *, task_status: trio.TaskStatus[Listening]) -> None:
        await self._host.network.serve(
            self._client_addresses(),
            self._converse,
            lingering_max=shares.lingering_max,
            task_status=task_status,
        )

    def _converse(self, wire: Wire) -> Conversing:
        return Conversation(wire, self._service, self._connections, limits=self._limits)

    async def _watch_log_directory(self) -> None:
        """Raises DirectoryGone: what is synced into files that nobody can open again is not durable."""
        while True:
            await trio.sleep(WATCH_INTERVAL_S)
            if not await self._host.disk.is_in_place(WAL):
                raise DirectoryGone(f"{self._config.data_directory}/{WAL}")

    async def _sweep_connections(self) -> None:
        while True:
            now = self._host.clock.boot_ms()
            due = self._connections.expire_idle(now)
            self._statistics.sample(now)
            await trio.sleep(max(0, due - now) / 1000)

    # ------------------------------------------------------- peers and founding

    async def _start_links(
        self, nursery: trio.Nursery, identity: Identity, opened: OpenedLog | None, shares: Shares
    ) -> Links:
        config = self._config
        if opened is not None:
            identity.cluster = opened.cluster
        peers = {node: address for node, address in config.peers.items() if node != config.node_id}
        links = Links(
            self._host,
            identity,
            self._secret,
            peers,
            self._inbox,
            PieceLimits(
                message_bytes_max=config.peer_frame_bytes_max, queue_bytes_max=2 * config.peer_frame_bytes_max
            ),
        )
        if peers:
            await nursery.start(links.run, config.peer_addresses, shares.accepted_peers_max)
        return links

    def _own_address(self) -> str:
        """Where the peers reach this node."""
        config = self._config
        return config.peers.get(config.node_id, config.peer_addresses[0])

    async def _become_member(
        self, nursery: trio.Nursery, disk: DiskIdentity, links: Links
    ) -> OpenedLog | None:
        """Found a cluster with the others or be adopted by one; None when stopped meanwhile."""
        nursery.start_soon(self._wake_on_stop)
        async with trio.open_nursery() as telling:
            telling.start_soon(self._tell_standing, links)
            adopt = await self._found(disk, links)
            telling.cancel_scope.cancel()
        if adopt is None:
            return None
        settings = self._wal_settings()
        opened = await create_log(self._host, disk, settings, adopt)
        log.info("joined a cluster", cluster=adopt.cluster.hex(), voter=bool(adopt.membership.members))
        return opened

    def _wal_settings(self) -> WalSettings:
        return WalSettings(segment_bytes=self._config.segment_bytes)

    async def _tell_standing(self, links: Links) -> None:
        """Say again and again that this disk is blank: whoever can help may have had no link to answer by."""
        while True:
            configured = [self._config.node_id, *links.peers()]
            for peer in links.peers():
                links.send(
                    peer,
                    standing(
                        blank=True,
                        cluster=BLANK_CLUSTER,
                        configured=configured,
                        password=self._guard.mark,
                    ),
                )
            await trio.sleep(STANDING_INTERVAL_S)

    async def _wake_on_stop(self) -> None:
        await self._stop.wait()
        self._inbox.wake()

    async def _found(self, disk: DiskIdentity, links: Links) -> Adopt | None:
        founding = Founding(self._config.node_id, disk.disk, self._own_address(), links.addresses)
        if (found := founding.decide()) is not None:
            return self._adopt(found)
        log.info("this disk is blank: waiting for the other nodes", peers=links.peers())
        while not self._stop.is_set():
            adopt = None
            for event in await self._inbox.take():  # to the end: a client's command among them is answered
                adopt = self._founding_event(founding, event) or adopt
            if adopt is not None:
                return adopt
        return None

    def _founding_event(self, founding: Founding, event: Event) -> Adopt | None:
        match event:
            case Work():
                event.failed(front_door.NOT_A_MEMBER)
            case LinkDown(peer=peer):
                founding.lost(peer)
            case PeerSaid(peer=peer, disk=disk, message=DiskStanding() as message):
                self._guard.heard(peer, message.password)
                found = founding.heard(peer, disk, message)
                if found is not None:
                    return self._adopt(found)
            case PeerSaid(message=BootstrapRecord() as record):
                return founding.handed(record)
            case _:
                pass  # Raft's messages are for members; this disk is none yet
        return None

    def _adopt(self, found: Found) -> Adopt:
        """Give the cluster that this node founds its id."""
        return Adopt(self._host.entropy.bytes(16), found.membership, found.feature_level)

    # ------------------------------------------------------------------ parts

    async def _build(self, opened: OpenedLog, identity: Identity, links: Links) -> tuple[Parts, Driver]:
        config, host, inbox = self._config, self._host, self._inbox
        boot_ms = host.clock.boot_ms
        opened.machine.evaluator.count_on(self._statistics.tally)
        raft = self._raft(opened, identity)
        waiters = Waiters()
        log_time = LogTime(_last_stamp_ms(opened))
        applier = Applier(
            origin=identity.node_id,
            machine=opened.machine,
            position=opened.snapshot or opened.base,
            waiters=waiters,
            inbox=inbox,
            boot_ms=boot_ms,
            boot_us=host.clock.boot_us,
        )
        limits = ProposalLimits(
            entry_bytes_max=config.entry_bytes_max, deadline_ms=config.command_deadline_ms
        )
        bootstrap = Bootstrap(config.maxmemory, opened.founding_level)
        life = int.from_bytes(host.entropy.bytes(7), "big")
        parts = Parts(
            host=host,
            raft=raft,
            proposals=Proposals(identity.node_id, host.entropy.bytes(16), waiters, limits),
            waiters=waiters,
            reads=Reads(
                identity.node_id,
                life,
                deadline_ms=config.command_deadline_ms,
                by_lease=config.reads == "lease",
            ),
            log_time=log_time,
            leading=Leading(raft, applier, log_time, host, bootstrap, LeadingSettings()),
            links=links,
            writer=Writer(opened.wal, inbox, boot_ms),
            applier=applier,
            snapshotter=await self._snapshotter(opened, identity, links, applier, raft),
            retention=Retention(RetentionSettings(config.log_tail_bytes, config.log_follower_bytes)),
            inbox=inbox,
            identity=identity,
            guard=self._guard,
        )
        taken = parts.snapshotter.statistics
        for name, source in (
            ("peer_received_bytes", lambda: links.received_bytes),
            ("peer_sent_bytes", lambda: links.sent_bytes),
            ("snapshots_taken", lambda: taken.taken),
            ("snapshots_sent", lambda: taken.sent),
        ):
            self._statistics.follow(name, source)
        return parts, Driver(parts)

    def _raft(self, opened: OpenedLog, identity: Identity) -> Raft:
        config, host = self._config, self._host
        return Raft(
            node_id=identity.node_id,
            disk=identity.disk,
            settings=RaftSettings(
                election_timeout_ms_min=config.election_timeout_ms_min,
                election_timeout_ms_max=config.election_timeout_ms_max,
                heartbeat_interval_ms=config.heartbeat_interval_ms,
            ),
            hard_state=opened.hard_state,
            base=opened.base,
            entries=opened.entries,
            jitter=host.entropy.below,
            now_ms=host.clock.boot_ms(),
            wall_ms=host.clock.wall_ms(),
            applied=opened.snapshot.index if opened.snapshot is not None else 0,
        )

    async def _snapshotter(
        self, opened: OpenedLog, identity: Identity, links: Links, applier: Applier, raft: Raft
    ) -> Snapshotter:
        config = self._config
        return Snapshotter(
            host=self._host,
            store=await SnapshotStore.open(self._host.disk),
            applier=applier,
            links=links,
            identity=identity,
            inbox=self._inbox,
            durable_index=lambda: raft.durable_index,
            newest=opened.snapshot,
            newest_bytes=opened.snapshot_bytes,
            newest_saved_ms=opened.snapshot_saved_ms,
            settings=SnapshotterSettings(config.snapshot_log_bytes, config.snapshot_interval_s),
        )

    def _operations(self, parts: Parts) -> Operations:
        return Operations(
            host=self._host,
            inbox=self._inbox,
            raft=parts.raft,
            applier=parts.applier,
            snapshotter=parts.snapshotter,
            stop=self.stop,
            settings=OperationSettings(self._config.data_directory, self._config.backups_kept),
        )

    def _lease_reads(self, parts: Parts) -> LeaseReads:
        return LeaseReads(
            clock=self._host.clock,
            raft=parts.raft,
            applier=parts.applier,
            log_time=parts.log_time,
            drain=parts.drain,
        )

    async def _submit_settings(self, parts: Parts) -> None:
        """What the operator's flags ask of the cluster, once it can hear it."""
        config = self._config
        if config.maxmemory_explicit:
            await send_maxmemory(self._inbox, config.maxmemory)
        await warn_of_cap(self._inbox, parts.applier, config.maxmemory)
        if self._load is not None:
            await load_keys(self._inbox, parts.applier, self._load)


def _last_stamp_ms(opened: OpenedLog) -> int:
    """The greatest log time that this node has seen: in its state, or in the log's last batch."""
    for entry in reversed(opened.entries):
        if entry.kind is EntryKind.BATCH:
            return max(opened.machine.now_ms, stamp_of(entry.payload))
    return opened.machine.now_ms
