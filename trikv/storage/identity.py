"""`identity.json`: which node and which disk this data directory is, and of which cluster.

At the first start the file is written with a fresh disk id and no cluster: the disk is blank, and says so to
its peers. When the node is founded or joins, the log is created, durably. Only then the cluster is noted
here. So a file that names a cluster beside a missing log means that the log was lost, together with the
votes it had given, and the node must not start (PROTOCOL 14). A log beside a file without a cluster means a
crash between the two steps; saving the identity again mends it.
"""

import attrs
import msgspec

from trikv.raft.types import DiskId, NodeId
from trikv.storage.aside import write_whole
from trikv.storage.disk import Disk
from trikv.storage.errors import REFILL, IdentityWithoutLog, StorageCorrupt
from trikv.storage.layout import WAL, own_file

FILE = "identity.json"
FORMAT = 1
MAYBE_NOT_OURS = (
    "No log lies beside it, so it may be another program's: move it away, or give this node a data directory "
    "of its own"
)
_BYTES_MAX = 4096


@attrs.frozen
class DiskIdentity:
    """Which node's data directory this is, which disk, and of which cluster."""

    node: NodeId
    disk: DiskId
    """16 random bytes, made with the directory."""
    cluster: bytes | None = None
    """None: blank, no log has ever been here."""


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    node: int
    disk: str
    cluster: str | None


async def load(disk: Disk) -> DiskIdentity | None:
    """The identity of this data directory, durable; None if it has none.

    Raises StorageCorrupt if it is unreadable, StrayName if it is no file.
    """
    if not await disk.exists(FILE):
        return None
    # An earlier life may have been killed between the rename and this sync: then only the cache has the name.
    await disk.sync_directory("")
    with own_file(FILE):
        file = await disk.open(FILE)
    try:
        data = await file.read(0, _BYTES_MAX)
    finally:
        file.close()
    try:
        document = msgspec.json.decode(data, type=_Document)
        identity = bytes.fromhex(document.disk)
        cluster = None if document.cluster is None else bytes.fromhex(document.cluster)
    except (msgspec.MsgspecError, ValueError) as error:
        remedy = REFILL if await disk.exists(WAL) else MAYBE_NOT_OURS
        raise StorageCorrupt(FILE, 0, f"it is not an identity document ({error})", remedy) from None
    if document.format > FORMAT:
        raise StorageCorrupt(
            FILE,
            0,
            f"its format is {document.format}, this program reads {FORMAT}",
            "Start the newer version of trikv that wrote it",
        )
    return DiskIdentity(document.node, identity, cluster)


async def save(disk: Disk, identity: DiskIdentity) -> None:
    """Replace the identity; the new one is durable when this returns. Raises NoRoom or Unwritable."""
    cluster = None if identity.cluster is None else identity.cluster.hex()
    document = _Document(FORMAT, identity.node, identity.disk.hex(), cluster)
    await write_whole(disk, "", FILE, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def refuse_without_log(identity: DiskIdentity) -> None:
    """Call it if no log was found: raises IdentityWithoutLog unless the disk has always been blank."""
    if identity.cluster is not None:
        raise IdentityWithoutLog(identity.node)
