"""Links to peers that come and go while others are at it (PROTOCOL 15)."""

import trio

from tests.node.peers.two_ends import MESSAGES, Ends, two_ends
from trikv.node.events import LinkDown, LinkUp
from trikv.sim.determinism import simulate
from trikv.sim.world import SimWorld


def test_a_peer_may_be_added_at_any_time() -> None:
    """It is dialled like those that were there at the start, and known among them in order."""

    async def main() -> None:
        async with two_ends(linked=False) as ends:
            links = ends.links[1]
            assert (links.peers(), links.send(2, MESSAGES[0])) == ([], False)
            links.add(3, "node3:9")
            links.add(2, "node2:9")
            assert (links.peers(), links.address_of(2)) == ([2, 3], "node2:9")
            await ends.wait_up()
            assert links.send(2, MESSAGES[0])
            assert await ends.hear(1) == MESSAGES[:1]
            links.add(2, "node2:9")
            await trio.sleep(1)
            assert ends.changes() == [], "to say it again changes nothing"

    simulate(1, main)


def test_a_peer_that_is_removed_is_gone_at_once() -> None:
    """Nothing is sent, the driver hears once that the link is down, and what the peer dialled ends, too."""

    async def main() -> None:
        async with two_ends() as ends:
            links = ends.links[1]
            await trio.sleep(1)
            ends.inboxes[2].take_at_once()
            links.remove(2)
            assert (links.peers(), links.is_up(2), links.send(2, MESSAGES[0])) == ([], False, False)
            assert ends.changes() == ["down"]
            links.remove(2)
            await trio.sleep(5)
            assert ends.changes() == []
            assert not links.is_up(2)
            heard = [type(event) for event in ends.inboxes[2].take_at_once()]
            assert heard[:2] == [LinkDown, LinkUp], "it may connect again, as nobody's peer"

    simulate(1, main)


def test_a_peer_may_be_removed_while_a_send_is_under_way() -> None:
    """What had not left is lost; a link to it that is made later owes nothing of that."""

    async def main() -> None:
        async with two_ends() as ends:
            links = ends.links[1]
            ends.world.fabric.cut("node1", "node2")
            for message in MESSAGES:
                links.send(2, message)
            await trio.sleep(0.1)
            assert links.statistics().queued_bytes
            links.remove(2)
            assert (ends.changes(), links.statistics().queued_bytes) == (["down"], 0)
            ends.world.fabric.heal_all()
            await trio.sleep(2)
            links.add(2, "node2:9")
            await ends.wait_up()
            ends.inboxes[2].take_at_once()  # what the network held when it was cut may have come
            assert links.send(2, MESSAGES[-1])
            assert await ends.hear(1) == [MESSAGES[-1]]

    simulate(1, main)


def test_a_peer_may_be_removed_while_nobody_answers_its_dial() -> None:
    """In the dial itself or in the pause behind it: nothing comes of it any more."""

    async def main() -> None:
        async with two_ends(linked=False) as ends:
            links = ends.links[1]
            ends.world.fabric.cut("node1", "node2")
            for wait_s in (0.001, 1.0, 7.0):
                links.add(2, "node2:9")
                await trio.sleep(wait_s)
                links.remove(2)
            links.add(3, "node3:9")  # where nobody listens: it is in its pause nearly always
            await trio.sleep(3)
            links.remove(3)
            ends.world.fabric.heal_all()
            await trio.sleep(10)
            assert ends.changes() == []

    simulate(1, main)


def test_a_peer_may_be_removed_at_any_step_of_its_link() -> None:
    """Whatever is under way, the driver hears of as many ends as beginnings, and the last is an end."""

    async def main() -> None:
        async with two_ends(linked=False) as ends:
            links, seen = ends.links[1], set()
            for step in range(120):
                links.add(2, "node2:9")
                await trio.sleep(step * 0.0001)
                for _ in range(step % 5):
                    await trio.lowlevel.checkpoint()
                links.remove(2)
                assert not links.is_up(2)
                changes = ends.changes()
                assert changes in ([], ["up", "down"])
                seen.add(len(changes))
                await trio.sleep(0.5)
                assert ends.changes() == []
            assert seen == {0, 2}, "before the link stood, and after"

    simulate(1, main)


def test_a_peer_that_moves_is_dialled_where_it_is() -> None:
    """The old link ends before the new one begins, also if both happen at once."""

    async def main() -> None:
        async with two_ends() as ends:
            links = ends.links[1]
            links.remove(2)
            links.add(2, "node2:9")
            await ends.wait_up()
            assert links.is_up(2)
            ends.changes()
            links.add(2, "node3:9")
            assert (links.address_of(2), links.is_up(2), ends.changes()) == ("node3:9", False, ["down"])
            await trio.sleep(1)
            links.add(2, "node2:9")
            await trio.sleep(1)
            assert ends.changes() == ["up"]

    simulate(1, main)


def test_a_peer_may_be_added_before_the_links_run() -> None:
    """And removed again: only who is there then is dialled."""

    async def main() -> None:
        ends = Ends(SimWorld(1), linked=False)
        links = ends.links[1]
        links.add(2, "node2:9")
        links.add(3, "node3:9")
        links.remove(3)
        async with trio.open_nursery() as nursery:
            for number in (1, 2):
                await nursery.start(ends.links[number].run, (f"node{number}:9",), 64)
            await ends.wait_up()
            assert (links.peers(), links.is_up(2)) == ([2], True)
            nursery.cancel_scope.cancel()

    simulate(1, main)
