"""What is acknowledged is on platters: of a majority when a client is told, of each node that said so.

The platters are read by the code that would read them after a power cut: `trikv.storage.recovery`, on a copy
that holds only what was synced. No node is believed. A disk that lies about its syncs is believed, because no
node can know better (`trikv.sim.losses` bounds what such lies may lose). A log that a flipped bit has made
unreadable holds nothing.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import attrs

from trikv.notation import counted
from trikv.raft.core import Raft
from trikv.raft.types import DiskId, HardState, Membership, SnapshotMeta
from trikv.sim.checkers.platters import PlatterDisk, files_of
from trikv.sim.volume import Volume
from trikv.storage.errors import LogMissing, StorageError
from trikv.storage.recovery import recover
from trikv.storage.snapshots import SnapshotStore
from trikv.storage.wal import WalSettings

EVERY = 40
"""At most one in this many acknowledgements is checked."""
ENTRIES_PER_ACK = 8
"""The cost of reading platters grows with their entries: for each so many, one more acknowledgement is not
checked."""
T = TypeVar("T")


@attrs.frozen
class Reading:
    """The log that a start after a power cut would find."""

    problem: str = ""
    """Why the start would refuse; empty if it would not."""
    exists: bool = False
    """Whether there is a log."""
    disk: DiskId = b""
    hard_state: HardState = attrs.field(factory=HardState)
    base: int = 0
    """A snapshot that is there covers all entries up to this index."""
    terms: Mapping[int, int] = attrs.field(factory=dict)
    """The terms of the entries above the base, by index."""

    @property
    def last(self) -> int:
        """The last index that it holds, as an entry or in the snapshot."""
        return max(self.terms, default=self.base)

    def term_at(self, index: int) -> int | None:
        """The term of the entry at `index`; None if it is not above the base, or not there."""
        return self.terms.get(index)

    def holds(self, index: int, term: int) -> bool:
        """Whether that entry is there, or in the snapshot."""
        return self.exists and not self.problem and (index <= self.base or self.terms.get(index) == term)


def read(volume: Volume, settings: WalSettings, *, believe: bool = True) -> Reading:
    """What a power cut now would leave of a log. With `believe`, a lying disk's claims count as written."""
    disk = PlatterDisk(files_of(volume, cached=believe and volume.lied))
    try:
        recovered = run_at_once(recover(disk, settings))
        newest = run_at_once(_newest(disk))
    except LogMissing:
        return Reading()
    except (StorageError, AssertionError) as error:
        return Reading(problem=str(error), exists=True)
    base = recovered.base.index
    if base and (newest is None or newest < base):
        return Reading(problem=f"the log begins after {base}, the newest snapshot is {newest}", exists=True)
    return Reading(
        "",
        True,
        recovered.identity.disk,
        recovered.hard_state,
        base,
        {entry.index: entry.term for entry in recovered.entries},
    )


class Durability:
    """Checks samples of acknowledgements, and by `look` all platters."""

    def __init__(
        self,
        volumes: Callable[[], list[Volume]],
        settings: WalSettings,
        fail: Callable[[str, str], None],
        *,
        every: int = EVERY,
        is_rotten: Callable[[int], bool] = lambda _: False,
        believed: Callable[[int], tuple[DiskId, int] | None] = lambda _: None,
        lost: Callable[[int, int], list[DiskId]] = lambda _, __: [],
    ) -> None:
        """`volumes` are those of nodes 1, 2 and so on; damage of a rotten one is expected.

        `believed` gives the disk of a running node, and the index up to which it takes its log for durable.
        `lost` gives the disks that had an entry (index, term) when they were lost, within the budget.
        """
        self._volumes = volumes
        self._settings = settings
        self._fail = fail
        self._every = every
        self._is_rotten = is_rotten
        self._believed = believed
        self._lost = lost
        self.acks = 0
        self._next_look = every
        self.samples = 0
        self.highest_acked = 0

    def acked(self, number: int, position: SnapshotMeta, raft: Raft) -> None:
        """Node `number` is about to answer a write that took effect at `position`."""
        self.acks += 1
        self.highest_acked = max(self.highest_acked, position.index)
        if self.acks < self._next_look:
            return
        readings = self.look()
        entries = sum(len(one.terms) for one in readings)
        self._next_look = self.acks + max(self._every, entries // ENTRIES_PER_ACK)
        holders = [one.disk for one in readings if one.holds(position.index, position.term)]
        # A node that lags may tell its client when a disk is gone already that had the entry at its commit.
        had = [*holders, *self._lost(position.index, position.term)] if holders else []
        # An entry may be committed under the membership in force after it.
        if not (_majority(position.membership, had) or _majority(raft.membership, had)):
            self._fail(
                "durability",
                f"node {number} acknowledged {position.index}; "
                f"the platters of {counted(len(holders), 'node')} hold it",
            )

    def look(self) -> list[Reading]:
        """Read all platters, and check that each can be read and holds what its node takes for durable."""
        self.samples += 1
        readings = [read(volume, self._settings) for volume in self._volumes()]
        for number, one in enumerate(readings, start=1):
            if one.problem and not self._is_rotten(number):
                self._fail("corruption", f"node {number} after a power cut now: {one.problem}")
            believed = self._believed(number)
            if believed is not None and believed[0] == one.disk and one.last < believed[1]:
                self._fail(
                    "durability",
                    f"node {number} takes {believed[1]} for durable; its platters end at {one.last}",
                )
        return readings


async def _newest(disk: PlatterDisk) -> int | None:
    stored = await (await SnapshotStore.open(disk)).newest()
    return None if stored is None else stored.index


def _majority(membership: Membership, holders: list[DiskId]) -> bool:
    voters = [member.disk for member in membership.members if member.voter]
    return 2 * sum(disk in holders for disk in voters) > len(voters)


def run_at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits, without any event of the virtual world in between."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise AssertionError("it waited for something")
