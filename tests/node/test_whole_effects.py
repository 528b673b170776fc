"""Who waits at a node for what others do misses nothing, and never looks without a reason (PROTOCOL 65)."""

import pytest
import trio

from tests.node.counting import until
from tests.node.looking import founded, others, restart
from tests.node.simcluster import SimCluster, run_cluster
from trikv.machine.effects import ALL, Place, Touched
from trikv.machine.replies import Reply
from trikv.machine.stored import stored
from trikv.node.audience import behind
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier

AWAITED = b"awaited"


class Watcher:
    """Parks at a node until a key changes, then looks at it, and parks again."""

    def __init__(self, cluster: SimCluster, number: int) -> None:
        self.parts = cluster.parts(number)
        self.applier: Applier = self.parts.applier
        self.looks = 0
        self.seen: Reply = None
        self._bell: Mailbox[None] = Mailbox()
        self._listener = self.parts.audience.admit(self._bell.wake)
        self._listener.add_key(0, AWAITED)

    async def run(self) -> None:
        """Look, and park at the place that was looked at, with time for others in between."""
        while True:
            place = self._look()
            await trio.sleep(0.003)
            if self._listener.park(place):
                await self._bell.take()

    def _look(self) -> Place:
        self.looks += 1
        applier = self.applier
        (self.seen,) = applier.machine.read(0, [(b"GET", AWAITED)])
        return behind(applier.position.index)

    def is_right(self) -> bool:
        """Whether it has seen what is there."""
        return self.applier.machine.space.databases[0].string(AWAITED) == self.seen


class Cache:
    """Keeps the versions of all keys of a node, by what it is told, in little room."""

    def __init__(self, cluster: SimCluster, number: int, room_bytes: int) -> None:
        self.parts = cluster.parts(number)
        self.applier: Applier = self.parts.applier
        self.copy: dict[bytes, int] = {}
        self.misses = 0
        self.told = 0
        self._bell: Mailbox[None] = Mailbox()
        self._listener = self.parts.audience.admit(self._bell.wake, room_bytes=room_bytes)
        self._listener.add_key(0, ALL)

    def there(self) -> dict[bytes, int]:
        """The versions that the node has."""
        buckets = self.applier.machine.space.databases[0].buckets
        return {key: stored(held).version for bucket in buckets for key, held in bucket.items()}

    async def run(self, pause_s: float) -> None:
        """Read what it is told of, no more; all of it at the start and after it has missed some."""
        self.copy = self.there()
        while True:
            news = self._listener.take()
            if news is None:
                await self._bell.take()
                await trio.sleep(pause_s)
                continue
            for effect in news.effects:
                assert isinstance(effect, Touched)
                self.told += 1
                self._read(effect.key)
            if news.missed:
                self.misses += 1
                self.copy = self.there()

    def _read(self, key: bytes | None) -> None:
        if key is None:
            self.copy = self.there()
            return
        entry = self.applier.machine.space.databases[0].find(key)
        self.copy.pop(key, None)
        if entry is not None:
            self.copy[key] = entry.version

    def is_right(self) -> bool:
        """Whether its copy is what is there."""
        return self.copy == self.there()


async def write(cluster: SimCluster, number: int, count: int) -> None:
    """A client of one node: changes of the awaited key and of others, in every way."""
    client = await cluster.connect(number)
    for step in range(count):
        await client.call("SET", AWAITED, f"{number}:{step}")
        await client.call("MSET", f"k{step % 7}", step, AWAITED, step)
        await client.call("SET", f"short{step % 5}", step, "PX", 40)
        await client.call(*("DEL", AWAITED) if step % 3 else ("FLUSHDB",))
        await client.call("APPEND", AWAITED, f"{number}")
        await trio.sleep(0.05 * (step % 4))


