"""The assembly: which part gets which settings, which ports are asked, and from where a member goes on."""

from typing import Any

import attrs

from tests.node.driver_rig import CLUSTER, CONFIG, NODE, DeskHost, at_once, founded_log
from tests.raft.cluster import disk_of, membership_of
from trikv.machine.batch import Batch
from trikv.machine.machine import Machine
from trikv.node.assembly import (
    SHIPPED,
    Assembly,
    Groundwork,
    Ports,
    assemble,
    last_stamp_ms,
    lay_groundwork,
    make_raft,
)
from trikv.node.consensus.driver import Driver
from trikv.node.consensus.read_exchange import ReadExchange
from trikv.node.consensus.read_questions import ReadQuestions
from trikv.node.consensus.router import Router
from trikv.node.peers.links import Identity, Links
from trikv.node.service import NodeService
from trikv.node.settings import NodeSettings
from trikv.node.state.applier import Applier
from trikv.node.state.opening import OpenedLog
from trikv.node.state.writer import Writer
from trikv.raft.types import Entry, EntryKind, HardState, SnapshotMeta

import msgspec  # isort: skip


def grounded(ports: Ports = SHIPPED, **settings: Any) -> Groundwork:
    """The groundwork of a node whose configuration says that."""
    return lay_groundwork(
        attrs.evolve(CONFIG, **settings), DeskHost(), b"secret", stop=lambda: None, ports=ports
    )


def assembled(ground: Groundwork) -> Assembly:
    """A member on it."""
    identity = Identity(NODE, disk_of(NODE), CLUSTER)
    return at_once(assemble(ground, founded_log(ground.host.disk), identity, ground.make_links(identity)))


def opened(entries: tuple[Entry, ...], machine: Machine, snapshot: SnapshotMeta | None = None) -> OpenedLog:
    """A log, as far as these tests look at it."""
    base = SnapshotMeta(0, 0, membership_of(1, 2, 3))
    log = founded_log(DeskHost().disk)
    return attrs.evolve(log, base=base, entries=entries, machine=machine, snapshot=snapshot)


def batch(index: int, stamp_ms: int) -> Entry:
    """An entry that carries that time."""
    return Entry(index, 1, EntryKind.BATCH, msgspec.msgpack.encode(Batch(stamp_ms, 0, ())))


def test_every_port_is_asked_and_its_parts_are_used() -> None:
    """What a simulation or a test gives instead of a class that ships is what the others are wired to."""

    class OwnService(NodeService):
        pass

    class OwnLinks(Links):
        pass

    class OwnReads(ReadQuestions):
        pass

    class OwnWriter(Writer):
        pass

    class OwnApplier(Applier):
        pass

    class OwnDriver(Driver):
        pass

    class OwnRouter(Router):
        pass

    class OwnReadExchange(ReadExchange):
        pass

    seen: list[Assembly] = []
    ports = Ports(
        settings=lambda config: attrs.evolve(NodeSettings.of(config), maxmemory=77),
        service=OwnService,
        links=OwnLinks,
        reads=OwnReads,
        writer=OwnWriter,
        applier=OwnApplier,
        driver=OwnDriver,
        router=OwnRouter,
        read_exchange=OwnReadExchange,
        assembled=seen.append,
    )
    ground = grounded(ports)
    assembly = assembled(ground)
    assert seen == [assembly]
    parts, driver = assembly.parts, assembly.driver
    assert ground.settings.maxmemory == 77
    for part, kind in (
        (ground.service, OwnService),
        (parts.links, OwnLinks),
        (parts.reads, OwnReads),
        (parts.writer, OwnWriter),
        (parts.applier, OwnApplier),
        (driver, OwnDriver),
        (driver._router, OwnRouter),
        (driver._read_exchange, OwnReadExchange),
    ):
        assert type(part) is kind
    assert (driver._links, driver._reads, driver._writer) == (parts.links, parts.reads, parts.writer)
    assert (driver._applier, driver._raft) == (parts.applier, parts.raft)
    assert driver._router._read_exchange is driver._read_exchange
    assert assembly.member.applier is parts.applier


def test_reads_by_lease_only_where_configured() -> None:
    """A node that is configured to ask a majority has nothing that could answer without one."""
    assert assembled(grounded()).member.lease_reads is None
    assembly = assembled(grounded(reads="lease"))
    assert assembly.member.lease_reads is not None
    assert assembly.parts.reads.by_lease


def test_a_node_is_counted_from_its_first_moment() -> None:
    """What the register counts before the log is open, and what a member counts besides from then on."""
    ground = grounded()
    ground.connections.refused_count = 3
    assert (ground.counters.count("refused"), ground.counters.count("peer_sent_bytes")) == (3, 0)
    parts = assembled(ground).parts
    outgoing = next(iter(parts.links._outgoing.values()))
    outgoing.sent_bytes = 5
    assert ground.counters.count("peer_sent_bytes") == 5
    assert parts.applier.machine.tally is ground.counters.tally


def test_figures_are_those_of_the_parts() -> None:
    """Each record comes from its part, and names this disk and this cluster."""
    figures = assembled(grounded(log_tail_bytes=4096)).member.figures
    assert (figures.disk, figures.cluster, figures.log_tail_bytes) == (disk_of(NODE), CLUSTER, 4096)
    assert (figures.raft().term, figures.applier().index, figures.snapshotter().newest_index) == (1, 2, 2)
    assert sorted(figures.links().peers) == [2, 3]
    assert (figures.proposals().waiting, figures.reads().waiting) == (0, 0)
    assert (figures.writer().log.segments, figures.log_time().now_ms) == (1, 1)
    assert not figures.password().heard


def test_figures_are_those_of_the_machine_that_a_snapshot_has_brought() -> None:
    """An install puts another machine in the place of the one that was there at the start."""
    assembly = assembled(grounded())
    machine = Machine()
    machine.space.account.set_cap(7 << 20)
    assembly.parts.applier.machine = machine
    figures = assembly.member.figures
    assert (figures.cap_bytes(), figures.feature_level()) == (7 << 20, 0)
    assert figures.applier().machine.cap_bytes == 7 << 20


def test_the_cap_in_force_is_the_configured_one_before_there_is_a_log() -> None:
    """It bounds what clients may make a blank node hold."""
    ground = grounded(maxmemory=1 << 30)
    assert ground.connections.input_bytes_max() == 1 << 28


def test_raft_goes_on_from_the_log_and_the_snapshot() -> None:
    """Term and vote as they are on disk; nothing that the snapshot holds is handed out again."""
    entries = (batch(1, 5), batch(2, 6), batch(3, 7))
    log = opened(entries, Machine(), SnapshotMeta(2, 1, membership_of(1, 2, 3)))
    log = attrs.evolve(log, hard_state=HardState(4, disk_of(2)))
    host = DeskHost()
    raft = make_raft(NodeSettings.of(CONFIG), log, Identity(NODE, disk_of(NODE), CLUSTER), host)
    assert (raft.hard_state, raft.commit, raft.last_index) == (HardState(4, disk_of(2)), 2, 3)


def test_the_last_stamp_is_the_greatest_that_the_node_has_seen() -> None:
    """In the log's last batch, whatever comes behind it, or in the state that a snapshot brought."""
    noop = Entry(3, 2, EntryKind.NOOP, b"")
    machine = Machine()
    assert last_stamp_ms(opened((), machine)) == 0
    assert last_stamp_ms(opened((batch(1, 5), batch(2, 6), noop), machine)) == 6
    machine.space.account.now = 9
    assert last_stamp_ms(opened((batch(1, 5), noop), machine)) == 9
