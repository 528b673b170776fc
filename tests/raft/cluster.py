"""A group of cores on virtual disks. Their messages are in a soup, and the test decides what happens to each.

Disks are modelled honestly: a job counts when the test says that its sync returned, and a crash loses the
jobs whose sync has not. The invariants run after every step of every node. So do checks that need the disks,
the readers and the clocks: committed entries are on a majority of disks, a read sees all that was committed
before it, and so would any read by a lease that holds at that time.
"""

from collections import deque
from random import Random

import attrs

from trikv.raft.core import Raft
from trikv.raft.invariants import GroupInvariants
from trikv.raft.messages import Message
from trikv.raft.ready import Ready, WriteJob
from trikv.raft.roles import Role
from trikv.raft.settings import RaftSettings
from trikv.raft.types import DiskId, Entry, HardState, Member, Membership, NodeId, ReadId, SnapshotMeta

NOTHING = SnapshotMeta(0, 0, Membership(()))
HOUR_MS = 3_600_000


def disk_of(node_id: NodeId, generation: int = 0) -> DiskId:
    """The disk id of a node in these tests."""
    return bytes([node_id, generation]) * 8


def membership_of(*voters: NodeId, learners: tuple[NodeId, ...] = ()) -> Membership:
    """A configuration of these nodes on their first disks."""
    members = [Member(node, disk_of(node), node in voters, f"n{node}:1") for node in (*voters, *learners)]
    return Membership(tuple(sorted(members, key=lambda member: member.id)))


def snapshot_meta(raft: Raft, index: int) -> SnapshotMeta:
    """What a snapshot of the machine at `index` has to carry; `index` is not below the log's base."""
    term = raft.term_at(index)
    assert term is not None, "no such entry"
    return SnapshotMeta(index, term, raft._shared.memberships.at(index))


@attrs.define
class Snapshot:
    """A state machine's content at a position: the entries applied so far."""

    meta: SnapshotMeta
    state: list[Entry]


@attrs.define(eq=False)
class Letter:
    """A message on its way, or a snapshot."""

    sender: NodeId
    disk: DiskId
    to: NodeId
    content: Message | Snapshot
    term: int = 0
    """Of a snapshot's sender."""


@attrs.define(eq=False)
class Node:
    """A core with its disk, its machine, and what it has said."""

    id: NodeId
    disk: DiskId
    raft: Raft
    hard_state: HardState
    base: SnapshotMeta
    entries: list[Entry]
    jobs: deque[WriteJob] = attrs.Factory(deque)
    state: list[Entry] = attrs.Factory(list)
    applied: int = 0
    snapshot: Snapshot | None = None
    reads: list[tuple[ReadId, int]] = attrs.Factory(list)
    log: list[Ready] = attrs.Factory(list)
    up: bool = True

    def holds(self, entry: Entry) -> bool:
        """Whether this node's disk holds `entry`, or a snapshot past it."""
        if entry.index <= self.base.index:
            return True
        position = entry.index - self.base.index - 1
        return position < len(self.entries) and self.entries[position] == entry


