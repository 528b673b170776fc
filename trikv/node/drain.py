"""A stop as one value: the progress of this node's, and what peers said of theirs (PROTOCOL 25). Pure.

It is told what happens and how the node is doing, and returns what is to be done; `trikv.node.stopping` does
it. Other parts only read it: while `is_stopping`, no work is taken and no lease is trusted, and leadership is
never given to a node that stops.

**Phases.** Each has a limit. None may last if there is no progress.

1. FINISHING: commands in flight are finished. New ones are refused with an error that is safe to retry
   elsewhere.
2. LISTENING: usually the whole cluster is stopped at once. Peers have a moment to say that they stop too.
3. WAITING: until the peers that stop have answered their clients as well.
4. CONFIRMING: a read barrier. This node has then applied everything that was acknowledged, anywhere.
5. HANDING_OVER: leadership goes to a voter that is not stopping, if there is one.
6. DUMPING: the dump is written, at that index or later. Raft goes on, because the peers may need this node
   for their own barriers.
7. LEAVING: until every peer that stops no longer needs this node.
8. CLOSING: the last replies leave to clients.

**The deadline limits the time without progress.** The time for a dump grows with the data, and the promise is
that memory is backed up before the exit, not that this takes ten seconds. So each piece that is written
extends the deadline. So does each slice of an entry that takes long, in the phases that wait for it.
"""

from collections.abc import Set as AbstractSet
from enum import IntEnum, auto
from typing import TypeAlias

import attrs

from trikv.protocol.messages import Drained, Draining
from trikv.raft.types import NodeId

POLL_S = 0.01
"""Between two checks of what the stop is not told of: commands in flight, links, the leader."""
COMPANY_S = 0.3
"""How long peers may take to hear of a stop that one operator ordered for all. Without it, a fast node would
leave a dump without the last writes that a slower one had acknowledged."""
TELL_S = 1.0
"""How often the dump's progress is logged; `trikv cluster` shows it, and waits as long as there is some."""
FLUSH_S = 0.5
"""The longest time for CLOSING: clients should get their last errors before the node exits."""


@attrs.frozen
class StopLimits:
    """Seconds."""

    still_s: float = 10.0
    """Longest time without progress: for all phases except the dump, or between two pieces of the dump."""
    drain_s: float = 2.0
    barrier_s: float = 2.0
    hand_over_s: float = 0.5


class Phase(IntEnum):
    """The phases of a stop, in order; a stop never goes back to an earlier one."""

    SERVING = auto()
    FINISHING = auto()
    LISTENING = auto()
    WAITING = auto()
    CONFIRMING = auto()
    HANDING_OVER = auto()
    DUMPING = auto()
    LEAVING = auto()
    CLOSING = auto()
    GONE = auto()


class Stage(IntEnum):
    """What a peer has said of its own stop; each stage includes those before it."""

    STOPPING = auto()
    QUIET = auto()
    """It has answered its clients."""
    DRAINED = auto()
    """It does not need its peers any more."""


WAIT_FOR_THE_APPLIER = frozenset({Phase.FINISHING, Phase.CONFIRMING, Phase.DUMPING})
"""For the replies to clients, for the barrier's read, for a state that may be written down."""


@attrs.frozen
class Seen:
    """The state of the node at one moment, as far as a stop depends on it."""

    is_busy: bool
    """Whether some client waits for an answer."""
    clients: int
    """How many connections of clients there are."""
    up: AbstractSet[NodeId]
    """Peers to which a link is up."""
    leads: bool
    voters: AbstractSet[NodeId]
    """All voters, possibly including this node."""
    slices: int
    """How often the applier has got on with an entry that takes long."""


@attrs.frozen
class Announce:
    """Accept nobody, warn all clients, refuse their commands, give up the snapshot under way."""


@attrs.frozen
class Tell:
    """Send this message to every peer."""

    message: Draining | Drained


@attrs.frozen
class Confirm:
    """Ask a majority; pass the outcome to `Drain.confirmed`."""


@attrs.frozen
class Resign:
    """Give leadership to the best voter that is not stopping."""


@attrs.frozen
class Dump:
    """Write the dump; pass the outcome to `Drain.dump_ended`."""

    complete: bool


Act: TypeAlias = Announce | Tell | Confirm | Resign | Dump


