"""How the parts of a node are made and joined: the same way for a real node, a simulated one and a test's.

It takes two steps. A node with a blank disk already serves clients, which it tells to wait, and speaks to its
peers: that is the `Groundwork`. Once its log is open, `assemble` makes it a member. To watch or to replace a
part, pass other `Ports`; everything else in the assembly is decided in one place.
"""

from collections.abc import Callable

import attrs

from trikv.config import NodeConfig
from trikv.front.connections import Connections
from trikv.front.counters import Counters
from trikv.front.figures import NodeFigures
from trikv.host.seam import Host
from trikv.machine.batch import Bootstrap, stamp_of
from trikv.node.audience import Audience
from trikv.node.consensus.admission import Admission
from trikv.node.consensus.clock_watch import ClockWatch
from trikv.node.consensus.driver import Driver
from trikv.node.consensus.forwarding import Forwarding
from trikv.node.consensus.leading import Leading
from trikv.node.consensus.lease_reads import LeaseReads
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.lost_entries import LostEntries
from trikv.node.consensus.parts import DriverParts, Parts
from trikv.node.consensus.proposals import Proposals
from trikv.node.consensus.read_exchange import ReadExchange
from trikv.node.consensus.read_questions import ReadQuestions
from trikv.node.consensus.retention import Retention
from trikv.node.consensus.router import Router
from trikv.node.consensus.turns import Turns
from trikv.node.drain import Drain
from trikv.node.events import Event
from trikv.node.mailbox import Mailbox
from trikv.node.operations import Operations
from trikv.node.outflows import Outflows
from trikv.node.peers.leader_calls import LeaderCalls
from trikv.node.peers.levels import Levels
from trikv.node.peers.links import Identity, Links
from trikv.node.peers.password_guard import PasswordGuard
from trikv.node.service import Member, NodeService
from trikv.node.settings import NodeSettings
from trikv.node.state.applier import Applier
from trikv.node.state.opening import OpenedLog
from trikv.node.state.snapshotter import Snapshotter
from trikv.node.state.writer import Writer
from trikv.node.status import count_clients, count_member, figures_of_member, figures_of_node
from trikv.node.waiters import Waiters
from trikv.raft.core import Raft
from trikv.raft.types import EntryKind
from trikv.storage.snapshots import SnapshotStore
from trikv.system_text import to_bytes


@attrs.frozen(kw_only=True)
class Assembly:
    """A member: its parts are wired, but none of their tasks has started."""

    parts: Parts
    driver: Driver
    member: Member
    """What conversations use of it."""


def _nobody_watches(_: Assembly) -> None:
    pass


@attrs.frozen(kw_only=True)
class Ports:
    """The classes of the parts. A simulation passes classes that watch, a test its doubles.

    They are classes, not parts, because only the assembly knows what a part needs, and in which order.
    """

    settings: Callable[[NodeConfig], NodeSettings] = NodeSettings.of
    """Makes the settings. A simulation also changes those that no configuration offers."""
    service: type[NodeService] = NodeService
    links: type[Links] = Links
    reads: type[ReadQuestions] = ReadQuestions
    writer: type[Writer] = Writer
    applier: type[Applier] = Applier
    driver: type[Driver] = Driver
    router: type[Router] = Router
    read_exchange: type[ReadExchange] = ReadExchange
    assembled: Callable[[Assembly], None] = _nobody_watches
    """Called with the member before its first task starts."""


SHIPPED = Ports()
"""The ports of a real node: no part is watched or replaced."""


@attrs.frozen(kw_only=True)
class Groundwork:
    """The parts that a node has before its log is open."""

    host: Host
    secret: bytes
    ports: Ports
    settings: NodeSettings
    stop: Callable[[], None]
    """Begins the stop; returns at once."""
    inbox: Mailbox[Event]
    counters: Counters
    connections: Connections
    outflows: Outflows
    figures: NodeFigures
    service: NodeService
    guard: PasswordGuard

    def make_links(self, identity: Identity) -> Links:
        """Links to all configured peers; nothing is dialled yet."""
        settings = self.settings
        return self.ports.links(self.host, identity, self.secret, settings.peers, self.inbox, settings.pieces)


def lay_groundwork(
    config: NodeConfig, host: Host, secret: bytes, *, stop: Callable[[], None], ports: Ports = SHIPPED
) -> Groundwork:
    """The first step. `secret` is the one that the cluster's nodes share."""
    settings, inbox, counters = ports.settings(config), Mailbox[Event](), Counters()
    outflows = Outflows(boot_us=host.clock.boot_us, cap=lambda: service.cap(settings.maxmemory))
    figures = figures_of_node(host, settings.node_id, outflows)
    service = ports.service(host, inbox, settings.runtime, counters, figures, outflows)
    connections = Connections(
        settings.runtime,
        output_bytes_max=settings.output_bytes_max,
        cap=lambda: service.cap(settings.maxmemory),
    )
    count_clients(counters, connections, outflows, host.network.traffic)
    return Groundwork(
        host=host,
        secret=secret,
        ports=ports,
        settings=settings,
        stop=stop,
        inbox=inbox,
        counters=counters,
        connections=connections,
        outflows=outflows,
        figures=figures,
        service=service,
        guard=PasswordGuard(secret, to_bytes(settings.runtime.requirepass), connections),
    )


