"""Stopping by phases (PROTOCOL 25), each with a limit, and none may stand still for longer than one deadline.

1. Stop accepting, warn every client, tell the peers that this node drains.
2. Finish what is in flight; new commands are refused with an error that is safe to retry elsewhere. Usually
   the whole cluster is stopped: wait a moment for the peers to say so, then until they have finished as well.
3. A read barrier: this node has then applied everything that was acknowledged, anywhere.
4. Hand leadership to a voter that is not stopping, if there is one.
5. Tell the peers that this node needs them no more; then write the dump, at that index or later. Raft goes
   on: the peers may need us for their own barrier.
6. Leave when every peer that drains needs us no more either, or at the deadline.

**The deadline is one without progress.** A dump takes as long as the data is large, and what is promised is
that memory is backed up before the exit, not that it fits into ten seconds. So each piece that is written
puts the deadline off. Nobody waits for a peer's dump: that peer's barrier is behind it. A second request ends
all at once.
"""

from collections.abc import Callable

import attrs
import structlog
import trio

from trikv.front.connections import Connections
from trikv.host.seam import Listening
from trikv.node.barrier import barrier
from trikv.node.consensus.driver import Driver, Parts
from trikv.node.events import HandOver
from trikv.node.state.dumps import Dumps
from trikv.node.state.snapshotter import Progress
from trikv.protocol.messages import Drained, Draining
from trikv.raft.roles import Role
from trikv.raft.types import NodeId

POLL_S = 0.01
COMPANY_S = 0.3
"""How long peers may take to hear of a stop that one hand ordered for all. Without it a node that was quick
left a dump without the last writes that a slower one had acknowledged."""
TELL_S = 1.0
"""How often the log tells how far the dump is; `trikv cluster` shows it and waits for as long as it moves."""
FLUSH_S = 0.5
"""At most, of the whole: what clients are told last (errors for what is in flight) leaves before we do."""

log = structlog.get_logger()


@attrs.frozen
class StopLimits:
    """Seconds."""

    still_s: float = 10.0
    """Longest time without progress: all phases but the dump, or between two pieces of the dump."""
    drain_s: float = 2.0
    barrier_s: float = 2.0
    hand_over_s: float = 0.5


class Stopping:
    """The phases of one stop."""

    def __init__(
        self, parts: Parts, driver: Driver, connections: Connections, listening: Listening, limits: StopLimits
    ) -> None:
        self._parts = parts
        self._driver = driver
        self._connections = connections
        self._listening = listening
        self._limits = limits
        self.dumped = False
        """True once there is a dump."""
        self._scope = trio.CancelScope()
        self._patience_s = 0.0
        self._tell_s = 0.0

    async def run(self) -> None:
        """Go through the phases; returns when the node may leave."""
        limits = self._limits
        flush_s = min(FLUSH_S, limits.still_s / 4)
        self._patience_s = limits.still_s - flush_s
        self._scope.deadline = trio.current_time() + self._patience_s
        with self._scope:
            self._announce()
            with trio.move_on_after(limits.drain_s):
                await self._until(self._is_drained)
            await self._wait_for_company()
            complete = await self._barrier()
            await self._hand_over()
            self._driver.drained = True
            self._tell_peers(Drained())
            self.dumped = await self._dump(complete=complete)
            await self._until(self._peers_have_drained)
        if self._scope.cancelled_caught:
            log.warning("stopped at the deadline", seconds=limits.still_s, dumped=self.dumped)
        self._connections.close_all()
        with trio.move_on_after(flush_s):
            await self._until(lambda: not len(self._connections))

    def _announce(self) -> None:
        log.info("stopping: clients are warned, commands in flight are finished")
        self._listening.stop_accepting()
        self._connections.warn_all("this node is shutting down; use another")
        self._connections.stop_commands("this node is shutting down")
        self._driver.stopping = True
        self._tell_peers(Draining())
        self._tell_s = trio.current_time() + TELL_S
        self._parts.snapshotter.make_way(self._moved)

    def _moved(self, progress: Progress) -> None:
        now = trio.current_time()
        self._scope.deadline = now + self._patience_s
        if now >= self._tell_s:
            self._tell_s = now + TELL_S
            file, keys, of, size = attrs.astuple(progress)
            log.info("writing", file=file, keys=keys, of=of, bytes=size)

    def _tell_peers(self, message: Draining | Drained) -> None:
        for peer in self._parts.links.peers():
            self._parts.links.send(peer, message)

    def _is_drained(self) -> bool:
        parts = self._parts
        if parts.proposals.waiting():
            parts.inbox.wake()  # that they have applied may itself wait for a turn
            return False
        return not len(parts.reads) and not self._connections.in_flight()

    async def _wait_for_company(self) -> None:
        """Until every peer that stops as well has answered its clients: all dumps hold all of it."""
        driver = self._driver
        driver.quiet = True
        self._tell_peers(Draining(is_quiet=True))
        with trio.move_on_after(COMPANY_S):
            await self._until(lambda: self._peers_up() <= driver.draining.keys())
        with trio.move_on_after(self._limits.drain_s):
            await self._until(lambda: self._peers_up() & driver.draining.keys() <= driver.quiet_peers)

    def _peers_up(self) -> set[NodeId]:
        links = self._parts.links
        return {peer for peer in links.peers() if links.is_up(peer)}

    async def _barrier(self) -> bool:
        with trio.move_on_after(self._limits.barrier_s):
            error = await barrier(self._parts.inbox)
            if error is None:
                return True
        log.warning("no majority confirmed that the dump is complete; it says so itself")
        return False

    async def _hand_over(self) -> None:
        if self._parts.raft.role is Role.LEADER:
            self._parts.inbox.put(HandOver())
            with trio.move_on_after(self._limits.hand_over_s):
                await self._until(lambda: self._parts.raft.role is not Role.LEADER or not self._has_heir())

    def _has_heir(self) -> bool:
        """True while some voter is up that does not stop itself."""
        links, draining = self._parts.links, self._driver.draining
        voters = [member.id for member in self._parts.raft.membership.members if member.voter]
        own = self._parts.identity.node_id
        return any(links.is_up(peer) and peer not in draining for peer in voters if peer != own)

    async def _dump(self, *, complete: bool) -> bool:
        parts = self._parts
        dumps = Dumps(parts.host, parts.snapshotter, parts.identity.cluster)
        return await dumps.write(parts.applier.position, complete=complete)

    def _peers_have_drained(self) -> bool:
        links, draining = self._parts.links, self._driver.draining
        return all(drained or not links.is_up(peer) for peer, drained in draining.items())

    @staticmethod
    async def _until(holds: Callable[[], bool]) -> None:
        while not holds():  # noqa: ASYNC110 - many conditions, once in a node's life
            await trio.sleep(POLL_S)
