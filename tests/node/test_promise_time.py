"""Log time on assembled nodes: it never goes back, follows a quorum's median, slowly, and is shown by all."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
import pytest
import trio

from tests.node.looking import batches, crown, founded, gone, info, log_time_ms, others, until
from tests.node.puppet import possess
from tests.node.simcluster import SimCluster, run_cluster
from trikv.machine.batch import Batch
from trikv.raft.types import Entry, EntryKind

HOUR_MS = 3_600_000


End: TypeAlias = Callable[[SimCluster], Awaitable[None]]


def turn_clocks(cluster: SimCluster, ms: int, *numbers: int) -> None:
    """Somebody sets the wall clocks of these nodes (of all, where none is named)."""
    for number in numbers or (1, 2, 3):
        cluster.world.machine(f"node{number}").clock.jump_wall(ms)


def true_ms(cluster: SimCluster) -> int:
    """A clock that nobody has touched: all machines' were set to it at the start."""
    clock = cluster.world.machine("observer").clock
    return clock.wall_ms()


async def ticking(cluster: SimCluster) -> int:
    """Log time as the leader shows it."""
    return await log_time_ms(await cluster.connect(await cluster.leader()))


def rising(cluster: SimCluster, number: int) -> list[int]:
    """The stamps in a node's log, which never go back."""
    stamps = [batch.stamp_ms for batch in batches(cluster, number)]
    assert stamps == sorted(stamps)
    return stamps


async def stop_all(cluster: SimCluster) -> None:
    """All nodes, in order."""
    for number in (1, 2, 3):
        cluster.nodes[number].stop()
    await gone(cluster, 1, 2, 3)


async def kill_all(cluster: SimCluster) -> None:
    """All nodes at once: what they knew is in their logs alone."""
    cluster.kill(1, 2, 3)


async def save_and_kill_all(cluster: SimCluster) -> None:
    """After a snapshot on each, at the log's end: no stamp is left in any log."""
    for number in (1, 2, 3):
        assert await (await cluster.connect(number)).call("SAVE") == b"OK"
    await trio.sleep(1)
    cluster.kill(1, 2, 3)


@pytest.mark.parametrize("end", [stop_all, kill_all, save_and_kill_all])
def test_log_time_goes_on_from_the_last_stamp_after_a_restart_of_all(
    end: End,
) -> None:
    """Be it in the log or in a snapshot: with all clocks an hour behind it, no key gets its hour back."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster)
        client = await cluster.connect(1)
        assert await client.call("SET", "k", "v", "PX", HOUR_MS) == b"OK"
        await trio.sleep(2)
        assert await client.call("SET", "last", "stamp") == b"OK"
        before = await ticking(cluster)
        left = await client.call("PTTL", "k")
        await end(cluster)
        turn_clocks(cluster, -HOUR_MS)
        cluster.start()
        assert 0 <= await ticking(cluster) - before + 100 < 15_000
        client = await cluster.connect(2)
        assert await client.call("SET", "next", "stamp") == b"OK"
        assert await client.call("PTTL", "k") <= left
        rising(cluster, 1)
        await cluster.converged()

    run_cluster(scenario)


def test_a_new_leader_goes_on_from_the_stamps_it_was_sent() -> None:
    """Its own clock, and the other's, may be an hour behind: time goes on where the old leader's was."""

    async def scenario(cluster: SimCluster) -> None:
        old = await founded(cluster)
        client = await cluster.connect(old)
        await trio.sleep(1)
        assert await client.call("SET", "k", "v", "PX", HOUR_MS) == b"OK"
        turn_clocks(cluster, -HOUR_MS)
        before = await log_time_ms(client)
        cluster.kill(old)
        after = await ticking(cluster)
        assert before - 1_000 <= after < before + 5_000
        reader = await cluster.connect(others(cluster, old)[0])
        assert HOUR_MS - 10_000 < await reader.call("PTTL", "k") <= HOUR_MS
        assert await reader.call("SET", "next", "stamp") == b"OK"
        assert rising(cluster, await cluster.leader())[-1] >= before - 1_000

    run_cluster(scenario)


def test_what_no_majority_has_counts_too() -> None:
    """A leader starts from the last stamp of its *log*: of the last of many entries, before any commits."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster, 1)
        cluster.kill(2)
        puppet = possess(cluster, 1)
        raft = cluster.parts(3).raft
        await puppet.lead(3, raft.term + 5)
        last, now_ms = raft.last_index, true_ms(cluster)
        later = [
            Entry(last + n, puppet.term, EntryKind.BATCH, msgspec.msgpack.encode(Batch(stamp_ms, 0, ())))
            for n, stamp_ms in enumerate((now_ms, now_ms + HOUR_MS), 1)
        ]
        puppet.append(3, *later, commit=0)
        await until(lambda: raft.durable_index == last + 2)
        assert raft.commit <= last
        puppet.resign()
        await until(lambda: raft.leader == 3)
        client = await cluster.connect(3)
        assert await client.call("SET", "k", "v") == b"OK"
        assert HOUR_MS <= await log_time_ms(client) - now_ms < HOUR_MS + 20_000
        assert rising(cluster, 3)[-1] - now_ms >= HOUR_MS

    run_cluster(scenario)


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_the_first_leader_starts_by_a_quorums_clocks(wrong: int) -> None:
    """One clock is a day ahead, and its node leads: log time is what the others say."""

    async def scenario(cluster: SimCluster) -> None:
        turn_clocks(cluster, 24 * HOUR_MS, wrong)
        for number in (1, 2, 3):
            fast = {"election_timeout_ms_min": 100, "election_timeout_ms_max": 120}
            cluster.start(number, heartbeat_interval_ms=40, **(fast if number == wrong else {}))
        assert await cluster.leader() == wrong
        assert abs(await ticking(cluster) - true_ms(cluster)) < 100
        assert await (await cluster.connect(wrong)).call("SET", "k", "v") == b"OK"
        assert abs(batches(cluster, wrong)[-1].stamp_ms - true_ms(cluster)) < 100

    run_cluster(scenario)


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
def test_a_step_of_the_own_clock_since_the_last_term_of_office_decides_nothing(step_ms: int) -> None:
    """What peers told it then is brought up by CLOCK_BOOTTIME: its own step is not taken for theirs."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster, 1)
        await trio.sleep(1)
        await crown(cluster, 2)
        turn_clocks(cluster, step_ms, 1)
        await trio.sleep(5)
        await crown(cluster, 1)
        assert abs(await ticking(cluster) - true_ms(cluster)) < 200

    run_cluster(scenario)


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
def test_a_step_of_the_leaders_clock_is_outvoted_also_while_a_node_is_down(step_ms: int) -> None:
    """The clock of a node that is gone goes on as it did; it does not follow the leader's."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        cluster.kill(others(cluster, leader)[0])
        client = await cluster.connect(leader)
        await trio.sleep(1)
        turn_clocks(cluster, step_ms, leader)
        await trio.sleep(30)
        assert abs(await log_time_ms(client) - true_ms(cluster)) < 60, "300 ms where it was followed"

    run_cluster(scenario)


