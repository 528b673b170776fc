"""What only the leader does: stamp and propose batches, let keys expire, swap blank disks in."""

from collections.abc import Collection

import attrs
import msgspec

from trikv.host.seam import Host
from trikv.machine.batch import Bootstrap, RawBatch
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.swap import Joiner, next_change
from trikv.node.state.applier import Applier
from trikv.raft.core import Raft
from trikv.raft.roles import Role
from trikv.raft.types import NodeId

_encode = msgspec.msgpack.Encoder().encode


@attrs.frozen
class LeadingSettings:
    """Bounds of a leader's work."""

    batch_bytes_max: int = 128 * 1024
    """Items joined into one entry: what every replica applies without a pause (a few ten ms of commands)."""
    clock_entry_interval_ms: int = 5
    """Between two entries that only move the clock (PROTOCOL 21)."""


class Leading:
    """The leader's duties; asked by the driver in each turn while it leads."""

    def __init__(
        self,
        raft: Raft,
        applier: Applier,
        log_time: LogTime,
        host: Host,
        bootstrap: Bootstrap,
        settings: LeadingSettings,
    ) -> None:
        self.joiners: dict[NodeId, Joiner] = {}
        self._raft = raft
        self._applier = applier
        self._log_time = log_time
        self._host = host
        self.bootstrap = bootstrap
        """What a cluster without settings is founded with."""
        self._settings = settings
        self._last_batch_index = 0
        self._last_batch_ms = 0
        """When one was last proposed, or refused: a leader that hands over must not ask again at once."""
        self._founded_term = 0

    def elected(self, boot_ms: int) -> None:
        """A term of ours begins: fix log time by a quorum's clocks."""
        self._log_time.lead(boot_ms, self._clocks_ms(boot_ms))
        self._last_batch_index = self._raft.last_index

    def _clocks_ms(self, boot_ms: int) -> list[int]:
        """Wall clocks of this node and of the peers that told theirs, all brought up to now.

        By boot time: a step of our own wall clock since they told it must not count as theirs, too.
        """
        peers = self._raft.peer_clocks
        return [self._host.clock.wall_ms()] + [peers[peer].at_ms(boot_ms) for peer in sorted(peers)]

    def slew(self, boot_ms: int) -> None:
        """Once a second or so: follow the quorum's median."""
        self._log_time.slew(boot_ms, self._clocks_ms(boot_ms))

    def propose(self, items: list[bytes], boot_ms: int) -> bool:
        """Propose `items` in order, in as few entries as their size allows. False if Raft refused some."""
        limit = self._settings.batch_bytes_max
        start, size = 0, 0
        for position, item in enumerate(items):
            if size and size + len(item) > limit:
                if not self._propose_one(items[start:position], boot_ms):
                    return False
                start, size = position, 0
            size += len(item)
        return start == len(items) or self._propose_one(items[start:], boot_ms)

    def _propose_one(self, items: list[bytes], boot_ms: int) -> bool:
        self._last_batch_ms = boot_ms
        batch = RawBatch(
            self._log_time.stamp(boot_ms),
            int.from_bytes(self._host.entropy.bytes(8), "big"),
            [msgspec.Raw(item) for item in items],
        )
        # The encoder grows its buffer by halves and gives all of it away: the log keeps an exact copy.
        index = self._raft.propose(bytes(memoryview(_encode(batch))))
        if index is None:
            return False
        self._last_batch_index = index
        return True

    def keep_up(self, boot_ms: int) -> None:
        """Found a new cluster's settings, expire what is due, move a swap on: each only when it is time."""
        if not self._raft.is_ready_to_read or self._applier.position.term != self._raft.term:
            return
        if not self.is_founded:
            self._found(boot_ms)
            return
        if self._expiry_is_due(boot_ms):
            self._propose_one([], boot_ms)
        if not self.joiners:
            return
        change = next_change(
            self._raft.membership,
            self.joiners,
            {peer: progress.match for peer, progress in self._raft.progress.items()},
            self._raft.commit,
            boot_ms,
        )
        if change is not None:
            self._raft.propose_membership(change)

    @property
    def is_founded(self) -> bool:
        """True once the log has brought the cluster's first settings; nothing else is proposed before."""
        return self._applier.machine.feature_level > 0

    @property
    def feature_level(self) -> int:
        """The cluster's, or what it is to be founded with."""
        return self._applier.machine.feature_level or self.bootstrap.feature_level

    def asked_to_join(self, peer: NodeId, joiner: Joiner, *, knows: int) -> None:
        """A blank disk under a member's id wants in; not if its release does not know the cluster's rules.

        `knows`: the highest feature level whose rules it knows.
        """
        if knows >= self.feature_level:
            self.joiners[peer] = joiner

    def give_away(self, heirs: Collection[NodeId]) -> None:
        """Hand the office, if this node has it, to the most caught-up voter of `heirs`, if there is one."""
        raft = self._raft
        if raft.role is not Role.LEADER:
            return
        voters = {member.id for member in raft.membership.members if member.voter}
        candidates = [
            (progress.match, peer)
            for peer, progress in raft.progress.items()
            if peer in voters and peer in heirs
        ]
        if candidates:
            raft.transfer(max(candidates)[1])

    def _found(self, boot_ms: int) -> None:
        """The first leader writes the members and the replicated settings into the log (PROTOCOL 22).

        The members too: a disk that joins later starts from the same nothing as the first ones did, and
        must come to the same state by the log alone.
        """
        raft = self._raft
        if self._founded_term == raft.term or raft.is_transferring:
            return
        stated = raft.membership_index > 0 or raft.propose_membership(raft.membership) is not None
        if stated and self._propose_one([_encode(self.bootstrap)], boot_ms):
            self._founded_term = raft.term

    def _expiry_is_due(self, boot_ms: int) -> bool:
        deadline_ms = self._applier.machine.next_deadline_ms()
        return (
            deadline_ms is not None
            and deadline_ms <= self._log_time.now_ms(boot_ms)
            and self._applier.position.index >= self._last_batch_index
            and boot_ms >= self._last_batch_ms + self._settings.clock_entry_interval_ms
        )

    def deadline_ms(self) -> int | None:
        """Boot time of the next expiry, None if no key has a deadline."""
        deadline_ms = self._applier.machine.next_deadline_ms()
        if deadline_ms is None or self._applier.position.index < self._last_batch_index:
            return None  # a batch under way expires keys too; its progress asks again
        due_ms = self._log_time.boot_ms_of(deadline_ms)
        return (
            None
            if due_ms is None
            else max(due_ms, self._last_batch_ms + self._settings.clock_entry_interval_ms)
        )
