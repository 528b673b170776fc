"""The figures of a node's parts, for its conversations: each part's ``statistics()``.

Nothing is computed here and nothing is text: the records go through the seam (`trikv.front.figures`), and
`trikv.front.info` makes from them what a client reads.
"""

from functools import partial

from trikv.front.connections import Connections
from trikv.front.counters import Counters
from trikv.front.figures import HostStatistics, Leadership, MemberFigures, NodeFigures
from trikv.host.seam import Host, Traffic
from trikv.node.consensus.parts import Parts
from trikv.node.outflows import Outflows
from trikv.node.peers.links import Links
from trikv.node.state.snapshotter import Snapshotter
from trikv.raft.roles import Role


def figures_of_node(host: Host, node_id: int, outflows: Outflows) -> NodeFigures:
    """The figures of a node that starts now and is no member yet."""
    return NodeFigures(
        node_id=node_id,
        started_ms=host.clock.wall_ms(),
        host=partial(host_statistics, host, host.clock.boot_ms()),
        run_id=f"node{node_id}",
        outflows=outflows.statistics,
    )


def figures_of_member(parts: Parts, log_tail_bytes: int) -> MemberFigures:
    """The figures of a node whose log is open. `log_tail_bytes` of the log are kept for followers."""
    boot_ms, log_time, applier, raft = parts.host.clock.boot_ms, parts.log_time, parts.applier, parts.raft
    return MemberFigures(
        disk=parts.identity.disk,
        cluster=parts.identity.cluster,
        log_tail_bytes=log_tail_bytes,
        leadership=lambda: Leadership(
            leads=raft.role is Role.LEADER, leader=raft.leader, applied_index=applier.applied_index()
        ),
        # Asked each time: an install puts another machine in its place.
        cap_bytes=lambda: applier.machine.maxmemory,
        feature_level=lambda: applier.machine.feature_level,
        applier=lambda: applier.statistics(log_time.now_ms(boot_ms())),
        raft=lambda: raft.statistics(boot_ms()),
        links=parts.links.statistics,
        proposals=parts.proposals.statistics,
        reads=parts.reads.statistics,
        snapshotter=parts.snapshotter.statistics,
        writer=parts.writer.statistics,
        log_time=lambda: log_time.statistics(boot_ms()),
        password=parts.guard.statistics,
    )


def host_statistics(host: Host, started_ms: int) -> HostStatistics:
    """The process at this moment. `started_ms` is the boot time at which the node started."""
    clock, usage, system = host.clock, host.usage(), host.system()
    boot_ms = clock.boot_ms()
    return HostStatistics(
        system=system.name,
        memory_bytes=system.memory_bytes,
        compiled=system.compiled,
        process_id=host.process_id(),
        boot_ms=boot_ms,
        wall_ms=clock.wall_ms(),
        uptime_ms=boot_ms - started_ms,
        resident_bytes=host.resident_bytes(),
        resident_peak_bytes=usage.resident_peak_bytes,
        user_s=usage.user_s,
        system_s=usage.system_s,
        children_user_s=usage.children_user_s,
        children_system_s=usage.children_system_s,
        main_thread_user_s=usage.main_thread_user_s,
        main_thread_system_s=usage.main_thread_system_s,
        lines_dropped=host.lines_dropped(),
    )


def count_clients(counts: Counters, connections: Connections, outflows: Outflows, traffic: Traffic) -> None:
    """Let `counts` follow the counters of what serves clients, and of the host."""
    for name, source in (
        ("connections", lambda: connections.accepted_count),
        ("refused", lambda: connections.refused_count),
        ("closed_for_input", lambda: connections.closed_for_input_count),
        ("closed_for_output", lambda: connections.closed_for_output_count),
        ("long_answers_closed", lambda: outflows.closed_count),
        ("discarded", lambda: connections.discarded_count),
        ("received_bytes", lambda: traffic.received_bytes),
        ("sent_bytes", lambda: traffic.sent_bytes),
        ("reads", lambda: traffic.reads),
        ("writes", lambda: traffic.writes),
    ):
        counts.follow(name, source)


def count_member(counts: Counters, links: Links, snapshotter: Snapshotter) -> None:
    """Let `counts` follow the counters that only a member has."""
    for name, source in (
        ("peer_received_bytes", lambda: links.received_bytes),
        ("peer_sent_bytes", lambda: links.sent_bytes),
        ("snapshots_taken", lambda: snapshotter.statistics().taken),
        ("snapshots_sent", lambda: snapshotter.statistics().sent),
    ):
        counts.follow(name, source)
