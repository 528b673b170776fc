"""What a log says of itself, for INFO and for deciding when a snapshot is due. It decides nothing itself."""

import attrs


@attrs.frozen
class WalStatistics:
    """What the log has done since it was opened, and its size now."""

    batches: int
    """Batches of records; each cost one sync."""
    entries: int
    syncs: int
    """All syncs of segments and their directory, those of `prepare` included."""
    bytes_written: int
    """Bytes of batches; zeros are not counted."""
    segments: int
    """Segment files that exist now."""
    log_bytes: int
    """Bytes of batches that they hold: what a start would have to read."""
