"""What a link does while the network takes less than it is given (PROTOCOL 15)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from trikv.node.events import Event, LinkUp, PeerSaid
from trikv.node.mailbox import Mailbox
from trikv.node.peers.links import Identity, Links
from trikv.protocol.frames import DEFAULT_LIMITS
from trikv.protocol.messages import Forward, PeerMessage
from trikv.sim.determinism import simulate
from trikv.sim.world import SimWorld

MESSAGES = [Forward((b"%d" % number * 20_000,)) for number in range(10)]
"""Together three times what the network holds of a connection."""


class Ends:
    """The links of two nodes, one to the other, and what came of them."""

    def __init__(self, world: SimWorld) -> None:
        self.world = world
        self.inboxes = {number: Mailbox[Event]() for number in (1, 2)}
        self.links = {
            number: Links(
                world.machine(f"node{number}").boot(),
                Identity(number, b"%d" % number * 16, b"the cluster     "),
                b"secret",
                {3 - number: f"node{3 - number}:9"},
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

    async def hear(self, count: int) -> list[PeerMessage]:
        """The next messages that the second node hears."""
        heard: list[PeerMessage] = []
        with trio.fail_after(5):
            while len(heard) < count:
                events = await self.inboxes[2].take()
                heard += [event.message for event in events if isinstance(event, PeerSaid)]
        return heard


@asynccontextmanager
async def two_ends() -> AsyncIterator[Ends]:
    """Both nodes, linked."""
    ends = Ends(SimWorld(1))
    async with trio.open_nursery() as nursery:
        for number, links in ends.links.items():
            await nursery.start(links.run, (f"node{number}:9",), 64)
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
            assert ends.links[1].statistics().queued_bytes
            ends.world.fabric.heal_all()
            assert await ends.hear(len(MESSAGES)) == MESSAGES
            assert not ends.links[1].statistics().queued_bytes

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
