"""What a link does while the network takes less than it is given, and as peers come and go (PROTOCOL 15)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from trikv.host.seam import PeerStream
from trikv.node.events import Event, LinkDown, LinkUp, PeerSaid
from trikv.node.mailbox import Mailbox
from trikv.node.peers.links import Identity, Links
from trikv.protocol.frames import DEFAULT_LIMITS
from trikv.protocol.messages import Forward, PeerMessage
from trikv.protocol.peer import Established
from trikv.sim.determinism import simulate
from trikv.sim.world import SimWorld

MESSAGES = [Forward((b"%d" % number * 20_000,)) for number in range(10)]
"""Together three times what the network holds of a connection."""


class Ends:
    """The links of two nodes, one to the other, and what came of them."""

    def __init__(self, world: SimWorld, *, linked: bool) -> None:
        """Not `linked`: the first node has no peers yet."""
        self.world = world
        self.inboxes = {number: Mailbox[Event]() for number in (1, 2)}
        self.links = {
            number: Links(
                world.machine(f"node{number}").boot(),
                Identity(number, b"%d" % number * 16, b"the cluster     "),
                b"secret",
                {3 - number: f"node{3 - number}:9"} if linked or number == 2 else {},
                self.inboxes[number],
                DEFAULT_LIMITS,
            )
            for number in (1, 2)
        }

    async def wait_up(self) -> None:
        """Until the first node's link stands."""
        with trio.fail_after(5):
            while not any(isinstance(event, LinkUp) for event in await self.inboxes[1].take()):
                pass

    def changes(self) -> list[str]:
        """What the first node's driver hears of its own link since it was last asked."""
        events = self.inboxes[1].take_at_once()
        kinds = {LinkUp: "up", LinkDown: "down"}
        return [kinds[type(event)] for event in events if isinstance(event, LinkUp | LinkDown)]

    async def hear(self, count: int) -> list[PeerMessage]:
        """The next messages that the second node hears."""
        heard: list[PeerMessage] = []
        with trio.fail_after(5):
            while len(heard) < count:
                events = await self.inboxes[2].take()
                heard += [event.message for event in events if isinstance(event, PeerSaid)]
        return heard


@asynccontextmanager
async def two_ends(*, linked: bool = True) -> AsyncIterator[Ends]:
    """Both nodes; the first has a link to the second, or has no peers yet."""
    ends = Ends(SimWorld(1), linked=linked)
    async with trio.open_nursery() as nursery:
        for number, links in ends.links.items():
            await nursery.start(links.run, (f"node{number}:9",), 64)
        if linked:
            await ends.wait_up()
        yield ends
        nursery.cancel_scope.cancel()


def test_what_the_kernel_does_not_take_leaves_later_and_in_order() -> None:
    """A cable that holds everything back loses nothing and doubles nothing once it is whole again."""

    async def main() -> None:
        async with two_ends() as ends:
            ends.world.fabric.cut("node1", "node2")
            for message in MESSAGES:
                assert ends.links[1].send(2, message)
                await trio.sleep(0.01)
            assert ends.links[1].queued_bytes()
            ends.world.fabric.heal_all()
            assert await ends.hear(len(MESSAGES)) == MESSAGES
            assert not ends.links[1].queued_bytes()

    simulate(1, main)


def test_a_new_link_owes_nothing_of_the_last_one() -> None:
    """What had not left when a connection broke is lost with it; the next one begins with a whole message."""

    async def main() -> None:
        async with two_ends() as ends:
            ends.world.fabric.cut("node1", "node2")
            for message in MESSAGES:
                ends.links[1].send(2, message)
            ends.world.fabric.break_all("node1", "node2")
            ends.world.fabric.heal_all()
            await ends.wait_up()
            assert ends.links[1].send(2, MESSAGES[-1])
            assert await ends.hear(1) == [MESSAGES[-1]]

    simulate(1, main)


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
            assert links.queued_bytes()
            links.remove(2)
            assert (ends.changes(), links.queued_bytes()) == (["down"], 0)
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


def test_a_link_that_was_made_for_nobody_is_never_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its peer was removed after the dial's last wait, when nothing could stop it any more."""

    async def main() -> None:
        async with two_ends(linked=False) as ends:
            links, made = ends.links[1], list[PeerStream]()
            dial = links.dial

            async def dial_too_late(peer: int, address: str) -> tuple[PeerStream, Established]:
                made.append((found := await dial(peer, address))[0])
                links.remove(peer)
                return found

            monkeypatch.setattr(links, "dial", dial_too_late)
            links.add(2, "node2:9")
            await trio.sleep(2)
            assert (len(made), ends.changes()) == (1, [])
            with pytest.raises(trio.ClosedResourceError):
                await made[0].send_all(b"x")

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
