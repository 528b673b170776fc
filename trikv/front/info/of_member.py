"""INFO's sections about data, disk and cluster, of a node whose log is open."""

from typing import Final

from trikv.addresses import split_address
from trikv.front.counters import Counters
from trikv.front.figures import (
    ConnectionStatistics,
    HostStatistics,
    LinksStatistics,
    MemberFigures,
    PasswordStatistics,
)
from trikv.front.info.text import Fields, human, ratio
from trikv.raft.roles import Role
from trikv.raft.statistics import RaftStatistics


def memory(
    member: MemberFigures, host: HostStatistics, counts: Counters, connections: ConnectionStatistics
) -> Fields:
    """The account of keys and values, the process's memory, and all that waits in it."""
    applier, raft, queued_bytes = member.applier(), member.raft(), member.links().queued_bytes
    machine, peak_bytes = applier.machine, applier.memory_peak_bytes
    used_bytes, dataset_bytes = machine.used_bytes, machine.used_bytes - machine.overhead_bytes
    return [
        ("used_memory", used_bytes),
        ("used_memory_human", human(used_bytes)),
        ("used_memory_rss", host.resident_bytes),
        ("used_memory_rss_human", human(host.resident_bytes)),
        ("used_memory_rss_peak", host.resident_peak_bytes),
        ("used_memory_peak", peak_bytes),
        ("used_memory_peak_human", human(peak_bytes)),
        ("used_memory_peak_perc", f"{ratio(used_bytes, peak_bytes) * 100:.2f}%"),
        ("used_memory_overhead", machine.overhead_bytes),
        ("used_memory_startup", 0),
        ("used_memory_dataset", dataset_bytes),
        ("used_memory_dataset_perc", f"{ratio(dataset_bytes, used_bytes) * 100:.2f}%"),
        *_allocator(used_bytes, host.resident_bytes),
        ("total_system_memory", host.memory_bytes),
        ("total_system_memory_human", human(host.memory_bytes)),
        ("maxmemory", machine.cap_bytes),
        ("maxmemory_human", human(machine.cap_bytes)),
        ("maxmemory_policy", "noeviction"),
        ("mem_not_counted_for_evict", 0),
        ("mem_clients_slaves", queued_bytes),
        ("mem_clients_normal", connections.buffer_bytes),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", raft.undurable_bytes),
        ("mem_replication_backlog", raft.log_bytes),
        ("mem_total_replication_buffers", raft.log_bytes + queued_bytes),
        ("mem_log_bytes", raft.log_bytes),
        ("mem_buffer_bytes", member.proposals().window_bytes + queued_bytes),
        ("active_defrag_running", 0),
        ("lazyfree_pending_objects", machine.pending_keys),
        ("lazyfreed_objects", counts.tally.freed_keys),
        *_NO_SCRIPTS,
    ]


def _allocator(used_bytes: int, resident_bytes: int) -> Fields:
    """The allocator's fields, as Redis shows them if its allocator has no figures of its own."""
    return [
        ("allocator_allocated", used_bytes),
        ("allocator_active", resident_bytes),
        ("allocator_resident", resident_bytes),
        ("allocator_frag_ratio", f"{ratio(resident_bytes, used_bytes):.2f}"),
        ("allocator_frag_bytes", resident_bytes - used_bytes),
        ("allocator_rss_ratio", "1.00"),
        ("allocator_rss_bytes", 0),
        ("mem_fragmentation_ratio", f"{ratio(resident_bytes, used_bytes):.2f}"),
        ("mem_fragmentation_bytes", resident_bytes - used_bytes),
    ]


