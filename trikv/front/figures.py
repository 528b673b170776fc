"""The figures of a node's parts: small frozen records, from which INFO and similar commands make text.

Each part has a ``statistics()`` that returns one of these (Raft, the machine and the log have theirs beside
them). A node hands over the methods, not the records, so that one section of INFO asks only the parts that it
shows. Nothing here is text for a client: `trikv.front.info` makes that. So a new field of INFO is one line
there, and an attribute here if no part has it yet.

Unless said otherwise, counts are since this node started, and sizes are in bytes.
"""

from collections.abc import Callable, Mapping

import attrs

from trikv.machine.statistics import MachineStatistics
from trikv.raft.statistics import RaftStatistics
from trikv.storage.statistics import WalStatistics


@attrs.frozen(kw_only=True)
class HostStatistics:
    """The process and the machine it runs on. 0 or empty if a figure is unknown or not counted."""

    system: str
    """Kernel, release and processor."""
    memory_bytes: int
    """The main memory of the machine."""
    compiled: bool
    """Whether the host's own part in C is used."""
    process_id: int
    boot_ms: int
    """By CLOCK_BOOTTIME; rates are computed with it."""
    wall_ms: int
    uptime_ms: int
    resident_bytes: int
    resident_peak_bytes: int
    user_s: float
    system_s: float
    children_user_s: float
    children_system_s: float
    main_thread_user_s: float
    main_thread_system_s: float
    lines_dropped: int
    """Lines of this process's log that could not be written."""


@attrs.frozen(kw_only=True)
class InputStatistics:
    """How much memory the requests of all clients take."""

    total: int
    in_flight: int
    """The part that was handed to the node and has not come back."""


@attrs.frozen(kw_only=True)
class ConnectionStatistics:
    """All live connections of clients, walked once."""

    live: int
    in_flight: int
    """Submissions and operations that have not come back."""
    watching: int
    typed: int
    """Connections at which a person types."""
    blocked: int
    """Connections in a command that waits for others, such as WAIT."""
    blocked_for_a_time: int
    """Those of them whose command ends by itself after a time."""
    input_longest: int
    """The most unread input of any connection."""
    output_longest: int
    """The most output that any client has not taken yet."""
    input: InputStatistics
    input_bytes_max: int
    output_bytes: int
    """Output of all clients that they have not taken yet."""
    buffer_bytes: int
    """The same with their unread input."""


@attrs.frozen(kw_only=True)
class ApplierStatistics:
    """The machine, and how far it has applied the log."""

    index: int
    memory_peak_bytes: int
    """The largest value that the account had after an entry."""
    inside_ms: int | None
    """For how long one entry has been under way that takes several slices; None if there is none."""
    machine: MachineStatistics


@attrs.frozen(kw_only=True)
class LinkStatistics:
    """The connection to one peer."""

    address: str
    """``host:port``, where the nodes speak to each other."""
    is_up: bool


@attrs.frozen(kw_only=True)
class LinksStatistics:
    """The connections to all peers."""

    queued_bytes: int
    peers: Mapping[int, LinkStatistics]

    def of(self, peer: int) -> LinkStatistics:
        """The link to `peer`; a link that is never up if the peer is not configured."""
        return self.peers.get(peer, _NO_LINK)


_NO_LINK = LinkStatistics(address="", is_up=False)


@attrs.frozen(kw_only=True)
class ProposalStatistics:
    """Writes of this node's clients on their way through the log."""

    waiting: int
    window_bytes: int
    """Kept so that it can be sent again."""
    indeterminate: int
    """Answered with INDETERMINATE."""


@attrs.frozen(kw_only=True)
class ReadStatistics:
    """Reads of this node's clients on their way to a quorum."""

    waiting: int
    by_lease: bool


