"""``reads = lease`` at the node: who asks for it, who answers by it, and what stays linearizable."""

from typing import Any, cast

import trio

from tests.node.driver_rig import LEADER, OTHER, Desk, following
from tests.node.driver_rig import leading as desk_of_a_leader
from tests.node.recorded_work import Asked
from tests.node.simcluster import SimCluster, run_cluster
from tests.raft.cluster import disk_of
from trikv.host.seam import Clock
from trikv.machine.replies import Reply
from trikv.node.consensus.lease_reads import LeaseReads
from trikv.node.drain import StopLimits
from trikv.node.events import Barrier, PeerSaid
from trikv.protocol.messages import ReadReply, ReadRequest
from trikv.raft.messages import AppendAck, Heartbeat, HeartbeatAck
from trikv.raft.types import ReadId


def leading(*, by_lease: bool) -> Desk:
    """A leader to whom node 3 has promised to elect nobody else."""
    desk = desk_of_a_leader(by_lease=by_lease)
    (beat,) = [beat for peer, beat in desk.links.take(Heartbeat) if peer == OTHER][-1:]
    desk.hear(OTHER, HeartbeatAck(2, beat.round, 0, 400))
    assert desk.raft.lease_index(desk.host.now_ms) == 3
    desk.links.sent.clear()
    return desk


def read(desk: Desk) -> Asked:
    """A client's read, in a turn of its own."""
    asked = Asked((b"GET", b"k"), writes=False)
    desk.turn(asked.work)
    return asked


def test_a_leader_reads_by_its_lease_where_it_is_told_to() -> None:
    """In the very turn in which the read came, without a message."""
    desk = leading(by_lease=True)
    read(desk)
    assert len(desk.parts.reads) == 0
    assert desk.links.take(Heartbeat) == []


def test_a_leader_asks_a_majority_unless_it_is_told_otherwise() -> None:
    """The default trusts no clock, lease or not."""
    desk = leading(by_lease=False)
    read(desk)
    assert len(desk.parts.reads) == 1
    assert [peer for peer, _ in desk.links.take(Heartbeat)] == [LEADER], "with whom it is a majority"


def test_without_its_lease_a_leader_asks_a_majority() -> None:
    """A lease that is over costs a round, never a stale read."""
    desk = leading(by_lease=True)
    desk.host.now_ms += 319
    read(desk)
    assert len(desk.parts.reads) == 1
    assert desk.links.take(Heartbeat)


def test_a_follower_says_whether_the_lease_will_do() -> None:
    """Its own setting speaks for its clients, not the leader's."""
    for by_lease in (False, True):
        desk = following(by_lease=by_lease)
        read(desk)
        ((peer, request),) = desk.links.take(ReadRequest)
        assert (peer, request.by_lease) == (LEADER, by_lease)


def test_a_leader_answers_a_follower_as_that_one_is_configured() -> None:
    """At once by its lease, even if its own clients get none; or after a round, even if they do."""
    reads = (ReadId(OTHER, 5, 1),)
    desk = leading(by_lease=False)
    desk.hear(OTHER, ReadRequest(reads, by_lease=True))
    ((peer, reply),) = desk.links.take(ReadReply)
    assert (peer, reply.reads, reply.index) == (OTHER, reads, 3)
    desk = leading(by_lease=True)
    desk.hear(OTHER, ReadRequest(reads))
    assert desk.links.take(ReadReply) == []


def test_a_stop_asks_a_majority_before_it_dumps() -> None:
    """A dump says that it is complete: that does not rest on a clock."""
    desk = leading(by_lease=True)
    desk.parts.drain.begin(0.0, StopLimits())
    desk.turn(Barrier(Asked(writes=False).work))
    assert len(desk.parts.reads) == 1
    assert desk.links.take(Heartbeat)


def lease_reads(desk: Desk) -> LeaseReads:
    """What answers a client's read before the driver's mailbox."""
    parts = desk.parts
    return LeaseReads(
        clock=parts.host.clock,
        raft=parts.raft,
        applier=parts.applier,
        log_time=parts.log_time,
        drain=parts.drain,
    )


class Ticking:
    """A clock that goes on by 10 us with each look."""

    def __init__(self, desk: Desk) -> None:
        self.now_us = 1000 * desk.host.now_ms

    def boot_us(self) -> int:
        """The time, and a look at it."""
        self.now_us += 10
        return self.now_us - 10


def at_once(desk: Desk, *, writes: bool = False) -> list[Reply] | None:
    """What is answered to a command as it comes in."""
    return lease_reads(desk).answer(
        Asked((b"SET", b"k", b"v") if writes else (b"GET", b"k"), writes=writes).work
    )


