"""INFO: its sections and their order, and those of them for which a node need not be a member of a cluster.

Names, order and meaning are Redis'. What trikv has no notion of shows what an idle Redis shows, if that is
true here (nothing is ever evicted, no script is cached); what would not be true is left out.
``tests/node/test_info.py`` has the list of what monitoring tools read, with a reason for each that is absent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from trikv import __version__
from trikv.front.connections import Connections
from trikv.front.seam import REDIS_VERSION
from trikv.front.statistics import Statistics
from trikv.host.seam import Host
from trikv.machine.runs import set_run
from trikv.machine.tally import CommandTally

Fields: TypeAlias = Iterable[tuple[str, object]]
Sections: TypeAlias = Mapping[str, Callable[[], Fields]]
"""By their names in lower case."""

HEADINGS: Final = {
    "server": "Server",
    "clients": "Clients",
    "memory": "Memory",
    "persistence": "Persistence",
    "stats": "Stats",
    "replication": "Replication",
    "raft": "Raft",
    "cpu": "CPU",
    "modules": "Modules",
    "commandstats": "Commandstats",
    "errorstats": "Errorstats",
    "latencystats": "Latencystats",
    "cluster": "Cluster",
    "keyspace": "Keyspace",
}
"""All sections in Redis' order, trikv's own behind replication, as they are spelt in their first lines."""
DEFAULT: Final = frozenset(HEADINGS) - {"commandstats", "latencystats"}
"""What INFO shows if it is not told what."""
_KIB: Final = 1024


def chosen(names: Sequence[str]) -> frozenset[str]:
    """The sections that INFO was asked for by these words, in lower case; unknown ones are left out."""
    wanted = set(names)
    if {"all", "everything"} & wanted:
        return frozenset(HEADINGS)
    if not wanted or "default" in wanted:
        wanted |= DEFAULT
    return frozenset(wanted & HEADINGS.keys())


def info_text(sections: Sections, names: Sequence[str]) -> str:
    """INFO's text for these words, of those `sections` that there are."""
    wanted = chosen(names)
    return "\r\n".join(
        section_text(name, sections[name]()) for name in HEADINGS if name in wanted and name in sections
    )


def section_text(name: str, fields: Fields) -> str:
    """One section with its heading."""
    return "".join([f"# {HEADINGS[name]}\r\n", *(f"{field}:{value}\r\n" for field, value in fields)])


def human(count: int) -> str:
    """Bytes as Redis shows them: ``1.50M``."""
    if count < _KIB:
        return f"{count}B"
    size = float(count)
    for unit in "KMG":
        size /= _KIB
        if size < _KIB:
            return f"{size:.2f}{unit}"
    return f"{size / _KIB:.2f}T"


def blank_sections(node_id: int) -> Sections:
    """Of a node that has joined no cluster yet: it holds nothing and follows nobody."""
    return {
        "memory": lambda: [("used_memory", 0), ("used_memory_peak", 0), ("maxmemory", 0)],
        "persistence": lambda: [
            ("loading", 0),
            ("rdb_bgsave_in_progress", 0),
            ("aof_rewrite_in_progress", 0),
        ],
        "replication": lambda: [("role", "slave"), ("master_link_status", "down"), ("connected_slaves", 0)],
        "raft": lambda: [("raft_role", "blank"), ("raft_node_id", node_id), ("raft_leader_id", -1)],
        "keyspace": list,
    }


