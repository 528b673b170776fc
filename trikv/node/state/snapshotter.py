"""The snapshotter: bounds the log by snapshots, brings lagging followers up by them, writes backups.

A snapshot never stops the server: the machine is walked piece by piece between applies
(`trikv.machine.walk`), and each piece is written before the next is made. There is one walk at a time.
"""

from collections.abc import Awaitable, Callable

import attrs
import structlog
import trio

from trikv.front.figures import SnapshotterStatistics
from trikv.host.seam import Host
from trikv.machine.snapshot import SnapshotError
from trikv.node.events import Compact, Event, SnapshotReceived, TransferEnded
from trikv.node.mailbox import Mailbox
from trikv.node.peers.links import Identity, Links
from trikv.node.state.applier import Applier, Swap
from trikv.node.state.header import Header, header_of
from trikv.node.state.transfers import Incoming, Outgoing
from trikv.protocol.messages import SnapshotAck, SnapshotChunk
from trikv.raft.types import DiskId, NodeId, SnapshotMeta
from trikv.storage.errors import OPERATORS_DOING, NoRoom, StorageCorrupt
from trikv.storage.snapshots import SnapshotStore

PIECE_BYTES = 16 * 1024
"""About a millisecond: a client's GET needs several turns of the node, and meets as many pieces."""
STOP_PIECE_BYTES = 256 * 1024
"""Larger pieces take a fifth less processor time. At a stop there are no clients to notice longer steps."""
DURABLE_POLL_S = 0.01
FULL_RETRY_S = 10.0
"""A snapshot is large: to try again at once would only keep a full disk full."""

log = structlog.get_logger()


class GivenUp(Exception):  # noqa: N818 - what became of a snapshot
    """The node stops, and the snapshot could not be finished before."""


@attrs.frozen
class SnapshotterSettings:
    """The limits that decide when a local snapshot is due."""

    log_bytes: int = 64 * 1024 * 1024
    """Due after this much applied since the last one: bounds the log on disk and the time of a restart."""
    interval_s: float = 600.0
    """Due after this time, if anything has changed."""


@attrs.frozen
class Progress:
    """How much of a document has been written."""

    file: str
    keys: int
    """How many of the `of` keys are written or about to be."""
    of: int
    size: int
    """Bytes written."""


@attrs.define(eq=False)
class _Counts:
    """The counts of `Snapshotter.statistics`, besides the present state; the record explains each."""

    changes_at_newest: int
    keys_loaded: int
    taken: int = 0
    sent: int = 0
    last_failed: bool = False
    last_ms: int | None = None
    began_ms: int | None = None
    """Boot time at which the present one began; None if there is none."""


def _nobody_asks(_: Progress) -> None:
    """The default: until the node stops, nothing waits for the progress of a walk."""


async def _nothing_is_in_the_way() -> None:
    """The default: a document with a new name replaces no file."""


