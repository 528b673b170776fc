"""A node's clients: their greatest number, the addresses that serve them, and the sweep of idle ones."""

from functools import partial

import structlog
import trio

from trikv.front.conversation import Conversation
from trikv.host.seam import Host, Listening
from trikv.host.wire import Conversation as Conversing
from trikv.host.wire import Wire
from trikv.node.assembly import Groundwork
from trikv.node.descriptors import Shares, share
from trikv.node.settings import NodeSettings

log = structlog.get_logger()


def share_descriptors(host: Host, settings: NodeSettings) -> Shares:
    """Divide the process's limit, and lower `maxclients` and `Network.lingering` to their shares.

    Call it before anybody connects: the descriptors of connections would count as the node's own needs.
    Raises TooFewDescriptors.
    """
    runtime, listeners = settings.runtime, len(settings.client_addresses)
    if settings.configured:  # each address beyond the first needs room for one more connection of a peer
        listeners += 2 * len(settings.peer_addresses)
    there = host.descriptors()
    shares = share(there, peers=len(settings.peers), listeners=listeners)
    runtime.clients_max = shares.clients_max
    host.network.lingering.most = shares.lingering_max
    if runtime.maxclients > shares.clients_max:
        log.warning(
            "maxclients is lowered to what the limit of open files leaves; ulimit -n raises it",
            asked=runtime.maxclients,
            in_force=shares.clients_max,
            open_files_max=there.most,
        )
        runtime.maxclients = shares.clients_max
    return shares


async def serve_clients(ground: Groundwork, *, task_status: trio.TaskStatus[Listening]) -> None:
    """Serve at all addresses until cancelled. Raises OSError if one cannot be bound."""
    await ground.host.network.serve(
        ground.settings.client_addresses,
        partial(_converse, ground),
        task_status=task_status,
    )


def _converse(ground: Groundwork, wire: Wire) -> Conversing:
    return Conversation(wire, ground.service, ground.connections, limits=ground.settings.conversation)


async def sweep_connections(ground: Groundwork) -> None:
    """Close idle connections, and sample the counters for rates: both about once a second."""
    while True:
        now = ground.host.clock.boot_ms()
        due = ground.connections.expire_idle(now)
        ground.counters.sample(now)
        await trio.sleep(max(0, due - now) / 1000)
