"""Every part's settings, made from one configuration. No part reads the configuration itself.

Each part explains its own limits and gives their reasons; this module only says which of them an operator may
change. A simulation changes others too: it replaces fields of the finished `NodeSettings`.
"""

from collections.abc import Mapping

import attrs

from trikv.config import NodeConfig
from trikv.front.intake import ConversationLimits
from trikv.front.runtime_settings import RuntimeSettings
from trikv.host.seam import Address, UnixAddress
from trikv.node.consensus.leading import LeadingSettings
from trikv.node.consensus.proposals import ProposalLimits
from trikv.node.consensus.read_questions import ReadSettings
from trikv.node.consensus.retention import RetentionSettings
from trikv.node.drain import StopLimits
from trikv.node.operations import OperationSettings
from trikv.node.state.snapshotter import SnapshotterSettings
from trikv.protocol.frames import PieceLimits
from trikv.raft.settings import RaftSettings
from trikv.raft.types import NodeId
from trikv.storage.wal import WalSettings


@attrs.frozen(kw_only=True)
class NodeSettings:
    """The settings of one node, fixed until it stops; only `runtime` may change."""

    node_id: NodeId
    data_directory: str
    """As the operator wrote it, for messages."""
    configured: Mapping[NodeId, str]
    """``host:port`` of every node of the cluster, this one included; empty for a node of its own."""
    own_address: str
    """The address at which the other nodes reach this one."""
    client_addresses: tuple[Address, ...]
    peer_addresses: tuple[str, ...]
    """The addresses at which this node listens for the others."""
    maxmemory: int
    """The cap as configured: for founding a cluster, or to ask for. The cap in force is in the log."""
    asks_maxmemory: bool
    """Whether the operator gave `maxmemory` explicitly: then it is sent through the log once."""
    output_bytes_max: int
    """The most bytes of replies that may wait for one client."""

    runtime: RuntimeSettings
    conversation: ConversationLimits
    proposals: ProposalLimits
    reads: ReadSettings
    leading: LeadingSettings
    retention: RetentionSettings
    raft: RaftSettings
    wal: WalSettings
    snapshots: SnapshotterSettings
    operations: OperationSettings
    pieces: PieceLimits
    stop: StopLimits

    @property
    def peers(self) -> dict[NodeId, str]:
        """The other nodes, with their addresses."""
        return {node: address for node, address in self.configured.items() if node != self.node_id}

    @classmethod
    def of(cls, config: NodeConfig) -> "NodeSettings":
        """The settings of each part, from `config`."""
        return cls(
            node_id=config.node_id,
            data_directory=config.data_directory,
            configured=config.peers,
            own_address=config.peers.get(config.node_id, config.peer_addresses[0]),
            client_addresses=_client_addresses(config),
            peer_addresses=config.peer_addresses,
            maxmemory=config.maxmemory,
            asks_maxmemory=config.maxmemory_explicit,
            output_bytes_max=config.output_bytes_max,
            runtime=RuntimeSettings(
                timeout_s=config.timeout_s,
                typed_timeout_s=config.typed_timeout_s,
                maxclients=config.maxclients,
                requirepass=config.requirepass,
                input_bytes_max=config.input_bytes_max,
                reads=config.reads,
                enable_debug_command=config.enable_debug_command,
            ),
            # A submission must fit an entry, including what MessagePack adds to its arguments.
            conversation=ConversationLimits(entry_bytes_max=config.entry_bytes_max * 3 // 4),
            proposals=ProposalLimits(
                entry_bytes_max=config.entry_bytes_max, deadline_ms=config.command_deadline_ms
            ),
            reads=ReadSettings(deadline_ms=config.command_deadline_ms, by_lease=config.reads == "lease"),
            leading=LeadingSettings(),
            retention=RetentionSettings(config.log_tail_bytes, config.log_follower_bytes),
            raft=RaftSettings(
                election_timeout_ms_min=config.election_timeout_ms_min,
                election_timeout_ms_max=config.election_timeout_ms_max,
                heartbeat_interval_ms=config.heartbeat_interval_ms,
            ),
            wal=WalSettings(segment_bytes=config.segment_bytes),
            snapshots=SnapshotterSettings(config.snapshot_log_bytes, config.snapshot_interval_s),
            operations=OperationSettings(config.data_directory, config.backups_kept),
            pieces=PieceLimits(
                message_bytes_max=config.peer_frame_bytes_max,
                # Two, because one message of the greatest size may wait behind another.
                queue_bytes_max=2 * config.peer_frame_bytes_max,
            ),
            stop=StopLimits(still_s=config.stop_deadline_ms / 1000),
        )


def _client_addresses(config: NodeConfig) -> tuple[Address, ...]:
    if not config.unix_socket:
        return config.addresses
    return (*config.addresses, UnixAddress(config.unix_socket, int(config.unix_socket_mode, 8)))