class Snapshotter:
    """Owns the snapshot files."""

    def __init__(
        self,
        *,
        host: Host,
        store: SnapshotStore,
        applier: Applier,
        links: Links,
        identity: Identity,
        inbox: Mailbox[Event],
        durable_index: Callable[[], int],
        newest: SnapshotMeta | None,
        newest_bytes: int,
        newest_saved_ms: int = 0,
        settings: SnapshotterSettings,
    ) -> None:
        self.newest = newest
        self._newest_saved_ms = newest_saved_ms or host.clock.wall_ms()
        """For LASTSAVE: when the newest snapshot's state was that of a running node, or else the start."""
        self._counts = _Counts(
            changes_at_newest=applier.machine.changes if newest is not None else 0,
            keys_loaded=applier.machine.keys() if newest is not None else 0,
        )
        self._newest_bytes = newest_bytes
        self._host = host
        self._store = store
        self._applier = applier
        self._links = links
        self._identity = identity
        self._inbox = inbox
        self._durable_index = durable_index
        self._settings = settings
        self._walking = trio.Lock()
        self._publishing = trio.Lock()
        """Held while a snapshot gets its name, whether it is our own or a leader's: so `newest` never goes
        back, and surplus files are removed once."""
        self._taking = trio.CancelScope()
        """Around a snapshot that is taken because it is due; a stop cancels it, lest the dump wait."""
        self._stopping = False
        self._moved: Callable[[Progress], None] = _nobody_asks
        self._bytes_at_newest = 0
        self._chunks: Mailbox[tuple[NodeId, DiskId, SnapshotChunk]] = Mailbox()
        self._outgoing: dict[NodeId, Outgoing] = {}
        self._incoming: Incoming | None = None
        """The snapshot that is arriving, if there is one."""
        self._loaded: dict[int, Swap] = {}
        self._nursery: trio.Nursery | None = None

    def statistics(self) -> SnapshotterStatistics:
        """For INFO."""
        counts = self._counts
        running_ms = None if counts.began_ms is None else self._host.clock.boot_ms() - counts.began_ms
        return SnapshotterStatistics(
            is_walking=self._walking.locked(),
            is_receiving=self.is_receiving,
            newest_index=self.newest.index if self.newest is not None else 0,
            newest_bytes=self._newest_bytes,
            newest_saved_ms=self._newest_saved_ms,
            changes_at_newest=counts.changes_at_newest,
            keys_loaded=counts.keys_loaded,
            taken=counts.taken,
            sent=counts.sent,
            last_failed=counts.last_failed,
            last_ms=counts.last_ms,
            running_ms=running_ms,
        )

    @property
    def is_receiving(self) -> bool:
        """Whether a leader's snapshot is arriving."""
        return self._incoming is not None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take snapshots when due, receive and send them, until cancelled."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._receive)
            task_status.started()
            await self._take_when_due()

    # -------------------------------------------------------- local snapshots

    async def _take_when_due(self) -> None:
        due_s = trio.current_time() + self._settings.interval_s
        while True:
            # A check each second is cheap, and few log bytes pass in a second compared with the limit.
            await trio.sleep(1.0)
            grown = self._applier.bytes_applied - self._bytes_at_newest
            if grown >= self._settings.log_bytes or (grown and trio.current_time() >= due_s):
                await self._take_if_there_is_room()
            if trio.current_time() >= due_s:
                due_s = trio.current_time() + self._settings.interval_s

    async def _take_if_there_is_room(self) -> None:
        if self._stopping:
            return
        try:
            with trio.CancelScope() as self._taking:
                await self.take()
        except (NoRoom, *OPERATORS_DOING) as error:
            log.error("no snapshot: the log grows until one can be written", reason=str(error))
            await trio.sleep(FULL_RETRY_S)
        except GivenUp:
            pass  # the node stops, and the dump comes next

    async def take(self) -> SnapshotMeta:
        """Write a snapshot of the present state, then drop the log before it.

        Raises NoRoom, one of `OPERATORS_DOING`, or GivenUp; any other OSError ends the node.
        """
        try:
            return await self._take()
        except (NoRoom, *OPERATORS_DOING):
            self._counts.last_failed = True
            raise

    async def _take(self) -> SnapshotMeta:
        async with self._walking:
            applier = self._applier
            await applier.until_whole()  # from here to the walk nothing waits: it is of this very position
            meta, bytes_applied = applier.position, applier.bytes_applied
            now_ms = self._host.clock.wall_ms()
            if self.newest is not None and self.newest.index >= meta.index:
                self._newest_saved_ms = now_ms  # nothing has changed: a new one would be equal
                return self.newest
            changes = applier.machine.changes
            walk = applier.machine.walk(
                Header(self._identity.cluster, meta, complete=True, saved_ms=now_ms).as_dict()
            )
            counts, boot_ms = self._counts, self._host.clock.boot_ms
            try:
                file = await self._store.begin(meta.index, meta.term)
            except BaseException:
                walk.abort()
                raise
            began_ms = counts.began_ms = boot_ms()
            try:
                size = 0
                while piece := walk.step(PIECE_BYTES):
                    await file.append(piece)
                    size += len(piece)
                    self._moved(Progress("snapshot", walk.keys_passed, walk.keys, size))
                await self._until_durable(meta.index)
                async with self._publishing:
                    if self.newest is not None and self.newest.index >= meta.index:
                        await file.abort()  # an install has overtaken us
                        return self.newest
                    await file.publish()
                    self._remember(meta, size, bytes_applied, now_ms, changes)
            except BaseException:
                walk.abort()
                with trio.CancelScope(shield=True):
                    await file.abort()
                raise
            finally:
                counts.began_ms = None
            counts.taken += 1
            counts.last_failed, counts.last_ms = False, boot_ms() - began_ms
            self._inbox.put(Compact(meta))
            log.info("snapshot", index=meta.index, bytes=size, keys=walk.keys)
            return meta

    async def _until_durable(self, index: int) -> None:
        """Wait for the log: a snapshot ahead of it would leave a gap after a crash (PROTOCOL 8).

        Raises GivenUp if the node stops before the log is durable up to `index`: on a full disk it may never
        be, and the dump does not need the log.
        """
        while self._durable_index() < index:
            if self._stopping:
                raise GivenUp(f"the node stops, and its log is not durable up to {index} yet")
            await trio.sleep(DURABLE_POLL_S)

    def _remember(
        self, meta: SnapshotMeta, size: int, bytes_applied: int, saved_ms: int, changes: int
    ) -> None:
        self.newest = meta
        self._newest_bytes = size
        self._newest_saved_ms = saved_ms
        self._bytes_at_newest = bytes_applied
        self._counts.changes_at_newest = changes

    # ------------------------------------------------- to a lagging follower

    def send_to(self, peer: NodeId, term: int, index_min: int) -> None:
        """Send `peer` a snapshot at `index_min` or later; the driver gets a TransferEnded."""
        if peer in self._outgoing or self._nursery is None:
            return
        self._outgoing[peer] = Outgoing(self._links, peer, term)
        self._counts.sent += 1
        self._nursery.start_soon(self._send, peer, self._outgoing[peer], index_min)

    async def _send(self, peer: NodeId, outgoing: Outgoing, index_min: int) -> None:
        meta = self.newest
        ok = False
        try:
            if meta is None or meta.index < index_min:
                meta = await self.take()
            log.info("sending a snapshot", peer=peer, index=meta.index)
            async with await self._store.open_for_reading(meta.index, meta.term) as reader:
                ok = await outgoing.send(meta, reader)
        except (NoRoom, *OPERATORS_DOING) as error:
            log.error("a follower gets no snapshot until one can be written", peer=peer, reason=str(error))
        except GivenUp:
            pass  # the next leader will send it one
        finally:
            del self._outgoing[peer]
            self._inbox.put(TransferEnded(peer, meta.index if meta is not None else 0, ok))

    def ack_came(self, peer: NodeId, ack: SnapshotAck) -> None:
        """Note how much of its snapshot a follower has."""
        if peer in self._outgoing:
            self._outgoing[peer].acked(ack)

    def link_down(self, peer: NodeId) -> None:
        """The link to `peer` is down: pieces on their way are lost."""
        if peer in self._outgoing:
            self._outgoing[peer].link_lost()

    # ------------------------------------------------------------ from a leader

    def chunk_came(self, peer: NodeId, disk: DiskId, chunk: SnapshotChunk) -> None:
        """Take a piece of a leader's snapshot."""
        self._chunks.put((peer, disk, chunk))

    async def _receive(self) -> None:
        while True:
            for peer, disk, chunk in await self._chunks.take():
                try:
                    await self._receive_one(peer, disk, chunk)
                except (SnapshotError, StorageCorrupt, NoRoom, *OPERATORS_DOING) as error:
                    log.error("a snapshot could not be received", peer=peer, reason=str(error))
                    self._links.send(peer, SnapshotAck(chunk.term, chunk.meta.index, -1))
                    await self._drop_incoming()

    async def _drop_incoming(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            await incoming.abort()

    async def _receive_one(self, peer: NodeId, disk: DiskId, chunk: SnapshotChunk) -> None:
        meta = chunk.meta
        if meta.index <= self._applier.position.index or meta.index in self._loaded:
            self._links.send(peer, SnapshotAck(chunk.term, meta.index, chunk.total))
            return
        if self._incoming is None or self._incoming.meta != meta:
            await self._drop_incoming()
            self._incoming = Incoming(meta, await self._store.begin_install(meta.index, meta.term))
        incoming = self._incoming
        await incoming.take(chunk)
        if incoming.offset < chunk.total:
            self._links.send(peer, SnapshotAck(chunk.term, meta.index, incoming.offset))
            return
        await self._finish_install(incoming, peer, disk, chunk)
        self._incoming = None

    async def _finish_install(
        self, incoming: Incoming, peer: NodeId, disk: DiskId, chunk: SnapshotChunk
    ) -> None:
        fields, machine = incoming.finish()
        header = header_of(fields, f"snapshot {chunk.meta.index} from node {peer}")
        if header.meta != chunk.meta or machine.index != chunk.meta.index:
            raise StorageCorrupt(
                f"snapshot from node {peer}", 0, "its state is not the one that was announced"
            )
        if header.cluster != self._identity.cluster:
            raise StorageCorrupt(f"snapshot from node {peer}", 0, "it is another cluster's")
        async with self._publishing:
            await incoming.publish()
            self._loaded[chunk.meta.index] = Swap(chunk.meta, machine)
            if self.newest is None or self.newest.index < chunk.meta.index:
                saved_ms = header.saved_ms or machine.now_ms
                applied = self._applier.bytes_applied
                self._remember(chunk.meta, chunk.total, applied, saved_ms, machine.changes)
        log.info("received a snapshot", peer=peer, index=chunk.meta.index, bytes=chunk.total)
        self._links.send(peer, SnapshotAck(chunk.term, chunk.meta.index, chunk.total))
        self._inbox.put(SnapshotReceived(peer, disk, chunk.term, chunk.meta))

    def take_loaded(self, meta: SnapshotMeta) -> Swap:
        """The order that installs the machine of a snapshot that Raft has accepted."""
        return self._loaded.pop(meta.index)

    def forget_loaded(self, meta: SnapshotMeta) -> None:
        """Drop the machine of a snapshot that Raft refused, because the log is further by now."""
        self._loaded.pop(meta.index, None)

    # -------------------------------------------------------- backups and dumps

    def make_way(self, moved: Callable[[Progress], None]) -> None:
        """The node stops: give up a snapshot that was taken because it was due, and take no more.

        Files that a client has asked for are finished, then the dump is written; `moved` is called for
        every piece.
        """
        self._stopping = True
        self._moved = moved
        self._taking.cancel()

    async def write_document(
        self,
        path_of: Callable[[SnapshotMeta], str],
        *,
        complete: bool = True,
        make_room: Callable[[], Awaitable[None]] = _nothing_is_in_the_way,
    ) -> tuple[SnapshotMeta, int]:
        """Write the present state to a file, durably; returns its position in the log and its number of keys.

        It is first written under another name. `path_of` makes the name from the position. `make_room` is
        called when the document is whole and about to get that name, which replaces any file that has it.
        """
        async with self._walking:
            await self._applier.until_whole()  # a state in mid-entry is no state: nothing is written of it
            meta = self._applier.position
            header = Header(self._identity.cluster, meta, complete, self._host.clock.wall_ms())
            walk = self._applier.machine.walk(header.as_dict())
            try:
                file = await self._store.aside(path_of(meta))
                piece_bytes = STOP_PIECE_BYTES if self._stopping else PIECE_BYTES
                try:
                    while piece := walk.step(piece_bytes):
                        await file.append(piece)
                        self._moved(Progress(file.path, walk.keys_passed, walk.keys, file.size))
                    await make_room()
                    await file.publish()
                finally:
                    with trio.CancelScope(shield=True):  # a stop at once leaves nothing half written
                        await file.abort()
            finally:
                walk.abort()
            return meta, walk.keys
