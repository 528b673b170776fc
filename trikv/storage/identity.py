"""`identity.json`: which node and which disk this data directory is, and of which cluster.

Order of a disk's life: at the first start the file is written with a fresh disk id and no cluster (the disk
is blank, and may say so); when the node is founded or joins, the log is created, durably, and only then the
cluster is noted here. So a file that names a cluster beside a missing log means that the log was lost, with
the votes it had given, and the node must not start (PROTOCOL 14). The other way round, a log beside a file
without a cluster, is a crash between the two steps, and is mended by saving the identity again.
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
    """Who this data directory is."""

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
    """The identity of this data directory, None if it has none.

    Raises StorageCorrupt if it is unreadable, StrayName if it is no file.

    It is durable then, also where an earlier life was killed before it could sync the directory.
    """
    if not await disk.exists(FILE):
        return None
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
    """Write the identity, durably."""
    cluster = None if identity.cluster is None else identity.cluster.hex()
    document = _Document(FORMAT, identity.node, identity.disk.hex(), cluster)
    await write_whole(disk, "", FILE, msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def refuse_without_log(identity: DiskIdentity) -> None:
    """Call it where no log was found: raises IdentityWithoutLog unless the disk has always been blank."""
    if identity.cluster is not None:
        raise IdentityWithoutLog(identity.node)
