"""One connection of the load: its socket, and the one batch it has under way."""

import select
import socket
from enum import Enum, auto

from trikv.bench.nodes import Node
from trikv.bench.workload import Batch
from trikv.client.replies import new_reader


class State(Enum):
    """A link's state: WAITING → CONNECTING → (GREETING →) IDLE ⇄ BUSY, and from each back to WAITING."""

    WAITING = auto()
    """No socket; waits until there is a node to try."""
    CONNECTING = auto()
    GREETING = auto()
    """AUTH is under way."""
    IDLE = auto()
    BUSY = auto()
    """`batch` is under way; `position` replies to it have come."""


class Link:
    """A connection that outlives its sockets. The loop drives it; no decisions are made here."""

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
        """The number of this connection, which owns a share of the keys."""
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
        """The bytes that the socket has not taken yet."""
        self.served = False
        """Whether this socket has brought a reply."""
        self.was_lost = False

    def open(self, node: Node, epoll: select.epoll, now_ns: int) -> int:
        """Begin to connect; give the file number, which `epoll` reports as writable when it is done."""
        sock = node.endpoint.new_socket()
        sock.setblocking(False)
        # An immediate refusal appears again as SO_ERROR when epoll reports the socket: one path for both.
        sock.connect_ex(node.endpoint.where)
        epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
        self.socket, self.node = sock, node
        self.reader = new_reader()
        self.served = False
        self.enter(State.CONNECTING, now_ns)
        node.links += 1
        return sock.fileno()

    def enter(self, state: State, now_ns: int) -> None:
        """Change state; its time starts at `now_ns`."""
        self.state, self.since_ns = state, now_ns

    def close(self) -> None:
        """Drop the socket (epoll forgets it by itself) and the batch under way."""
        if self.socket is not None:
            self.socket.close()
        if self.node is not None:
            self.node.links -= 1
        self.socket = self.node = self.batch = self.unsent = None
        self.state = State.WAITING
        self.was_lost = True
