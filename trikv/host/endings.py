"""How a connection is closed, and what happens if none can be accepted: the times and bounds.

They hold for every kind of wire: on sockets, over TLS and on simulated streams.
"""

import errno

FLUSH_S = 5.0
"""How long a closed connection may take to accept its last bytes."""
DRAIN_S = 1.0
"""How long a flushed connection is drained before its socket is closed, so that no reset overtakes the
last words (see `trikv.host.hub`)."""

LINGERING_BYTES_MAX = 64 << 20
"""Last bytes that closed connections may hold together while their clients do not take them. Their
conversations do not count them any more. A single connection may hold more: as much as it was allowed."""

ACCEPT_RETRY_S = 0.1
"""If there is no room for a new connection, accepting is tried again after this, or when one closes."""
WARN_S = 10.0
"""Least time between two warnings that no connection can be accepted."""
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)
"""Errors of `accept` that are not the connection's fault. ENOSPC: the kernel watches no more sockets
(fs.epoll.max_user_watches)."""
