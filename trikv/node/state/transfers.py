"""Moving a snapshot between nodes: small pieces, a window, resumable at any offset the receiver names."""

import trio

from trikv.machine.machine import Machine
from trikv.machine.snapshot import Restore
from trikv.node.peers.links import Links
from trikv.protocol.messages import SnapshotAck, SnapshotChunk
from trikv.raft.types import NodeId, SnapshotMeta
from trikv.storage.snapshots import SnapshotReader, SnapshotWriter

CHUNK_BYTES = 60 * 1024
"""With its header below 64 KiB, the limit for a piece of a peer frame."""
WINDOW_CHUNKS = 8
PATIENCE_S = 15.0
"""Without an ack for this time the transfer ends; Raft asks again when the peer is back."""
RETRY_S = 1.0
"""Without an ack for this time, send again from the byte that the receiver wants."""


class Outgoing:
    """One transfer to one peer."""

    def __init__(self, links: Links, peer: NodeId, term: int) -> None:
        self._links = links
        self._peer = peer
        self._term = term
        self._index = 0
        self._wanted = 0
        self._sent = 0
        self._refused = False
        self._news = trio.Event()

    async def send(self, meta: SnapshotMeta, reader: SnapshotReader) -> bool:
        """Send all of it. True once the peer has said that it is durable there."""
        self._index = meta.index
        total = reader.size
        stood, quiet_since = self._wanted, trio.current_time()
        while self._wanted < total and not self._refused:
            await self._fill_window(meta, reader, total)
            with trio.move_on_after(RETRY_S) as waited:
                await self._news.wait()
            self._news = trio.Event()
            if self._wanted != stood:  # an ack may have come while the window was being filled
                stood, quiet_since = self._wanted, trio.current_time()
            elif trio.current_time() - quiet_since > PATIENCE_S:
                return False
            if waited.cancelled_caught:
                self._sent = self._wanted
        return not self._refused

    async def _fill_window(self, meta: SnapshotMeta, reader: SnapshotReader, total: int) -> None:
        while self._sent < min(total, self._wanted + WINDOW_CHUNKS * CHUNK_BYTES):
            offset = self._sent
            data = await reader.read(offset, CHUNK_BYTES)
            if offset != self._sent:
                continue  # an ack changed the wanted offset while the disk was read
            if not self._links.send(self._peer, SnapshotChunk(self._term, meta, offset, total, data)):
                return
            self._sent = offset + len(data)

    def acked(self, ack: SnapshotAck) -> None:
        """Note the next byte that the peer wants."""
        if ack.index != self._index:
            return
        if ack.offset < 0:
            self._refused = True
        elif ack.offset < self._wanted:
            self._wanted = self._sent = ack.offset
        else:
            self._wanted = ack.offset
            self._sent = max(self._sent, ack.offset)
        self._news.set()

    def link_lost(self) -> None:
        """Pieces on their way are lost: go back to the byte that the peer wants."""
        self._sent = self._wanted
        self._news.set()


class Incoming:
    """One transfer from a leader: written to disk and loaded into a new machine at the same time."""

    def __init__(self, meta: SnapshotMeta, file: SnapshotWriter) -> None:
        self.meta = meta
        self.offset = 0
        self._file = file
        self._restore = Restore()

    async def take(self, chunk: SnapshotChunk) -> None:
        """Add a piece if it is the next one; the answer to any other just names the wanted offset."""
        if chunk.offset != self.offset or not chunk.data:
            return
        await self._file.append(chunk.data)
        self._restore.feed(chunk.data)
        self.offset += len(chunk.data)

    def finish(self) -> tuple[dict[str, object], Machine]:
        """The header and the machine. Raises SnapshotError if the document is not whole and valid."""
        return self._restore.finish()

    async def publish(self) -> None:
        """Make the file durable under its name."""
        await self._file.publish()

    async def abort(self) -> None:
        """Drop the file and all that has arrived."""
        await self._file.abort()
