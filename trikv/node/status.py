"""What a node says of itself: INFO in Redis' sections and field names, and one of its own for Raft."""

from collections.abc import Callable, Sequence

from trikv import __version__, streams
from trikv.machine.runs import set_run
from trikv.node.driver import Driver, Parts
from trikv.node.service import REDIS_VERSION, MemoryStats, RuntimeSettings
from trikv.raft.roles import Role

DEFAULT_SECTIONS = ("server", "memory", "persistence", "stats", "replication", "raft", "keyspace")

Fields = list[tuple[str, object]]


class Status:
    """Reads the parts of a running node; changes nothing."""

    def __init__(
        self, parts: Parts, driver: Driver, settings: RuntimeSettings, started_boot_ms: int, address: str
    ) -> None:
        self._parts = parts
        self._driver = driver
        self._settings = settings
        self._started_boot_ms = started_boot_ms
        self._address = address
        self._sections: dict[str, Callable[[], Fields]] = {
            "server": self._server,
            "memory": self._memory,
            "persistence": self._persistence,
            "stats": self._stats,
            "replication": self._replication,
            "raft": self._raft,
            "keyspace": self._keyspace,
        }

    def info(self, sections: Sequence[str]) -> str:
        """INFO's text for these sections, in their usual order; unknown ones are left out."""
        if not sections or {"all", "default", "everything"} & set(sections):
            sections = DEFAULT_SECTIONS
        chosen = [name for name in DEFAULT_SECTIONS if name in sections]
        return "\r\n".join(_section(name, self._sections[name]()) for name in chosen)

    def banner(self) -> str:
        """``node2, follower of node1``."""
        raft, node_id = self._parts.raft, self._parts.identity.node_id
        if raft.role is Role.LEADER:
            return f"node{node_id}, leader"
        if raft.leader is None:
            return f"node{node_id}, looking for a leader"
        return f"node{node_id}, follower of node{raft.leader}"

    def memory(self) -> MemoryStats:
        """Figures for MEMSTATS."""
        parts, machine = self._parts, self._parts.applier.machine
        return MemoryStats(
            used=machine.used_memory,
            cap=machine.maxmemory,
            keys=machine.keys(),
            resident=parts.host.resident_bytes(),
            log=parts.raft.log_bytes,
            buffers=parts.proposals.window_bytes + parts.links.queued_bytes(),
        )

    def _server(self) -> Fields:
        uptime_s = (self._parts.host.clock.boot_ms() - self._started_boot_ms) // 1000
        return [
            ("redis_version", REDIS_VERSION),
            ("trikv_version", __version__),
            ("compiled", "yes" if set_run else "no"),
            ("redis_mode", "standalone"),
            ("process_id", self._parts.host.process_id()),
            ("run_id", self._parts.identity.disk.hex()),
            ("tcp_port", self._address.rpartition(":")[2]),
            ("server_time_usec", self._parts.host.clock.wall_ms() * 1000),
            ("uptime_in_seconds", uptime_s),
            ("uptime_in_days", uptime_s // 86_400),
        ]

    def _memory(self) -> Fields:
        stats = self.memory()
        return [
            ("used_memory", stats.used),
            ("used_memory_human", human(stats.used)),
            ("used_memory_rss", stats.resident),
            ("used_memory_rss_human", human(stats.resident)),
            ("maxmemory", stats.cap),
            ("maxmemory_human", human(stats.cap)),
            ("maxmemory_policy", "noeviction"),
            ("mem_log_bytes", stats.log),
            ("mem_buffer_bytes", stats.buffers),
        ]

    def _persistence(self) -> Fields:
        parts, snapshotter = self._parts, self._parts.snapshotter
        wal, writer = parts.writer.wal.statistics(), parts.writer.statistics
        newest = snapshotter.newest
        mean_ms = writer.sync_ms_total / writer.batches if writer.batches else 0.0
        return [
            ("loading", 0),
            ("rdb_bgsave_in_progress", int(snapshotter.is_walking)),
            ("rdb_last_save_time", snapshotter.newest_saved_ms // 1000),
            ("rdb_last_bgsave_status", "ok"),
            ("aof_enabled", 1),
            ("aof_last_write_status", "err" if self._driver.disk_full else "ok"),
            ("wal_segments", wal.segments),
            ("wal_log_bytes", wal.log_bytes),
            ("wal_fsyncs", wal.syncs),
            ("wal_batches", wal.batches),
            ("wal_entries", wal.entries),
            ("wal_bytes_written", wal.bytes_written),
            ("wal_sync_ms_mean", f"{mean_ms:.2f}"),
            ("wal_sync_ms_max", writer.sync_ms_max),
            ("snapshot_index", newest.index if newest is not None else 0),
            ("snapshot_bytes", snapshotter.newest_bytes),
        ]

    def _stats(self) -> Fields:
        parts = self._parts
        return [
            ("proposals_waiting", parts.proposals.waiting()),
            ("reads_waiting", len(parts.reads)),
            ("proposals_indeterminate", parts.proposals.indeterminate),
            ("commands_poisoned", parts.applier.machine.poison_count),
            ("log_lines_dropped", streams.lines_dropped()),
        ]

    def _replication(self) -> Fields:
        raft, links = self._parts.raft, self._parts.links
        if raft.role is not Role.LEADER:
            known = raft.leader is not None
            up = known and links.is_up(raft.leader or 0)
            return [
                ("role", "slave"),
                ("master_host", f"node{raft.leader}" if known else ""),
                ("master_link_status", "up" if up else "down"),
                ("slave_read_only", 0),
                ("slave_repl_offset", self._parts.applier.position.index),
                ("connected_slaves", 0),
            ]
        fields: Fields = [("role", "master"), ("connected_slaves", sum(map(links.is_up, raft.progress)))]
        for number, (peer, progress) in enumerate(sorted(raft.progress.items())):
            state = "online" if links.is_up(peer) else "offline"
            text = f"id={peer},state={state},offset={progress.match},lag={raft.last_index - progress.match}"
            fields.append((f"slave{number}", text))
        return [*fields, ("master_repl_offset", raft.last_index)]

    def _raft(self) -> Fields:
        parts, raft = self._parts, self._parts.raft
        role = "candidate" if raft.role is Role.PRECANDIDATE else raft.role.name.lower()
        members = raft.membership.members
        return [
            ("raft_role", role),
            ("raft_node_id", parts.identity.node_id),
            ("raft_disk_id", parts.identity.disk.hex()),
            ("raft_cluster_id", parts.identity.cluster.hex()),
            ("raft_leader_id", raft.leader or -1),
            ("raft_current_term", raft.term),
            ("raft_last_log_index", raft.last_index),
            ("raft_durable_index", raft.durable_index),
            ("raft_commit_index", raft.commit),
            ("raft_last_applied_index", parts.applier.position.index),
            ("raft_num_nodes", len(members)),
            ("raft_num_voting_nodes", sum(member.voter for member in members)),
            ("raft_members", ",".join(f"{m.id}:{'voter' if m.voter else 'learner'}" for m in members)),
            ("peers_password", parts.guard.standing()),
            ("raft_log_bytes", raft.log_bytes),
            ("raft_first_index", raft.first_index),
            ("raft_reads", "lease" if parts.reads.by_lease else "linearizable"),
            ("raft_has_lease", int(raft.lease_index(parts.host.clock.boot_ms()) is not None)),
            ("raft_log_time_ms", parts.logtime.now_ms(parts.host.clock.boot_ms())),
            ("raft_clock_deviation_ms", self._clock_deviation_ms()),
        ]

    def _clock_deviation_ms(self) -> int:
        clocks = self._parts.raft.peer_clocks.values()
        return max((abs(clock.wall_ms - clock.own_wall_ms) for clock in clocks), default=0)

    def _keyspace(self) -> Fields:
        databases = self._parts.applier.machine.space.databases
        return [
            (f"db{db.number}", f"keys={db.size},expires={len(db.deadlines)},avg_ttl=0")
            for db in databases
            if db.size
        ]


def _section(name: str, fields: Fields) -> str:
    lines = [f"# {name.capitalize()}", *(f"{key}:{value}" for key, value in fields)]
    return "\r\n".join(lines) + "\r\n"


def human(count: int) -> str:
    """Bytes as Redis shows them: ``1.50M``."""
    if count < 1024:
        return f"{count}B"
    size = float(count)
    for unit in "KMG":
        size /= 1024
        if size < 1024:
            return f"{size:.2f}{unit}"
    return f"{size / 1024:.2f}T"