async def assemble(ground: Groundwork, opened: OpenedLog, identity: Identity, links: Links) -> Assembly:
    """The second step: a member, from its log. It reads the snapshot files, so it is a coroutine.

    Raises OSError, or StorageError for a snapshot file that no trikv could have written.
    """
    parts = await _make_parts(ground, opened, identity, links)
    settings, ports = ground.settings, ground.ports
    bootstrap = Bootstrap(settings.maxmemory, opened.founding_level)
    assembly = Assembly(
        parts=parts,
        driver=ports.driver(parts, _make_driver_parts(parts, bootstrap, settings, ports)),
        member=Member(
            applier=parts.applier,
            operations=Operations(
                host=parts.host,
                inbox=parts.inbox,
                raft=parts.raft,
                applier=parts.applier,
                snapshotter=parts.snapshotter,
                stop=ground.stop,
                settings=settings.operations,
            ),
            figures=figures_of_member(parts, settings.retention.tail_bytes),
            lease_reads=_make_lease_reads(parts) if settings.reads.by_lease else None,
        ),
    )
    count_member(ground.counters, links, parts.snapshotter)
    ports.assembled(assembly)
    return assembly


async def _make_parts(ground: Groundwork, opened: OpenedLog, identity: Identity, links: Links) -> Parts:
    host, settings, ports, inbox = ground.host, ground.settings, ground.ports, ground.inbox
    boot_ms = host.clock.boot_ms
    # Before the first entry applies, because every command counts, even one that a replay applies.
    opened.machine.count_on(ground.counters.tally)
    # Raft's timers begin here, after everything that waits for the disk.
    raft = make_raft(settings, opened, identity, host)
    waiters, audience = Waiters(), Audience()
    life = int.from_bytes(host.entropy.bytes(7), "big")
    applier = ports.applier(
        origin=identity.node_id,
        machine=opened.machine,
        position=opened.snapshot or opened.base,
        waiters=waiters,
        inbox=inbox,
        audience=audience,
        boot_ms=boot_ms,
        boot_us=host.clock.boot_us,
        seed=life,
    )
    return Parts(
        host=host,
        inbox=inbox,
        identity=identity,
        drain=Drain(),
        raft=raft,
        proposals=Proposals(identity.node_id, host.entropy.bytes(16), waiters, settings.proposals),
        reads=ports.reads(identity.node_id, life, settings.reads),
        log_time=LogTime(last_stamp_ms(opened)),
        links=links,
        guard=ground.guard,
        writer=ports.writer(opened.wal, inbox, boot_ms),
        applier=applier,
        waiters=waiters,
        audience=audience,
        snapshotter=Snapshotter(
            host=host,
            store=await SnapshotStore.open(host.disk),
            applier=applier,
            links=links,
            identity=identity,
            inbox=inbox,
            durable_index=lambda: raft.durable_index,
            newest=opened.snapshot,
            newest_bytes=opened.snapshot_bytes,
            newest_saved_ms=opened.snapshot_saved_ms,
            settings=settings.snapshots,
        ),
    )


def _make_driver_parts(
    parts: Parts, bootstrap: Bootstrap, settings: NodeSettings, ports: Ports
) -> DriverParts:
    host, raft, links, applier, drain = parts.host, parts.raft, parts.links, parts.applier, parts.drain
    proposals, reads, log_time = parts.proposals, parts.reads, parts.log_time
    leading = Leading(raft, applier, log_time, host, bootstrap, settings.leading)
    turns = Turns(parts.inbox, host.clock, raft, reads, applier)
    admission = Admission(proposals, reads, drain)
    forwarding = Forwarding(raft=raft, proposals=proposals, leading=leading, links=links, pace=turns.writes)
    read_exchange = ports.read_exchange(
        raft=raft,
        reads=reads,
        log_time=log_time,
        links=links,
        applier=applier,
        drain=drain,
        pace=turns.reads,
    )
    calls = LeaderCalls()
    router = ports.router(
        identity=parts.identity,
        entropy=host.entropy,
        raft=raft,
        proposals=proposals,
        waiters=parts.waiters,
        reads=reads,
        read_exchange=read_exchange,
        forwarding=forwarding,
        admission=admission,
        leading=leading,
        log_time=log_time,
        disk_first=turns.disk_first,
        drain=drain,
        calls=calls,
        levels=Levels(),
        guard=parts.guard,
        links=links,
        writer=parts.writer,
        applier=applier,
        snapshotter=parts.snapshotter,
    )
    return DriverParts(
        turns=turns,
        router=router,
        admission=admission,
        forwarding=forwarding,
        read_exchange=read_exchange,
        leading=leading,
        retention=Retention(settings.retention),
        calls=calls,
        clock_watch=ClockWatch(),
        lost_entries=LostEntries(),
    )


def _make_lease_reads(parts: Parts) -> LeaseReads:
    return LeaseReads(
        clock=parts.host.clock,
        raft=parts.raft,
        applier=parts.applier,
        log_time=parts.log_time,
        drain=parts.drain,
    )


def make_raft(settings: NodeSettings, opened: OpenedLog, identity: Identity, host: Host) -> Raft:
    """The Raft core, in the state that the log holds."""
    return Raft(
        node_id=identity.node_id,
        disk=identity.disk,
        settings=settings.raft,
        hard_state=opened.hard_state,
        base=opened.base,
        entries=opened.entries,
        jitter=host.entropy.below,
        now_ms=host.clock.boot_ms(),
        wall_ms=host.clock.wall_ms(),
        applied=opened.snapshot.index if opened.snapshot is not None else 0,
    )


def last_stamp_ms(opened: OpenedLog) -> int:
    """The greatest log time that this node has seen: in its state, or in the log's last batch."""
    for entry in reversed(opened.entries):
        if entry.kind is EntryKind.BATCH:
            return max(opened.machine.now_ms, stamp_of(entry.payload))
    return opened.machine.now_ms
