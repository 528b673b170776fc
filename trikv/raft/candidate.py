"""Candidates: one asks whether an election would succeed, the other holds it."""

from typing import ClassVar

from trikv.raft.messages import PreVote, RequestVote
from trikv.raft.quorum import majority
from trikv.raft.roles import Role
from trikv.raft.shared import Shared
from trikv.raft.types import NodeId


class _Ballot:
    """Votes that have come in, our own included as soon as it counts."""

    __slots__ = ("deadline_ms", "granted")

    def __init__(self, shared: Shared) -> None:
        self.granted: set[NodeId] = set()  # only ever counted, never walked: its order cannot matter
        self.deadline_ms = shared.election_deadline()

    def grant(self, shared: Shared, voter: NodeId) -> bool:
        """Count a vote; True if the voters of our own configuration now make a majority."""
        self.granted.add(voter)
        voters = shared.memberships.voters
        return sum(voter in self.granted for voter in voters) >= majority(len(voters))


class PreCandidate(_Ballot):
    """Asks whether others would vote for it, without raising its term (thesis, 9.6)."""

    __slots__ = ("asked_term",)

    role: ClassVar[Role] = Role.PRECANDIDATE

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.asked_term = shared.term + 1

    def request(self, shared: Shared, peer: NodeId) -> None:
        """Ask `peer`, unless it has agreed already. Also called when a link to it comes up."""
        if peer not in self.granted:
            log = shared.log
            shared.outbox.send(peer, PreVote(self.asked_term, log.last_index, log.last_term))


class Candidate(_Ballot):
    """Holds an election in its term (paper, 5.2). Its own vote counts once it is on disk."""

    __slots__ = ("transfer",)

    role: ClassVar[Role] = Role.CANDIDATE

    def __init__(self, shared: Shared, *, transfer: bool) -> None:
        super().__init__(shared)
        self.transfer = transfer

    def request(self, shared: Shared, peer: NodeId) -> None:
        """Ask `peer` for its vote, unless it has given it. Also called when a link to it comes up."""
        if peer not in self.granted:
            log = shared.log
            message = RequestVote(shared.term, log.last_index, log.last_term, self.transfer)
            shared.outbox.send(peer, message)