def test_a_read_is_answered_where_it_comes_in_while_the_lease_holds() -> None:
    """From all that is committed; it counts as work, or an idle node's collector would take the time."""
    desk = leading(by_lease=True)
    lease = lease_reads(desk)
    assert lease.answer(Asked((b"GET", b"k"), writes=False).work) == [None]
    assert lease.works == 1
    assert lease.answer(Asked((b"GET", b"k"), writes=False).work) == [None]
    assert lease.works == 2, "of several in a millisecond one is timed, and all are counted"
    desk.host.now_ms += 318
    assert at_once(desk) == [None]
    desk.host.now_ms += 1
    assert at_once(desk) is None, "the clock is looked at after the read came"


def test_one_read_in_a_millisecond_is_timed_for_all_since_the_last() -> None:
    """Each is counted once, and its time is told once."""
    desk = leading(by_lease=True)
    clock, parts = Ticking(desk), desk.parts
    lease = LeaseReads(
        clock=cast("Clock", clock),
        raft=parts.raft,
        applier=parts.applier,
        log_time=parts.log_time,
        drain=parts.drain,
    )
    told = []
    for _ in range(3):
        for _ in range(3):
            assert lease.answer(Asked((b"GET", b"k"), writes=False).work) == [None]
        tally = parts.applier.machine.tally.commands()["GET"]
        told.append((tally.calls, tally.usec))
        clock.now_us += 1000
    assert told == [(3, 10), (6, 40), (9, 70)]


def test_no_read_is_answered_at_once_that_could_miss_something() -> None:
    """A write; a committed entry that has not been applied; a node that stops, or follows."""
    desk = leading(by_lease=True)
    assert at_once(desk, writes=True) is None
    assert lease_reads(desk).answer(Asked(writes=False).work) is None
    desk.submit(b"SET", b"k", b"v")
    desk.sync()
    desk.driver.turn([PeerSaid(OTHER, disk_of(OTHER), AppendAck(2, 4))], settled=True)
    assert (desk.raft.commit, desk.applier.position.index) == (4, 3)
    assert at_once(desk) is None
    desk.applier.carry_out()
    assert at_once(desk) == [b"v"]
    desk.parts.drain.begin(0.0, StopLimits())
    assert at_once(desk) is None
    assert at_once(following(by_lease=True)) is None


def test_an_isolated_leader_answers_by_its_lease_and_then_no_more() -> None:
    """While nobody else can lead it serves its clients; after that nothing stale, as without a lease."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        old = await cluster.leader()
        stuck = await cluster.connect(old)
        assert await stuck.call("SET", "k", "old") == b"OK"
        assert await stuck.call("CONFIG", "GET", "reads") == [b"reads", b"lease"]
        await trio.sleep(0.5)
        info = await stuck.call("INFO", "raft")
        assert b"raft_reads:lease" in info
        assert b"raft_has_lease:1" in info
        cluster.isolate(old)
        assert await stuck.call("GET", "k") == b"old"
        await trio.sleep(0.35)
        replies: list[Any] = []

        async def ask() -> None:
            replies.append(await stuck.call("GET", "k"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(2)
            other = next(n for n in (1, 2, 3) if n != old)
            assert await (await cluster.connect(other)).call("SET", "k", "new") == b"OK"
        assert str(replies[0]).split()[0] == "CLUSTERDOWN"
        cluster.isolate(old, cut=False)
        assert await stuck.call("GET", "k") == b"new"
        await cluster.converged()

    run_cluster(scenario, reads="lease", command_deadline_ms=3_000)


def test_a_leader_that_was_stopped_for_longer_than_its_lease_serves_nothing_stale() -> None:
    """SIGSTOP and SIGCONT: CLOCK_BOOTTIME went on, so it knows that its lease is over."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        old = await cluster.leader()
        stuck = await cluster.connect(old)
        assert await stuck.call("SET", "k", "old") == b"OK"
        await trio.sleep(0.5)
        machine = cluster.world.machine(f"node{old}")
        machine.pause()
        replies: list[Any] = []

        async def ask() -> None:
            replies.append(await stuck.call("GET", "k"))

        async with trio.open_nursery() as nursery:
            other = next(n for n in (1, 2, 3) if n != old)
            client = await cluster.connect(other)
            assert await client.call("SET", "k", "new") == b"OK"
            nursery.start_soon(ask)
            await trio.sleep(1)
            machine.resume()
        assert replies == [b"new"]

    run_cluster(scenario, reads="lease")


def test_followers_of_mixed_settings_all_read_what_was_written_last() -> None:
    """Each node's setting is its own; no mixture does harm."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1, reads="lease")
        cluster.start(2, 3)
        await cluster.leader()
        clients = [await cluster.connect(number) for number in (1, 2, 3)]
        for number in range(10):
            assert await clients[number % 3].call("SET", "k", str(number)) == b"OK"
            assert [await client.call("GET", "k") for client in clients] == [b"%d" % number] * 3

    run_cluster(scenario)
