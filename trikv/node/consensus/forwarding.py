"""Items on their way to the leader's log: this node's own, and those of peers (PROTOCOL 2)."""

from trikv.node.consensus.leader_reach import leader_in_reach
from trikv.node.consensus.leading import Leading
from trikv.node.consensus.proposals import Proposals
from trikv.node.consensus.turns import Pace
from trikv.node.peers.links import Links
from trikv.protocol import messages as said
from trikv.raft.core import Raft
from trikv.raft.roles import Role
from trikv.raft.types import NodeId

FORWARD_BYTES_MAX = 1024 * 1024
"""How much of the window one turn hands over; the rest follows in the next."""


class Forwarding:
    """Proposes if this node leads, and hands over to the leader if it does not."""

    def __init__(
        self, *, raft: Raft, proposals: Proposals, leading: Leading, links: Links, pace: Pace
    ) -> None:
        self._raft = raft
        self._proposals = proposals
        self._leading = leading
        self._links = links
        self._pace = pace
        self._forwarded: list[tuple[NodeId, tuple[bytes, ...]]] = []
        """What peers have handed over since the last turn that decided about it."""
        self.items = 0
        """Of peers, since the start."""

    def take(self, peer: NodeId, items: tuple[bytes, ...]) -> None:
        """A peer takes this node for the leader."""
        self.items += len(items)
        self._forwarded.append((peer, items))

    def go(self, now_ms: int, *, free: bool) -> None:
        """Once a turn: pass on what waits, if it is its time. `free`: no write is under way."""
        raft = self._raft
        waiting = self._proposals.wants_to_go or self._forwarded
        leader = leader_in_reach(raft, self._links) if waiting else None
        goes = self._pace.lets_go(now_ms, waiting=leader is not None, free=free)
        if raft.role is Role.LEADER:
            if goes:
                self._propose(now_ms)
            # Behind what clients wait for: a batch under way expires keys, too.
            self._leading.keep_up(now_ms)
            return
        # Refused at once and kept by nobody: the sender still has it, and may know a newer leader.
        for peer, _ in self._forwarded:
            self._links.send(peer, said.ForwardRejected(raft.term, raft.leader))
        self._forwarded.clear()
        if goes and leader is not None:
            items = self._proposals.outgoing(now_ms, FORWARD_BYTES_MAX)
            if items and not self._links.send(leader, said.Forward(tuple(items))):
                self._proposals.nudge(now_ms)

    def _propose(self, now_ms: int) -> None:
        """Own items first: those of peers have come a longer way, but nobody's order depends on another's."""
        leading = self._leading
        items = self._proposals.outgoing(now_ms, FORWARD_BYTES_MAX) if leading.is_founded else []
        items.extend(item for _, forwarded in self._forwarded for item in forwarded)
        if items and not (leading.is_founded and leading.propose(items, now_ms)):
            self._proposals.nudge(now_ms)
            for peer, _ in self._forwarded:
                self._links.send(peer, said.ForwardRejected(self._raft.term, self._raft.leader))
        for peer, _ in self._forwarded:
            self._raft.awaits(peer, self._raft.last_index)
        self._forwarded.clear()