def test_log_time_stays_with_the_median_of_the_quorum() -> None:
    """The leader's own clock runs half a per cent fast: a minute later its log time is still the others'."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        cluster.world.machine(f"node{leader}").clock.drift_ppm = 5_000
        client = await cluster.connect(leader)
        for _ in range(6):
            await trio.sleep(10)
            assert abs(await log_time_ms(client) - true_ms(cluster)) < 60, "300 ms unless it is pulled"
        assert await cluster.leader() == leader

    run_cluster(scenario)


@pytest.mark.parametrize("step_s", [60, -60])
def test_log_time_is_pulled_by_one_percent_at_the_most(step_s: int) -> None:
    """All clocks are set a minute forward or back: log time moves by 0.3 s in half a minute."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        client = await cluster.connect(leader)
        begun_ms, off_ms = await log_time_ms(client), true_ms(cluster)
        turn_clocks(cluster, step_s * 1000)
        await trio.sleep(30)
        pulled = await log_time_ms(client) - begun_ms - (true_ms(cluster) - off_ms)
        assert 150 < (pulled if step_s > 0 else -pulled) <= 301
        assert await cluster.leader() == leader

    run_cluster(scenario)


def test_a_lifetime_is_shown_as_it_passes_where_nothing_else_does() -> None:
    """PTTL and TIME go on while nobody writes: on the leader, and by its word on the followers."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster)
        clients = [await cluster.connect(number) for number in (1, 2, 3)]
        assert await clients[0].call("SET", "k", "v", "PX", 60_000) == b"OK"
        await trio.sleep(20)
        for client in clients:
            assert 39_500 < await client.call("PTTL", "k") <= 40_010

    run_cluster(scenario)


def test_who_leads_no_more_has_no_time_of_its_own() -> None:
    """A deposed leader whose clock runs fast shows what it saw in the log, never what is still to come."""

    async def scenario(cluster: SimCluster) -> None:
        old = await founded(cluster)
        client = await cluster.connect(old)
        cluster.isolate(old)
        await trio.sleep(2)
        cluster.world.machine(f"node{old}").clock.drift_ppm = 200_000
        await trio.sleep(20)
        cluster.isolate(old, cut=False)
        cluster.world.machine(f"node{old}").clock.drift_ppm = 0
        await until(lambda: cluster.parts(old).raft.leader not in (None, old))
        shown_ms = int(await info(client, "raft", "raft_log_time_ms"))
        assert shown_ms <= await ticking(cluster)

    run_cluster(scenario)
