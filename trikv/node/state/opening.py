"""From a data directory to the state in which the node goes on: log, snapshot, machine (PROTOCOL 8, 14)."""

import attrs
import structlog

from trikv.config import ConfigError
from trikv.host.seam import Host
from trikv.machine.machine import Machine
from trikv.machine.snapshot import Restore, SnapshotError
from trikv.node.peers.founding import Adopt
from trikv.node.state.header import Header, header_of
from trikv.raft.types import Entry, HardState, SnapshotMeta
from trikv.storage import identity as identity_files
from trikv.storage.aside import remove_unfinished
from trikv.storage.errors import LogMissing, StorageCorrupt, StrayName
from trikv.storage.identity import DiskIdentity
from trikv.storage.layout import BACKUPS, strangers
from trikv.storage.records import WalIdentity
from trikv.storage.recovery import plan, recover, whose_log
from trikv.storage.snapshots import SnapshotStore, StoredSnapshot
from trikv.storage.wal import Wal, WalSettings

READ_BYTES = 256 * 1024
STRANGERS_SHOWN = 8

log = structlog.get_logger()


@attrs.frozen
class OpenedLog:
    """A log, and the state that it continues."""

    wal: Wal
    cluster: bytes
    hard_state: HardState
    base: SnapshotMeta
    """The position at which the log in memory begins; the snapshot is at this position or beyond."""
    entries: tuple[Entry, ...]
    machine: Machine
    snapshot: SnapshotMeta | None
    """The newest snapshot, from which `machine` was loaded; None before the first."""
    snapshot_bytes: int = 0
    snapshot_saved_ms: int = 0
    """Wall clock: when the snapshot's state was that of a running node; 0 before the first."""
    founding_level: int = 1
    """The feature level for a cluster that is not founded yet. A node at its start knows nothing of earlier
    agreements, so it takes the level that every release knows."""


async def tidy_up(host: Host) -> None:
    """Remove dumps and backups that an earlier life left half written; log the names that are not trikv's.

    Raises StrayName if something else has the name of a file or directory of ours.
    """
    for directory in ("", BACKUPS):
        await remove_unfinished(host.disk, directory)
    paths = await strangers(host.disk)
    if paths:
        shown, more = ", ".join(paths[:STRANGERS_SHOWN]), len(paths) - STRANGERS_SHOWN
        log.info("not trikv's, left alone", paths=shown + (f", {more} more" if more > 0 else ""))


async def open_identity(host: Host, node_id: int) -> DiskIdentity:
    """Read the disk's identity, or give a new disk one.

    Raises ConfigError if it is another node's, and StorageCorrupt if the log says that it is this one's.
    """
    known = await identity_files.load(host.disk)
    if known is None:
        known = DiskIdentity(node=node_id, disk=host.entropy.bytes(16), cluster=None)
        await identity_files.save(host.disk, known)
    if known.node != node_id:
        if await _log_belongs_to(host, node_id):  # one bit may make of a node another
            raise StorageCorrupt(
                identity_files.FILE, 0, f"it names node {known.node}, and the log beside it node {node_id}"
            )
        raise ConfigError(
            f"node_id: this data directory belongs to node {known.node}, not to node {node_id}; start it "
            f"with --node-id {known.node}, or give node {node_id} a --data-directory of its own"
        )
    return known


async def _log_belongs_to(host: Host, node_id: int) -> bool:
    try:
        owner = await whose_log(host.disk)
    except (StorageCorrupt, StrayName):
        return False  # what is wrong with another node's log is not to be told, let alone mended, by this one
    return owner is not None and owner.node == node_id


async def open_log(host: Host, identity: DiskIdentity, settings: WalSettings) -> OpenedLog | None:
    """Recover the log; None if the disk is blank. Raises StorageError if the log must not be used."""
    try:
        recovered = await recover(host.disk, settings)
    except LogMissing:
        identity_files.refuse_without_log(identity)
        return None
    if recovered.repaired:
        log.warning("the last batch of the log was torn, as a crash leaves it", cut=recovered.repaired)
    told = DiskIdentity(recovered.identity.node, recovered.identity.disk, recovered.identity.cluster)
    if identity not in {told, attrs.evolve(told, cluster=None)}:
        raise StorageCorrupt(identity_files.FILE, 0, "it names another node, disk or cluster than the log")
    if told != identity:
        await identity_files.save(host.disk, told)
    store = await SnapshotStore.open(host.disk)
    stored = await store.newest()
    machine, header = Machine(), None
    if stored is not None:
        machine, header = await _load(store, stored)
        if header.cluster != recovered.identity.cluster:
            raise StorageCorrupt(
                stored.path,
                0,
                "the snapshot belongs to another cluster than the log",
                "It was put there by hand: move it away",
            )
    meta = header.meta if header is not None else None
    start = plan(recovered.base, recovered.entries, recovered.hard_state, meta)
    if start.reset is not None:
        await recovered.wal.write([start.reset])
    return OpenedLog(
        recovered.wal,
        recovered.identity.cluster,
        start.hard_state,
        start.base,
        start.entries,
        machine,
        meta,
        stored.size if stored is not None else 0,
        # An old version's snapshot has only its log time, which is never later.
        (header.saved_ms or machine.now_ms) if header is not None else 0,
    )


async def create_log(host: Host, identity: DiskIdentity, settings: WalSettings, adopt: Adopt) -> OpenedLog:
    """Give a blank disk its log, durable before the identity names the cluster: no vote is forgotten."""
    base, cluster = SnapshotMeta(0, 0, adopt.membership), adopt.cluster
    wal = await Wal.create(
        host.disk, settings, WalIdentity(cluster, identity.node, identity.disk), HardState(), base
    )
    await identity_files.save(host.disk, attrs.evolve(identity, cluster=cluster))
    level = adopt.feature_level
    return OpenedLog(wal, cluster, HardState(), base, (), Machine(), None, founding_level=level)


async def _load(store: SnapshotStore, stored: StoredSnapshot) -> tuple[Machine, Header]:
    restore = Restore()
    async with await store.open_for_reading(stored.index, stored.term) as reader:
        offset = 0
        while offset < reader.size:
            piece = await reader.read(offset, READ_BYTES)
            offset += len(piece)
            try:
                restore.feed(piece)
            except SnapshotError as error:
                raise StorageCorrupt(stored.path, offset, str(error)) from error
    try:
        fields, machine = restore.finish()
    except SnapshotError as error:
        raise StorageCorrupt(stored.path, offset, str(error)) from error
    header = header_of(fields, stored.path)
    if (header.meta.index, header.meta.term) != (stored.index, stored.term):
        raise StorageCorrupt(stored.path, 0, "its header names another index than its file name")
    if machine.index != stored.index:
        raise StorageCorrupt(stored.path, 0, f"its state is that of index {machine.index}")
    return machine, header
