"""How a node becomes a member of a cluster: a blank disk founds one or is adopted; another names its cluster.

The decisions are in `trikv.node.peers.founding` and `trikv.node.configuration_check`, which are pure. This
module waits: for the other nodes, which may be started hours later, or for the stop.
"""

import structlog
import trio

from trikv.config import ConfigError
from trikv.front.seam import Work
from trikv.node.assembly import Groundwork
from trikv.node.configuration_check import contradiction, latest_membership
from trikv.node.events import Event, LinkDown, PeerSaid
from trikv.node.peers.founding import Adopt, Found, Founding, standing
from trikv.node.peers.links import Links
from trikv.node.service import NOT_A_MEMBER
from trikv.node.settings import NodeSettings
from trikv.node.state.opening import OpenedLog, create_log
from trikv.protocol.handshake import BLANK_CLUSTER
from trikv.protocol.messages import BootstrapRecord, DiskStanding
from trikv.storage.identity import DiskIdentity

STANDING_INTERVAL_S = 0.5
"""How often a blank disk tells its peers: bounds how long founding waits after a link has come up."""

log = structlog.get_logger()


async def refuse_other_peers(opened: OpenedLog, settings: NodeSettings) -> None:
    """Close the log and raise ConfigError if its cluster is not the configured one."""
    configured = settings.configured
    membership = latest_membership(opened.base.membership, opened.entries)
    if (wrong := contradiction(settings.node_id, configured, membership)) is not None:
        await opened.wal.close()
        raise ConfigError(wrong)
    strange = sorted(configured.keys() - {member.id for member in membership.members})
    if membership.members and strange:
        log.warning("no members of this cluster yet: they hold no copy until they join", peers=strange)


class Joining:
    """The state of a blank disk that waits for the other nodes."""

    def __init__(self, ground: Groundwork, disk: DiskIdentity, links: Links, stop: trio.Event) -> None:
        self._ground = ground
        self._disk = disk
        self._links = links
        self._stop = stop
        settings = ground.settings
        self._founding = Founding(settings.node_id, disk.disk, settings.own_address, links.addresses)

    async def become_member(self) -> OpenedLog | None:
        """Found a cluster with the other nodes or be adopted by one; None if stopped meanwhile."""
        async with trio.open_nursery() as telling:
            telling.start_soon(self._tell_standing)
            adopt = await self._wait_for_cluster()
            telling.cancel_scope.cancel()
        if adopt is None:
            return None
        ground = self._ground
        opened = await create_log(ground.host, self._disk, ground.settings.wal, adopt)
        log.info("joined a cluster", cluster=adopt.cluster.hex(), voter=bool(adopt.membership.members))
        return opened

    async def wake_on_stop(self) -> None:
        """Wake `become_member` at a stop: it waits at the inbox, where a stop puts nothing. Run it beside."""
        await self._stop.wait()
        self._ground.inbox.wake()

    async def _tell_standing(self) -> None:
        """Tell the peers repeatedly that this disk is blank: a peer may have had no link for its answer."""
        links, ground = self._links, self._ground
        while True:
            configured = [ground.settings.node_id, *links.peers()]
            for peer in links.peers():
                links.send(
                    peer,
                    standing(
                        blank=True,
                        cluster=BLANK_CLUSTER,
                        configured=configured,
                        password=ground.guard.mark,
                    ),
                )
            await trio.sleep(STANDING_INTERVAL_S)

    async def _wait_for_cluster(self) -> Adopt | None:
        if (found := self._founding.decide()) is not None:
            return self._adopt(found)
        log.info("this disk is blank: waiting for the other nodes", peers=self._links.peers())
        while not self._stop.is_set():
            adopt = None
            # All of them, even if the first is enough: a client's command among them must be answered.
            for event in await self._ground.inbox.take():
                adopt = self._hear(event) or adopt
            if adopt is not None:
                return adopt
        return None

    def _hear(self, event: Event) -> Adopt | None:
        match event:
            case Work():
                event.failed(NOT_A_MEMBER)
            case LinkDown(peer=peer):
                self._founding.lost(peer)
            case PeerSaid(peer=peer, disk=disk, message=DiskStanding() as message):
                self._ground.guard.heard(peer, message.password)
                found = self._founding.heard(peer, disk, message)
                if found is not None:
                    return self._adopt(found)
            case PeerSaid(message=BootstrapRecord() as record):
                return self._founding.handed(record)
            case _:
                pass  # Raft's messages are for members, and this node is none yet
        return None

    def _adopt(self, found: Found) -> Adopt:
        """Adopt the cluster that this node founds, with a new id unless it already has one."""
        return Adopt(self._ground.host.entropy.bytes(16), found.membership, found.feature_level)
