"""Knobs: every limit and time of a run that is not a fault, drawn from the seed, and often hostile.

A batch of one entry, a segment of a few entries or a snapshot every other second shows in seconds what
comfortable limits hide for months. Knobs are data: a failing run stores them in its line.
"""

import random
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from trikv.config import NodeConfig
from trikv.node.consensus.proposals import ProposalLimits
from trikv.node.settings import NodeSettings
from trikv.node.state.snapshotter import SnapshotterSettings
from trikv.raft.settings import RaftSettings
from trikv.sim.themes import Theme
from trikv.storage.wal import WalSettings

CLIENT_PORT = 8080
PEER_PORT = 18080
KIB = 1024
MIB = 1024 * KIB
CAPS = (64 * MIB, 128 * MIB, 256 * MIB)
SMALL_CAPS = (2000, 3000, 4000)
"""Caps in bytes that a dozen keys fill."""
PROFILES = ("mixed", "reads", "writes", "whole", "memory", "long")
"""Workloads. ``whole`` has FLUSHALL, DBSIZE and KEYS, which join all keys: only the witness can judge it.
``memory`` meets its cap all the time, of which the witness knows nothing: only the search can judge it.
``long`` has many commands that take several slices."""


class Knobs(msgspec.Struct, frozen=True, kw_only=True):
    """One run's settings, the same for all nodes except the caps."""

    nodes: int = 3
    profile: str = "mixed"
    clients: int = 10
    think_ms: int = 100
    """Mean pause of a client between two requests."""
    in_step_ms: int = 0
    """Clients ask at multiples of this, so that several commands come in one turn of a node; 0: any time."""
    clients_end: bool = True
    """Clients also quit, kill each other's connections, and have nodes shut down."""
    hop_percent: int = 1
    """How often a client goes to another node after an answer. A client that comes to a node that was frozen,
    or cut off, asks it after the others have moved on."""
    election_timeout_ms_min: int = 400
    election_timeout_ms_max: int = 800
    heartbeat_interval_ms: int = 100
    append_bytes_max: int = MIB
    inflight_appends_max: int = 64
    inflight_bytes_max: int = 16 * MIB
    committed_bytes_max: int = 4 * MIB
    segment_bytes: int = 256 * KIB
    snapshot_log_bytes: int = 64 * MIB
    log_tail_bytes: int = 16 * MIB
    log_follower_bytes: int = 64 * MIB
    window_proposals_max: int = 4096
    command_deadline_ms: int = 3000
    sync_ms_max: float = 2.0
    latency_ms_max: float = 0.5
    chunk_bytes_max: int = 0
    """Most bytes that a read between nodes returns; 0: no limit."""
    client_chunk_bytes_max: int = 0
    """The same for clients' connections."""
    reads: str = "linearizable"
    """Or ``lease``, which is sound: clocks drift by less than `RaftSettings.clock_drift_percent_max`."""
    slice_ms: int = 5
    """How long the applier works in the driver's turn. Simulated clocks stand still meanwhile, so a slice of
    5 never ends, and one of 0 ends after each entry and each read: the applier's task does the rest."""
    inside_slice_ms: tuple[int, ...] = ()
    """Node by node, how long each slice of an entry lasts that takes several; empty: no time. With a
    `slice_ms` of 0 each of its steps is one."""
    aims_inside: bool = False
    """What aims at the leader hits a follower that is inside an entry, if there is any."""
    whole_max: int = 1000
    """From how many keys on a long read is answered by a stream."""
    caps: tuple[int, ...] = ()
    """maxmemory in the files, node by node; empty: all the same."""

    def config(self, number: int, **changes: Any) -> NodeConfig:
        """The configuration of one node."""
        peers = {n: f"node{n}:{PEER_PORT}" for n in range(1, self.nodes + 1)} if self.nodes > 1 else {}
        settings: dict[str, Any] = {
            "node_id": number,
            "listen": f"node{number}",
            "port": CLIENT_PORT,
            "peer_port": PEER_PORT,
            "peers": peers,
            "election_timeout_ms_min": self.election_timeout_ms_min,
            "election_timeout_ms_max": self.election_timeout_ms_max,
            "heartbeat_interval_ms": self.heartbeat_interval_ms,
            "log_tail_bytes": self.log_tail_bytes,
            "log_follower_bytes": self.log_follower_bytes,
            "command_deadline_ms": self.command_deadline_ms,
            "reads": self.reads,
            "enable_debug_command": "yes",
        }
        if self.caps:
            settings["maxmemory"] = self.caps[number - 1]
        return NodeConfig(**(settings | changes))

    def settings(self, config: NodeConfig) -> NodeSettings:
        """What the node makes of `config`, and the knobs that no configuration offers."""
        return attrs.evolve(
            NodeSettings.of(config),
            raft=self.raft(),
            wal=self.wal(),
            proposals=self.proposals(),
            snapshots=self.snapshots(),
        )

    def raft(self) -> RaftSettings:
        """Raft's settings, with those that the configuration file does not offer."""
        return RaftSettings(
            election_timeout_ms_min=self.election_timeout_ms_min,
            election_timeout_ms_max=self.election_timeout_ms_max,
            heartbeat_interval_ms=self.heartbeat_interval_ms,
            append_bytes_max=self.append_bytes_max,
            inflight_appends_max=self.inflight_appends_max,
            inflight_bytes_max=self.inflight_bytes_max,
            committed_bytes_max=self.committed_bytes_max,
        )

    def wal(self) -> WalSettings:
        """The log's sizes: segments may be smaller than the configuration file allows."""
        return WalSettings(
            segment_bytes=self.segment_bytes, zero_piece_bytes=max(1024, self.segment_bytes // 4)
        )

    def proposals(self) -> ProposalLimits:
        """The limits of the re-send window, as drawn."""
        return ProposalLimits(
            window_proposals_max=self.window_proposals_max, deadline_ms=self.command_deadline_ms
        )

    def snapshots(self) -> SnapshotterSettings:
        """When a snapshot is due."""
        return SnapshotterSettings(log_bytes=self.snapshot_log_bytes, interval_s=600.0)


def draw_knobs(
    source: random.Random, theme: Theme, *, nodes: int, profiles: Sequence[str] = PROFILES
) -> Knobs:
    """Draw a run's settings: each is hostile with a chance of one half, then the theme replaces some.

    The profile is drawn from `profiles` if the theme names none of them.
    """
    drawn: dict[str, Any] = {
        "profile": source.choice(profiles),
        "clients": source.choice((6, 10, 10, 14)),
        "think_ms": source.choice((100, 200, 400)),
        "hop_percent": source.choice((1, 1, 10)),
        "append_bytes_max": source.choice((1, 2 * KIB, MIB)),
        "inflight_appends_max": source.choice((1, 4, 64)),
        "inflight_bytes_max": source.choice((KIB, 16 * MIB)),
        "committed_bytes_max": source.choice((1, 4 * MIB)),
        "segment_bytes": source.choice((4 * KIB, 16 * KIB, 256 * KIB)),
        "window_proposals_max": source.choice((2, 16, 4096)),
        **_times(source),
        **_retention(source),
        "command_deadline_ms": source.choice((1000, 3000, 10_000)),
        "sync_ms_max": source.choice((1.0, 2.0, 20.0)),
        "latency_ms_max": source.choice((0.5, 5.0, 20.0)),
        "chunk_bytes_max": source.choice((0, 0, 400)),
        "client_chunk_bytes_max": source.choice((0, 7, 100)),
        "reads": source.choice(("linearizable", "linearizable", "lease")),
    }
    drawn["in_step_ms"] = source.choice((0, 0, 200))
    drawn["slice_ms"] = source.choice((5, 5, 0))
    drawn["whole_max"] = source.choice((1000, 0, 2))
    for name, values in theme.knobs.items():
        value = source.choice(values)
        if name != "profile" or value in profiles:
            drawn[name] = value
    caps = SMALL_CAPS if drawn["profile"] == "memory" else CAPS
    drawn["caps"] = tuple(source.choice(caps) for _ in range(nodes))
    drawn["inside_slice_ms"] = tuple(source.choice((0, 20, 300)) for _ in range(nodes))
    return Knobs(nodes=nodes, **drawn)


def _times(source: random.Random) -> dict[str, int]:
    shortest = source.choice((150, 400, 400))
    return {
        "election_timeout_ms_min": shortest,
        "election_timeout_ms_max": 2 * shortest,
        "heartbeat_interval_ms": shortest // source.choice((3, 4)),
    }


def _retention(source: random.Random) -> dict[str, int]:
    """Half of the runs take a snapshot whenever the node looks, and forget the log behind it at once."""
    if source.random() < 0.5:
        return {
            "snapshot_log_bytes": source.choice((KIB, 4 * KIB)),
            "log_tail_bytes": source.choice((0, KIB)),
            "log_follower_bytes": source.choice((KIB, 8 * KIB)),
        }
    return {}
