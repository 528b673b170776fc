"""One connection of the load: its socket, and the one batch it has under way."""

import select
import socket
from enum import Enum, auto

from trikv.bench.nodes import Node
from trikv.bench.workload import Batch
from trikv.client.replies import new_reader


class State(Enum):
    """Where a link stands. WAITING → CONNECTING → (GREETING →) IDLE ⇄ BUSY, and from each back to WAITING."""

    WAITING = auto()
    """No socket; waits for a node that may be tried."""
    CONNECTING = auto()
    GREETING = auto()
    """AUTH is under way."""
    IDLE = auto()
    BUSY = auto()
    """`batch` is under way; `position` of its replies have come."""


class Link:
    """A connection that outlives its sockets. The loop moves it; nothing here decides."""

    __slots__ = (
        "batch",
        "due_ns",
        "node",
        "owner",
        "position",
        "reader",
        "served",
        "since_ns",
        "socket",
        "state",
        "unsent",
        "was_lost",
    )

    def __init__(self, owner: int) -> None:
        self.owner = owner
        """Number of this connection: owner of its share of the keys."""
        self.state = State.WAITING
        self.node: Node | None = None
        self.socket: socket.socket | None = None
        self.reader = new_reader()
        self.batch: Batch | None = None
        self.position = 0
        self.due_ns = 0
        """When the batch was due: latency counts from here."""
        self.since_ns = 0
        """When the present state began: time-outs count from here."""
        self.unsent: memoryview | None = None
        """What the socket did not take yet."""
        self.served = False
        """Whether this socket has brought a reply."""
        self.was_lost = False

    def open(self, node: Node, epoll: select.epoll, now_ns: int) -> int:
        """Begin to connect; give the file number, which `epoll` reports as writable when it is done."""
        sock = node.endpoint.new_socket()
        sock.setblocking(False)
        # An immediate refusal is met again as SO_ERROR when epoll reports the socket: one path for both.
        sock.connect_ex(node.endpoint.where)
        epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
        self.socket, self.node = sock, node
        self.reader = new_reader()
        self.served = False
        self.enter(State.CONNECTING, now_ns)
        node.links += 1
        return sock.fileno()

    def enter(self, state: State, now_ns: int) -> None:
        """Change state; its time starts."""
        self.state, self.since_ns = state, now_ns

    def close(self) -> None:
        """Drop the socket (epoll forgets it by itself) and whatever was under way."""
        if self.socket is not None:
            self.socket.close()
        if self.node is not None:
            self.node.links -= 1
        self.socket = self.node = self.batch = self.unsent = None
        self.state = State.WAITING
        self.was_lost = True
