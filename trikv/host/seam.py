"""The seam between a node and the world: network, disk, clocks, entropy.

`trikv.host.real` implements it with the operating system, `trikv.sim` with memory and virtual time. Both
pass one contract suite (``tests/host/contract.py``), so that what is simulated is what ships.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

import attrs
import trio

from trikv.host.endings import Lingering
from trikv.host.wire import Conversation, Wire
from trikv.storage.disk import Disk


@attrs.define(eq=False)
class Traffic:
    """What went over the connections of a network's clients. It counts up while the network lives."""

    received_bytes: int = 0
    sent_bytes: int = 0
    """Taken by the kernel (by the stream, if there is no kernel). Bytes that wait in memory do not count."""
    reads: int = 0
    """Pieces that conversations were given, one for each call."""
    writes: int = 0
    """Pieces that were sent, one for each call."""


@attrs.frozen
class Usage:
    """What this process has used so far: processor time in seconds, memory in bytes. 0 if unknown."""

    user_s: float = 0.0
    system_s: float = 0.0
    children_user_s: float = 0.0
    """Of child processes that have ended; as in Redis' used_cpu_user_children."""
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
    compiled: bool = True
    """Whether the host's own part in C is used (`trikv.host.handoff`), if it has one."""


class PeerStream(trio.abc.Stream):
    """A connection to a peer: a stream that can also send without waiting."""

    @abstractmethod
    def send_nowait(self, data: bytes) -> int:
        """Send what can leave at once, and return how many bytes that was; 0 also if the stream is broken.

        Never raises for a dead peer: the next ``send_all`` does. Not to be called during a ``send_all``.
        """


@attrs.frozen
class UnixAddress:
    """A socket in the file system, for clients on the same machine."""

    path: str
    mode: int
    """Permissions of its file. A user who may write it may connect."""


Address: TypeAlias = str | UnixAddress
"""``host:port``, or a Unix socket."""
ConversationFactory: TypeAlias = Callable[[Wire], Conversation]
StreamHandler: TypeAlias = Callable[[trio.abc.Stream], Awaitable[None]]


class Listening(Protocol):
    """Some addresses that are served together."""

    @property
    def addresses(self) -> Sequence[str]:
        """What is bound: ``host:port``, with the port that the system chose if 0 was asked for, or a path."""

    def stop_accepting(self) -> None:
        """Close the listening sockets. Connections go on. Harmless twice."""


class Network(Protocol):
    """The sockets of one machine: to clients, from peers, to peers."""

    traffic: Traffic
    """Of all client connections that `serve` has served."""
    lingering: Lingering
    """The closed ones of all that `serve` serves: one limit, however often it is called."""

    async def serve(
        self,
        addresses: tuple[Address, ...],
        factory: ConversationFactory,
        *,
        task_status: trio.TaskStatus[Listening],
    ) -> None:
        """Serve clients at all of `addresses` until cancelled; then abort all connections.

        Owns accept, recv, send and back-pressure. Raises OSError if an address cannot be bound. Running
        out of file descriptors pauses accepting, with a warning; it never ends the server.

        Connections that were closed here are held until their clients have taken the last words, as far as
        `lingering` allows. The conversations limit how many are live.
        """

    async def listen(
        self,
        addresses: tuple[str, ...],
        handler: StreamHandler,
        *,
        connections_max: int,
        task_status: trio.TaskStatus[Listening],
    ) -> None:
        """Accept peer connections, one task of `handler` each, until cancelled.

        At most `connections_max` at once, and one more for each address beyond the first; the others wait
        unaccepted. An exception that leaves `handler` ends the listening.
        """

    async def dial(self, address: str) -> PeerStream:
        """Connect to a peer. Raises OSError. The stream has TCP_NODELAY set."""


class Clock(Protocol):
    """The clocks of this machine."""

    def boot_ms(self) -> int:
        """CLOCK_BOOTTIME in ms: it never goes back and counts suspended time."""

    def boot_us(self) -> int:
        """`boot_ms` in microseconds, to measure short times by."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970; may jump when the clock is set."""


class Entropy(Protocol):
    """The only source of randomness of a node; a simulated one repeats with its seed."""

    def bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes, fit for secrets."""

    def below(self, limit: int) -> int:
        """A uniform integer in [0, limit)."""


@attrs.frozen
class Descriptors:
    """File descriptors of the whole process, which a node may share with others."""

    most: int | None = None
    """None: no limit."""
    open: int = 0
    """Open now, the node's own and any others."""


class Host(Protocol):
    """One machine, as a node sees it.

    A node waits by ``trio.sleep``; in the simulator Trio's clock is virtual, too.
    """

    network: Network
    clock: Clock
    entropy: Entropy
    disk: Disk

    def process_id(self) -> int:
        """The number of this process; 0 if there is none."""

    def descriptors(self) -> Descriptors:
        """How many descriptors this process may have open, and has."""

    def resident_bytes(self) -> int:
        """Resident memory of this process, in bytes; 0 if unknown."""

    def usage(self) -> Usage:
        """Processor time and peak memory of this process so far."""

    def system(self) -> System:
        """Name and memory of the machine."""

    def lines_dropped(self) -> int:
        """How many lines of this process's log could not be written (0 if nobody counts them)."""
