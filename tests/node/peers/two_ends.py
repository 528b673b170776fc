"""Two nodes' links in a simulated network, and what their drivers hear of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from trikv.node.events import Event, LinkDown, LinkUp, PeerSaid
from trikv.node.mailbox import Mailbox
from trikv.node.peers.links import Identity, Links
from trikv.protocol.frames import DEFAULT_LIMITS
from trikv.protocol.messages import Forward, PeerMessage
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
