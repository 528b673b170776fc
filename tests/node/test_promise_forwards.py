"""What a node hands to its leader, and asks it: logged once, asked again at once of whoever leads now."""

from collections import Counter

import msgspec
import trio

from tests.node.looking import batches, founded, others, restart, until
from tests.node.puppet import Puppet, possess
from tests.node.simcluster import SimCluster, run_cluster
from trikv.machine.batch import Batch, Hello, Item, Submission
from trikv.protocol.messages import (
    Forward,
    ForwardRejected,
    ReadRejected,
    ReadRequest,
)
from trikv.raft.types import Entry, EntryKind, ReadId

TERM = 100
QUICK_S = 0.2
"""Within this what is asked again comes again: no timer of half a second was waited for."""


def items_of(forward: Forward) -> list[Item]:
    """What a follower wants to have proposed."""
    return [msgspec.msgpack.decode(item, type=Item) for item in forward.items]


class Court:
    """Node 3, whose leaders are puppets of nodes 1 and 2: the first leads."""

    def __init__(self, cluster: SimCluster, one: Puppet, two: Puppet) -> None:
        self.cluster = cluster
        self.one = one
        self.two = two

    def append(self, *items: bytes) -> None:
        """The first puppet's next entry, committed."""
        raft = self.cluster.parts(3).raft
        index = raft.last_index + 1
        clock = self.cluster.world.machine("node1").clock
        payload = msgspec.msgpack.encode((clock.wall_ms(), 0, [msgspec.Raw(item) for item in items]))
        msgspec.msgpack.decode(payload, type=Batch)
        self.one.append(3, Entry(index, self.one.term, EntryKind.BATCH, payload), commit=index)

    async def open(self) -> None:
        """Let node 3's life begin: what it hands over from now on are clients' writes."""
        forward = await self.one.hear(Forward, 3)
        self.append(*forward.items)
        await until(lambda: self.cluster.parts(3).proposals.is_open)
        self.one.forget()


async def court(cluster: SimCluster, *, term: int = TERM) -> Court:
    """A founded cluster of which only node 3 is left, in a fresh life."""
    await founded(cluster, 1)
    one, two = (possess(cluster, number) for number in (1, 2))
    one.takes = two.takes = False
    cluster.kill(3)
    await restart(cluster, 3)
    await one.welcomed(3)
    await two.welcomed(3)
    one.forget()
    await one.lead(3, term)
    return Court(cluster, one, two)


def test_what_a_follower_hands_over_stands_in_the_log_once() -> None:
    """Where nothing is lost nothing comes twice: neither at once nor after the time that means a loss."""

    async def scenario(cluster: SimCluster) -> None:
        leader = await founded(cluster)
        client = await cluster.connect(1)
        for number in (1, 2, 3):
            client = await cluster.connect(number)
            for _ in range(10):
                assert isinstance(await client.call("INCR", "n"), int)
        await trio.sleep(3)
        items = [item for batch in batches(cluster, leader) for item in batch.items]
        counted = Counter((i.origin, i.incarnation, i.sequence) for i in items if isinstance(i, Submission))
        assert counted
        assert max(counted.values()) == 1
        assert max(Counter(i.origin for i in items if isinstance(i, Hello)).values()) == 1
        assert await client.call("GET", "n") == b"30"

    run_cluster(scenario)


def test_what_is_logged_twice_applies_once() -> None:
    """By an old leader and a new one, or over a link that came back: one reply, one effect, none left out."""

    async def scenario(cluster: SimCluster) -> None:
        three = await court(cluster)
        await three.open()
        three.one.reads_at = 0
        client = await cluster.connect(3)
        async with trio.open_nursery() as nursery:
            replies: list[object] = []

            async def increment() -> None:
                replies.append(await client.call("INCR", "n"))

            nursery.start_soon(increment)
            forward = await three.one.hear(Forward, 3)
            three.append(*forward.items, *forward.items)
            await until(lambda: cluster.parts(3).applier.position.index == cluster.parts(3).raft.last_index)
            three.append(*forward.items)
        assert replies == [1]
        assert await client.call("GET", "n") == b"1"

    run_cluster(scenario)