@pytest.mark.parametrize("seed", [1, 2])
def test_who_waits_misses_nothing_and_does_not_poll(seed: int) -> None:
    """At each node, while others write and leaders change: in the end he has seen what is there."""

    async def scenario(cluster: SimCluster) -> None:
        await founded(cluster)
        watchers = [Watcher(cluster, number) for number in (1, 2, 3)]
        caches = [Cache(cluster, number, room) for number, room in ((1, 1 << 20), (2, 500), (3, 0))]
        everybody: list[Watcher | Cache] = [*watchers, *caches]
        async with trio.open_nursery() as nursery:
            for watcher in watchers:
                nursery.start_soon(watcher.run)
            for cache in caches:
                nursery.start_soon(cache.run, 0.02)
            async with trio.open_nursery() as writing:
                for number in (1, 2, 3):
                    writing.start_soon(write, cluster, number, 12)
            await cluster.converged()
            await until(lambda: all(one.is_right() for one in everybody))
            looks = [watcher.looks for watcher in watchers]
            assert min(looks) > 10
            await trio.sleep(60)
            assert [watcher.looks for watcher in watchers] == looks, "nothing has happened"
            assert all(one.is_right() for one in everybody)
            assert (caches[0].misses, caches[0].told > 50) == (0, True)
            assert caches[1].misses
            assert caches[2].told == 0
            nursery.cancel_scope.cancel()

    run_cluster(scenario, seed=seed)


@pytest.mark.parametrize("seed", [1, 2])
def test_who_waits_at_a_node_that_a_snapshot_brings_up_looks_again(seed: int) -> None:
    """Cut off, it missed more than the log holds: its watchers hear that they have missed some."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        behind_it, writer = others(cluster, leader)
        watcher, cache = Watcher(cluster, behind_it), Cache(cluster, behind_it, 1 << 20)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watcher.run)
            nursery.start_soon(cache.run, 0.0)
            cluster.isolate(behind_it)
            for other in others(
                cluster, behind_it
            ):  # what is on its way would come later, in place of a snapshot
                cluster.world.fabric.break_all(f"node{behind_it}", f"node{other}")
            before = watcher.applier.machine
            client = await cluster.connect(writer)
            for step in range(60):
                assert await client.call("SET", f"k{step % 20}", "x" * 10_000) == b"OK"
                await trio.sleep(0.1)
            assert await client.call("SET", AWAITED, "missed") == b"OK"
            looks = watcher.looks
            cluster.isolate(behind_it, cut=False)
            await cluster.converged()
            assert watcher.applier.machine is not before, "a snapshot has replaced it"
            await until(lambda: watcher.is_right() and cache.is_right())
            assert watcher.seen == b"missed"
            assert 1 <= watcher.looks - looks <= 2  # the snapshot may be older than the last write
            misses = cache.misses
            assert misses
            await write(cluster, writer, 5)
            await cluster.converged()
            await until(lambda: watcher.is_right() and cache.is_right())
            assert cache.misses == misses
            nursery.cancel_scope.cancel()

    run_cluster(
        scenario,
        seed=seed,
        snapshot_log_bytes=64 << 10,
        log_tail_bytes=32 << 10,
        log_follower_bytes=64 << 10,
    )


def test_a_killed_nodes_successor_has_watchers_of_its_own() -> None:
    """A start replays the log before anybody can wait there; from then on nothing is missed."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        watcher = Watcher(cluster, leader)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watcher.run)
            other = others(cluster, leader)[0]
            await write(cluster, other, 3)
            await until(watcher.is_right)
            cluster.kill(leader)
            await write(cluster, other, 3)
            await restart(cluster, leader)
            fresh, cache = Watcher(cluster, leader), Cache(cluster, leader, 1 << 20)
            assert fresh.parts.audience is not watcher.parts.audience
            nursery.start_soon(fresh.run)
            nursery.start_soon(cache.run, 0.0)
            await write(cluster, other, 3)
            await cluster.converged()
            await until(lambda: fresh.is_right() and cache.is_right())
            nursery.cancel_scope.cancel()

    run_cluster(scenario)
