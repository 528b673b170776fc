"""Durable losses, and the one budget for all of them.

A wiped disk, a rotten one and one that lied about its syncs forget what they had acknowledged. A cluster
survives that if it happens to a minority, and no product survives more. So a loss is granted only if fewer
than half of the nodes would then be without their part of the log. A node counts until its disk is a voter's
again and holds all that is committed. An entry that was committed by the platters of a majority may so be on
one less for a while, until a node that lags has it; `lost` says which disks had an entry when they were lost.

A disk that has lied loses, at a power cut, data that it never wrote, and nobody can see it: the log that it
leaves may look whole. If the node would then forget a vote, or an entry that the others do not hold without
it, no design could survive the loss. The run then assumes that the operator notices, and replaces the disk.
"""

from collections.abc import Callable

from trikv.raft.types import DiskId
from trikv.sim.checkers.durability import Reading, read
from trikv.sim.cluster import Cluster
from trikv.sim.marks import Marks
from trikv.sim.volume import Keep
from trikv.storage.wal import WalSettings


class Losses:
    """Grants durable losses, and carries out those of disks that lied."""

    def __init__(
        self, cluster: Cluster, settings: WalSettings, marks: Marks, excused: Callable[[int], None]
    ) -> None:
        """`excused` is called for a node that will come back with less than it has promised."""
        self._cluster = cluster
        self._settings = settings
        self._marks = marks
        self._excused = excused
        self._impaired: dict[int, None] = {}
        self._lost: dict[DiskId, Reading] = {}
        """What the disks held that were lost, at that moment."""

    def take(self, number: int) -> bool:
        """Take the budget for a durable loss on node `number`, if there is any."""
        for other in [other for other in self._impaired if self._is_whole(other)]:
            del self._impaired[other]
        after = {**self._impaired, number: None}
        if 2 * len(after) >= len(self._cluster.ids):  # no product survives losses on a majority
            self._marks.sometimes("durable loss withheld by the budget")
            return False
        self._impaired = after
        held = read(self._cluster.machine(number).volume, self._settings)
        self._lost[held.disk] = held
        return True

    def lost(self, index: int, term: int) -> list[DiskId]:
        """The disks that had that entry on their platters when the budget took them."""
        return [disk for disk, held in self._lost.items() if held.holds(index, term)]

    def has_lost(self, number: int) -> bool:
        """Whether the disk of `number` may lack what it once had."""
        return number in self._impaired

    def cut_power(self, number: int) -> None:
        """Cut the power: unsynced data is lost, and with it what a lying disk says it has written."""
        volume = self._cluster.machine(number).volume
        if not volume.lied or volume.is_synced():
            self._cluster.lose_power(number)
        elif not self.take(number):  # no budget for this loss: the drive manages to write its cache
            volume.settle()
            self._cluster.lose_power(number)
        else:
            self._lose_lies(number)

    def _lose_lies(self, number: int) -> None:
        cluster = self._cluster
        believed = read(cluster.machine(number).volume, self._settings)  # it takes a liar by its word
        cluster.lose_power(number, Keep.SOME)
        left = read(cluster.machine(number).volume, self._settings)
        self._marks.sometimes("lies of a disk lost")
        self._excused(number)
        # If it refuses to start, for its identity or a snapshot as well, the lies are the reason: a refill.
        cluster.rotten[number] = True
        if left.problem or not left.exists:
            return
        if left.hard_state != believed.hard_state or not self._others_hold(number, left, believed):
            cluster.wipe(number)

    def _others_hold(self, number: int, left: Reading, believed: Reading) -> bool:
        """Whether all that `left` lacks of `believed` is on a majority's platters without this node."""
        others = [
            read(self._cluster.machine(other).volume, self._settings, believe=False)
            for other in self._cluster.ids
            if other != number
        ]
        lost = {index: term for index, term in believed.terms.items() if left.term_at(index) != term}
        lost |= {believed.base: 0} if believed.base > left.last else {}
        return all(
            2 * sum(other.holds(index, term) for other in others) > len(self._cluster.ids)
            for index, term in lost.items()
        )

    def _is_whole(self, number: int) -> bool:
        """Whether the disk of `number` is a voter's, has not lied, and holds all that is committed."""
        parts, leader = self._cluster.parts(number), self._cluster.leader()
        leading = self._cluster.parts(leader) if leader is not None else None
        if parts is None or leading is None:
            return False
        voters = [member.disk for member in leading.raft.membership.members if member.voter]
        whole = parts.identity.disk in voters and parts.raft.durable_index >= leading.raft.commit
        if whole:
            self._marks.sometimes("blank disk swapped in")
        return whole and not self._cluster.machine(number).volume.lied
