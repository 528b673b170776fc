"""An acknowledged write is on the platters of a majority at the instant it is acknowledged.

The platters are read by the code that would read them after a power cut: `trikv.storage.recovery`, on a copy
that holds only what was synced. No node's word is taken for anything.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from trikv.raft.core import Raft
from trikv.raft.types import DiskId, Membership, SnapshotMeta
from trikv.sim.checkers.platters import PlatterDisk, platters_of
from trikv.sim.volume import Volume
from trikv.storage.errors import LogMissing, StorageError
from trikv.storage.recovery import recover
from trikv.storage.snapshots import SnapshotStore
from trikv.storage.wal import WalSettings

EVERY = 40
"""One acknowledgement in so many is looked at: a look costs about a millisecond a node."""
T = TypeVar("T")


class Durability:
    """Looks at samples of acknowledgements."""

    def __init__(
        self,
        volumes: Callable[[], list[Volume]],
        settings: WalSettings,
        fail: Callable[[str, str], None],
        *,
        every: int = EVERY,
    ) -> None:
        self._volumes = volumes
        self._settings = settings
        self._fail = fail
        self._every = every
        self.acks = 0
        self.samples = 0
        self.highest_acked = 0

    def acked(self, number: int, position: SnapshotMeta, raft: Raft) -> None:
        """Node `number` is about to answer a write that took effect at `position`."""
        self.acks += 1
        self.highest_acked = max(self.highest_acked, position.index)
        if self.acks % self._every:
            return
        self.samples += 1
        holders = [
            disk
            for volume in self._volumes()
            if (disk := self._holder(volume, position.index, position.term))
        ]
        # An entry may be committed under the membership in force after it.
        if not (_majority(position.membership, holders) or _majority(raft.membership, holders)):
            self._fail(
                "durability",
                f"node {number} acknowledged {position.index}; the platters of {len(holders)} nodes hold it",
            )

    def _holder(self, volume: Volume, index: int, term: int) -> DiskId | None:
        """The id of the disk, if a power cut now would leave the entry on it."""
        disk = PlatterDisk(platters_of(volume))
        try:
            recovered = run_at_once(recover(disk, self._settings))
        except LogMissing:
            return None
        except (StorageError, AssertionError) as error:
            self._fail("corruption", f"a power cut now would leave an unreadable log: {error}")
            return None
        if recovered.base.index >= index:
            newest = run_at_once(_newest(disk))
            covered = newest is not None and newest >= recovered.base.index
            return recovered.identity.disk if covered else None
        held = any(entry.index == index and entry.term == term for entry in recovered.entries)
        return recovered.identity.disk if held else None


async def _newest(disk: PlatterDisk) -> int | None:
    stored = await (await SnapshotStore.open(disk)).newest()
    return None if stored is None else stored.index


def _majority(membership: Membership, holders: list[DiskId]) -> bool:
    voters = [member.disk for member in membership.members if member.voter]
    return 2 * sum(disk in holders for disk in voters) > len(voters)


def run_at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, between two moments of the virtual world."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise AssertionError("it waited for something")
