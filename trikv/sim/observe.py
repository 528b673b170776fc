"""Watching real nodes from inside: where each command took effect, and what must hold after every step.

`trikv.sim.watch` has the nodes that ship assembled of parts that are watched. What they see goes to one
`Observer` for the whole cluster, which keeps the applied log and, for each step a client sent, the place in
that log where it took effect. The checkers work on that afterwards; the invariants that need no history are
checked on the spot.
"""

from collections.abc import Callable

from trikv.machine.outcomes import Reason, Skipped
from trikv.node.assembly import Assembly
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
    """What is known of the whole cluster."""

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
        """By connection and ordinal of the step."""
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
        """A node has applied `entry`: all nodes apply the same at an index."""
        known = self.log.setdefault(entry.index, entry)
        if known != entry:
            self.fail("divergence", f"two nodes applied different entries at {entry.index}")
        if known is entry and entry.kind is EntryKind.MEMBERSHIP:
            self.marks.sometimes("membership changed")

    def submitted(self, connection: str, steps: int) -> int:
        """A connection hands over so many steps; the ordinal of the first."""
        first = self._steps.get(connection, 0)
        self._steps[connection] = first + steps
        return first

    def turned(self, number: int, parts: Assembly) -> None:
        """A driver's turn is over."""
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
        """A leader counts replicas only of entries of its own term (paper, 5.4.2)."""
        if raft.term_at(raft.commit) not in (None, raft.term):
            self.fail("raft", f"node {number} committed an entry of an older term by counting")

    def born(self, number: int, parts: Assembly) -> None:
        """A life has recovered."""
        self.group.restarted(parts.raft)
        self._seen.pop(number, None)
        self.replicas.check(number, parts.applier, always=True)
        self.promises.reborn(number, parts.raft)
        self._cluster.recovered(number)

    def excused(self, number: int) -> None:
        """A disk has lost what it lied about: this node will not keep its promises."""
        self.promises.forget(number)

    def skipped(self, outcome: Skipped) -> None:
        """A proposal had no effect."""
        match outcome.reason:
            case Reason.DUPLICATE:
                self.marks.sometimes("duplicate skipped")
            case Reason.GAP:
                self.marks.sometimes("gap skipped")
            case Reason.INCARNATION | Reason.NOT_MEMBER:
                pass
