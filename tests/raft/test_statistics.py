"""What a core says of itself is what its views say, at one moment."""

from tests.raft.groups import leader_of, led
from trikv.raft.roles import Role


def test_a_leader_tells_of_its_peers() -> None:
    """How far each has got, by id, and for how long it has been silent; the log in figures."""
    group = led()
    group.propose(1)
    group.flow()
    raft = leader_of(group)
    now_ms = max(progress.last_ack_ms for progress in raft.progress.values()) + 70
    figures = raft.statistics(now_ms)
    assert (figures.leads, figures.role, figures.leader) == (True, Role.LEADER, raft.node_id)
    assert (figures.term, figures.first_index, figures.last_index) == (
        raft.term,
        raft.first_index,
        raft.last_index,
    )
    assert [one.peer for one in figures.followers] == sorted(raft.progress)
    assert min(one.silent_ms for one in figures.followers) == 70
    assert {one.match for one in figures.followers} == {raft.last_index}
    assert figures.members == raft.membership.members
    assert figures.undurable_bytes == 0 < figures.log_bytes


def test_what_is_not_on_disk_is_counted() -> None:
    """An entry that was proposed and whose job has not come back."""
    group = led()
    raft = leader_of(group)
    raft.propose(b"seven b")
    figures = raft.statistics(0)
    assert (figures.undurable_bytes, figures.durable_index) == (7, raft.last_index - 1)


def test_a_follower_tells_of_its_leader() -> None:
    """And of nobody else."""
    group = led()
    group.flow()
    follower = next(node.raft for node in group.nodes.values() if node.raft.role is Role.FOLLOWER)
    figures = follower.statistics(follower.leader_heard_ms + 5)
    assert (figures.leads, figures.leader, figures.leader_silent_ms) == (False, leader_of(group).node_id, 5)
    assert (figures.followers, figures.has_lease) == ((), False)
