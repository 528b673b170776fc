"""Small helpers over `tests.raft.cluster`: a group with a leader, and views that mypy does not narrow."""

from tests.raft.cluster import Cluster
from trikv.raft.core import Raft
from trikv.raft.progress import Progress, ProgressState
from trikv.raft.roles import Role
from trikv.raft.settings import RaftSettings


def role_of(raft: Raft) -> Role:
    """A node's role now (mypy would think that it cannot change between two assertions)."""
    return raft.role


def state_of(progress: Progress) -> ProgressState:
    """The same for a peer's progress."""
    return progress.state


def led(voters: int = 3, **limits: int) -> Cluster:
    """A group led by node 1, with nothing on its way."""
    group = Cluster(voters, settings=RaftSettings(**limits))
    assert group.elect(1)
    group.tick(1)
    group.flow()
    return group


def leader_of(group: Cluster) -> Raft:
    """Node 1's core, in an open turn."""
    return group.turn(1)
