"""Who may join, and whose word counts: configured ids that proved the secret with that disk."""

import msgspec
import pytest
import trio

from tests.node.looking import batches, fill_log, founded, members_of, memberships, others, restart, until
from tests.node.puppet import Puppet, identity_of, possess
from tests.node.simcluster import SimCluster, run_cluster
from trikv.machine.batch import Submission
from trikv.machine.features import FEATURE_LEVEL
from trikv.protocol.handshake import BLANK_CLUSTER
from trikv.protocol.messages import DiskStanding, Forward, JoinRequest
from trikv.raft.membership import is_single_change
from trikv.raft.messages import RequestVote, VoteAck

OTHER_DISK = b"the other disk.."


async def ask(puppet: Puppet, leader: int, seconds: float, disk: bytes | None = None) -> None:
    """Ask to be let in, as often as a blank disk does."""
    for _ in range(int(seconds * 5)):
        puppet.say(leader, JoinRequest(disk or puppet.disk, ""))
        await trio.sleep(0.2)


def test_a_swap_is_three_changes_each_committed_before_the_next() -> None:
    """Remove, add as a learner, promote; one member at a time, and never without a majority of the old.

    The new member is known by where it is reached, as the lost one was.
    """

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        victim = others(cluster, leader)[0]
        raft = cluster.parts(leader).raft
        first = raft.membership
        cluster.kill(victim)
        cluster.wipe(victim)
        await restart(cluster, victim)
        disk = identity_of(cluster, victim)[0].hex()
        await until(lambda: (victim, disk, True) in members_of(raft.membership))
        await cluster.converged()
        addresses = {member.id: member.address for member in first.members}
        assert {member.id: member.address for member in raft.membership.members} == addresses
        seen = [first]
        for membership in memberships(cluster, leader):
            if membership != seen[-1]:
                assert is_single_change(seen[-1], membership)
                seen.append(membership)
        steps = [{(disk, votes) for id_, disk, votes in members_of(one) if id_ == victim} for one in seen]
        assert steps[1:] == [set(), {(disk, False)}, {(disk, True)}]

    run_cluster(scenario)


def test_a_node_of_no_configuration_is_not_let_in() -> None:
    """It knows the secret, and asks as a lost disk would: nobody has lost it."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        stray = Puppet(cluster, 9, OTHER_DISK, identity_of(cluster, leader)[1])
        stray.begin()
        await stray.linked(leader)
        stray.say(
            leader, DiskStanding(True, BLANK_CLUSTER, (9,), b"", FEATURE_LEVEL)
        )  # its release is no obstacle
        before = members_of(cluster.parts(leader).raft.membership)
        await ask(stray, leader, 3)
        assert members_of(cluster.parts(leader).raft.membership) == before

    run_cluster(scenario)


def test_nobody_asks_for_another_disk_than_his_own() -> None:
    """The link has proved which disk speaks; a request in another's name would throw a member out."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        puppet = possess(cluster, others(cluster, leader)[0])
        await puppet.linked(leader)
        before = members_of(cluster.parts(leader).raft.membership)
        await ask(puppet, leader, 3, OTHER_DISK)
        assert members_of(cluster.parts(leader).raft.membership) == before

    run_cluster(scenario)


def test_a_new_disk_learns_before_it_votes() -> None:
    """However often it asks: it is a learner until it holds nearly all that is committed."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        await fill_log(await cluster.connect(leader))
        joining = others(cluster, leader)[0]
        puppet = possess(cluster, joining, disk=OTHER_DISK)
        puppet.takes = False
        await puppet.linked(leader)
        await ask(puppet, leader, 4)
        raft = cluster.parts(leader).raft
        assert (joining, puppet.disk.hex(), False) in members_of(raft.membership)
        puppet.takes = True
        await ask(puppet, leader, 2)
        assert (joining, puppet.disk.hex(), True) in members_of(raft.membership)

    run_cluster(scenario)


def test_a_new_disk_that_learns_for_long_is_promoted_in_the_end() -> None:
    """It goes on asking as a learner: here its cable is cut for longer than a request holds."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        await fill_log(await cluster.connect(leader))
        victim = others(cluster, leader)[0]
        raft = cluster.parts(leader).raft
        cluster.kill(victim)
        cluster.wipe(victim)
        machine = cluster.world.machine(f"node{victim}")
        machine.disk_traits.sync_ms_min = machine.disk_traits.sync_ms_max = 200
        await restart(cluster, victim)
        disk = identity_of(cluster, victim)[0].hex()
        await until(lambda: (victim, disk, False) in members_of(raft.membership))
        cluster.world.fabric.cut(f"node{leader}", f"node{victim}")
        await trio.sleep(8)
        assert (victim, disk, False) in members_of(raft.membership)
        cluster.world.fabric.heal(f"node{leader}", f"node{victim}")
        with trio.fail_after(15):
            await until(lambda: (victim, disk, True) in members_of(raft.membership))

    run_cluster(scenario)


