"""A driver on a desk: real Raft, proposals, reads and applier, turned by hand; links and disk remember."""

from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import msgspec
import trio
from trio.testing import MockClock

from tests.node.recorded_work import Asked
from tests.raft.cluster import disk_of, membership_of
from tests.storage.memory_disk import MemoryDisk
from trikv.config import NodeConfig
from trikv.host.endings import Lingering
from trikv.host.seam import Clock, Descriptors, Entropy, Network, System, Traffic, Usage
from trikv.machine.batch import Bootstrap, Hello, RawBatch
from trikv.machine.machine import Machine
from trikv.node.assembly import Ports, assemble, lay_groundwork
from trikv.node.events import Event, OwnHello, PeerSaid, Persisted
from trikv.node.peers.links import Identity, Links
from trikv.node.state.opening import OpenedLog
from trikv.node.state.writer import Writer
from trikv.protocol.messages import PeerMessage
from trikv.raft.messages import AppendAck, Heartbeat, RequestVote, TimeoutNow, VoteAck
from trikv.raft.ready import WriteJob
from trikv.raft.roles import Role
from trikv.raft.types import Entry, EntryKind, HardState, SnapshotMeta
from trikv.storage.disk import Disk
from trikv.storage.records import WalIdentity
from trikv.storage.wal import Wal, WalSettings

NODE, LEADER, OTHER = 1, 2, 3
NONCE = b"this life's nonce"
MEMBERS = membership_of(NODE, LEADER, OTHER)
CLUSTER = b"this is a cluster"[:16]
CONFIG = NodeConfig(
    node_id=NODE,
    peers={number: f"node{number}:1" for number in (NODE, LEADER, OTHER)},
    heartbeat_interval_ms=100,  # in step with the times that the tests reckon by
)

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of what has nothing to wait for: the disk of a desk is memory."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("on a desk nobody waits")


class NoNetwork:
    """Nobody is served, and nobody dialled."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self.lingering = Lingering()

    async def serve(self, *_args: Any, **_options: Any) -> NoReturn:
        """No client of a desk has a socket."""
        raise AssertionError

    async def listen(self, *_args: Any, **_options: Any) -> NoReturn:
        """Nor has a peer."""
        raise AssertionError

    async def dial(self, _address: str) -> NoReturn:
        """Links of a desk stand by themselves."""
        raise AssertionError


class DeskHost:
    """Clock, wall clock and entropy of a desk, and a disk in memory; no network."""

    def __init__(self) -> None:
        self.now_ms = 1_000
        self.clock: Clock = self
        self.entropy: Entropy = self
        self.network: Network = NoNetwork()
        self.disk: Disk = MemoryDisk()
        self._first = {7: (1).to_bytes(7, "big"), 16: NONCE}
        """What is drawn first: the number of this life of the reads, and its nonce."""

    def boot_ms(self) -> int:
        """The time that the test says."""
        return self.now_ms

    def boot_us(self) -> int:
        """The same, in microseconds."""
        return self.boot_ms() * 1000

    def wall_ms(self) -> int:
        """A wall clock that agrees with it."""
        return 1_700_000_000_000 + self.now_ms

    def bytes(self, count: int) -> bytes:
        """No surprise."""
        return self._first.pop(count, bytes(count))

    def below(self, limit: int) -> int:
        """The longest election timeout, so that nobody campaigns by himself."""
        return limit - 1

    def process_id(self) -> int:
        """A desk is no process."""
        return 0

    def descriptors(self) -> Descriptors:
        """It has no files."""
        return Descriptors()

    def resident_bytes(self) -> int:
        """Nor memory of its own."""
        return 0

    def usage(self) -> Usage:
        """Nor processor time."""
        return Usage()

    def system(self) -> System:
        """Nor a machine."""
        return System()

    def lines_dropped(self) -> int:
        """Nor a log."""
        return 0


class DeskLinks(Links):
    """Links that stand, and remember what was sent."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent: list[tuple[int, PeerMessage]] = []

    def send(self, peer: int, message: PeerMessage) -> bool:
        """Remember."""
        self.sent.append((peer, message))
        return True

    def is_up(self, peer: int) -> bool:
        """Every link."""
        return peer != NODE

    def take(self, kind: type[Any]) -> list[tuple[int, Any]]:
        """What was sent of one kind since the last look; the rest is forgotten."""
        found = [(peer, message) for peer, message in self.sent if isinstance(message, kind)]
        self.sent.clear()
        return found


