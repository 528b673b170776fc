"""The seam between a node and the world: network, disk, clocks, entropy.

`trikv.host.real` implements it with the operating system, `trikv.sim` with memory and virtual time. Both
pass one contract suite (``tests/host/contract.py``), so that what is simulated is what ships.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

import attrs
import trio

from trikv.host.wire import Conversation, Wire
from trikv.storage.disk import Disk


@attrs.define(eq=False)
class Traffic:
    """What went over the connections of a network's clients. Counts up for as long as the network lives."""

    received_bytes: int = 0
    sent_bytes: int = 0
    """Taken by the kernel (by the stream, if there is no kernel); what still waits in memory is not in it."""
    reads: int = 0
    """Pieces that conversations were given."""
    writes: int = 0
    """Pieces that were sent; what left by one call is one."""


@attrs.frozen
class Usage:
    """What this process has used so far: processor time in seconds, memory in bytes. 0 if unknown."""

    user_s: float = 0.0
    system_s: float = 0.0
    children_user_s: float = 0.0
    """Of child processes that have ended."""
    children_system_s: float = 0.0
    main_thread_user_s: float = 0.0
    main_thread_system_s: float = 0.0
    resident_peak_bytes: int = 0


@attrs.frozen
class System:
    """The machine that this process runs on."""

    name: str = ""
    """Kernel, release and processor, as Redis shows them; empty if unknown."""
    memory_bytes: int = 0
    """All memory that it has; 0 if unknown."""


class PeerStream(trio.abc.Stream):
    """A connection to a peer. As any stream, and it can send without waiting."""

    @abstractmethod
    def send_nowait(self, data: bytes) -> int:
        """Send what can leave at once, and tell how many bytes that was: none also where it is broken.

        Never raises for a dead peer: the next ``send_all`` does. Not while a ``send_all`` is under way.
        """


@attrs.frozen
class UnixAddress:
    """A socket in the file system, for clients on the same machine."""

    path: str
    mode: int
    """Of its file: who may write it may connect."""


LINGERING_MAX = 256
"""Closed connections kept until their clients have the last words, where nobody says how many may be."""

Address: TypeAlias = str | UnixAddress
"""``host:port``, or a Unix socket."""
ConversationFactory: TypeAlias = Callable[[Wire], Conversation]
StreamHandler: TypeAlias = Callable[[trio.abc.Stream], Awaitable[None]]


class Listening(Protocol):
    """Some addresses on which is listened together."""

    @property
    def addresses(self) -> Sequence[str]:
        """What is bound: ``host:port``, with the port that was chosen where 0 was asked, or a path."""

    def stop_accepting(self) -> None:
        """Close the listening sockets. Connections go on."""


class Network(Protocol):
    """Sockets."""

    traffic: Traffic
    """Of all connections that `serve` has served."""

    async def serve(
        self,
        addresses: tuple[Address, ...],
        factory: ConversationFactory,
        *,
        lingering_max: int = LINGERING_MAX,
        task_status: trio.TaskStatus[Listening],
    ) -> None:
        """Serve clients at all of `addresses` until cancelled; then abort all connections.

        Owns accept, recv, send and back-pressure. Raises OSError if an address cannot be bound. Running
        out of file descriptors pauses accepting, with a warning; it never ends the server.

        At most `lingering_max` connections that were closed here are held until their clients have taken the
        last words; beyond, the oldest is dropped. How many are live is the conversations' to limit.
        """

    async def listen(
        self,
        addresses: tuple[str, ...],
        handler: StreamHandler,
        *,
        connections_max: int,
        task_status: trio.TaskStatus[Listening],
    ) -> None:
        """Accept peer connections, one task of `handler` each, until cancelled. `handler` catches its own.

        At most `connections_max` at once, and one more for each address beyond the first; the others wait
        unaccepted.
        """

    async def dial(self, address: str) -> PeerStream:
        """Connect to a peer. Raises OSError. The stream has TCP_NODELAY set."""


class Clock(Protocol):
    """The clocks of this machine."""

    def boot_ms(self) -> int:
        """CLOCK_BOOTTIME in ms: never goes back, counts suspended time."""

    def boot_us(self) -> int:
        """`boot_ms` in microseconds, to measure short times by."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970; may jump."""


class Entropy(Protocol):
    """Randomness."""

    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes."""

    def below(self, limit: int) -> int:
        """A uniform integer in [0, limit)."""


@attrs.frozen
class Descriptors:
    """Of the whole process: a node need not be alone in it."""

    most: int | None = None
    """None: no limit."""
    open: int = 0
    """Open now, whoever opened them."""


class Host(Protocol):
    """One machine, as a node sees it.

    Waiting in time is Trio's (``trio.sleep``): its clock is virtual too.
    """

    network: Network
    clock: Clock
    entropy: Entropy
    disk: Disk

    def process_id(self) -> int:
        """The number of this process (0 where there is none)."""

    def descriptors(self) -> Descriptors:
        """How many descriptors this process may have open, and has."""

    def resident_bytes(self) -> int:
        """Resident memory of this process (0 where unknown)."""

    def usage(self) -> Usage:
        """What this process has used so far."""

    def system(self) -> System:
        """The machine."""

    def lines_dropped(self) -> int:
        """How many lines of this process's log could not be written (0 if nobody counts them)."""