@pytest.mark.parametrize("disk", [OTHER_DISK, None])
def test_an_ack_counts_from_the_members_disk_alone(disk: bytes | None) -> None:
    """Another disk under the same id has forgotten what it acknowledged before, and makes no majority."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        acks, dead = others(cluster, leader)
        puppet = possess(cluster, acks, disk=disk)
        await puppet.welcomed(leader)
        await trio.sleep(0.5)
        client = await cluster.connect(leader)
        cluster.kill(dead)
        reply = await client.call("SET", "k", "v")
        assert (reply == b"OK") == (disk is None), reply

    run_cluster(scenario, command_deadline_ms=1_000)


@pytest.mark.parametrize("disk", [OTHER_DISK, None])
def test_a_vote_counts_from_the_members_disk_alone(disk: bytes | None) -> None:
    """A disk that may have voted in an earlier life, under this id, elects nobody."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster, 1)
        cluster.kill(1, 2)
        puppet = possess(cluster, 1, disk=disk)
        puppet.votes = True
        led = False
        for _ in range(800):
            await trio.sleep(0.01)
            led = led or cluster.parts(3).raft.leader == 3
        assert led == (disk is None)

    run_cluster(scenario)


def test_a_vote_given_is_remembered_by_the_next_life() -> None:
    """Killed right after, asked again in the same term by somebody else: one term, one vote."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster)
        raft = cluster.parts(3).raft
        first, second = possess(cluster, 1), possess(cluster, 2)
        for puppet in (first, second):
            puppet.acks = puppet.takes = False
            await puppet.welcomed(3)
        await trio.sleep(2)  # node 3 is bound to no leader any more
        ballot = RequestVote(raft.term + 50, raft.last_index, raft.last_term, False)
        first.say(3, ballot)
        await until(lambda: any(ack.granted for ack in first.heard(VoteAck) if ack.term == ballot.term))
        cluster.kill(3)
        second.forget()
        await restart(cluster, 3)
        await second.welcomed(3)
        await trio.sleep(1.5)
        second.forget()
        second.say(3, ballot)
        await until(lambda: [ack for ack in second.heard(VoteAck) if ack.term >= ballot.term])
        assert not any(ack.granted for ack in second.heard(VoteAck))

    run_cluster(scenario)


def test_what_a_removed_disk_proposes_is_not_applied() -> None:
    """Its place in the machine's accounts went with it: the new disk under its id counts from anew."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        victim = others(cluster, leader)[0]
        client = await cluster.connect(victim)
        for _ in range(3):
            assert isinstance(await client.call("INCR", "n"), int)
        raft = cluster.parts(leader).raft
        forwarded = [batch for batch in batches(cluster, leader) if batch.items]
        (old,) = [
            item
            for item in forwarded[-1].items
            if isinstance(item, Submission) and item.commands == ((b"INCR", b"n"),)
        ]
        puppet = possess(cluster, victim, disk=OTHER_DISK)
        await puppet.linked(leader)
        while (victim, OTHER_DISK.hex(), True) not in members_of(raft.membership):
            await ask(puppet, leader, 0.4)
        again = msgspec.structs.replace(old, sequence=old.sequence + 1)
        puppet.say(leader, Forward((msgspec.msgpack.encode(again),)))
        await until(lambda: again in [item for batch in batches(cluster, leader) for item in batch.items])
        await trio.sleep(0.5)
        assert await (await cluster.connect(leader)).call("GET", "n") == b"3"

    run_cluster(scenario)
