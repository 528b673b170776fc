"""Filling a new cluster: each key arrives once, and what clients write meanwhile stays."""

from collections.abc import Callable, Iterator
from typing import cast

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.node.counting import until
from tests.node.simcluster import SimCluster, run_cluster
from tests.node.state.submitting import DOWN, UNKNOWN, Cluster, commands
from trikv.machine.machine import Machine
from trikv.machine.stored import Stored
from trikv.node import events
from trikv.node.state.applier import Applier
from trikv.node.state.loading import BATCH_BYTES, KEY_BYTES, SLICE_BYTES, load_keys


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
            many = document(*((0, b"key%d" % number) for number in range(count)))
            await load_keys(cluster.inbox, cast("Applier", KeysOf(0)), many)
            nursery.cancel_scope.cancel()

    count = 4 * SLICE_BYTES // KEY_BYTES
    trio.run(main)
    assert rounds >= 4
    assert len(commands(cluster)) == count
