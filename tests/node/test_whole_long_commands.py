"""Whole nodes inside an entry that takes many slices: killed, stopped, overtaken and asked at each of them.

Virtual clocks stand still while a node works. So the applier of these nodes ends its slice after each step of
the command, and each slice takes a tenth of a second.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.node.counting import others, until
from tests.node.looking import batches, crown, founded, gone, info, names, restart
from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.client.replies import ErrorReply
from trikv.machine.batch import Submission
from trikv.node.assembly import Ports
from trikv.node.state.applier import Applier
from trikv.sim.volume import Keep

SLICE_S = 0.1
STEPS = 6
POINTS = range(2, STEPS + 1)
"""The first two steps are done without a pause: the driver's turn does one, the applier's task the next."""
WHOLE = b"%d/%d " % (STEPS, STEPS)
ALL = frozenset({1, 2, 3})


def stepwise(slow: frozenset[int] = ALL) -> Ports:
    """Nodes that stop behind each step; at those of `slow` each takes a while."""

    class Stepwise(Applier):
        SLICE_MS = 0

        async def _pause(self) -> None:
            if self.inside is not None and self._origin in slow:
                await trio.sleep(SLICE_S)
            await super()._pause()

    return Ports(applier=Stepwise)


def run(
    scenario: Callable[[SimCluster], Awaitable[None]], slow: frozenset[int] = ALL, **settings: Any
) -> None:
    """`run_cluster` with such nodes, which allow DEBUG."""
    run_cluster(scenario, ports=stepwise(slow), enable_debug_command="yes", **settings)


async def clients_of(cluster: SimCluster) -> list[Client]:
    """A founded cluster, whose nodes know its level; a client of each."""
    await founded(cluster)
    return [await cluster.connect(number) for number in sorted(ALL)]


class Answer:
    """What one command is answered, while the test goes on."""

    def __init__(self) -> None:
        self.reply: Any = None
        self.at_s = 0.0

    async def of(self, client: Client, *words: str | int | bytes) -> None:
        """Ask, and note the answer, or the end of the connection."""
        try:
            self.reply = await client.call(*words)
        except (OSError, EOFError, trio.ClosedResourceError) as error:
            self.reply = error
        self.at_s = trio.current_time()

    @property
    def is_there(self) -> bool:
        """Whether anything came back."""
        return self.reply is not None


@asynccontextmanager
async def asked(client: Client, *words: str | int | bytes) -> AsyncIterator[Answer]:
    """Ask `client` this when the ``with`` begins; it is answered when that is over."""
    answer = Answer()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer.of, client, *words)
        yield answer


def is_inside(cluster: SimCluster, number: int) -> bool:
    """Whether that node is inside an entry at present."""
    parts = cluster.parts(number)
    return parts is not None and parts.applier.inside is not None


async def at_step(cluster: SimCluster, number: int, key: bytes, step: int) -> None:
    """Wait until the node is inside the entry and has done so many of its steps, as its key shows."""
    wanted = b"%d/" % step
    with trio.fail_after(30):
        await until(lambda: is_inside(cluster, number) and shown(cluster, number, key).startswith(wanted))


def shown(cluster: SimCluster, number: int, key: bytes) -> bytes:
    """What a node holds, whole or not."""
    value: bytes | None = cluster.parts(number).applier.machine.space.databases[0].string(key)
    return value or b""


# Killed and stopped.


@pytest.mark.parametrize("whom", ["leader", "follower", "all", "power"])
def test_killed_at_any_slice_it_is_done_again_whole(whom: str) -> None:
    """The log holds the entry: a replay carries it out from its beginning, and all replicas are equal."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster)
        for step in POINTS:
            key = b"k%d" % step
            leader = await cluster.leader()
            victim = others(cluster, leader)[0] if whom == "follower" else leader
            victims = [1, 2, 3] if whom in {"all", "power"} else [victim]
            origin = others(cluster, leader)[1]
            client = await cluster.connect(origin)
            async with asked(client, "DEBUG", "WORK", STEPS, key) as answer:
                await at_step(cluster, victim, key, step)
                assert cluster.parts(victim).applier.position.index < cluster.parts(victim).raft.commit
                if whom == "power":
                    cluster.lose_power(*victims, keep=Keep.NONE)
                else:
                    cluster.kill(*victims)
                await trio.sleep(0.2)
                for number in victims:
                    await restart(cluster, number)
                if origin in victims:
                    await client.stream.aclose()  # after a power cut it hears nothing more
            assert (answer.reply == b"OK") is (origin not in victims)
            await cluster.leader()
            with trio.fail_after(30):
                assert (await (await cluster.connect(victim)).call("GET", key)).startswith(WHOLE)
                await cluster.converged()

    run(scenario)


