"""A leader that stops, among puppets: who gets the office, and who is waited for."""

import pytest
import trio

from tests.node.looking import fill_log, founded, gone, header, members_of, names, others, until
from tests.node.puppet import Puppet, possess
from tests.node.simcluster import SimCluster, run_cluster
from trikv.protocol.messages import Drained, Draining, JoinRequest
from trikv.raft.messages import TimeoutNow

DUMP = "dump.json"


async def court(cluster: SimCluster) -> tuple[int, Puppet, Puppet]:
    """A real leader, and two puppets that follow it, the lower number first."""
    leader = await founded(cluster)
    puppets = []
    for number in sorted(others(cluster, leader)):
        puppet = possess(cluster, number)
        puppets.append(puppet)
        await puppet.welcomed(leader)
        await write(cluster, leader)
        await until(lambda one=puppet: one.holds >= cluster.parts(leader).raft.commit)  # type: ignore[misc]
    return leader, puppets[0], puppets[1]


async def write(cluster: SimCluster, number: int) -> None:
    """One entry that a majority holds."""
    assert await (await cluster.connect(number)).call("SET", "k", "v") == b"OK"


def has_dumped(cluster: SimCluster, number: int) -> bool:
    """Its dump is there, under its name."""
    return DUMP in names(cluster, number)


@pytest.mark.parametrize("lagging", [0, 1])
def test_the_office_goes_to_the_voter_that_is_most_caught_up(lagging: int) -> None:
    """Whatever its number: the other would have to be waited for."""

    async def scenario(cluster: SimCluster) -> None:
        leader, *puppets = await court(cluster)
        puppets[lagging].takes = False
        await write(cluster, leader)
        cluster.nodes[leader].stop()
        await puppets[1 - lagging].hear(TimeoutNow, leader, within_s=3)
        assert not puppets[lagging].heard(TimeoutNow)

    run_cluster(scenario)


@pytest.mark.parametrize("draining", [0, 1])
def test_the_office_goes_to_nobody_that_stops_as_well(draining: int) -> None:
    """It would have to be given away again."""

    async def scenario(cluster: SimCluster) -> None:
        leader, *puppets = await court(cluster)
        puppets[draining].say(leader, Draining())
        await trio.sleep(0.1)
        cluster.nodes[leader].stop()
        await puppets[1 - draining].hear(TimeoutNow, leader, within_s=5)
        assert not puppets[draining].heard(TimeoutNow)

    run_cluster(scenario)


def test_the_office_is_kept_where_all_stop() -> None:
    """Each needs a leader for its own barrier; an election would only delay them all."""

    async def scenario(cluster: SimCluster) -> None:
        leader, *puppets = await court(cluster)
        for puppet in puppets:
            puppet.say(leader, Draining(is_quiet=True))
        await trio.sleep(0.1)
        cluster.nodes[leader].stop()
        await until(lambda: has_dumped(cluster, leader))
        await trio.sleep(1)
        assert not any(puppet.heard(TimeoutNow) for puppet in puppets)
        assert cluster.parts(leader).raft.leader == leader

    run_cluster(scenario)


@pytest.mark.parametrize("away", [0, 1])
def test_the_office_goes_to_a_voter_that_is_there(away: int) -> None:
    """One that holds as much, and whose process has ended, is not asked."""

    async def scenario(cluster: SimCluster) -> None:
        leader, *puppets = await court(cluster)
        puppets[away].end()
        await trio.sleep(0.2)
        cluster.nodes[leader].stop()
        await puppets[1 - away].hear(TimeoutNow, leader, within_s=3)

    run_cluster(scenario)


@pytest.mark.parametrize("learning", [0, 1])
def test_the_office_goes_to_no_learner(learning: int) -> None:
    """It may hold all there is: it cannot be elected."""

    async def scenario(cluster: SimCluster) -> None:
        leader, *puppets = await court(cluster)
        await fill_log(await cluster.connect(leader))
        puppets[learning].end()
        learner = puppets[learning]
        learner.disk, learner.takes = b"another's disk  ", False
        learner.begin()
        await learner.linked(leader)
        raft = cluster.parts(leader).raft
        while (learner.number, learner.disk.hex(), False) not in members_of(raft.membership):
            learner.say(leader, JoinRequest(learner.disk, ""))
            await trio.sleep(0.05)
        await trio.sleep(6)  # it asks no more, and stays what it is
        learner.takes = True
        await write(cluster, leader)
        await until(lambda: learner.holds >= raft.last_index)
        cluster.nodes[leader].stop()
        await puppets[1 - learning].hear(TimeoutNow, leader, within_s=3)
        assert not learner.heard(TimeoutNow)

    run_cluster(scenario)


def test_who_came_back_leaves_no_more() -> None:
    """That its last life was stopping says nothing of this one: it may have the office."""

    async def scenario(cluster: SimCluster) -> None:
        leader, back, other = await court(cluster)
        back.say(leader, Draining(is_quiet=True))
        back.say(leader, Drained())
        await trio.sleep(0.1)
        back.end()
        await trio.sleep(0.2)
        back.begin()
        await back.welcomed(leader)
        await write(cluster, leader)
        other.say(leader, Draining())
        await trio.sleep(0.1)
        cluster.nodes[leader].stop()
        await back.hear(TimeoutNow, leader, within_s=5)
        assert not other.heard(TimeoutNow)

    run_cluster(scenario)


def test_who_came_back_and_stops_again_is_waited_for_again() -> None:
    """Its last life had answered its clients, this one has not: a dump without those would not be whole."""

    async def scenario(cluster: SimCluster) -> None:
        leader, back, _ = await court(cluster)
        back.say(leader, Draining(is_quiet=True))
        back.say(leader, Drained())
        await trio.sleep(0.1)
        back.end()
        await trio.sleep(0.2)
        back.begin()
        await back.welcomed(leader)
        back.say(leader, Draining())
        await trio.sleep(0.1)
        cluster.nodes[leader].stop()
        await back.hear(Draining, leader)
        await trio.sleep(1.2)
        assert not has_dumped(cluster, leader)
        back.say(leader, Draining(is_quiet=True))
        with trio.fail_after(1.5):
            await until(lambda: has_dumped(cluster, leader))
        assert header(cluster, leader, DUMP)["complete"] is True
        await trio.sleep(1)
        assert leader in set(cluster.running()), "it may be needed for the other's barrier"
        back.say(leader, Drained())
        with trio.fail_after(1):
            await gone(cluster, leader)

    run_cluster(scenario)


def test_who_comes_up_meanwhile_hears_how_far_the_stop_is() -> None:
    """It must not hand over to this node, nor wait for what that has said before."""

    async def scenario(cluster: SimCluster) -> None:
        leader, late, company = await court(cluster)
        company.say(leader, Draining())
        await trio.sleep(0.1)
        cluster.nodes[leader].stop()
        await company.hear(Draining, leader)
        for _ in range(2):
            assert not has_dumped(cluster, leader)
            late.end()
            await trio.sleep(0.1)
            late.begin()
            await late.hear(Draining, leader)
            assert not late.heard(Drained)
        assert late.heard(Draining)[0].is_quiet
        company.say(leader, Draining(is_quiet=True))
        await company.hear(Drained, leader)
        late.end()
        await trio.sleep(0.1)
        late.begin()
        await late.hear(Drained, leader)
        company.say(leader, Drained())
        await gone(cluster, leader)

    run_cluster(scenario)
