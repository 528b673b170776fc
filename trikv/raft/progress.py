"""What a leader knows of one peer's log, and how freely it may send."""

from collections import deque
from enum import Enum, auto

from trikv.raft.lease import NEVER_MS
from trikv.raft.settings import RaftSettings

DENIALS_MIN = 3
"""One or two may be rejections that come late; a probe leaves once a heartbeat."""


class ProgressState(Enum):
    """How entries go to a peer."""

    PROBE = auto()
    """Nobody knows yet at which entry its log departs from ours: one message at a time."""
    REPLICATE = auto()
    """It follows: messages leave before the earlier ones are acknowledged."""
    SNAPSHOT = auto()
    """It needs entries that are gone: none are sent until the driver's transfer has ended."""


TRANSITIONS: dict[ProgressState, frozenset[ProgressState]] = {
    # To itself: a rejection, answered by another probe further back.
    ProgressState.PROBE: frozenset(ProgressState),
    ProgressState.REPLICATE: frozenset({ProgressState.PROBE, ProgressState.SNAPSHOT}),
    ProgressState.SNAPSHOT: frozenset({ProgressState.PROBE, ProgressState.REPLICATE}),
}


class Progress:
    """One peer, as its leader sees it. Outside the core: read only."""

    __slots__ = (
        "awaited",
        "commit_sent",
        "denials",
        "inflight",
        "inflight_bytes",
        "is_probing",
        "last_ack_ms",
        "match",
        "moved_ms",
        "next",
        "probed_ms",
        "promise_ends_ms",
        "round_acked",
        "slow_ms",
        "state",
    )

    match: int
    """Its log equals ours, on its disk, up to here."""
    next: int
    """The next entry to send."""
    last_ack_ms: int
    """When it last answered in this term."""
    awaited: int
    """A client there waits for the commit of this index: the peer is told at once, by a heartbeat."""
    denials: int
    """How often, one after another, it has said that it lacks what it had acknowledged."""
    inflight: deque[tuple[int, int]]
    """(last index, payload bytes) of each AppendEntries not yet acknowledged."""
    slow_ms: int
    """When it last let a read round wait for too long; 0 for never."""
    promise_ends_ms: int
    """It helps to elect nobody else before this time of our clock."""
    is_probing: bool
    """In PROBE: the probe is out, and nothing else is sent before its answer or the next heartbeat's."""

    def __init__(self, next_index: int, now_ms: int) -> None:
        self.state = ProgressState.PROBE
        self.match = 0
        self.next = next_index
        self.last_ack_ms = now_ms
        self.round_acked = 0
        self.slow_ms = 0
        self.promise_ends_ms = NEVER_MS
        self.commit_sent = 0
        self.awaited = 0
        self.denials = 0
        self.inflight = deque()
        self.inflight_bytes = 0
        self.is_probing = False
        self.probed_ms = now_ms
        self.moved_ms = now_ms

    def _enter(self, state: ProgressState, next_index: int) -> None:
        assert state in TRANSITIONS[self.state], f"no way from {self.state} to {state}"
        assert next_index > self.match, "what the peer has is not sent again"
        self.state = state
        self.next = next_index
        self.inflight.clear()
        self.inflight_bytes = 0
        self.is_probing = False

    def to_probe(self, next_index: int) -> None:
        """From now on, send one message from `next_index` and wait for its answer."""
        self._enter(ProgressState.PROBE, next_index)

    def to_replicate(self) -> None:
        """The logs agree up to `match`: send freely from there."""
        self._enter(ProgressState.REPLICATE, self.match + 1)

    def to_snapshot(self) -> None:
        """Wait for the driver's snapshot transfer."""
        self._enter(ProgressState.SNAPSHOT, self.next)

    def is_full(self, settings: RaftSettings) -> bool:
        """Whether the window to this peer is used up."""
        return (
            len(self.inflight) >= settings.inflight_appends_max
            or self.inflight_bytes >= settings.inflight_bytes_max
        )

    def probed(self, now_ms: int) -> None:
        """A probe has left, or none may leave now: wait for an answer."""
        self.is_probing = True
        self.probed_ms = now_ms

    def denied(self, now_ms: int) -> None:
        """The peer lacks `match`, which it had acknowledged: ask again after a heartbeat, and nothing else.

        Going back further would fill the gap before anybody has heard that a copy was gone on which commits
        were counted. It is filled all the same by another leader, who knows of no acknowledgement, or by a
        snapshot once this log is compacted beyond `match`.
        """
        self.denials += 1
        self.to_probe(self.match + 1)
        self.probed(now_ms)

    @property
    def has_lost_entries(self) -> bool:
        """Whether the peer's disk has lost entries that it acknowledged in this term."""
        return self.denials >= DENIALS_MIN

    def sent(self, last_index: int, payload_bytes: int, now_ms: int) -> None:
        """Entries up to `last_index` leave in REPLICATE."""
        if not self.inflight:
            self.moved_ms = now_ms
        self.inflight.append((last_index, payload_bytes))
        self.inflight_bytes += payload_bytes
        self.next = last_index + 1

    def acked(self, match_index: int, now_ms: int) -> bool:
        """The peer holds all entries up to `match_index`; True if `match` moved."""
        self.denials = 0
        inflight = self.inflight
        while inflight and inflight[0][0] <= match_index:
            self.inflight_bytes -= inflight.popleft()[1]
        if match_index <= self.match:
            return False
        self.match = match_index
        self.next = max(self.next, match_index + 1)
        self.moved_ms = now_ms
        return True