def persistence(member: MemberFigures, counts: Counters) -> Fields:
    """Snapshots, in Redis' words its RDB, and the log, its AOF."""
    machine, raft = member.applier().machine, member.raft()
    snapshots, writer = member.snapshotter(), member.writer()
    wal = writer.log
    return [
        ("loading", 0),
        ("async_loading", 0),
        ("rdb_changes_since_last_save", machine.changes - snapshots.changes_at_newest),
        ("rdb_bgsave_in_progress", int(snapshots.is_walking)),
        ("rdb_last_save_time", snapshots.newest_saved_ms // 1000),
        ("rdb_last_bgsave_status", "err" if snapshots.last_failed else "ok"),
        ("rdb_last_bgsave_time_sec", -1 if snapshots.last_ms is None else snapshots.last_ms // 1000),
        ("rdb_current_bgsave_time_sec", -1 if snapshots.running_ms is None else snapshots.running_ms // 1000),
        ("rdb_saves", counts.count("snapshots_taken")),
        ("rdb_last_cow_size", 0),
        ("rdb_last_load_keys_expired", 0),
        ("rdb_last_load_keys_loaded", snapshots.keys_loaded),
        ("aof_enabled", 1),
        ("aof_rewrite_in_progress", 0),
        ("aof_rewrite_scheduled", 0),
        ("aof_last_rewrite_time_sec", -1),
        ("aof_current_rewrite_time_sec", -1),
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_last_write_status", "ok" if writer.has_room else "err"),
        ("aof_last_cow_size", 0),
        ("aof_current_size", wal.log_bytes),
        ("aof_pending_rewrite", 0),
        ("aof_buffer_length", raft.undurable_bytes),
        ("aof_rewrite_buffer_length", 0),
        ("aof_pending_bio_fsync", int(raft.durable_index < raft.last_index)),
        ("aof_delayed_fsync", 0),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
        ("wal_segments", wal.segments),
        ("wal_log_bytes", wal.log_bytes),
        ("wal_fsyncs", wal.syncs),
        ("wal_batches", wal.batches),
        ("wal_entries", wal.entries),
        ("wal_bytes_written", wal.bytes_written),
        ("wal_sync_ms_mean", f"{ratio(writer.sync_ms_total, writer.batches):.2f}"),
        ("wal_sync_ms_max", writer.sync_ms_max),
        ("snapshot_index", snapshots.newest_index),
        ("snapshot_bytes", snapshots.newest_bytes),
    ]


def replication(member: MemberFigures) -> Fields:
    """The cluster in Redis' words: a master with its replicas, or a replica with its master."""
    raft, links = member.raft(), member.links()
    return [
        *(_as_leader(raft, links) if raft.leads else _as_follower(member, raft, links)),
        ("master_replid", member.cluster.hex()),
        ("master_repl_offset", raft.last_index),
        ("second_repl_offset", -1),
        ("repl_backlog_active", 1),
        ("repl_backlog_size", member.log_tail_bytes),
        ("repl_backlog_first_byte_offset", raft.first_index),
        ("repl_backlog_histlen", raft.log_bytes),
    ]


def _as_leader(raft: RaftStatistics, links: LinksStatistics) -> Fields:
    fields: list[tuple[str, object]] = [
        ("role", "master"),
        ("connected_slaves", sum(links.of(follower.peer).is_up for follower in raft.followers)),
    ]
    for number, follower in enumerate(raft.followers):
        link = links.of(follower.peer)
        host, port = _split(link.address)
        state, lag_s = "online" if link.is_up else "offline", max(0, follower.silent_ms) // 1000
        behind = raft.last_index - follower.match
        text = f"ip={host},port={port},state={state},offset={follower.match},lag={lag_s}"
        fields.append((f"slave{number}", f"{text},id={follower.peer},behind={behind}"))
    return fields


def _as_follower(member: MemberFigures, raft: RaftStatistics, links: LinksStatistics) -> Fields:
    link = links.of(raft.leader or 0)
    host, port = _split(link.address)
    return [
        ("role", "slave"),
        ("master_host", host),
        ("master_port", port),
        ("master_link_status", "up" if link.is_up else "down"),
        ("master_last_io_seconds_ago", max(0, raft.leader_silent_ms // 1000) if link.is_up else -1),
        ("master_sync_in_progress", int(member.snapshotter().is_receiving)),
        ("slave_repl_offset", member.applier().index),
        ("slave_priority", 100),
        ("slave_read_only", 0),
        ("connected_slaves", 0),
    ]


def _split(address: str) -> tuple[str, int]:
    """Host and port of a peer; an empty host and 0 for one that is not configured."""
    return split_address(address) if address else ("", 0)


def raft_section(node_id: int, member: MemberFigures) -> Fields:
    """Fields of trikv's own: figures of Raft for which Redis has none."""
    raft, applier, proposals, reads = member.raft(), member.applier(), member.proposals(), member.reads()
    role = "candidate" if raft.role is Role.PRECANDIDATE else raft.role.name.lower()
    members = raft.members
    return [
        ("raft_role", role),
        ("raft_node_id", node_id),
        ("raft_disk_id", member.disk.hex()),
        ("raft_cluster_id", member.cluster.hex()),
        ("raft_leader_id", raft.leader or -1),
        ("raft_current_term", raft.term),
        ("raft_last_log_index", raft.last_index),
        ("raft_durable_index", raft.durable_index),
        ("raft_commit_index", raft.commit),
        ("raft_last_applied_index", applier.index),
        ("raft_num_nodes", len(members)),
        ("raft_num_voting_nodes", sum(one.voter for one in members)),
        ("raft_members", ",".join(f"{one.id}:{'voter' if one.voter else 'learner'}" for one in members)),
        ("peers_password", password_text(member.password())),
        ("raft_log_bytes", raft.log_bytes),
        ("raft_first_index", raft.first_index),
        ("raft_reads", "lease" if reads.by_lease else "linearizable"),
        ("raft_has_lease", int(raft.has_lease)),
        ("raft_log_time_ms", member.log_time().now_ms),
        ("raft_clock_deviation_ms", raft.clock_deviation_ms),
        ("raft_feature_level", applier.machine.feature_level),
        ("proposals_waiting", proposals.waiting),
        ("reads_waiting", reads.waiting),
        ("proposals_indeterminate", proposals.indeterminate),
        ("commands_poisoned", applier.machine.poison_count),
        # Behind all that stood here before: scripts read fields by their place.
        ("raft_applying_ms", applier.inside_ms or 0),
    ]


def password_text(password: PasswordStatistics) -> str:
    """``same``, ``unknown`` before a peer was heard, ``missing:2,3``, or ``differs:2``."""
    if password.differing:
        peers = ",".join(map(str, password.differing))
        return f"{'missing' if password.is_missing else 'differs'}:{peers}"
    return "same" if password.heard else "unknown"


def keyspace(member: MemberFigures) -> Fields:
    """Databases that hold keys."""
    return [
        (f"db{db.number}", f"keys={db.keys},expires={db.deadlines},avg_ttl={db.mean_ttl_ms}")
        for db in member.applier().machine.databases
    ]


_NO_SCRIPTS: Final = tuple(
    (name, 0)
    for name in (
        *("used_memory_lua", "used_memory_vm_eval", "used_memory_scripts_eval", "used_memory_vm_functions"),
        *("used_memory_vm_total", "used_memory_functions", "used_memory_scripts"),
        *("number_of_cached_scripts", "number_of_functions", "number_of_libraries"),
    )
)
