"""Watching real nodes from inside: where each command took effect, and what must hold after every step.

`trikv.sim.watch` assembles real nodes from parts that are watched. Their observations go to one `Observer`
for the whole cluster, which keeps the applied log and, for each step of a client, the place in that log where
it took effect. The checkers use that afterwards; invariants that need no history are checked at once.
"""

from collections.abc import Callable

from trikv.machine.outcomes import Reason, Skipped
from trikv.node.consensus.parts import Parts
from trikv.raft.core import Raft
from trikv.raft.invariants import GroupInvariants
from trikv.raft.roles import Role
from trikv.raft.types import Entry, EntryKind
from trikv.sim.acts import Acts
from trikv.sim.checkers.durability import Durability
from trikv.sim.checkers.promises import Promises
from trikv.sim.checkers.replicas import Bounds, Replicas
from trikv.sim.checkers.rules import Rules
from trikv.sim.cluster import Cluster
from trikv.sim.history import Effect
from trikv.sim.marks import Marks
from trikv.storage.wal import WalSettings

Fail = Callable[[str, str], None]
"""Takes the class of a failure (one word) and what is wrong. The first one counts."""


class Observer:
    """The observations of the whole cluster."""

    def __init__(
        self,
        marks: Marks,
        fail: Fail,
        durability: Durability,
        cluster: Cluster,
        settings: WalSettings,
        has_lost: Callable[[int], bool],
    ) -> None:
        self.marks = marks
        self.fail = fail
        self.group = GroupInvariants()
        self.log: dict[int, Entry] = {}
        """Every entry that any node has applied."""
        self.effects: dict[tuple[str, int], Effect] = {}
        """Where steps took effect, by connection and ordinal of the step."""
        self.replicas = Replicas(fail)
        self.bounds = Bounds(fail)
        self.durability = durability
        self.acts = Acts(cluster, marks, fail, durability, self.replicas, settings, has_lost)
        self.promises = Promises(fail)
        self.rules = Rules(fail)
        self._cluster = cluster
        self._steps: dict[str, int] = {}
        self._seen: dict[int, tuple[Role, int, int, int, int]] = {}

    def applied(self, entry: Entry) -> None:
        """A node has applied `entry`. Check that all nodes apply the same entry at an index."""
        known = self.log.setdefault(entry.index, entry)
        if known != entry:
            self.fail("divergence", f"two nodes applied different entries at {entry.index}")
        if known is entry and entry.kind is EntryKind.MEMBERSHIP:
            self.marks.sometimes("membership changed")

    def submitted(self, connection: str, steps: int) -> int:
        """A connection submits `steps` steps; returns the ordinal of the first."""
        first = self._steps.get(connection, 0)
        self._steps[connection] = first + steps
        return first

    def withdrawn(self, connection: str, steps: int) -> None:
        """The last steps that a connection submitted were not answered: it is about to submit them again."""
        self._steps[connection] -= steps

    def turned(self, number: int, parts: Parts) -> None:
        """A driver's turn is over: check the invariants of its Raft and what it promises."""
        raft = parts.raft
        try:
            self.group.check_step(raft)
        except AssertionError as error:
            self.fail("raft", f"node {number}: {error}")
        self.promises.kept(number, raft)
        self.rules.committed(raft.commit)
        self.bounds.check(number, parts)
        before = self._seen.get(number)
        self._seen[number] = (raft.role, raft.last_index, raft.last_term, raft.term, raft.commit)
        if before is None:
            return
        role, last_index, last_term, term, commit = before
        if raft.role is role is Role.LEADER and raft.term == term and raft.commit > commit:
            self._check_own_term(number, raft)
        if raft.role is Role.LEADER and role is not Role.LEADER:
            self.marks.sometimes("leader elected")
        if role is Role.LEADER and raft.role is not Role.LEADER:
            self.marks.sometimes("leader deposed alive")
        if raft.term_at(last_index) not in (None, last_term) or raft.last_index < last_index:
            self.marks.sometimes("log truncated")

    def _check_own_term(self, number: int, raft: Raft) -> None:
        """Check that a leader counts replicas only of entries of its own term (paper, 5.4.2)."""
        if raft.term_at(raft.commit) not in (None, raft.term):
            self.fail("raft", f"node {number} committed an entry of an older term by counting")

    def born(self, number: int, parts: Parts) -> None:
        """A node has recovered from its disk, and a new life begins."""
        self.group.restarted(parts.raft)
        self._seen.pop(number, None)
        self.replicas.check(number, parts.applier, always=True)
        self.promises.reborn(number, parts.raft)
        self._cluster.recovered(number)

    def excused(self, number: int) -> None:
        """A disk has lost data that it had reported as durable: this node cannot keep its promises."""
        self.promises.forget(number)

    def skipped(self, outcome: Skipped) -> None:
        """The log has skipped a proposal, which therefore had no effect."""
        match outcome.reason:
            case Reason.DUPLICATE:
                self.marks.sometimes("duplicate skipped")
            case Reason.GAP:
                self.marks.sometimes("gap skipped")
            case Reason.INCARNATION | Reason.NOT_MEMBER:
                pass
