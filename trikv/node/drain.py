"""A stop as one value: how far this node's has come, and what peers said of theirs (PROTOCOL 25). Pure.

It is told what happens and what the node looks like, and says what is to be done; `trikv.node.stopping` does
it. Others only read it: while `is_stopping` no work is taken and no lease is trusted, and nobody who stops is
handed leadership.

**Phases.** Each has a limit. None may last when the whole stands still.

1. FINISHING: what is in flight is finished. New commands are refused with an error that is safe to retry
   elsewhere.
2. LISTENING: usually the whole cluster is stopped. Peers have a moment to say so.
3. WAITING: for those that do, until they have answered their clients as well.
4. CONFIRMING: a read barrier. This node has then applied everything that was acknowledged, anywhere.
5. HANDING_OVER: leadership goes to a voter that is not stopping, if there is one.
6. DUMPING: the dump is written, at that index or later. Raft goes on: the peers may need us for their own
   barrier.
7. LEAVING: until every peer that stops needs us no more either.
8. CLOSING: the last words leave to clients.

**The deadline is one without progress.** A dump takes as long as the data is large, and what is promised is
that memory is backed up before the exit, not that it fits into ten seconds. So each piece that is written
puts the deadline off.
"""

from collections.abc import Set as AbstractSet
from enum import IntEnum, auto
from typing import TypeAlias

import attrs

from trikv.protocol.messages import Drained, Draining
from trikv.raft.types import NodeId

POLL_S = 0.01
"""Between two looks at what the stop is not told of: clients in flight, links, who leads."""
COMPANY_S = 0.3
"""How long peers may take to hear of a stop that one hand ordered for all. Without it a node that was quick
left a dump without the last writes that a slower one had acknowledged."""
TELL_S = 1.0
"""How often the log tells how far the dump is; `trikv cluster` shows it and waits for as long as it moves."""
FLUSH_S = 0.5
"""At most, of the whole: what clients are told last (errors for what is in flight) leaves before we do."""


@attrs.frozen
class StopLimits:
    """Seconds."""

    still_s: float = 10.0
    """Longest time without progress: all phases but the dump, or between two pieces of the dump."""
    drain_s: float = 2.0
    barrier_s: float = 2.0
    hand_over_s: float = 0.5


class Phase(IntEnum):
    """How far a stop has come; it never goes back."""

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
    """What a peer has said of its own stop, each including those before it."""

    STOPPING = auto()
    QUIET = auto()
    """It has answered its clients."""
    DRAINED = auto()
    """It needs its peers no more."""


@attrs.frozen
class Seen:
    """What the node looks like at one moment."""

    is_busy: bool
    """Some client waits for an answer."""
    clients: int
    """Connections."""
    up: AbstractSet[NodeId]
    """Peers to whom our link stands."""
    leads: bool
    voters: AbstractSet[NodeId]
    """All of them, this node perhaps among them."""


@attrs.frozen
class Announce:
    """Accept nobody, warn all clients, refuse their commands, give up the snapshot under way."""


@attrs.frozen
class Tell:
    """Say it to every peer."""

    message: Draining | Drained


@attrs.frozen
class Confirm:
    """Ask a majority; `Drain.confirmed` hears what came of it."""


@attrs.frozen
class Resign:
    """Give leadership to the best voter that is not stopping."""


@attrs.frozen
class Dump:
    """Write the dump; `Drain.dump_ended` hears what came of it."""

    complete: bool


Act: TypeAlias = Announce | Tell | Confirm | Resign | Dump