class Cluster:
    """The group."""

    def __init__(
        self,
        voters: int,
        *,
        seed: int = 0,
        settings: RaftSettings | None = None,
        learners: tuple[NodeId, ...] = (),
        blank: tuple[NodeId, ...] = (),
    ) -> None:
        self.random = Random(seed)
        self.settings = settings or RaftSettings()
        self.now_ms = 1_000
        self.rates: dict[NodeId, tuple[int, int, int]] = {}
        """Clocks that run wrong: (since when, what they said then in 1/100 ms, per cent of true speed)."""
        self.invariants = GroupInvariants()
        self.soup: list[Letter] = []
        self.nodes: dict[NodeId, Node] = {}
        self.read_floor: dict[ReadId, int] = {}
        self.reads_asked = 0
        self.everybody_waits = True
        """Clients wait at every node for every entry, so that commits are told at once."""
        membership = membership_of(*range(1, voters + 1), learners=learners)
        for member in membership.members:
            self.add(member.id, SnapshotMeta(0, 0, membership))
        for node_id in blank:
            self.add(node_id, NOTHING)

    # Lives of nodes.

    def add(
        self,
        node_id: NodeId,
        base: SnapshotMeta,
        *,
        generation: int = 0,
        entries: tuple[Entry, ...] = (),
        term: int = 0,
    ) -> Node:
        """A node starts with `base`, `entries` and a term at least theirs on its disk."""
        hard_state = HardState(max(term, entries[-1].term if entries else base.term))
        disk = disk_of(node_id, generation)
        raft = self.core(node_id, disk, hard_state, base, list(entries), applied=0)
        self.nodes[node_id] = Node(node_id, disk, raft, hard_state, base, list(entries))
        return self.nodes[node_id]

    def core(
        self,
        node_id: NodeId,
        disk: DiskId,
        hard_state: HardState,
        base: SnapshotMeta,
        entries: list[Entry],
        *,
        applied: int,
    ) -> Raft:
        """A core as its node builds it from disk."""
        return Raft(
            node_id=node_id,
            disk=disk,
            settings=self.settings,
            hard_state=hard_state,
            base=base,
            entries=entries,
            jitter=self.random.randrange,
            now_ms=self.clock(node_id),
            wall_ms=self.now_ms + HOUR_MS * node_id,
            applied=applied,
        )

    def crash(self, node_id: NodeId) -> None:
        """Power is cut: jobs whose sync has not returned are lost."""
        node = self.nodes[node_id]
        node.up = False
        node.jobs.clear()

    def restart(self, node_id: NodeId) -> None:
        """Start from disk, by the rules for a snapshot and a log that do not meet (PROTOCOL 8)."""
        node = self.nodes[node_id]
        assert not node.up
        node.up = True
        node.state, node.applied = [], 0
        if node.snapshot is not None:
            meta = node.snapshot.meta
            node.state, node.applied = list(node.snapshot.state), meta.index
            known = node.base.index == meta.index or any(
                (entry.index, entry.term) == (meta.index, meta.term) for entry in node.entries
            )
            if not known:
                assert node.base.index < meta.index, "a log whose beginning nobody has"
                node.base, node.entries = meta, []
        node.raft = self.core(
            node_id, node.disk, node.hard_state, node.base, node.entries, applied=node.applied
        )
        self.invariants.restarted(node.raft)
        self.invariants.check_step(node.raft)

    def swap_disk(self, node_id: NodeId, generation: int) -> Node:
        """The node comes back with a blank disk under its old id."""
        return self.add(node_id, NOTHING, generation=generation)

    # Clocks.

    def clock(self, node_id: NodeId) -> int:
        """What a node's clock says."""
        return self._clock(node_id) // 100

    def _clock(self, node_id: NodeId) -> int:
        since_ms, then, percent = self.rates.get(node_id, (0, 0, 100))
        return then + (self.now_ms - since_ms) * percent

    def drift(self, node_id: NodeId, percent: int) -> None:
        """From now on a node's clock runs at so much of true speed."""
        self.rates[node_id] = (self.now_ms, self._clock(node_id), percent)

    # Steps.

    def turn(self, node_id: NodeId) -> Raft:
        """Open a turn of a node."""
        raft = self.nodes[node_id].raft
        raft.begin(self.clock(node_id), self.now_ms + HOUR_MS * node_id)
        return raft

    def settle(self, node_id: NodeId) -> Ready:
        """End the turn: check the invariants, then carry out the Ready."""
        node = self.nodes[node_id]
        self.check(node)
        if self.everybody_waits:
            for peer in self.nodes:
                node.raft.awaits(peer, node.raft.last_index)
        ready = node.raft.ready()
        node.log.append(ready)
        if ready.job is not None:
            node.jobs.append(ready.job)
        for to, message in ready.messages:
            self.soup.append(Letter(node.id, node.disk, to, message))
        for entry in ready.committed:
            assert entry.index == node.applied + 1, "entries to apply leave a gap"
            node.applied = entry.index
            node.state.append(entry)
        for read in ready.reads:
            assert read.index >= self.read_floor[read.read], "a read that misses a committed write"
            node.reads.append((read.read, read.index))
        for peer in ready.snapshots_wanted:
            self.send_snapshot(node, peer)
        if ready.install is not None:
            assert node.snapshot is not None
            node.state, node.applied = list(node.snapshot.state), ready.install.index
            node.raft.installed(ready.install.index)
            self.settle(node_id)
        self.check(node)
        return ready

    def check(self, node: Node) -> None:
        """Invariants of the group, and a majority's disks behind every commit."""
        known = len(self.invariants.committed)
        self.invariants.check_step(node.raft)
        committed = self.invariants.committed
        for index in range(known + 1, len(committed) + 1):
            voters = [member for member in node.raft.membership.members if member.voter]
            holding = sum(
                self.nodes[voter.id].disk == voter.disk and self.nodes[voter.id].holds(committed[index])
                for voter in voters
            )
            assert holding > len(voters) // 2, "committed without a majority of disks"
        for other in self.nodes.values():
            leased = self.lease_index(other.id)
            assert leased is None or leased >= len(committed), f"node {other.id} has a lease, not the lead"

    def send_snapshot(self, node: Node, peer: NodeId) -> None:
        """Send the newest snapshot; one is made now if the newest does not help."""
        if node.snapshot is None or node.snapshot.meta.index < node.raft.first_index - 1:
            self.take_snapshot(node.id)
        snapshot = node.snapshot
        if snapshot is None:
            node.raft.snapshot_sent(peer, 0, ok=False)
        else:
            self.soup.append(Letter(node.id, node.disk, peer, snapshot, node.raft.term))

    def take_snapshot(self, node_id: NodeId) -> bool:
        """A local snapshot, at an index that is applied and durable."""
        node = self.nodes[node_id]
        index = min(node.applied, node.raft.durable_index)
        if index < max(1, node.raft.first_index):
            return False
        state = [entry for entry in node.state if entry.index <= index]
        node.snapshot = Snapshot(snapshot_meta(node.raft, index), state)
        return True

    def compact(self, node_id: NodeId) -> None:
        """Drop the log behind the newest snapshot, in memory and on disk."""
        node = self.nodes[node_id]
        if node.snapshot is None or node.raft.first_index > node.snapshot.meta.index:
            return
        meta = node.snapshot.meta
        if meta.index > min(node.applied, node.raft.durable_index):
            return  # being installed
        node.entries = [entry for entry in node.entries if entry.index > meta.index]
        node.base = meta
        self.turn(node_id).compact(meta.index)
        self.settle(node_id)

    def write(self, node_id: NodeId, jobs: int = 1) -> bool:
        """The sync of the oldest `jobs` jobs returns; True if there was one."""
        node = self.nodes[node_id]
        number = 0
        for _ in range(min(jobs, len(node.jobs))):
            job = node.jobs.popleft()
            self.store(node, job)
            number = job.number
        if number:
            self.turn(node_id).persisted(number)
            self.settle(node_id)
        return bool(number)

    def store(self, node: Node, job: WriteJob) -> None:
        """Put a job on the platter."""
        if job.reset is not None:
            node.base, node.entries = job.reset, []
        if job.truncate_from is not None:
            del node.entries[job.truncate_from - node.base.index - 1 :]
        for entry in job.entries:
            if entry.index > node.base.index:  # otherwise compacted since
                assert entry.index == node.base.index + len(node.entries) + 1, "a gap on the disk"
                node.entries.append(entry)
        if job.hard_state is not None:
            node.hard_state = job.hard_state

    def deliver(self, letter: Letter) -> None:
        """A letter arrives. It is lost if its receiver is down."""
        node = self.nodes.get(letter.to)
        if isinstance(letter.content, Snapshot):
            self.deliver_snapshot(letter, letter.content)
        elif node is not None and node.up:
            self.turn(node.id).receive(letter.sender, letter.disk, letter.content)
            self.settle(node.id)

    def deliver_snapshot(self, letter: Letter, snapshot: Snapshot) -> None:
        """A snapshot's last piece arrives, and its sender learns that the transfer has ended."""
        node = self.nodes.get(letter.to)
        arrived = node is not None and node.up
        if node is not None and arrived:
            raft = self.turn(node.id)
            if raft.install(letter.sender, letter.disk, letter.term, snapshot.meta):
                node.snapshot = snapshot
            self.settle(node.id)
        self.end_transfer(letter, snapshot, ok=arrived)

    def end_transfer(self, letter: Letter, snapshot: Snapshot, *, ok: bool) -> None:
        """Tell the sender of a snapshot how it went."""
        sender = self.nodes[letter.sender]
        if sender.up and sender.disk == letter.disk:
            self.turn(sender.id).snapshot_sent(letter.to, snapshot.meta.index, ok=ok)
            self.settle(sender.id)

    def drop(self, letter: Letter) -> None:
        """A letter is lost."""
        if isinstance(letter.content, Snapshot):
            self.end_transfer(letter, letter.content, ok=False)

    def tick(self, node_id: NodeId) -> None:
        """A turn without inputs."""
        self.turn(node_id).tick()
        self.settle(node_id)

    def lease_index(self, node_id: NodeId) -> int | None:
        """The index at which a node would serve a read by its lease now; None without a lease."""
        node = self.nodes[node_id]
        return node.raft.lease_index(self.clock(node_id)) if node.up else None

    def read(self, node_id: NodeId, *, by_lease: bool = False) -> ReadId | None:
        """Ask a node for a read; None if it does not lead."""
        self.reads_asked += 1
        read = ReadId(node_id, 1, self.reads_asked)
        if not self.turn(node_id).read(read, by_lease=by_lease):
            self.settle(node_id)
            return None
        self.read_floor[read] = len(self.invariants.committed)
        self.settle(node_id)
        return read

    def propose(self, node_id: NodeId, payload: bytes = b"x") -> int | None:
        """Propose at a node; the index."""
        index = self.turn(node_id).propose(payload)
        self.settle(node_id)
        return index

    # Stretches of good weather.

    def up(self) -> list[NodeId]:
        """The nodes that run."""
        return [node.id for node in self.nodes.values() if node.up]

    def flow(
        self,
        among: frozenset[NodeId] | None = None,
        hops: int = 100,
        slow: frozenset[NodeId] = frozenset(),
    ) -> None:
        """Deliver and write until all is quiet between the nodes `among`, for at most `hops` rounds.

        Letters that leave the set stay in the soup; syncs of the nodes `slow` do not return.
        """
        inside = frozenset(self.up()) if among is None else among
        for _ in range(hops):
            letters = [letter for letter in self.soup if {letter.sender, letter.to} <= inside]
            self.soup = [letter for letter in self.soup if not {letter.sender, letter.to} <= inside]
            busy = bool(letters)
            for letter in letters:
                self.deliver(letter)
            for node_id in self.up():
                if node_id in inside:
                    busy |= node_id not in slow and self.write(node_id, jobs=1_000)
                    while self.settle(node_id).committed:
                        busy = True
            if not busy:
                return

    def run(self, ms: int, among: frozenset[NodeId] | None = None) -> None:
        """Let time pass in steps of 20 ms, everything flowing between the nodes `among`."""
        for _ in range(0, ms, 20):
            self.now_ms += 20
            for node_id in self.up():
                if among is None or node_id in among:
                    self.tick(node_id)
            self.flow(among)

    def elect(self, node_id: NodeId, among: frozenset[NodeId] | None = None, hops: int = 100) -> bool:
        """Let a node win an election among `among`, if it can: the others' timers do not fire.

        Four hops make a leader whose first AppendEntries are still in the soup.
        """
        inside = frozenset(self.up()) if among is None else among
        for other in sorted(inside):
            self.nodes[other].raft.begin(self.clock(other), self.now_ms)
        for _ in range(80):  # in steps too short to look like a stall
            if self.nodes[node_id].raft.role is not Role.FOLLOWER:
                break
            self.now_ms += 20
            for other in sorted(inside - {node_id}):
                self.nodes[other].raft.begin(self.clock(other), self.now_ms)
            self.tick(node_id)
        self.flow(inside, hops)
        return self.nodes[node_id].raft.role is Role.LEADER

    def leaders(self) -> list[NodeId]:
        """All nodes that lead, in any term."""
        return [node_id for node_id in self.up() if self.nodes[node_id].raft.role is Role.LEADER]

    def leader(self) -> NodeId:
        """The leader of the highest term."""
        return max(self.leaders(), key=lambda node_id: self.nodes[node_id].raft.term)
