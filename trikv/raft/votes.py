"""The voter's side of elections: the same for every role."""

from trikv.raft.messages import PreVote, PreVoteAck, RequestVote, VoteAck
from trikv.raft.shared import Shared
from trikv.raft.types import DiskId, NodeId


def answer_pre_vote(shared: Shared, sender: NodeId, message: PreVote, *, loyal: bool) -> None:
    """Say whether `sender` would get our vote, and promise nothing (thesis, 9.6).

    `loyal`: we lead, or are bound to a leader. A refusal carries our term, so that a node that has fallen
    behind in terms learns it.
    """
    granted = (
        not loyal
        and message.term > shared.term
        and shared.is_up_to_date(message.last_index, message.last_term)
    )
    term = message.term if granted else shared.term
    shared.outbox.send(sender, PreVoteAck(term, granted, shared.wall_ms))


def answer_vote(
    shared: Shared, sender: NodeId, disk: DiskId, message: RequestVote, *, has_leader: bool
) -> bool:
    """Vote, or refuse; True if granted (paper, 5.2 and 5.4.1).

    The vote is for a disk: another one under the same id is another candidate. Whether we are voters
    ourselves is not asked: a learner just promoted may not know it yet, and the candidate counts by its
    own configuration.
    """
    # A promise to a leader forbids the vote (PROTOCOL 13), except in a transfer: the leader that asked for it
    # gave its lease up first.
    granted = (
        message.term == shared.term
        and not has_leader
        and (message.transfer or not shared.is_bound)
        and shared.vote in (None, disk)
        and shared.is_up_to_date(message.last_index, message.last_term)
    )
    if granted and shared.vote is None:
        # Before the answer is sent: the outbox then holds that until the vote is on disk.
        shared.set_hard_state(shared.term, disk)
    shared.outbox.send(sender, VoteAck(shared.term, granted, shared.wall_ms))
    return granted