@attrs.frozen(kw_only=True)
class SnapshotterStatistics:
    """Snapshots of this node's state, whether its own or a leader's."""

    is_walking: bool
    """Whether a snapshot, backup or dump is being written."""
    is_receiving: bool
    """Whether a leader's snapshot is arriving."""
    newest_index: int
    """0 before the first."""
    newest_bytes: int
    newest_saved_ms: int
    """Wall clock: when the newest one's state was that of a running node. Before the first: the start."""
    changes_at_newest: int
    """The machine's change counter in the newest one."""
    keys_loaded: int
    """Keys that this node started with."""
    taken: int
    sent: int
    """Transfers to followers, counted when they begin."""
    last_failed: bool
    """Whether the last one was given up because there was no room."""
    last_ms: int | None
    """How long the last one took; None before the first."""
    running_ms: int | None
    """For how long the present one has been under way; None if there is none."""


@attrs.frozen(kw_only=True)
class WriterStatistics:
    """The log on disk, and how long it takes to write it."""

    batches: int
    sync_ms_total: int
    sync_ms_max: int
    has_room: bool
    """Whether the disk took the last write that needed a new segment."""
    log: WalStatistics


@attrs.frozen(kw_only=True)
class LogTimeStatistics:
    """The state machine's clock."""

    now_ms: int


@attrs.frozen(kw_only=True)
class PasswordStatistics:
    """How this node's password compares with the peers'."""

    is_missing: bool
    """Whether this node has no password."""
    heard: bool
    """Whether some peer has told how its password compares."""
    differing: tuple[int, ...]
    """Peers that have a different one, or none."""


@attrs.frozen(kw_only=True)
class OutflowStatistics:
    """Long answers to clients that are being made while they are sent."""

    long_reads: int
    """Those that are made from a cut."""
    kept_bytes: int
    """Memory that is taken only because of these cuts."""


@attrs.frozen(kw_only=True)
class Leadership:
    """Who leads, and how far this node has applied the log: what quick commands tell."""

    leads: bool
    """Whether this node is the leader, as far as it knows."""
    leader: int | None
    """Who leads, this node itself perhaps; None if that is not known."""
    applied_index: int


@attrs.frozen(kw_only=True)
class MemberFigures:
    """The parts of a node whose log is open: for each, the method that returns its record.

    Most of their records are for INFO, and cost what it takes to go over a part. What quick commands tell
    (HELLO, ROLE, the banner, ``CONFIG GET maxmemory``) is asked by `leadership` and `cap_bytes`, which go
    over nothing.
    """

    disk: bytes
    cluster: bytes
    log_tail_bytes: int
    """How much of the log is kept for followers, as configured."""
    leadership: Callable[[], Leadership]
    cap_bytes: Callable[[], int]
    """The cap in force; 0 for none."""
    feature_level: Callable[[], int]
    """The level at which the cluster was founded; 0 as long as that is not applied."""
    applier: Callable[[], ApplierStatistics]
    raft: Callable[[], RaftStatistics]
    links: Callable[[], LinksStatistics]
    proposals: Callable[[], ProposalStatistics]
    reads: Callable[[], ReadStatistics]
    snapshotter: Callable[[], SnapshotterStatistics]
    writer: Callable[[], WriterStatistics]
    log_time: Callable[[], LogTimeStatistics]
    password: Callable[[], PasswordStatistics]


@attrs.define(eq=False, kw_only=True)
class NodeFigures:
    """A node, member of a cluster or not yet."""

    node_id: int
    started_ms: int
    """Wall clock."""
    host: Callable[[], HostStatistics]
    run_id: str
    """The disk's id in hexadecimal; before the disk is read, a name of the node."""
    outflows: Callable[[], OutflowStatistics]
    tcp_port: str = ""
    """Of the first client address; empty before it is bound."""
    member: MemberFigures | None = None
    """None until the log is open: a blank disk may wait for the other nodes for as long as it takes."""

    def leadership(self) -> Leadership | None:
        """Who leads this node's cluster; None if it is in none."""
        return None if self.member is None else self.member.leadership()