def test_stopped_at_any_slice_it_dumps_the_whole_entry() -> None:
    """The stop goes on until the entry is whole; the dump holds all of it, and says that it is complete."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster)
        for step in POINTS:
            key = b"k%d" % step
            leader = await cluster.leader()
            victim = leader if step % 2 else others(cluster, leader)[0]
            client = await cluster.connect(victim)
            async with asked(client, "DEBUG", "WORK", STEPS, key) as answer:
                await at_step(cluster, victim, key, step)
                cluster.nodes[victim].stop()
            assert answer.reply == b"OK"
            await gone(cluster, victim)
            dump = json.loads(cluster.file(victim, "dump.json"))
            assert dump["node"]["complete"] is True
            values = {row["k"]: row["v"].encode() for row in dump["keys"]}
            assert all(values[f"k{number}"].startswith(WHOLE) for number in range(2, step + 1))
            await restart(cluster, victim)
            await cluster.converged()

    run(scenario)


def test_stopped_at_once_inside_an_entry_it_leaves_no_dump() -> None:
    """A state that no log has is never written. The next life has all of the entry."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster)
        for step in POINTS:
            key = b"k%d" % step
            victim = others(cluster, await cluster.leader())[0]
            async with asked(await cluster.connect(victim), "DEBUG", "WORK", STEPS, key) as answer:
                await at_step(cluster, victim, key, step)
                cluster.nodes[victim].stop()
                await trio.sleep(SLICE_S / 2)
                assert is_inside(cluster, victim)
                cluster.nodes[victim].stop_now()
            assert isinstance(answer.reply, (OSError, EOFError, ErrorReply))
            await gone(cluster, victim)
            assert not [name for name in names(cluster, victim) if name.startswith("dump")]
            await restart(cluster, victim)
            await cluster.converged()
            assert shown(cluster, victim, key).startswith(WHOLE)

    run(scenario)


# Overtaken.