class OwnInfo:
    """What a node says of itself and of what its clients did."""

    def __init__(self, host: Host, statistics: Statistics, connections: Connections, node_id: int) -> None:
        self.statistics = statistics
        self.run_id = f"node{node_id}"
        """The disk's id, once it is known."""
        self.tcp_port = ""
        self.stale_percent: Callable[[], float] = lambda: 0.0
        """How many of the keys with a deadline are due and not yet removed; a member knows."""
        self._host = host
        self._connections = connections
        self._started_ms = host.clock.boot_ms()
        traffic = host.network.traffic
        for name, source in (
            ("connections", lambda: connections.accepted_count),
            ("refused", lambda: connections.refused_count),
            ("closed_for_input", lambda: connections.closed_for_input_count),
            ("closed_for_output", lambda: connections.closed_for_output_count),
            ("discarded", lambda: connections.discarded_count),
            ("received_bytes", lambda: traffic.received_bytes),
            ("sent_bytes", lambda: traffic.sent_bytes),
            ("reads", lambda: traffic.reads),
            ("writes", lambda: traffic.writes),
        ):
            statistics.follow(name, source)

    def sections(self) -> Sections:
        """By name."""
        return {
            "server": self._server,
            "clients": self._connections.info,
            "stats": self._stats,
            "cpu": self._cpu,
            "modules": list,
            "commandstats": self._commandstats,
            "errorstats": self._errorstats,
            "latencystats": list,
            "cluster": lambda: [("cluster_enabled", 0)],
        }

    def _server(self) -> Fields:
        clock = self._host.clock
        uptime_s = (clock.boot_ms() - self._started_ms) // 1000
        return [
            ("redis_version", REDIS_VERSION),
            ("trikv_version", __version__),
            ("compiled", "yes" if set_run else "no"),
            ("redis_mode", "standalone"),
            ("os", self._host.system().name),
            ("arch_bits", 64),
            ("process_id", self._host.process_id()),
            ("run_id", self.run_id),
            ("tcp_port", self.tcp_port),
            ("server_time_usec", clock.wall_ms() * 1000),
            ("uptime_in_seconds", uptime_s),
            ("uptime_in_days", uptime_s // 86_400),
            ("io_threads_active", 0),
        ]

    def _stats(self) -> Fields:
        count, tally = self.statistics.count, self.statistics.tally
        return [
            ("total_connections_received", count("connections")),
            ("total_commands_processed", count("commands")),
            ("instantaneous_ops_per_sec", round(self._rate("commands"))),
            ("total_net_input_bytes", count("received_bytes")),
            ("total_net_output_bytes", count("sent_bytes")),
            ("total_net_repl_input_bytes", count("peer_received_bytes")),
            ("total_net_repl_output_bytes", count("peer_sent_bytes")),
            ("instantaneous_input_kbps", self._kib_a_second("received_bytes")),
            ("instantaneous_output_kbps", self._kib_a_second("sent_bytes")),
            ("instantaneous_input_repl_kbps", self._kib_a_second("peer_received_bytes")),
            ("instantaneous_output_repl_kbps", self._kib_a_second("peer_sent_bytes")),
            ("rejected_connections", count("refused")),
            ("sync_full", count("snapshots_sent")),
            ("expired_keys", tally.expired_keys),
            ("expired_stale_perc", f"{self.stale_percent():.2f}"),
            ("expired_time_cap_reached_count", tally.expiry_stops),
            ("keyspace_hits", tally.hits),
            ("keyspace_misses", tally.misses),
            ("unexpected_error_replies", 0),
            ("total_error_replies", tally.errors_total),
            ("total_reads_processed", count("reads")),
            ("total_writes_processed", count("writes")),
            ("client_query_buffer_limit_disconnections", count("closed_for_input")),
            ("client_output_buffer_limit_disconnections", count("closed_for_output")),
            ("transactions_discarded", count("discarded")),
            ("log_lines_dropped", self._host.lines_dropped()),
            ("acl_access_denied_auth", tally.errors.get("WRONGPASS", 0)),
            *_ALWAYS_0,
        ]

    def _rate(self, name: str) -> float:
        return self.statistics.rate(name, self._host.clock.boot_ms())

    def _kib_a_second(self, name: str) -> str:
        return f"{self._rate(name) / _KIB:.2f}"

    def _cpu(self) -> Fields:
        usage = self._host.usage()
        return [
            ("used_cpu_sys", f"{usage.system_s:.6f}"),
            ("used_cpu_user", f"{usage.user_s:.6f}"),
            ("used_cpu_sys_children", f"{usage.children_system_s:.6f}"),
            ("used_cpu_user_children", f"{usage.children_user_s:.6f}"),
            ("used_cpu_sys_main_thread", f"{usage.main_thread_system_s:.6f}"),
            ("used_cpu_user_main_thread", f"{usage.main_thread_user_s:.6f}"),
        ]

    def _commandstats(self) -> Fields:
        commands = self.statistics.tally.commands()
        return [(f"cmdstat_{name.lower()}", _command_text(one)) for name, one in commands.items()]

    def _errorstats(self) -> Fields:
        errors = self.statistics.tally.errors
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
"""Counts of what does not happen here: there is no eviction, no fork, no script, no subscription, no
tracking, no access list, and sockets have no threads."""
