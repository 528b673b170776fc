"""Raft's settings, separate from the configuration file: the simulator draws hostile ones from its seed."""

import attrs

_MIB = 1024 * 1024


@attrs.frozen
class RaftSettings:
    """Times and limits of one core. Every limit is per node unless it says per peer."""

    election_timeout_ms_min: int = 400
    """Silence of a leader before a follower asks for pre-votes; also how long voters stick to a leader."""
    election_timeout_ms_max: int = 800
    """Upper end of the random timeout; a leader that misses a majority for this long steps down."""
    heartbeat_interval_ms: int = 100
    """At most half of the shortest timeout, so that one lost heartbeat does not start an election."""
    clock_drift_percent_max: int = 20
    """How much slower a leader's clock may run than a voter's while it holds a lease. Two machines slewed in
    opposite directions, by the 8.3 % that chrony allows itself, differ by 15 %; quartzes by 0.01 %."""
    append_bytes_max: int = _MIB
    """Payload of one AppendEntries, per peer; one entry always goes. Bounds what a lost message costs."""
    inflight_appends_max: int = 64
    """AppendEntries on their way to one peer: enough that more are under way while the peer syncs."""
    inflight_bytes_max: int = 16 * _MIB
    """Payload on its way to one peer: the most that a slow link may hold in this process."""
    uncommitted_bytes_max: int = 64 * _MIB
    """A leader without a majority takes no more proposals than this; one entry always goes."""
    committed_bytes_max: int = 4 * _MIB
    """Payload of the committed entries in one Ready, so that a turn of the driver stays short."""

    def __attrs_post_init__(self) -> None:
        """Refuse settings that cannot work, in one line."""
        if not 0 < self.heartbeat_interval_ms * 2 <= self.election_timeout_ms_min:
            raise ValueError("election_timeout_ms_min must be at least twice heartbeat_interval_ms (above 0)")
        if self.election_timeout_ms_max < self.election_timeout_ms_min:
            raise ValueError("election_timeout_ms_max must not be below election_timeout_ms_min")
        if not 0 <= self.clock_drift_percent_max < 100:
            raise ValueError("clock_drift_percent_max must be from 0 to 99")
        limits = (
            self.append_bytes_max,
            self.inflight_appends_max,
            self.inflight_bytes_max,
            self.uncommitted_bytes_max,
            self.committed_bytes_max,
        )
        if min(limits) < 1:
            raise ValueError("every limit of RaftSettings must be at least 1")
