"""What a member says of its cluster, data and disk: INFO's sections about them, MEMSTATS, the banner."""

from trikv.addresses import split_address
from trikv.front.connections import Connections
from trikv.front.seam import MemoryStats
from trikv.front.statistics import Statistics
from trikv.machine.database import Database
from trikv.machine.memory import ENTRY_BYTES, EXPIRY_BYTES
from trikv.node.consensus.driver import Driver, Parts
from trikv.node.info import Fields, Sections, human
from trikv.raft.roles import Role

_NO_SCRIPTS = tuple(
    (name, 0)
    for name in (
        *("used_memory_lua", "used_memory_vm_eval", "used_memory_scripts_eval", "used_memory_vm_functions"),
        *("used_memory_vm_total", "used_memory_functions", "used_memory_scripts"),
        *("number_of_cached_scripts", "number_of_functions", "number_of_libraries"),
    )
)


class Status:
    """Reads the parts of a running node; changes nothing."""

    def __init__(
        self,
        parts: Parts,
        driver: Driver,
        connections: Connections,
        statistics: Statistics,
        log_tail_bytes: int,
    ) -> None:
        """`log_tail_bytes`: what is kept of the log for followers, as configured."""
        self._parts = parts
        self._statistics = statistics
        self._driver = driver
        self._connections = connections
        self._log_tail_bytes = log_tail_bytes

    def sections(self) -> Sections:
        """By name."""
        return {
            "memory": self._memory,
            "persistence": self._persistence,
            "replication": self._replication,
            "raft": self._raft,
            "keyspace": self._keyspace,
        }

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

    def _memory(self) -> Fields:
        parts, stats, space = self._parts, self.memory(), self._parts.applier.machine.space
        peak = parts.applier.memory_peak_bytes
        deadlines = sum(len(db.deadlines) for db in space.databases)
        overhead = ENTRY_BYTES * stats.keys + EXPIRY_BYTES * deadlines
        system_bytes = parts.host.system().memory_bytes
        return [
            ("used_memory", stats.used),
            ("used_memory_human", human(stats.used)),
            ("used_memory_rss", stats.resident),
            ("used_memory_rss_human", human(stats.resident)),
            ("used_memory_rss_peak", parts.host.usage().resident_peak_bytes),
            ("used_memory_peak", peak),
            ("used_memory_peak_human", human(peak)),
            ("used_memory_peak_perc", f"{_ratio(stats.used, peak) * 100:.2f}%"),
            ("used_memory_overhead", overhead),
            ("used_memory_startup", 0),
            ("used_memory_dataset", stats.used - overhead),
            ("used_memory_dataset_perc", f"{_ratio(stats.used - overhead, stats.used) * 100:.2f}%"),
            *self._process(stats),
            ("total_system_memory", system_bytes),
            ("total_system_memory_human", human(system_bytes)),
            ("maxmemory", stats.cap),
            ("maxmemory_human", human(stats.cap)),
            ("maxmemory_policy", "noeviction"),
            ("mem_not_counted_for_evict", 0),
            ("mem_clients_slaves", parts.links.queued_bytes()),
            ("mem_clients_normal", self._connections.buffer_bytes()),
            ("mem_cluster_links", 0),
            ("mem_aof_buffer", self._unsynced_bytes()),
            ("mem_replication_backlog", stats.log),
            ("mem_total_replication_buffers", stats.log + parts.links.queued_bytes()),
            ("mem_log_bytes", stats.log),
            ("mem_buffer_bytes", stats.buffers),
            ("active_defrag_running", 0),
            ("lazyfree_pending_objects", space.pending_keys()),
            ("lazyfreed_objects", space.account.tally.freed_keys),
            *_NO_SCRIPTS,
        ]

    @staticmethod
    def _process(stats: MemoryStats) -> Fields:
        """What the allocator holds. Redis shows the same where its allocator tells nothing of itself."""
        used, resident = stats.used, stats.resident
        return [
            ("allocator_allocated", used),
            ("allocator_active", resident),
            ("allocator_resident", resident),
            ("allocator_frag_ratio", f"{_ratio(resident, used):.2f}"),
            ("allocator_frag_bytes", resident - used),
            ("allocator_rss_ratio", "1.00"),
            ("allocator_rss_bytes", 0),
            ("mem_fragmentation_ratio", f"{_ratio(resident, used):.2f}"),
            ("mem_fragmentation_bytes", resident - used),
        ]

    def _persistence(self) -> Fields:
        parts, snapshotter = self._parts, self._parts.snapshotter
        wal, writer = parts.writer.wal.statistics(), parts.writer.statistics
        newest, taken = snapshotter.newest, snapshotter.statistics
        mean_ms = writer.sync_ms_total / writer.batches if writer.batches else 0.0
        current_s = -1
        if taken.began_ms is not None:
            current_s = (parts.host.clock.boot_ms() - taken.began_ms) // 1000
        return [
            ("loading", 0),
            ("async_loading", 0),
            ("rdb_changes_since_last_save", parts.applier.machine.changes - taken.changes_at_newest),
            ("rdb_bgsave_in_progress", int(snapshotter.is_walking)),
            ("rdb_last_save_time", snapshotter.newest_saved_ms // 1000),
            ("rdb_last_bgsave_status", "err" if taken.last_failed else "ok"),
            ("rdb_last_bgsave_time_sec", -1 if taken.last_ms is None else taken.last_ms // 1000),
            ("rdb_current_bgsave_time_sec", current_s),
            ("rdb_saves", self._statistics.count("snapshots_taken")),
            ("rdb_last_cow_size", 0),
            ("rdb_last_load_keys_expired", 0),
            ("rdb_last_load_keys_loaded", taken.keys_loaded),
            ("aof_enabled", 1),
            ("aof_rewrite_in_progress", 0),
            ("aof_rewrite_scheduled", 0),
            ("aof_last_rewrite_time_sec", -1),
            ("aof_current_rewrite_time_sec", -1),
            ("aof_last_bgrewrite_status", "ok"),
            ("aof_last_write_status", "err" if self._driver.no_room else "ok"),
            ("aof_last_cow_size", 0),
            ("aof_current_size", wal.log_bytes),
            ("aof_pending_rewrite", 0),
            ("aof_buffer_length", self._unsynced_bytes()),
            ("aof_rewrite_buffer_length", 0),
            ("aof_pending_bio_fsync", int(parts.raft.durable_index < parts.raft.last_index)),
            ("aof_delayed_fsync", 0),
            ("module_fork_in_progress", 0),
            ("module_fork_last_cow_size", 0),
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

    def _unsynced_bytes(self) -> int:
        """Of the log, in memory and not yet on this disk."""
        raft = self._parts.raft
        return sum(
            len(entry.payload) for entry in raft.entries_between(raft.durable_index + 1, raft.last_index)
        )

    def _replication(self) -> Fields:
        raft = self._parts.raft
        leads = raft.role is Role.LEADER
        return [
            *(self._as_leader() if leads else self._as_follower()),
            ("master_replid", self._parts.identity.cluster.hex()),
            ("master_repl_offset", raft.last_index),
            ("second_repl_offset", -1),
            ("repl_backlog_active", 1),
            ("repl_backlog_size", self._log_tail_bytes),
            ("repl_backlog_first_byte_offset", raft.first_index),
            ("repl_backlog_histlen", raft.log_bytes),
        ]

    def _as_leader(self) -> Fields:
        raft, links, now_ms = self._parts.raft, self._parts.links, self._parts.host.clock.boot_ms()
        fields: list[tuple[str, object]] = [
            ("role", "master"),
            ("connected_slaves", sum(map(links.is_up, raft.progress))),
        ]
        for number, (peer, progress) in enumerate(sorted(raft.progress.items())):
            host, port = _split(links.address_of(peer))
            state = "online" if links.is_up(peer) else "offline"
            lag_s = max(0, now_ms - progress.last_ack_ms) // 1000
            behind = raft.last_index - progress.match
            text = f"ip={host},port={port},state={state},offset={progress.match},lag={lag_s}"
            fields.append((f"slave{number}", f"{text},id={peer},behind={behind}"))
        return fields

    def _as_follower(self) -> Fields:
        parts, raft, links = self._parts, self._parts.raft, self._parts.links
        leader = raft.leader
        host, port = _split(links.address_of(leader)) if leader is not None else ("", 0)
        up = leader is not None and links.is_up(leader)
        silent_s = (parts.host.clock.boot_ms() - raft.leader_heard_ms) // 1000
        return [
            ("role", "slave"),
            ("master_host", host),
            ("master_port", port),
            ("master_link_status", "up" if up else "down"),
            ("master_last_io_seconds_ago", max(0, silent_s) if up else -1),
            ("master_sync_in_progress", int(parts.snapshotter.is_receiving)),
            ("slave_repl_offset", parts.applier.position.index),
            ("slave_priority", 100),
            ("slave_read_only", 0),
            ("connected_slaves", 0),
        ]

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
            ("raft_log_time_ms", parts.log_time.now_ms(parts.host.clock.boot_ms())),
            ("raft_clock_deviation_ms", self._clock_deviation_ms()),
            ("raft_feature_level", parts.applier.machine.feature_level),
            ("proposals_waiting", parts.proposals.waiting()),
            ("reads_waiting", len(parts.reads)),
            ("proposals_indeterminate", parts.proposals.indeterminate),
            ("commands_poisoned", parts.applier.machine.poison_count),
        ]

    def _clock_deviation_ms(self) -> int:
        clocks = self._parts.raft.peer_clocks.values()
        return max((abs(clock.wall_ms - clock.own_wall_ms) for clock in clocks), default=0)

    def _keyspace(self) -> Fields:
        now_ms = self._parts.log_time.now_ms(self._parts.host.clock.boot_ms())
        return [(f"db{db.number}", _keys(db, now_ms)) for db in self._databases() if db.size]

    def stale_percent(self) -> float:
        """How many of the keys with a deadline are due and not yet removed."""
        machine = self._parts.applier.machine
        deadlines = [db.deadlines for db in self._databases()]
        due = sum(one.bisect_left((machine.now_ms + 1, b"")) for one in deadlines)
        return _ratio(due, sum(map(len, deadlines))) * 100

    def _databases(self) -> list[Database]:
        return self._parts.applier.machine.space.databases


def _keys(db: Database, now_ms: int) -> str:
    return f"keys={db.size},expires={len(db.deadlines)},avg_ttl={db.mean_ttl_ms(now_ms)}"


def _ratio(count: int, of: int) -> float:
    """0 for nothing of nothing."""
    return count / of if of else 0.0


def _split(address: str) -> tuple[str, int]:
    """Host and port of a peer, where the nodes speak to each other."""
    return split_address(address) if address else ("", 0)