class DeskWriter(Writer):
    """A disk whose syncs return when the test says so."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.jobs: list[WriteJob] = []

    def put(self, job: WriteJob) -> None:
        """Remember."""
        self.jobs.append(job)


def founded_machine() -> tuple[Machine, list[Entry]]:
    """A machine with members, settings and node 1's open life, and the log that made it."""
    payloads = [
        msgspec.msgpack.encode(MEMBERS),
        msgspec.msgpack.encode(
            RawBatch(
                1, 0, [msgspec.Raw(msgspec.msgpack.encode(i)) for i in (Bootstrap(0), Hello(NODE, NONCE))]
            )
        ),
    ]
    kinds = (EntryKind.MEMBERSHIP, EntryKind.BATCH)
    entries = [
        Entry(index, 1, kind, data) for index, (kind, data) in enumerate(zip(kinds, payloads, strict=True), 1)
    ]
    machine = Machine()
    machine.apply_membership(1, [NODE, LEADER, OTHER])
    machine.apply(2, payloads[1])
    return machine, entries


def founded_log(disk: Disk) -> OpenedLog:
    """The log of node 1 in term 1, up to index 2, where its snapshot stands."""
    machine, entries = founded_machine()
    state, base = HardState(1), SnapshotMeta(0, 0, MEMBERS)
    wal = at_once(Wal.create(disk, WalSettings(), WalIdentity(CLUSTER, NODE, disk_of(NODE)), state, base))
    return OpenedLog(wal, CLUSTER, state, base, tuple(entries), machine, SnapshotMeta(2, 1, MEMBERS))


class Desk:
    """Node 1 of three, whose log and machine stand at index 2, with an open life."""

    def __init__(self) -> None:
        self.host = DeskHost()
        ports = Ports(links=DeskLinks, writer=DeskWriter)
        ground = lay_groundwork(CONFIG, self.host, b"secret", stop=lambda: None, ports=ports)
        identity = Identity(NODE, disk_of(NODE), CLUSTER)
        links = ground.make_links(identity)
        assembly = at_once(assemble(ground, founded_log(self.host.disk), identity, links))
        self.parts, self.driver = assembly.parts, assembly.driver
        parts = self.parts
        assert isinstance(links, DeskLinks)
        assert isinstance(parts.writer, DeskWriter)
        self.links, self.writer, self.applier = links, parts.writer, parts.applier
        self.raft, self.proposals, self.waiters = parts.raft, parts.proposals, parts.waiters
        self.turn(OwnHello(NONCE, 2))
        self.proposals.outgoing(0, 1)
        self.links.sent.clear()

    def turn_at_once(self) -> bool:
        """Let the driver take a turn if it would do so without any event; whether it did."""

        async def begin() -> bool:
            with trio.move_on_after(1):
                batch, settled = await self.driver._turns.next()
                self.driver.turn(batch, settled=settled)
                return settled
            return False

        return trio.run(begin, clock=MockClock(autojump_threshold=0))

    def turn(self, *events: Event) -> None:
        """One turn of the driver, at the present time."""
        self.driver.turn(list(events), settled=True)
        self.applier.carry_out()

    def hear(self, peer: int, message: PeerMessage) -> None:
        """A turn with one message."""
        self.turn(PeerSaid(peer, disk_of(peer), message))

    def sync(self) -> None:
        """All jobs are durable."""
        self.turn(Persisted(self.writer.jobs[-1].number))

    def submit(self, *command: bytes) -> Asked:
        """A client's write."""
        asked = Asked(command)
        self.turn(asked.work)
        return asked


def following(*, by_lease: bool = False) -> Desk:
    """Node 1 follows node 2; nothing of ours is on its way."""
    desk = Desk()
    desk.parts.reads.by_lease = by_lease
    desk.hear(LEADER, Heartbeat(1, 2, 0))
    desk.links.sent.clear()
    return desk


def elected(*, by_lease: bool = False) -> Desk:
    """Node 1 leads term 2, whose no-op has not committed."""
    desk = following(by_lease=by_lease)
    desk.hear(LEADER, TimeoutNow(1))
    desk.sync()
    assert desk.links.take(RequestVote)
    desk.hear(OTHER, VoteAck(2, True, 0))
    assert desk.raft.role is Role.LEADER
    return desk


def leading(*, by_lease: bool = False) -> Desk:
    """Node 1 leads term 2, whose no-op has committed; what it sent since is there to be looked at."""
    desk = elected(by_lease=by_lease)
    desk.sync()
    desk.hear(OTHER, AppendAck(2, 3))
    assert (desk.raft.role, desk.raft.commit) == (Role.LEADER, 3)
    return desk