class Drain:
    """The state of this node's stop and of its peers' stops."""

    def __init__(self) -> None:
        self.phase = Phase.SERVING
        self.is_stopping = False
        """A plain attribute, because every read by lease checks it."""
        self.dumped = False
        """Whether the dump has been written."""
        self.gave_up = False
        """Whether the deadline passed before all was done."""
        self._peers: dict[NodeId, Stage] = {}
        """Only peers that stop."""
        self._limits = StopLimits()
        self._patience_s = self._flush_s = 0.0
        self._deadline_s = self._phase_ends_s = self._tell_s = float("inf")
        self._is_confirmed: bool | None = None
        self._dump_has_ended = False
        self._slices = 0
        self._looked_s = float("inf")
        """When, and how far the applier was, at the last look."""

    # ------------------------------------------------------------------ the peers'

    def heard(self, peer: NodeId, message: Draining | Drained) -> None:
        """Note the stage of a peer's own stop. A message of an earlier stage changes nothing."""
        if isinstance(message, Drained):
            stage = Stage.DRAINED
        else:
            stage = Stage.QUIET if message.is_quiet else Stage.STOPPING
        self._peers[peer] = max(stage, self._peers.get(peer, stage))

    def came_up(self, peer: NodeId) -> list[Draining | Drained]:
        """A link to a peer came up, perhaps after a restart of the peer. Returns what it must be told.

        What it said before a restart does not hold for its new life, so that is forgotten. And it must know
        that this node stops: it must neither give leadership to this node nor wait for it.
        """
        self._peers.pop(peer, None)
        told: list[Draining | Drained] = []
        if self.is_stopping:
            told.append(Draining(self.is_quiet))
        if self.needs_nobody:
            told.append(Drained())
        return told

    def stops(self, peer: NodeId) -> bool:
        """Whether that peer has said that it stops."""
        return peer in self._peers

    # --------------------------------------------------------------------- our own

    @property
    def is_quiet(self) -> bool:
        """Whether this node has answered its clients."""
        return self.phase >= Phase.LISTENING

    @property
    def needs_nobody(self) -> bool:
        """Whether this node has passed its barrier, so that no peer need stay for it."""
        return self.phase >= Phase.DUMPING

    def begin(self, now_s: float, limits: StopLimits) -> list[Act]:
        """Begin to stop; returns what is to be done at once."""
        assert self.phase is Phase.SERVING, "a node stops once"
        self.is_stopping = True
        self._limits = limits
        self._flush_s = min(FLUSH_S, limits.still_s / 4)
        self._patience_s = limits.still_s - self._flush_s
        self._deadline_s = now_s + self._patience_s
        self._tell_s = now_s + TELL_S
        self._looked_s = now_s
        self._enter(Phase.FINISHING, now_s + limits.drain_s)
        return [Announce(), Tell(Draining())]

    def confirmed(self, *, by_majority: bool) -> None:
        """Note whether the barrier was answered or failed.

        An answer after its limit still counts if the dump has not begun: by then all was applied.
        """
        self._is_confirmed = by_majority

    def moved(self, now_s: float) -> bool:
        """A piece of a file was written, which extends the deadline. True if it is time to log progress."""
        self._deadline_s = now_s + self._patience_s
        if now_s < self._tell_s:
            return False
        self._tell_s = now_s + TELL_S
        return True

    def dump_ended(self, *, written: bool) -> None:
        """Note that the dump is written, or that there will be none."""
        self.dumped = written
        self._dump_has_ended = True

    def said_goodbye(self, now_s: float) -> None:
        """All clients have been sent their last replies, which now have a moment to leave."""
        assert self.phase >= Phase.CLOSING, "clients are served until all else is done"
        self._phase_ends_s = now_s + self._flush_s

    def look(self, now_s: float, seen: Seen) -> list[Act]:
        """Go on as far as the node's state allows; returns what is to be done, in this order."""
        acts: list[Act] = []
        self._stretch(now_s, seen)
        if Phase.FINISHING <= self.phase <= Phase.LEAVING and now_s >= self._deadline_s:
            self.gave_up = True
            self._enter(Phase.CLOSING)
        while (step := self._step(now_s, seen)) is not None:
            acts += step
        return acts

    def pause_s(self, now_s: float) -> float:
        """How long until the next `look`, unless the stop is told something before."""
        if self.phase is Phase.DUMPING:
            # May last for minutes, and is told all it waits for, but how the applier gets on.
            return max(0.0, min(TELL_S, self._deadline_s - now_s))
        return POLL_S

    def _stretch(self, now_s: float, seen: Seen) -> None:
        """Time in which the applier gets on with a long entry does not count, if the phase waits for it.

        The others do not: they would have no end while clients of other nodes send one long command after
        another.
        """
        if seen.slices != self._slices and self.phase in WAIT_FOR_THE_APPLIER:
            self._slices = seen.slices
            self._phase_ends_s += now_s - self._looked_s
            self._deadline_s = now_s + self._patience_s
        self._looked_s = now_s

    def _step(self, now_s: float, seen: Seen) -> list[Act] | None:
        """Enter the next phase and return what is to be done at its start; None if this one is not over."""
        is_late, limits = now_s >= self._phase_ends_s, self._limits
        match self.phase:
            case Phase.FINISHING if is_late or not seen.is_busy:
                self._enter(Phase.LISTENING, now_s + COMPANY_S)
                return [Tell(Draining(is_quiet=True))]
            case Phase.LISTENING if is_late or seen.up <= self._peers.keys():
                self._enter(Phase.WAITING, now_s + limits.drain_s)
                return []
            case Phase.WAITING if is_late or self._all_have_reached(Stage.QUIET, seen):
                self._enter(Phase.CONFIRMING, now_s + limits.barrier_s)
                return [Confirm()]
            case Phase.CONFIRMING if is_late or self._is_confirmed is not None:
                self._enter(Phase.HANDING_OVER, now_s + limits.hand_over_s)
                return [Resign()] if seen.leads else []
            case Phase.HANDING_OVER if is_late or not seen.leads or not self._has_heir(seen):
                self._enter(Phase.DUMPING)
                # Told before the dump, which may take long: the peers do not depend on it.
                return [Tell(Drained()), Dump(complete=bool(self._is_confirmed))]
            case Phase.DUMPING if self._dump_has_ended:
                self._enter(Phase.LEAVING)
                return []
            case Phase.LEAVING if self._all_have_reached(Stage.DRAINED, seen):
                self._enter(Phase.CLOSING)
                return []
            case Phase.CLOSING if is_late or not seen.clients:
                self._enter(Phase.GONE)
                return []
            case _:
                return None

    def _enter(self, phase: Phase, ends_s: float = float("inf")) -> None:
        assert phase > self.phase, "a stop goes one way"
        self.phase, self._phase_ends_s = phase, ends_s

    def _all_have_reached(self, stage: Stage, seen: Seen) -> bool:
        """Whether every peer that stops and whose link is up has reached `stage`."""
        return all(reached >= stage for peer, reached in self._peers.items() if peer in seen.up)

    def _has_heir(self, seen: Seen) -> bool:
        """Whether a link to some voter is up that does not stop itself."""
        return any(voter in seen.up and voter not in self._peers for voter in seen.voters)
