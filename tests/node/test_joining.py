"""How a node comes to belong to a cluster, from a blank disk or from one that has a log."""

import attrs
import pytest
import structlog
import trio

from tests.node.driver_rig import CONFIG, DeskHost, DeskLinks, at_once, founded_log
from tests.raft.cluster import disk_of, membership_of
from trikv.config import ConfigError
from trikv.front.seam import Work
from trikv.machine.replies import CommandError
from trikv.node.assembly import Groundwork, Ports, lay_groundwork
from trikv.node.events import LinkDown, LinkUp, PeerSaid
from trikv.node.joining import Joining, refuse_other_peers
from trikv.node.peers.founding import standing
from trikv.node.peers.links import Identity
from trikv.node.service import NOT_A_MEMBER
from trikv.node.settings import NodeSettings
from trikv.protocol.handshake import BLANK_CLUSTER
from trikv.protocol.messages import BootstrapRecord, DiskStanding, Drained
from trikv.storage.errors import WalDead
from trikv.storage.identity import DiskIdentity

IDS = (1, 2, 3)


class Blank:
    """Node 1 of three with a blank disk; its peers are the test's."""

    def __init__(self) -> None:
        self.ground: Groundwork = lay_groundwork(
            CONFIG, DeskHost(), b"secret", stop=lambda: None, ports=Ports(links=DeskLinks)
        )
        links = self.ground.make_links(Identity(1, disk_of(1)))
        assert isinstance(links, DeskLinks)
        self.links = links
        self.stop = trio.Event()
        self.joining = Joining(self.ground, DiskIdentity(1, disk_of(1), None), links, self.stop)

    def hear(self, peer: int, message: DiskStanding | BootstrapRecord | Drained) -> None:
        """A peer says something."""
        self.ground.inbox.put(PeerSaid(peer, disk_of(peer), message))

    def is_blank(self, peer: int) -> None:
        """A peer's disk is blank, too."""
        mark = self.ground.guard.mark
        self.hear(peer, standing(blank=True, cluster=BLANK_CLUSTER, configured=IDS, password=mark))


async def test_the_first_node_founds_when_all_are_blank() -> None:
    """And not before: it says so again and again meanwhile. All are voters then."""
    blank = Blank()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blank.joining.wake_on_stop)
        with trio.move_on_after(0.02):
            await blank.joining.become_member()
        assert {peer for peer, _ in blank.links.take(DiskStanding)} == {2, 3}
        blank.is_blank(2)
        blank.is_blank(3)
        opened = await blank.joining.become_member()
        nursery.cancel_scope.cancel()
    assert opened is not None
    assert [(member.id, member.disk) for member in opened.base.membership.members] == [
        (number, disk_of(number)) for number in IDS
    ]


async def test_a_lost_link_takes_back_what_was_said() -> None:
    """A disk that was blank may be none when it comes again."""
    blank = Blank()
    blank.is_blank(2)
    blank.ground.inbox.put(LinkUp(2, disk_of(2)))
    blank.ground.inbox.put(LinkDown(2))
    blank.is_blank(3)
    with trio.move_on_after(0.02):
        await blank.joining.become_member()
        raise AssertionError("one of them is not known to be blank")


async def test_a_record_that_is_handed_over_is_adopted_and_clients_are_answered() -> None:
    """Everything that came with it is looked at: no client's command is left without an answer."""
    blank, told = Blank(), list[CommandError]()
    cluster = b"c" * 16
    blank.hear(2, Drained())  # meant for members
    blank.hear(2, BootstrapRecord(cluster, membership_of(*IDS), 1))
    blank.ground.inbox.put(Work(0, ((b"PING",),), (), False, lambda _: None, told.append))
    opened = await blank.joining.become_member()
    assert opened is not None
    assert (opened.cluster, told) == (cluster, [NOT_A_MEMBER])


async def test_a_stop_ends_the_wait() -> None:
    """Nobody else wakes who waits for the others."""
    blank = Blank()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blank.joining.wake_on_stop)
        nursery.start_soon(_stop, blank.stop)
        assert await blank.joining.become_member() is None


async def _stop(event: trio.Event) -> None:
    event.set()


async def test_a_node_alone_founds_at_once() -> None:
    """It waits for nobody."""
    config = attrs.evolve(CONFIG, peers={})
    ground = lay_groundwork(config, DeskHost(), b"", stop=lambda: None)
    links = ground.make_links(Identity(1, disk_of(1)))
    opened = await Joining(ground, DiskIdentity(1, disk_of(1), None), links, trio.Event()).become_member()
    assert opened is not None
    assert [member.id for member in opened.base.membership.members] == [1]


def test_the_log_of_another_cluster_is_closed_and_refused() -> None:
    """Whoever corrects the configuration finds nothing held open."""
    log = founded_log(DeskHost().disk)
    with pytest.raises(ConfigError, match="peers: names nodes 1, 4"):
        at_once(refuse_other_peers(log, _settings({1: "one:1", 4: "four:4"})))
    with pytest.raises(WalDead):
        at_once(log.wal.write([]))


def test_peers_that_are_no_members_are_told() -> None:
    """They may join later; until then they hold no copy."""
    log = founded_log(DeskHost().disk)
    configured = {number: f"node{number}:1" for number in (*IDS, 9)}
    with structlog.testing.capture_logs() as lines:
        at_once(refuse_other_peers(log, _settings(configured)))
        at_once(refuse_other_peers(log, _settings({number: f"node{number}:1" for number in IDS})))
    assert [line.get("peers") for line in lines] == [[9]]


def _settings(peers: dict[int, str]) -> NodeSettings:
    return NodeSettings.of(attrs.evolve(CONFIG, peers=peers))
