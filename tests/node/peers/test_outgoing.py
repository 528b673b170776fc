"""One dialled connection: what it does while the network takes less than it is given (PROTOCOL 15)."""

import pytest
import trio

from tests.node.peers.two_ends import MESSAGES, two_ends
from trikv.host.seam import PeerStream
from trikv.protocol.handshake import Established
from trikv.sim.determinism import simulate


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
