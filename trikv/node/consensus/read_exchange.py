"""Reads between nodes: questions to the leader, its answers to peers, and the serving of what is confirmed.

`trikv.node.consensus.read_questions` keeps which read belongs to which question; Raft decides when a
question is confirmed. Here it is asked, answered and served (PROTOCOL 13).
"""

from collections import deque

from trikv.node.consensus.leader_reach import leader_in_reach
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.read_questions import ReadQuestions
from trikv.node.consensus.turns import Pace
from trikv.node.drain import Drain
from trikv.node.peers.links import Links
from trikv.node.state.applier import Applier, ServeReads
from trikv.protocol import messages as said
from trikv.raft.core import Raft
from trikv.raft.ready import ConfirmedRead
from trikv.raft.roles import Role
from trikv.raft.types import NodeId, ReadId


class ReadExchange:
    """Asks for this node's reads, and answers those of peers while it leads."""

    def __init__(
        self,
        *,
        raft: Raft,
        reads: ReadQuestions,
        log_time: LogTime,
        links: Links,
        applier: Applier,
        drain: Drain,
        pace: Pace,
    ) -> None:
        self._raft = raft
        self._reads = reads
        self._log_time = log_time
        self._links = links
        self._applier = applier
        self._drain = drain
        self._pace = pace

    def ask(self, now_ms: int, *, free: bool) -> None:
        """Once a turn: put the reads that wait under a question, if it is its time. `free`: none is open."""
        reads, raft = self._reads, self._raft
        by_lease = reads.by_lease and not self._drain.is_stopping  # a dump's completeness trusts no clock
        free = free or (by_lease and raft.role is Role.LEADER)  # its own lease costs no batch
        leader = leader_in_reach(raft, self._links) if reads.wants_to_ask else None
        if not self._pace.lets_go(now_ms, waiting=leader is not None, free=free) or leader is None:
            return
        if raft.role is Role.LEADER:
            accepted = raft.read(reads.ask(now_ms), by_lease=by_lease)
            assert accepted, "a leader takes reads"
        else:
            self._links.send(leader, said.ReadRequest((reads.ask(now_ms),), by_lease))

    def asked(self, peer: NodeId, reads: tuple[ReadId, ...], *, by_lease: bool) -> None:
        """A peer takes this node for the leader."""
        refused = tuple(read for read in reads if not self._raft.read(read, by_lease=by_lease))
        if refused:
            self._links.send(peer, said.ReadRejected(refused))

    def rejected(self, peer: NodeId) -> None:
        """`peer` does not lead, or cannot read yet. If it still leads for all we know, a timer asks again."""
        if self._raft.leader != peer:
            self._reads.retry()

    def answer(self, confirmed: tuple[ConfirmedRead, ...], now_ms: int) -> None:
        """This node led when these came: serve its own, tell the peers of theirs."""
        log_time_ms = self._log_time.now_ms(now_ms)
        for one in confirmed:
            if one.read.origin == self._raft.node_id:
                self.serve((one.read,), one.index, log_time_ms, now_ms)
            else:
                self._links.send(one.read.origin, said.ReadReply((one.read,), one.index, log_time_ms))

    def serve(self, reads: tuple[ReadId, ...], index: int, log_time_ms: int, now_ms: int) -> None:
        """Have the works of these questions answered once `index` is applied."""
        works = deque(work for read in reads for work in self._reads.confirmed(read))
        if works:
            self._applier.put((ServeReads(index, works, log_time_ms, now_ms),))
