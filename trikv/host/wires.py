"""What every kind of wire keeps to, on sockets, TLS or simulated streams alike."""

FLUSH_S = 5.0
"""How long a closed connection may take to accept its last bytes."""
DRAIN_S = 1.0
"""How long a flushed connection is drained before its socket is closed, so that no reset overtakes the
last words (see `trikv.host.hub`)."""
