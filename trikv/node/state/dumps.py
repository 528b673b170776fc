"""The dump that a stop leaves, and the treatment of an earlier one.

A dump is for people and tools, and may be the only copy that somebody has left. So it never replaces one that
may hold more. The headers decide: of two dumps of one cluster, the one at the higher index holds all that the
other does, because both are states of one log. Nothing is known of another cluster's dump or of a file that
is no whole dump, so these may hold more.

- ``dump.json`` is complete: its barrier has proved that it holds everything acknowledged.
- ``dump.incomplete.json`` is that of a stop without a majority. It is not written if either file already
  holds more: a node without a majority starts from its snapshot, and knows of nothing after it.
- An existing file that may hold more is renamed into ``aside/``, but only when the new dump is whole: until
  then a full disk or a second signal leaves it under its name.
"""

import errno
from datetime import UTC, datetime

import attrs
import structlog

from trikv.host.seam import Host
from trikv.machine.snapshot import SnapshotError, node_of
from trikv.node.state.header import header_of
from trikv.node.state.snapshotter import Snapshotter
from trikv.raft.types import SnapshotMeta
from trikv.storage.disk import Disk
from trikv.storage.errors import StorageCorrupt, StorageError
from trikv.storage.layout import ASIDE

DUMP = "dump.json"
INCOMPLETE_DUMP = "dump.incomplete.json"
HEAD_BYTES = 64 * 1024
"""Longer than any first line, because a header names only a few members."""
TAIL_BYTES = 256
"""Enough for the closing line, which holds a count and a checksum."""
_NO_FILE = frozenset({errno.ESPIPE, errno.ENXIO, errno.ELOOP})
"""The errors of reading a pipe, and of opening a socket, or a link that leads to itself."""
CLOSING = b'\n],"count":'

log = structlog.get_logger()


@attrs.frozen
class Held:
    """The header of the file that has a dump's name."""

    cluster: bytes = b""
    """The cluster whose state it is; empty if it is no whole dump of trikv's."""
    index: int = 0

    def holds(self, cluster: bytes, index: int) -> bool:
        """Whether it is sure to hold all of `cluster`'s state at `index`."""
        return self.cluster == cluster and self.index >= index


def may_hold_more(held: Held | None, cluster: bytes, index: int) -> bool:
    """Whether a file may hold more than a dump of `cluster` at `index` would. None: there is no file."""
    return held is not None and (held.cluster != cluster or held.index > index)


def is_superfluous(complete: Held | None, incomplete: Held | None, cluster: bytes, index: int) -> bool:
    """Whether an incomplete dump of `cluster` at `index` would add nothing to the existing files."""
    if complete is not None and complete.holds(cluster, index):
        return True
    return incomplete is not None and incomplete.holds(cluster, index + 1)


async def look_at(disk: Disk, path: str) -> Held | None:
    """Read the header of a dump on the disk, from its first and last line; None if there is none.

    Raises OSError if the disk fails.
    """
    try:
        file = await disk.open(path)
    except FileNotFoundError:
        return None
    except (IsADirectoryError, PermissionError):  # unknown contents; to rename it, it need not be opened
        return Held()
    except OSError as error:
        if error.errno in _NO_FILE:
            return Held()
        raise
    try:
        head = await file.read(0, HEAD_BYTES)
        tail = await file.read(max(0, file.size() - TAIL_BYTES), TAIL_BYTES)
    except OSError as error:
        if error.errno in _NO_FILE:
            return Held()
        raise
    finally:
        file.close()
    try:
        header = header_of(node_of(head.partition(b"\n")[0]), path)
    except (SnapshotError, StorageCorrupt):
        return Held()
    return Held(header.cluster, header.meta.index) if CLOSING in tail else Held()


class Dumps:
    """Writes the dump of a stop."""

    def __init__(self, host: Host, snapshotter: Snapshotter, cluster: bytes) -> None:
        self._host = host
        self._snapshotter = snapshotter
        self._cluster = cluster

    async def write(self, position: SnapshotMeta, *, complete: bool) -> bool:
        """Write a dump of the state, which is at `position` or beyond; True if there is one at the end."""
        path = DUMP if complete else INCOMPLETE_DUMP
        try:
            if not complete and await self._is_superfluous(position.index):
                return True
            meta, keys = await self._snapshotter.write_document(
                lambda _: path,
                complete=complete,
                make_room=lambda: self._set_aside(path, position.index),
            )
        except (OSError, StorageError) as error:
            # The stop goes on: peers still wait for our message, and the log has all that was acknowledged.
            log.error("no dump was written", file=path, reason=str(error))
            return False
        log.info("dumped", file=path, keys=keys, index=meta.index, complete=complete)
        return True

    async def _is_superfluous(self, index: int) -> bool:
        disk = self._host.disk
        held = [await look_at(disk, path) for path in (DUMP, INCOMPLETE_DUMP)]
        if not is_superfluous(held[0], held[1], self._cluster, index):
            return False
        log.info("no dump is written: an earlier one holds all that this node knows", index=index)
        return True

    async def _set_aside(self, path: str, index: int) -> None:
        disk = self._host.disk
        held = await look_at(disk, path)
        if not may_hold_more(held, self._cluster, index):
            return
        assert held is not None, "only what is there may hold more"
        moment = datetime.fromtimestamp(self._host.clock.wall_ms() / 1000, UTC)
        name = f"{held.cluster[:4].hex()}-{held.index}" if held.cluster else f"{moment:%Y%m%dT%H%M%S.%fZ}"
        target = f"{ASIDE}/dump-{name}.json"
        await disk.make_directory(ASIDE)
        await disk.rename(path, target)
        await disk.sync_directory(ASIDE)
        log.warning("what stood there is no earlier state of this cluster: set aside", file=path, path=target)
