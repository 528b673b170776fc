"""INFO's sections that every node shows: its process, its clients, the commands they sent."""

from typing import Final

from trikv import __version__
from trikv.front.counters import Counters
from trikv.front.figures import (
    ConnectionStatistics,
    HostStatistics,
    MemberFigures,
    NodeFigures,
    OutflowStatistics,
)
from trikv.front.info.text import Fields, kib, ratio
from trikv.front.seam import REDIS_VERSION
from trikv.machine.runs import is_compiled
from trikv.machine.tally import CommandTally


def server(figures: NodeFigures) -> Fields:
    """The version, process and address, and the time since the start."""
    host = figures.host()
    uptime_s = host.uptime_ms // 1000
    return [
        ("redis_version", REDIS_VERSION),
        ("trikv_version", __version__),
        ("compiled", "yes" if is_compiled() and host.compiled else "no"),
        ("redis_mode", "standalone"),
        ("os", host.system),
        ("arch_bits", 64),
        ("process_id", host.process_id),
        ("run_id", figures.run_id),
        ("tcp_port", figures.tcp_port),
        ("server_time_usec", host.wall_ms * 1000),
        ("uptime_in_seconds", uptime_s),
        ("uptime_in_days", uptime_s // 86_400),
        ("io_threads_active", 0),
    ]


def clients(connections: ConnectionStatistics, outflows: OutflowStatistics, maxclients: int) -> Fields:
    """Connections, and the input and output that waits for them."""
    return [
        ("connected_clients", connections.live),
        ("cluster_connections", 0),
        ("maxclients", maxclients),
        ("client_recent_max_input_buffer", connections.input_longest),
        ("client_recent_max_output_buffer", connections.output_longest),
        ("blocked_clients", connections.blocked),
        ("tracking_clients", 0),
        ("pubsub_clients", 0),
        ("watching_clients", connections.watching),
        ("clients_in_timeout_table", connections.blocked_for_a_time),
        ("total_blocking_keys", 0),
        ("submissions_in_flight", connections.in_flight),
        ("typed_clients", connections.typed),
        ("input_bytes", connections.input.total),
        ("input_bytes_in_flight", connections.input.in_flight),
        ("input_bytes_max", connections.input_bytes_max),
        ("output_bytes", connections.output_bytes),
        ("long_reads", outflows.long_reads),
        ("long_reads_kept_bytes", outflows.kept_bytes),
    ]


def stats(host: HostStatistics, counts: Counters, member: MemberFigures | None) -> Fields:
    """Counts since the start or CONFIG RESETSTAT, and rates."""
    count, tally = counts.count, counts.tally

    def rate(name: str) -> float:
        return counts.rate(name, host.boot_ms)

    return [
        ("total_connections_received", count("connections")),
        ("total_commands_processed", count("commands")),
        ("instantaneous_ops_per_sec", round(rate("commands"))),
        ("total_net_input_bytes", count("received_bytes")),
        ("total_net_output_bytes", count("sent_bytes")),
        ("total_net_repl_input_bytes", count("peer_received_bytes")),
        ("total_net_repl_output_bytes", count("peer_sent_bytes")),
        ("instantaneous_input_kbps", kib(rate("received_bytes"))),
        ("instantaneous_output_kbps", kib(rate("sent_bytes"))),
        ("instantaneous_input_repl_kbps", kib(rate("peer_received_bytes"))),
        ("instantaneous_output_repl_kbps", kib(rate("peer_sent_bytes"))),
        ("rejected_connections", count("refused")),
        ("sync_full", count("snapshots_sent")),
        ("expired_keys", tally.expired_keys),
        ("expired_stale_perc", f"{_stale_percent(member):.2f}"),
        ("expired_time_cap_reached_count", tally.expiry_stops),
        ("keyspace_hits", tally.hits),
        ("keyspace_misses", tally.misses),
        ("unexpected_error_replies", 0),
        ("total_error_replies", tally.errors_total),
        ("total_reads_processed", count("reads")),
        ("total_writes_processed", count("writes")),
        ("client_query_buffer_limit_disconnections", count("closed_for_input")),
        ("client_output_buffer_limit_disconnections", count("closed_for_output")),
        ("long_answers_given_up", count("long_answers_closed")),
        ("transactions_discarded", count("discarded")),
        ("log_lines_dropped", host.lines_dropped),
        ("acl_access_denied_auth", tally.errors.get("WRONGPASS", 0)),
        *_ALWAYS_0,
    ]


def _stale_percent(member: MemberFigures | None) -> float:
    """How many percent of the keys with a deadline are due and not yet removed."""
    if member is None:
        return 0.0
    machine = member.applier().machine
    return ratio(machine.due, machine.deadlines) * 100


def cpu(host: HostStatistics) -> Fields:
    """Processor time in seconds."""
    return [
        ("used_cpu_sys", f"{host.system_s:.6f}"),
        ("used_cpu_user", f"{host.user_s:.6f}"),
        ("used_cpu_sys_children", f"{host.children_system_s:.6f}"),
        ("used_cpu_user_children", f"{host.children_user_s:.6f}"),
        ("used_cpu_sys_main_thread", f"{host.main_thread_system_s:.6f}"),
        ("used_cpu_user_main_thread", f"{host.main_thread_user_s:.6f}"),
    ]


def commandstats(counts: Counters) -> Fields:
    """A line for each command that was called or refused."""
    commands = counts.tally.commands()
    return [(f"cmdstat_{name.lower()}", _command_text(one)) for name, one in commands.items()]


def errorstats(counts: Counters) -> Fields:
    """A line for each kind of error, which is its first word."""
    errors = counts.tally.errors
    return [(f"errorstat_{kind}", f"count={errors[kind]}") for kind in sorted(errors)]


def _command_text(one: CommandTally) -> str:
    timing = f"calls={one.calls},usec={round(one.usec)},usec_per_call={one.usec_per_call:.2f}"
    return f"{timing},rejected_calls={one.rejected},failed_calls={one.failed}"


_ALWAYS_0: Final = tuple(
    (name, 0)
    for name in (
        *("evicted_keys", "evicted_clients", "evicted_scripts", "expired_subkeys"),
        *("total_eviction_exceeded_time", "current_eviction_exceeded_time"),
        *("sync_partial_ok", "sync_partial_err", "slave_expires_tracked_keys"),
        *("pubsub_channels", "pubsub_patterns", "pubsubshard_channels"),
        *("latest_fork_usec", "total_forks", "migrate_cached_sockets"),
        *("active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses"),
        *("total_active_defrag_time", "current_active_defrag_time"),
        *("tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"),
        *("dump_payload_sanitizations", "io_threaded_reads_processed", "io_threaded_writes_processed"),
        *("reply_buffer_shrinks", "reply_buffer_expands"),
        *("acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"),
    )
)
"""Counts that are always 0 here: there is no eviction, no fork, no script, no subscription, no tracking, no
access list, and sockets have no threads."""
