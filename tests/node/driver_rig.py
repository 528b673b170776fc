"""A driver on a desk: real Raft, proposals, reads and applier, turned by hand; links and disk remember."""

from typing import Any, cast

import attrs
import msgspec

from tests.node.recorded_work import Asked
from tests.raft.cluster import disk_of, membership_of
from trikv.host.seam import Host
from trikv.machine.batch import Bootstrap, Hello, RawBatch
from trikv.machine.machine import Machine
from trikv.node.consensus.driver import Driver, Parts
from trikv.node.consensus.leading import Leading, LeadingSettings
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.proposals import ProposalLimits, Proposals
from trikv.node.consensus.reads import Reads
from trikv.node.consensus.retention import Retention, RetentionSettings
from trikv.node.events import Event, OwnHello, PeerSaid, Persisted
from trikv.node.mailbox import Mailbox
from trikv.node.peers.links import Identity, Links
from trikv.node.peers.password_guard import PasswordGuard
from trikv.node.state.applier import Applier
from trikv.node.state.snapshotter import Snapshotter
from trikv.node.state.writer import Writer
from trikv.node.waiters import Waiters
from trikv.protocol.messages import PeerMessage
from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, Heartbeat, RequestVote, TimeoutNow, VoteAck
from trikv.raft.ready import WriteJob
from trikv.raft.roles import Role
from trikv.raft.settings import RaftSettings
from trikv.raft.types import Entry, EntryKind, HardState, SnapshotMeta

NODE, LEADER, OTHER = 1, 2, 3
NONCE = b"this life's nonce"
MEMBERS = membership_of(NODE, LEADER, OTHER)


class DeskHost:
    """Clock, wall clock and entropy of a desk; no network, no disk."""

    def __init__(self) -> None:
        self.now_ms = 1_000
        self.clock = self
        self.entropy = self

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
        return bytes(count)

    def below(self, limit: int) -> int:
        """The longest election timeout, so that nobody campaigns by himself."""
        return limit - 1


class DeskGate:
    """Clients that nobody locks out."""

    def lock(self) -> None:
        """No peer of a desk has a password."""
        raise AssertionError

    def unlock(self) -> None:
        """Nor does one give it up."""
        raise AssertionError


class DeskLinks:
    """Links that stand, and remember what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, PeerMessage]] = []

    def send(self, peer: int, message: PeerMessage) -> bool:
        """Remember."""
        self.sent.append((peer, message))
        return True

    def is_up(self, peer: int) -> bool:
        """Every link."""
        return peer != NODE

    def peers(self) -> list[int]:
        """The others."""
        return [LEADER, OTHER]

    def address_of(self, peer: int) -> str:
        """Made up."""
        return f"node{peer}:1"

    def take(self, kind: type[Any]) -> list[tuple[int, Any]]:
        """What was sent of one kind since the last look; the rest is forgotten."""
        found = [(peer, message) for peer, message in self.sent if isinstance(message, kind)]
        self.sent.clear()
        return found


@attrs.define
class DeskWriter:
    """A disk whose syncs return when the test says so."""

    jobs: list[WriteJob] = attrs.Factory(list)

    def put(self, job: WriteJob) -> None:
        """Remember."""
        self.jobs.append(job)


class DeskSnapshotter:
    """No transfer is under way."""

    def link_down(self, peer: int) -> None:
        """Nothing was on that link."""


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


class Desk:
    """Node 1 of three, whose log and machine stand at index 2, with an open life."""

    def __init__(self) -> None:
        machine, entries = founded_machine()
        self.host = DeskHost()
        self.links = DeskLinks()
        self.writer = DeskWriter()
        self.waiters = Waiters()
        self.proposals = Proposals(NODE, NONCE, self.waiters, ProposalLimits())
        self.raft = Raft(
            node_id=NODE,
            disk=disk_of(NODE),
            settings=RaftSettings(),
            hard_state=HardState(1),
            base=SnapshotMeta(0, 0, MEMBERS),
            entries=entries,
            jitter=self.host.below,
            now_ms=self.host.now_ms,
            wall_ms=self.host.wall_ms(),
            applied=2,
        )
        self.driver = self._driver(machine)
        self.turn(OwnHello(NONCE, 2))
        self.proposals.outgoing(0, 1)
        self.links.sent.clear()

    def _driver(self, machine: Machine) -> Driver:
        host, inbox = cast("Host", self.host), Mailbox[Event]()
        log_time = LogTime(1)
        self.applier = applier = Applier(
            origin=NODE,
            machine=machine,
            position=SnapshotMeta(2, 1, MEMBERS),
            waiters=self.waiters,
            inbox=inbox,
            boot_ms=self.host.boot_ms,
            boot_us=lambda: self.host.boot_ms() * 1000,
        )
        self.parts = Parts(
            host=host,
            raft=self.raft,
            proposals=self.proposals,
            waiters=self.waiters,
            reads=Reads(NODE, 1),
            log_time=log_time,
            leading=Leading(self.raft, applier, log_time, host, Bootstrap(0), LeadingSettings()),
            links=cast("Links", self.links),
            writer=cast("Writer", self.writer),
            applier=applier,
            snapshotter=cast("Snapshotter", DeskSnapshotter()),
            retention=Retention(RetentionSettings()),
            inbox=inbox,
            identity=Identity(NODE, disk_of(NODE), b"cluster"),
            guard=PasswordGuard(b"secret", b"", DeskGate()),
        )
        return Driver(self.parts)

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