def test_a_gap_makes_it_hand_over_again_from_the_oldest() -> None:
    """The leader got the second and not the first: neither applies before both have come in order."""

    async def scenario(cluster: SimCluster) -> None:
        three = await court(cluster)
        await three.open()
        replies: list[tuple[str, int]] = []

        async def append(text: str) -> None:
            client = await cluster.connect(3)
            replies.append((text, await client.call("APPEND", "k", text)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(append, "a")
            lost = await three.one.hear(Forward, 3)
            three.one.forget()
            nursery.start_soon(append, "b")
            second = await three.one.hear(Forward, 3)
            three.one.forget()
            three.append(*second.items)
            again = await three.one.hear(Forward, 3, within_s=QUICK_S)
            assert again.items == lost.items + second.items
            three.append(*again.items)
        assert sorted(replies) == [("a", 1), ("b", 2)]

    run_cluster(scenario)


def test_a_refusal_makes_it_hand_over_again_soon() -> None:
    """The leader hands over, or leads no more: it is asked again in tens of milliseconds, not in hundreds."""

    async def scenario(cluster: SimCluster) -> None:
        three = await court(cluster)
        await three.open()
        await (await cluster.connect(3)).send("INCR", "n")
        first = await three.one.hear(Forward, 3)
        for _ in range(3):
            three.one.forget()
            three.one.say(3, ForwardRejected(TERM, None))
            assert await three.one.hear(Forward, 3, within_s=QUICK_S) == first

    run_cluster(scenario)


def test_a_new_leader_is_asked_at_once() -> None:
    """With what waits, writes and reads: no timer runs out before, and a question gets a new name."""

    async def scenario(cluster: SimCluster) -> None:
        three = await court(cluster)
        await three.open()
        await (await cluster.connect(3)).send("INCR", "n")
        await (await cluster.connect(3)).send("GET", "n")
        written, asked = await three.one.hear(Forward, 3), await three.one.hear(ReadRequest, 3)
        three.one.led = None
        await three.two.lead(3, TERM + 1)
        assert await three.two.hear(Forward, 3, within_s=QUICK_S) == written
        again = await three.two.hear(ReadRequest, 3, within_s=QUICK_S)
        assert not set(again.reads) & set(asked.reads)

    run_cluster(scenario)


def test_who_does_not_lead_says_so_once() -> None:
    """A forward is refused and forgotten: it is neither kept for a later term nor refused again and again."""

    async def scenario(cluster: SimCluster) -> None:
        three = await court(cluster)
        await three.open()
        three.two.forget()
        item = msgspec.msgpack.encode(Submission(2, 1, 1, 0, ((b"INCR", b"n"),)))
        read = ReadId(2, 7, 1)
        three.two.say(3, Forward((item,)))
        three.two.say(3, ReadRequest((read,)))
        await trio.sleep(2)
        assert three.two.heard(ForwardRejected, 3) == [ForwardRejected(TERM, 1)]
        assert three.two.heard(ReadRejected, 3) == [ReadRejected((read,))]
        three.one.takes = three.two.takes = True
        three.one.resign()
        await until(lambda: cluster.parts(3).raft.leader == 3)
        await trio.sleep(1)
        assert item not in [
            msgspec.msgpack.encode(found) for batch in batches(cluster, 3) for found in batch.items
        ]

    run_cluster(scenario)


def test_a_new_life_is_told_from_the_last_one() -> None:
    """By its Hello's nonce and its questions' names: what was said to the last life is not meant for it."""

    async def scenario(cluster: SimCluster) -> None:
        three = await court(cluster)
        hellos: list[Item] = []
        questions: list[ReadId] = []
        for _ in range(2):
            hellos += items_of(await three.one.hear(Forward, 3))
            await (await cluster.connect(3)).send("GET", "n")
            questions += (await three.one.hear(ReadRequest, 3)).reads
            cluster.kill(3)
            three.one.forget()
            await restart(cluster, 3)
            await three.one.welcomed(3)
        first, second = (hello for hello in hellos if isinstance(hello, Hello))
        assert (first.origin, second.origin) == (3, 3)
        assert first.nonce != second.nonce
        assert len(set(questions)) == len(questions)
        assert len({question.life for question in questions}) == 2

    run_cluster(scenario)


def test_a_hello_of_an_earlier_life_opens_nothing() -> None:
    """The last life may have sent one that the log brings by only now: writes wait for their own."""

    async def scenario(cluster: SimCluster) -> None:
        three = await court(cluster)
        late = await three.one.hear(Forward, 3)
        cluster.kill(3)
        three.one.forget()
        await restart(cluster, 3)
        await three.one.welcomed(3)
        await until(lambda: cluster.parts(3).raft.leader == 1)
        own = await three.one.hear(Forward, 3)
        three.one.forget()
        await (await cluster.connect(3)).send("INCR", "n")
        three.append(*late.items)
        await trio.sleep(0.3)
        assert not any(isinstance(item, Submission) for f in three.one.heard(Forward) for item in items_of(f))
        three.append(*own.items)

        def submissions() -> list[Submission]:
            items = [item for forward in three.one.heard(Forward) for item in items_of(forward)]
            return [item for item in items if isinstance(item, Submission)]

        with trio.fail_after(1):
            await until(submissions)
        assert submissions()[0].incarnation == cluster.parts(3).raft.last_index

    run_cluster(scenario)


def test_a_leader_that_is_left_leaves_its_forwards_to_the_next() -> None:
    """Clients of both followers see one reply each, and each increment once, whoever leads meanwhile."""

    async def scenario(cluster: SimCluster) -> None:
        old = await founded(cluster)
        clients = [await cluster.connect(number) for number in others(cluster, old)]
        cluster.isolate(old)
        replies: list[int] = []

        async def increment(number: int) -> None:
            replies.extend([await clients[number].call("INCR", "n") for _ in range(5)])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(increment, 0)
            nursery.start_soon(increment, 1)
            await trio.sleep(2)
            cluster.isolate(old, cut=False)
        assert sorted(replies) == list(range(1, 11))
        await cluster.converged()

    run_cluster(scenario)