class Drain:
    """This node's stop, and its peers'."""

    def __init__(self) -> None:
        self.phase = Phase.SERVING
        self.is_stopping = False
        """A plain attribute: it is asked for each read by lease."""
        self.dumped = False
        """True once there is a dump."""
        self.gave_up = False
        """The deadline has passed before all was done."""
        self._peers: dict[NodeId, Stage] = {}
        """Those that stop."""
        self._limits = StopLimits()
        self._patience_s = self._flush_s = 0.0
        self._deadline_s = self._phase_ends_s = self._tell_s = float("inf")
        self._is_confirmed: bool | None = None
        self._dump_has_ended = False

    # ------------------------------------------------------------------ the peers'

    def heard(self, peer: NodeId, message: Draining | Drained) -> None:
        """A peer tells how far its own stop is. A later word takes nothing back."""
        if isinstance(message, Drained):
            stage = Stage.DRAINED
        else:
            stage = Stage.QUIET if message.is_quiet else Stage.STOPPING
        self._peers[peer] = max(stage, self._peers.get(peer, stage))

    def came_up(self, peer: NodeId) -> list[Draining | Drained]:
        """A link to a peer came up, perhaps to another life of it: what it must be told.

        What its last life said of itself says nothing of this one. It must not hand over to this node, nor
        wait for it.
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
        """This node has answered its clients."""
        return self.phase >= Phase.LISTENING

    @property
    def needs_nobody(self) -> bool:
        """This node is behind its barrier: no peer need stay for it."""
        return self.phase >= Phase.DUMPING

    def begin(self, now_s: float, limits: StopLimits) -> list[Act]:
        """Begin to stop; what is to be done for that."""
        assert self.phase is Phase.SERVING, "a node stops once"
        self.is_stopping = True
        self._limits = limits
        self._flush_s = min(FLUSH_S, limits.still_s / 4)
        self._patience_s = limits.still_s - self._flush_s
        self._deadline_s = now_s + self._patience_s
        self._tell_s = now_s + TELL_S
        self._enter(Phase.FINISHING, now_s + limits.drain_s)
        return [Announce(), Tell(Draining())]

    def confirmed(self, *, by_majority: bool) -> None:
        """The barrier has been answered; or it failed.

        An answer that comes after its limit still counts if the dump has not begun: all was applied by then.
        """
        self._is_confirmed = by_majority

    def moved(self, now_s: float) -> bool:
        """A piece of a file was written, which puts the deadline off. True if it is time to tell of it."""
        self._deadline_s = now_s + self._patience_s
        if now_s < self._tell_s:
            return False
        self._tell_s = now_s + TELL_S
        return True

    def dump_ended(self, *, written: bool) -> None:
        """The dump is there, or there will be none."""
        self.dumped = written
        self._dump_has_ended = True

    def said_goodbye(self, now_s: float) -> None:
        """All clients have been told that it is over; what was told has a moment to leave."""
        assert self.phase >= Phase.CLOSING, "clients are served until all else is done"
        self._phase_ends_s = now_s + self._flush_s

    def look(self, now_s: float, seen: Seen) -> list[Act]:
        """Go on as far as the node's looks allow; what is to be done, in this order."""
        acts: list[Act] = []
        if Phase.FINISHING <= self.phase <= Phase.LEAVING and now_s >= self._deadline_s:
            self.gave_up = True
            self._enter(Phase.CLOSING)
        while (step := self._step(now_s, seen)) is not None:
            acts += step
        return acts

    def pause_s(self, now_s: float) -> float:
        """For how long nothing can change but what is told: look again after that."""
        if self.phase is Phase.DUMPING:
            return max(0.0, self._deadline_s - now_s)  # it may last for minutes, and wants no poll
        return POLL_S

    def _step(self, now_s: float, seen: Seen) -> list[Act] | None:
        """One phase on, and what is to be done at its start; None if it is not over."""
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
                # Told before the dump: that may take long, and the peers have no need of it.
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
        """Whether every peer that stops and is there has come so far."""
        return all(reached >= stage for peer, reached in self._peers.items() if peer in seen.up)

    def _has_heir(self, seen: Seen) -> bool:
        """Whether some voter is there that does not stop itself."""
        return any(voter in seen.up and voter not in self._peers for voter in seen.voters)
