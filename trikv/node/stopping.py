"""The task of a stop: shows `trikv.node.drain` the state of the node, and does what that returns.

A second request ends the stop at once, by cancelling this task.
"""

import attrs
import structlog
import trio

from trikv.front.connections import Connections
from trikv.host.seam import Listening
from trikv.node.barrier import barrier
from trikv.node.consensus.parts import Parts
from trikv.node.drain import Act, Announce, Confirm, Dump, Phase, Resign, Seen, StopLimits, Tell
from trikv.node.events import HandOver
from trikv.node.outflows import Outflows
from trikv.node.state.dumps import Dumps
from trikv.node.state.snapshotter import Progress
from trikv.raft.roles import Role

log = structlog.get_logger()


class Stopping:
    """Carries one stop out."""

    def __init__(
        self,
        parts: Parts,
        connections: Connections,
        outflows: Outflows,
        listening: Listening,
        limits: StopLimits,
    ) -> None:
        self._drain = parts.drain
        self._limits = limits
        self._inbox = parts.inbox
        self._raft = parts.raft
        self._proposals = parts.proposals
        self._reads = parts.reads
        self._links = parts.links
        self._applier = parts.applier
        self._snapshotter = parts.snapshotter
        self._connections = connections
        self._outflows = outflows
        self._listening = listening
        self._dumps = Dumps(parts.host, parts.snapshotter, parts.identity.cluster)
        self._news = trio.Event()

    @property
    def dumped(self) -> bool:
        """Whether the dump has been written."""
        return self._drain.dumped

    async def run(self) -> None:
        """Go through the phases; returns when the node may leave."""
        drain = self._drain
        async with trio.open_nursery() as nursery:
            self._do(drain.begin(trio.current_time(), self._limits), nursery)
            await self._go_on(nursery)
            nursery.cancel_scope.cancel()  # a barrier or a dump that was given up
        if drain.gave_up:
            log.warning("stopped at the deadline", seconds=self._limits.still_s, dumped=drain.dumped)
        self._connections.close_all()
        # From now, not from when the dump was given up: to remove an unfinished one may take long.
        drain.said_goodbye(trio.current_time())
        while drain.phase is not Phase.GONE:
            # Nothing else is left to do: either the last replies leave, or their time passes.
            await trio.sleep(drain.pause_s(trio.current_time()))
            drain.look(trio.current_time(), self._seen())

    async def _go_on(self, nursery: trio.Nursery) -> None:
        """Go through the phases until only CLOSING is left."""
        drain = self._drain
        while True:
            self._news = trio.Event()  # before the look, so that news during it is not missed
            now_s = trio.current_time()
            self._do(drain.look(now_s, self._seen()), nursery)
            if drain.phase >= Phase.CLOSING:
                return
            with trio.move_on_after(drain.pause_s(now_s)):
                await self._news.wait()

    def _seen(self) -> Seen:
        links, raft, connections = self._links, self._raft, self._connections
        return Seen(
            is_busy=bool(self._proposals.waiting() or len(self._reads) or connections.in_flight()),
            clients=len(connections),
            up={peer for peer in links.peers() if links.is_up(peer)},
            leads=raft.role is Role.LEADER,
            voters={member.id for member in raft.membership.members if member.voter},
            slices=self._applier.slices,
        )

    def _do(self, acts: list[Act], nursery: trio.Nursery) -> None:
        """Do `acts`; a barrier and a dump run in tasks of their own, and tell the drain when they end."""
        for act in acts:
            match act:
                case Announce():
                    self._announce()
                case Tell(message=message):
                    for peer in self._links.peers():
                        self._links.send(peer, message)
                case Confirm():
                    nursery.start_soon(self._confirm)
                case Resign():
                    self._inbox.put(HandOver())
                case Dump(complete=complete):
                    if not complete:
                        log.warning("no majority confirmed that the dump is complete; it says so itself")
                    nursery.start_soon(self._dump, complete)

    def _announce(self) -> None:
        log.info("stopping: clients are warned, commands in flight are finished")
        self._listening.stop_accepting()
        self._connections.warn_all("this node is shutting down; use another")
        self._connections.stop_commands("this node is shutting down")
        self._outflows.stop()
        self._snapshotter.make_way(self._moved)

    async def _confirm(self) -> None:
        error = await barrier(self._inbox)
        self._drain.confirmed(by_majority=error is None)
        self._news.set()

    async def _dump(self, complete: bool) -> None:  # noqa: FBT001 - nursery.start_soon takes no keywords
        written = await self._dumps.write(self._applier.position, complete=complete)
        self._drain.dump_ended(written=written)
        self._news.set()

    def _moved(self, progress: Progress) -> None:
        if self._drain.moved(trio.current_time()):
            file, keys, of, size = attrs.astuple(progress)
            log.info("writing", file=file, keys=keys, of=of, bytes=size)
