"""How blank disks found a cluster, or are adopted by one."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from trikv.machine.features import FEATURE_LEVEL
from trikv.node.peers.founding import Adopt, Found, Founding, record_for, standing
from trikv.protocol.messages import BootstrapRecord, DiskStanding
from trikv.raft.types import DiskId, Member, Membership

CLUSTER = b"c" * 16
ADDRESSES = {1: "a:1", 2: "b:1", 3: "c:1"}


def disk(number: int, generation: int = 0) -> DiskId:
    """The disk of a node."""
    return b"%08d%08d" % (number, generation)


def founding(node_id: int = 1, nodes: Iterable[int] = (1, 2, 3)) -> Founding:
    """What a blank node of this configuration begins with."""
    peers = {node: ADDRESSES[node] for node in nodes if node != node_id}
    return Founding(node_id, disk(node_id), ADDRESSES[node_id], lambda: peers)


BLANK = standing(blank=True, cluster=bytes(16), configured=(3, 1, 2), password=b"mark")
HOLDER = standing(blank=False, cluster=CLUSTER, configured=(1, 2, 3), password=b"mark")


def test_lowest_id_founds_once_everyone_is_blank() -> None:
    """Not before the last has said so; each member is a voter, named with its disk and address."""
    one = founding()
    assert one.decide() is None
    assert one.heard(2, disk(2), BLANK) is None
    found = one.heard(3, disk(3), BLANK)
    assert found == Found(
        Membership(tuple(Member(n, disk(n), voter=True, address=ADDRESSES[n]) for n in (1, 2, 3))),
        FEATURE_LEVEL,
    )


def test_a_cluster_is_founded_at_the_level_that_all_know() -> None:
    """A member of an older release carries out the log too; it tells no level."""
    one = founding()
    one.heard(2, disk(2), DiskStanding(True, bytes(16), (1, 2, 3)))
    found = one.heard(3, disk(3), BLANK)
    assert found is not None
    assert found.feature_level == 1 < FEATURE_LEVEL
    one.lost(2)
    found = one.heard(2, disk(2), BLANK)  # it was stopped, and came back with this release
    assert found is not None
    assert found.feature_level == FEATURE_LEVEL


def test_others_never_found() -> None:
    """Only the lowest id writes the record: two records would be two clusters."""
    two = founding(2)
    assert two.heard(1, disk(1), BLANK) is None
    assert two.heard(3, disk(3), BLANK) is None


def test_single_node_founds_itself_at_once() -> None:
    """No peers: nobody to wait for."""
    found = founding(1, (1,)).decide()
    assert found is not None
    assert [member.id for member in found.membership.members] == [1]


def test_a_member_of_a_cluster_among_us_forbids_founding() -> None:
    """A peer that holds a log is no blank disk, also when it was blank a moment ago."""
    one = founding()
    one.heard(2, disk(2), BLANK)
    one.heard(2, disk(2), HOLDER)
    assert one.heard(3, disk(3), BLANK) is None


def test_configurations_that_differ_never_found() -> None:
    """A peer that is configured for other members waits; it may belong elsewhere."""
    one = founding()
    one.heard(2, disk(2), BLANK)
    odd = standing(blank=True, cluster=bytes(16), configured=(1, 3), password=b"mark")
    assert one.heard(3, disk(3), odd) is None


def test_broken_link_takes_a_standing_back() -> None:
    """Everyone must be blank at this moment, with the disk it has now."""
    one = founding()
    one.heard(2, disk(2), BLANK)
    one.lost(2)
    assert one.heard(3, disk(3), BLANK) is None
    found = one.heard(2, disk(2, 1), BLANK)
    assert found is not None
    assert found.membership.members[1].disk == disk(2, 1)


def test_named_disk_starts_as_voter_any_other_as_learner() -> None:
    """The record's holder names the members only to a disk that is one of them; so does the disk check."""
    membership = Membership(tuple(Member(n, disk(n), voter=True, address="") for n in (1, 2, 3)))
    two = founding(2)
    assert record_for(CLUSTER, membership, 2, 2, disk(2)) == BootstrapRecord(CLUSTER, membership, 2)
    assert two.handed(record_for(CLUSTER, membership, 2, 2, disk(2))) == Adopt(CLUSTER, membership, 2)
    assert two.handed(record_for(CLUSTER, membership, 2, 2, disk(2, 1))) == Adopt(CLUSTER, Membership(()), 2)
    older = BootstrapRecord(CLUSTER, Membership(membership.members[2:]))
    assert two.handed(older) == Adopt(CLUSTER, Membership(()), 1)


@given(
    st.permutations([1, 2, 3]), st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.booleans()), max_size=12)
)
def test_at_most_one_node_founds_and_only_of_disks_that_are_blank(
    order: list[int], noise: list[tuple[int, bool]]
) -> None:
    """Whatever is heard in whatever order, a founder names the present disks of all."""
    nodes = {number: founding(number) for number in (1, 2, 3)}
    founded: dict[int, Found] = {}
    said = [(peer, HOLDER if holds else BLANK) for peer, holds in noise] + [(peer, BLANK) for peer in order]
    for peer, message in said:
        for number, node in nodes.items():
            if number != peer and (found := node.heard(peer, disk(peer), message)) is not None:
                founded[number] = found
    assert list(founded) == [1]
    assert [member.disk for member in founded[1].membership.members] == [disk(n) for n in (1, 2, 3)]
