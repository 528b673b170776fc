"""What a node submits of its own accord: the cap, and the keys of a backup."""

from collections.abc import Callable, Iterator
from typing import cast

import attrs
import pytest
import structlog
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.node.counting import until
from tests.node.simcluster import SimCluster, run_cluster
from trikv.front.seam import Work
from trikv.machine.machine import Machine
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.stored import Stored
from trikv.node import events
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier
from trikv.node.state.own_writes import (
    BATCH_BYTES,
    KEYS_PER_SLICE,
    Command,
    load_keys,
    send_maxmemory,
    warn_of_cap,
)

UNKNOWN = CommandError("INDETERMINATE the write may or may not have happened")
DOWN = CommandError("CLUSTERDOWN no leader")


class Cluster:
    """Stands for the driver: gives each submission its outcome in turn; None, and what is left, is OK."""

    def __init__(self, *outcomes: CommandError | None, refuse: str = "") -> None:
        self.inbox: Mailbox[events.Event] = Mailbox()
        self.works: list[Work] = []
        self.barriers = 0
        self._outcomes = list(outcomes)
        self._refuse = refuse.encode()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            for event in await self.inbox.take():
                if isinstance(event, events.Barrier):
                    self.barriers += 1
                    self._answer(event.work)
                else:
                    assert isinstance(event, Work)
                    self.works.append(event)
                    self._answer(event)

    def _answer(self, work: Work) -> None:
        failure = self._outcomes.pop(0) if self._outcomes else None
        if failure is not None:
            work.failed(failure)
        else:
            work.answered([self._reply(command) for command in work.commands])

    def _reply(self, command: Command) -> Reply:
        return CommandError("OOM no room") if self._refuse and command[1] == self._refuse else OK


class KeysOf:
    """Stands for the applier: a cluster whose keys have changed so often."""

    def __init__(self, changes: int) -> None:
        self.changes = changes

    @property
    def machine(self) -> "KeysOf":
        return self

    def keys(self) -> int:
        return 0


def document(*keys: tuple[int, bytes]) -> Callable[[], Iterator[bytes]]:
    """A backup with these keys (database and key; value = key)."""
    machine = Machine()
    for db, key in keys:
        machine.space.databases[db].restore(key, Stored(key, 1, 0))
    walk = machine.walk({})
    text = b"".join(iter(lambda: walk.step(1 << 16), b""))
    return lambda: iter([text[:7], text[7:]])


def load(cluster: Cluster, opener: Callable[[], Iterator[bytes]], changes: int = 0) -> float:
    """Load a document into a cluster; the virtual seconds it took."""

    async def main() -> float:
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.run)
            await load_keys(cluster.inbox, cast("Applier", KeysOf(changes)), opener)
            nursery.cancel_scope.cancel()
        return trio.current_time() - begun

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def commands(cluster: Cluster) -> list[tuple[int, Command]]:
    """Everything that was submitted, as (database, command)."""
    return [(work.db, command) for work in cluster.works for command in work.commands]


def test_all_keys_arrive_in_their_databases() -> None:
    """After a read barrier, as SETs that leave what a client has written meanwhile."""
    cluster = Cluster()
    load(cluster, document((0, b"a"), (3, b"b"), (0, b"c")))
    assert cluster.barriers == 1
    assert sorted(commands(cluster)) == [
        (0, (b"SET", b"a", b"a", b"NX")),
        (0, (b"SET", b"c", b"c", b"NX")),
        (3, (b"SET", b"b", b"b", b"NX")),
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 15]), st.integers(1, 40_000)), max_size=12))
def test_batches_are_of_one_database_and_bounded(keys: list[tuple[int, int]]) -> None:
    """A batch ends once it is past its size; so the longest is one value longer than that."""
    cluster = Cluster()
    named = [(db, b"%d:" % number + b"x" * size) for number, (db, size) in enumerate(keys)]
    load(cluster, document(*named))
    assert sorted(commands(cluster)) == sorted((db, (b"SET", key, key, b"NX")) for db, key in named)
    for work in cluster.works:
        assert work.writes
        assert sum(sum(map(len, command[:3])) for command in work.commands[:-1]) < BATCH_BYTES


def test_unknown_outcomes_are_tried_again_until_there_is_an_answer() -> None:
    """SET with NX may be repeated; half a second between two attempts."""
    cluster = Cluster(DOWN, DOWN, None, UNKNOWN)
    took = load(cluster, document((0, b"a")))
    assert took >= 1.5
    assert cluster.barriers == 3
    assert commands(cluster) == [(0, (b"SET", b"a", b"a", b"NX"))] * 2


def test_cluster_that_has_ever_held_a_key_is_left_alone() -> None:
    """A restored cluster is not overwritten by the file it was once filled from, emptied or not."""
    cluster = Cluster()
    load(cluster, document((0, b"a")), changes=1)
    assert cluster.works == []