@pytest.mark.parametrize("step", [2, 5, 20])
def test_a_snapshot_overtakes_the_entry_at_any_step(step: int) -> None:
    """A node that is slow, and was cut off meanwhile, gives up the rest, and has the leader's state."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await clients_of(cluster)
        await crown(cluster, 1)
        slow, steps = 3, 50
        assert await clients[0].call("DEBUG", "WORK", steps, "k") == b"OK"
        await at_step(cluster, slow, b"k", step)
        applier = cluster.parts(slow).applier
        machine, rest = applier.machine, applier.inside.rest
        cluster.isolate(slow)
        for other in others(cluster, slow):  # what is on its way would come later, and bring it up to date
            cluster.world.fabric.break_all(f"node{slow}", f"node{other}")
        for number in range(50):
            assert await clients[0].call("SET", f"more{number}", "x" * 4000) == b"OK"
        assert await clients[0].call("SAVE") == b"OK"
        with trio.fail_after(3):
            await until(lambda: cluster.parts(1).raft.first_index > cluster.parts(slow).raft.last_index + 1)
        assert applier.inside is not None
        cluster.isolate(slow, cut=False)
        with trio.fail_after(30):
            await until(lambda: applier.machine is not machine)
        assert applier.inside is None
        assert machine.suspended
        assert rest._steps.gi_frame is None, "the rest of the entry is given up"
        assert shown(cluster, slow, b"k").startswith(b"%d/%d " % (steps, steps))
        assert await clients[slow - 1].call("SET", "after", step) == b"OK"
        await cluster.converged()

    run(scenario, slow=frozenset({3}), log_tail_bytes=0, log_follower_bytes=0)


# Asked.


@pytest.mark.parametrize("reads", ["linearizable", "lease"])
def test_nobody_sees_half_of_it(reads: str) -> None:
    """Reads through each node, at each slice, wait for the end; a WATCH sees a change, or all of it."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await clients_of(cluster)
        before = await cluster.connect(1)
        assert await before.call("WATCH", "k") == b"OK"
        found: list[Any] = []

        async def look(number: int) -> None:
            found.append(await (await cluster.connect(number)).call("GET", "k"))

        async def swap(number: int) -> None:
            client = await cluster.connect(number)
            assert await client.call("WATCH", "k") == b"OK"
            value = await client.call("GET", "k")
            assert await client.call("MULTI") == b"OK"
            await client.call("SET", f"seen{number}", value)
            found.append((await client.call("EXEC"), value)[1])

        async with trio.open_nursery() as nursery, asked(clients[0], "DEBUG", "WORK", STEPS, "k"):
            await until(lambda: all(is_inside(cluster, number) for number in ALL))
            for _ in range(STEPS - 2):
                for number in ALL:
                    nursery.start_soon(look, number)
                    nursery.start_soon(swap, number)
                assert not found
                assert await clients[1].call("PING") == b"PONG"
                await trio.sleep(SLICE_S)
        assert len(found) == 6 * (STEPS - 2)
        assert all(value.startswith(WHOLE) for value in found)
        assert await before.call("MULTI") == b"OK"
        await before.call("SET", "k", "v")
        assert await before.call("EXEC") is None
        await cluster.converged()

    run(scenario, reads=reads)


def test_a_client_of_a_slow_applier_waits_beyond_its_deadline() -> None:
    """Nothing is given up or sent again while a node is inside an entry: each write is in the log once."""
    deadline_s = 1.0

    async def scenario(cluster: SimCluster) -> None:
        clients = await clients_of(cluster)
        leader = await cluster.leader()
        term = cluster.parts(leader).raft.term
        steps = int(3 * deadline_s / SLICE_S)
        began_s = trio.current_time()
        async with asked(clients[0], "DEBUG", "WORK", steps, "k") as work:
            await until(lambda: all(is_inside(cluster, number) for number in ALL))
            async with trio.open_nursery() as nursery:
                writes, reads = [Answer() for _ in ALL], [Answer() for _ in ALL]
                for number, write, read in zip(sorted(ALL), writes, reads, strict=True):
                    nursery.start_soon(write.of, await cluster.connect(number), "INCR", "n")
                    nursery.start_soon(read.of, await cluster.connect(number), "GET", "k")
                await trio.sleep(2 * deadline_s)
                assert not any(one.is_there for one in (work, *writes, *reads))
                for number in ALL:
                    applying_ms = int(await info(await cluster.connect(number), "raft", "raft_applying_ms"))
                    assert applying_ms > 1000 * deadline_s
        assert work.reply == b"OK"
        assert work.at_s - began_s > 2 * deadline_s
        assert sorted(one.reply for one in writes) == [1, 2, 3]
        assert all(one.reply.startswith(b"%d/%d " % (steps, steps)) for one in reads)
        assert (await cluster.leader(), cluster.parts(leader).raft.term) == (leader, term)
        written = [
            item
            for batch in batches(cluster, leader)
            for item in batch.items
            if isinstance(item, Submission) and item.commands[0][0] == b"INCR"
        ]
        assert len(written) == 3, "none was sent again"
        await cluster.converged()

    run(scenario, command_deadline_ms=int(1000 * deadline_s))
