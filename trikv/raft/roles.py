"""The roles of a node and the moves between them: one table, and no other way."""

from enum import Enum, auto


class Role(Enum):
    """What a node is in its term (paper, figure 4, with the pre-vote of the thesis, 9.6)."""

    FOLLOWER = auto()
    PRECANDIDATE = auto()
    CANDIDATE = auto()
    LEADER = auto()


TRANSITIONS: dict[Role, frozenset[Role]] = {
    # To itself: a new term. To CANDIDATE: a leader that hands over said so (thesis, 3.10).
    Role.FOLLOWER: frozenset({Role.FOLLOWER, Role.PRECANDIDATE, Role.CANDIDATE}),
    # To itself: a poll that found no majority is repeated.
    Role.PRECANDIDATE: frozenset({Role.FOLLOWER, Role.PRECANDIDATE, Role.CANDIDATE}),
    # To PRECANDIDATE: the election was split; ask again before using up another term.
    Role.CANDIDATE: frozenset({Role.FOLLOWER, Role.PRECANDIDATE, Role.LEADER}),
    Role.LEADER: frozenset({Role.FOLLOWER}),
}
