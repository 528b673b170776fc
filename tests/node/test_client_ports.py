"""A node's clients: how many there may be, and that counters are sampled while nobody asks."""

import attrs
import structlog
import trio

from tests.node.driver_rig import CONFIG, DeskHost
from tests.node.simcluster import SimCluster, run_cluster
from trikv.host.endings import LINGERING_MAX
from trikv.host.seam import Descriptors
from trikv.node.client_ports import share_descriptors
from trikv.node.descriptors import CLIENTS_MAX, share
from trikv.node.settings import NodeSettings


class SmallHost(DeskHost):
    """A process that may have few descriptors."""

    def descriptors(self) -> Descriptors:
        """256, of which a few are open."""
        return Descriptors(256, 9)


def test_maxclients_is_lowered_to_what_there_is() -> None:
    """And told once; CONFIG SET may not raise it beyond that."""
    settings = NodeSettings.of(attrs.evolve(CONFIG, maxclients=1000))
    host = SmallHost()
    with structlog.testing.capture_logs() as lines:
        shares = share_descriptors(host, settings)
    assert host.network.lingering.most == shares.lingering_max < LINGERING_MAX
    assert settings.runtime.maxclients == settings.runtime.clients_max == shares.clients_max < 1000
    assert [(line["asked"], line["in_force"]) for line in lines] == [(1000, shares.clients_max)]


def test_fewer_than_there_is_room_for_stay_as_they_are() -> None:
    """Nothing is told."""
    settings = NodeSettings.of(attrs.evolve(CONFIG, maxclients=20))
    with structlog.testing.capture_logs() as lines:
        share_descriptors(SmallHost(), settings)
    assert (settings.runtime.maxclients, lines) == (20, [])
    share_descriptors(DeskHost(), settings)
    assert settings.runtime.clients_max == CLIENTS_MAX


def test_every_listening_socket_is_reckoned_with() -> None:
    """Peers' sockets only if there are peers, and twice: one connection may wait at each address."""
    there = Descriptors(256, 9)
    three = NodeSettings.of(attrs.evolve(CONFIG, listen=("127.0.0.1", "::1")))
    assert share_descriptors(SmallHost(), three) == share(there, peers=2, listeners=2 + 2 * 2)
    alone = NodeSettings.of(attrs.evolve(CONFIG, peers={}, unix_socket="/run/t.sock"))
    assert share_descriptors(SmallHost(), alone) == share(there, peers=0, listeners=2)


def test_silent_clients_go_and_counters_are_sampled() -> None:
    """Both while the node waits for the others, too."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1)
        client = await cluster.connect(1)
        assert await client.call("PING") == b"PONG"
        await trio.sleep(4)
        assert len(cluster.nodes[1]._ground.counters._samples) >= 2
        with trio.fail_after(5):
            assert await client.stream.receive_some(1) == b""

    run_cluster(scenario, timeout_s=3)
