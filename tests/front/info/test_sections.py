"""Which sections there are, member or not, and the line that says who a node is."""

import pytest

from tests.front.records import member_figures, node_figures, raft_record
from trikv.front.connections import Connections
from trikv.front.counters import Counters
from trikv.front.info.sections import banner, sections_of
from trikv.front.info.text import HEADINGS
from trikv.front.runtime_settings import RuntimeSettings
from trikv.raft.roles import Role
from trikv.raft.statistics import RaftStatistics


@pytest.mark.parametrize("is_member", [True, False])
def test_every_section_is_there(*, is_member: bool) -> None:
    """Whether the node has joined its cluster or waits for it."""
    settings = RuntimeSettings(timeout_s=0, typed_timeout_s=0, maxclients=9, requirepass="")
    figures = node_figures(2, member_figures() if is_member else None)
    sections = sections_of(figures, Counters(), Connections(settings))
    assert sections.keys() == HEADINGS.keys()
    fields = {name: dict(section()) for name, section in sections.items()}
    assert fields["raft"]["raft_role"] == ("follower" if is_member else "blank")
    assert fields["memory"]["used_memory"] == (1536 if is_member else 0)
    assert fields["clients"]["maxclients"] == 9


def test_no_part_is_asked_for_a_section_that_nobody_wants() -> None:
    """A client that asks for its clients again and again costs no walk over anything else."""

    def never() -> RaftStatistics:
        raise AssertionError

    settings = RuntimeSettings(timeout_s=0, typed_timeout_s=0, maxclients=9, requirepass="")
    sections = sections_of(node_figures(2, member_figures(never)), Counters(), Connections(settings))
    assert dict(sections["server"]())


@pytest.mark.parametrize(
    ("raft", "told"),
    [
        (None, "node2, waiting for the other nodes"),
        (raft_record(), "node2, looking for a leader"),
        (raft_record(leader=1), "node2, follower of node1"),
        (raft_record(role=Role.LEADER, leader=2), "node2, leader"),
    ],
    ids=["blank", "alone", "follows", "leads"],
)
def test_who_a_node_is(raft: RaftStatistics | None, told: str) -> None:
    """And whom it follows."""
    member = None if raft is None else member_figures(lambda: raft)
    assert banner(node_figures(2, member)) == told