def test_damaged_document_loads_nothing() -> None:
    """The checksum stands at the end: it is read once before anything is submitted."""
    cluster = Cluster()
    text = b"".join(document((0, b"first"), (0, b"second"))())
    load(cluster, lambda: iter([text[: len(text) // 2]]))
    load(cluster, lambda: iter([text.replace(b"second", b"sexond", 1)]))
    assert cluster.works == []
    assert cluster.barriers == 0


def test_refused_key_ends_the_loading() -> None:
    """A cap that is too small is said once, not met again for each key that follows."""
    keys = [(0, b"%02d" % number + b"x" * 30_000) for number in range(9)]
    cluster = Cluster(refuse=keys[0][1].decode())
    load(cluster, document(*keys))
    refused_at = next(
        n for n, work in enumerate(cluster.works) if any(c[1] == keys[0][1] for c in work.commands)
    )
    assert refused_at == len(cluster.works) - 1


EMPTIED = [
    pytest.param([("FLUSHALL",)], id="FLUSHALL"),
    pytest.param([("CLEAN",)], id="CLEAN"),
    pytest.param([("DEL", "a", "b", "c")], id="DEL"),
    pytest.param([(command, key, 1) for key in "abc" for command in ("PEXPIRE",)], id="expiry"),
    pytest.param([("SELECT", 3), ("FLUSHDB",), ("SELECT", 0), ("FLUSHDB",)], id="databases"),
]


@pytest.mark.parametrize("saves", [False, True])
@pytest.mark.parametrize("how", EMPTIED)
def test_what_was_deleted_does_not_come_back(how: list[tuple[str | int, ...]], *, saves: bool) -> None:
    """A node that is always started with the file loads it once: not again when the cluster was emptied.

    However it was emptied, and whether a restart finds that in its log or in a snapshot.
    """

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        await until(lambda: cluster.parts(1).applier.machine.keys() == 3)
        for command in how:
            await client.call(*command)
        await trio.sleep(1)
        assert cluster.parts(1).applier.machine.keys() == 0
        if saves:
            await client.call("SAVE")
        cluster.nodes[1].stop()
        await until(lambda: 1 not in set(cluster.running()))
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        await trio.sleep(5)
        assert await client.call("DBSIZE") == 0
        assert await client.call("SET", "new", "v") == b"OK"

    run_cluster(scenario, count=1, document=document((0, b"a"), (0, b"b"), (0, b"c")))


def test_a_cluster_that_only_had_its_cap_set_is_filled() -> None:
    """Settings are no keys, nor are reads and refused writes: it is as new, after a restart as well."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        await client.call("CONFIG", "SET", "maxmemory", "64")
        assert str(await client.call("SET", "k", "v")).startswith("OOM")
        assert await client.call("DEL", "k") == 0
        await client.call("FLUSHALL")
        await client.call("CONFIG", "SET", "maxmemory", "1mb")
        await client.call("SAVE")
        cluster.kill(1)
        cluster.fill_from(document((0, b"a"), (5, b"b")))
        cluster.start()
        await until(lambda: cluster.parts(1) is not None and cluster.parts(1).applier.machine.keys() == 2)

    run_cluster(scenario, count=1)


async def test_a_load_that_a_stop_cuts_short_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A part of the keys is there, and a later start will not add the rest: that must be read somewhere."""
    cluster = Cluster()
    with trio.move_on_after(0.1) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load_keys, cluster.inbox, cast("Applier", KeysOf(0)), document((0, b"a")))
            while not cluster.barriers:
                for event in await cluster.inbox.take():
                    assert isinstance(event, events.Barrier)
                    cluster.barriers += 1
                    event.work.answered([])
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    told = capsys.readouterr().out
    assert "loading was cut short" in told
    assert "of=1" in told


def test_cap_is_set_once_there_is_a_leader() -> None:
    """CONFIG SET through the log, again and again until it has an outcome."""
    cluster = Cluster(DOWN, UNKNOWN)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.run)
            await send_maxmemory(cluster.inbox, 12_345)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert commands(cluster) == [(0, (b"CONFIG", b"SET", b"maxmemory", b"12345"))] * 3


def test_cap_that_is_refused_is_tried_again() -> None:
    """An error among the replies is no success either."""
    cluster = Cluster(refuse="SET")
    tries: list[float] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.run)
            with trio.move_on_after(2.2):
                await send_maxmemory(cluster.inbox, 1)
            tries.append(len(cluster.works))
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert tries == [5]


@attrs.define
class Capped:
    """Stands for the applier: what the cluster's cap is, once the log has brought its first settings."""

    maxmemory: int
    used_memory: int = 0
    feature_level: int = 1

    @property
    def machine(self) -> "Capped":
        return self


@pytest.mark.parametrize(
    ("capped", "told"),
    [
        (Capped(100, 50), []),
        (Capped(0, 50), [("the cap in force is the cluster's", {"in_force": 0, "configured": 100})]),
        (Capped(200, 50), [("the cap in force is the cluster's", {"in_force": 200, "configured": 100})]),
        (Capped(100, 101), [("the cap is below what is stored", {"cap": 100, "used": 101})]),
    ],
    ids=["as configured", "none", "another", "below the data"],
)
def test_a_cap_that_is_not_as_configured_is_told(
    capped: Capped, told: list[tuple[str, dict[str, int]]]
) -> None:
    """The log's is in force, whatever the file says; and growth is refused where it is below the data."""
    cluster = Cluster(DOWN)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.run)
            await warn_of_cap(cluster.inbox, cast("Applier", capped), 100)
            nursery.cancel_scope.cancel()

    with structlog.testing.capture_logs() as lines:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert cluster.barriers == 2, "nothing is known before a majority has answered"
    assert [line["event"].startswith(words) for line, (words, _) in zip(lines, told, strict=True)] == [
        True for _ in told
    ]
    for line, (_, figures) in zip(lines, told, strict=True):
        assert figures.items() <= line.items()


def test_a_document_of_many_keys_is_counted_in_slices() -> None:
    """The loop goes round in between: a node that is asked to load votes and answers meanwhile."""
    cluster = Cluster()
    rounds = 0

    async def go_round() -> None:
        nonlocal rounds
        while not cluster.barriers:
            rounds += 1
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_round)
            nursery.start_soon(cluster.run)
            many = document(*((0, b"key%d" % number) for number in range(4 * KEYS_PER_SLICE)))
            await load_keys(cluster.inbox, cast("Applier", KeysOf(0)), many)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert rounds >= 4
    assert len(commands(cluster)) == 4 * KEYS_PER_SLICE
