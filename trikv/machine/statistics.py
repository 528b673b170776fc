"""What a machine says of itself, for INFO. Figures, and no state: nothing here decides anything."""

import attrs


@attrs.frozen(kw_only=True)
class DatabaseStatistics:
    """One database that holds keys."""

    number: int
    keys: int
    deadlines: int
    """Keys that have one."""
    mean_ttl_ms: int
    """How long these have still to live, in the mean; 0 if there are none."""


@attrs.frozen(kw_only=True)
class MachineStatistics:
    """The state at one applied index."""

    used_bytes: int
    """The account."""
    overhead_bytes: int
    """Of that, what is charged besides the bytes of keys and values."""
    cap_bytes: int
    """0: no cap."""
    keys: int
    """In all databases, those due and not yet reaped included."""
    deadlines: int
    """Of these, those that have one."""
    due: int
    """Of these, those whose deadline has come and that are not yet removed."""
    pending_keys: int
    """Set aside by FLUSHALL and not freed yet."""
    changes: int
    """The change counter of the replicated state."""
    feature_level: int
    poison_count: int
    """Commands whose checks failed with an exception, since this object was made."""
    databases: tuple[DatabaseStatistics, ...]
    """Those that hold keys, in order."""
