"""What every kind of wire keeps to, on sockets, TLS or simulated streams alike."""

import errno

FLUSH_S = 5.0
"""How long a closed connection may take to accept its last bytes."""
DRAIN_S = 1.0
"""How long a flushed connection is drained before its socket is closed, so that no reset overtakes the
last words (see `trikv.host.hub`)."""

LINGERING_BYTES_MAX = 64 << 20
"""What closed connections may hold together of last bytes that their clients have not taken: their
conversations count them no more. One alone may hold more: as much as its own was allowed."""

ACCEPT_RETRY_S = 0.1
"""Without room for a new connection, accepting is tried again after this, or when a connection closes."""
WARN_S = 10.0
"""Between two warnings that no connection can be accepted."""
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)
"""What `accept` fails with when it is not the connection's fault. ENOSPC: the kernel watches no more sockets
(fs.epoll.max_user_watches)."""
