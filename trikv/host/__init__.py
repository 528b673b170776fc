"""trikv.host: the world as a node sees it, behind one seam. This docstring is the package's design.

`seam.py` says what a host is: a `Network`, a `Clock`, an `Entropy`, a `Disk` (from `trikv.storage.disk`).
`real.py` makes one of the operating system, `trikv.sim` one of memory and virtual time. Both pass
``tests/host/contract.py``; only this package and the load generator touch sockets, files, threads, clocks.

**Clients** are served by `hub.py`: one Trio task over its own epoll, every ready socket in one wake-up, no
allocation a command beyond its bytes. A connection's logic is a synchronous `Conversation` that holds a
`Wire` (`wire.py`); it never sees a socket, so how sockets are served can change. `stream_server.py` serves
the same conversations over any Trio stream: without epoll, for TLS, and in the simulator. `endings.py` has
the times and bounds that they share. Both promise:

- `Wire` methods never block, never raise for a dead peer, and never call back into the conversation;
- `closed` comes exactly once, last, whatever ended the connection (peer, error, us, cancellation);
- after `close` the last bytes get five seconds, then the socket is half-closed and drained for one more
  second, because closing a socket with unread input resets it and the reset overtakes the last words;
- `Network.traffic` counts what conversations are given and what the kernel takes;
- a client that does not read costs memory only as far as its conversation allows (`unsent_bytes`), and one
  that sends too much is stopped by `pause`;
- closed connections whose clients have not taken the last words are bounded, in number and bytes: beyond a
  bound the oldest is dropped. The conversations decide how many live connections there may be;
- running out of descriptors, or of the kernel's watches, warns, waits, and goes on; a conversation that
  raises is a bug and ends the server.

Several addresses are served together, Unix sockets among them, by one hub or one set of acceptors.

**Peers** are Trio streams (`stream_acceptor.py` accepts, `sockets.py` dials, `peer_socket.py` is the stream):
few and long-lived connections, whose code is easier as a task that reads. They can also send without waiting,
from the middle of a synchronous step. The caller of `listen` says how many accepted ones are handled at once:
a few for each peer, and room for strangers.

**The disk** (`disk.py`) locks its data directory (`locks.py` finds who else has). Each open file has a
thread of its own (`worker.py`), so the log's sync never waits for a slow snapshot. All that a file will need
(thread, pipe, watch, its directory's descriptor) is taken when it is created or opened, so that a shortage
is met before anything depends on it. No operation is abandoned: a cancelled task learns of it before its
operation starts or after it is over, never while a thread still writes. The price is that a device that
hangs holds the task that uses it; a second stop signal ends the process all the same.

`trikv.node.descriptors` divides the process's descriptors, which `Host.descriptors` counts.

`signals.py` turns SIGTERM and SIGINT into something to await; `clock.py` has CLOCK_BOOTTIME, the wall clock,
entropy and the resident size. The one parser of ``host:port`` is `trikv.addresses`, which this package shares
with the configuration and the tools.
"""
