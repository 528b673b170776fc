"""INFO has every field that monitoring tools map, and the figures are right."""

from typing import Final

import pytest
import trio

from tests.node.counting import until
from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.client.replies import ErrorReply
from trikv.front.info.text import HEADINGS

GAUGES: Final = {
    "Server": "uptime_in_seconds process_id io_threads_active",
    "Clients": (
        "connected_clients blocked_clients tracking_clients client_recent_max_output_buffer"
        " client_recent_max_input_buffer maxclients cluster_connections pubsub_clients watching_clients"
        " clients_in_timeout_table total_blocking_keys"
    ),
    "Memory": (
        "allocator_active allocator_allocated allocator_resident allocator_frag_ratio allocator_frag_bytes"
        " allocator_rss_ratio allocator_rss_bytes used_memory used_memory_rss used_memory_peak"
        " used_memory_lua used_memory_overhead used_memory_startup used_memory_dataset used_memory_scripts"
        " used_memory_vm_eval used_memory_scripts_eval used_memory_vm_functions used_memory_vm_total"
        " used_memory_functions number_of_cached_scripts number_of_functions number_of_libraries"
        " total_system_memory maxmemory mem_fragmentation_ratio mem_fragmentation_bytes mem_clients_slaves"
        " mem_clients_normal mem_cluster_links mem_aof_buffer mem_replication_backlog"
        " mem_total_replication_buffers mem_not_counted_for_evict lazyfree_pending_objects lazyfreed_objects"
        " active_defrag_running"
    ),
    "Persistence": (
        "loading async_loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time"
        " rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec rdb_saves rdb_last_cow_size"
        " rdb_last_load_keys_expired rdb_last_load_keys_loaded aof_enabled aof_rewrite_in_progress"
        " aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_cow_size"
        " aof_current_size aof_pending_rewrite aof_buffer_length aof_rewrite_buffer_length"
        " aof_pending_bio_fsync aof_delayed_fsync module_fork_in_progress module_fork_last_cow_size"
    ),
    "Stats": (
        "pubsub_channels pubsub_patterns pubsubshard_channels latest_fork_usec"
        " current_eviction_exceeded_time total_eviction_exceeded_time instantaneous_ops_per_sec"
        " instantaneous_input_kbps instantaneous_output_kbps tracking_total_keys tracking_total_items"
        " tracking_total_prefixes migrate_cached_sockets active_defrag_hits active_defrag_misses"
        " active_defrag_key_hits active_defrag_key_misses expired_time_cap_reached_count expired_stale_perc"
        " sync_full sync_partial_ok sync_partial_err slave_expires_tracked_keys"
    ),
    "Replication": (
        "connected_slaves repl_backlog_size repl_backlog_active repl_backlog_first_byte_offset"
        " repl_backlog_histlen master_repl_offset second_repl_offset"
    ),
    "Cluster": "cluster_enabled",
}
"""What redis_exporter shows as gauges, by the section in which Redis 7 has it."""

COUNTERS: Final = {
    "Stats": (
        "total_connections_received total_commands_processed rejected_connections total_net_input_bytes"
        " total_net_output_bytes total_net_repl_input_bytes total_net_repl_output_bytes expired_subkeys"
        " expired_keys evicted_keys evicted_clients evicted_scripts keyspace_hits keyspace_misses"
        " unexpected_error_replies total_error_replies dump_payload_sanitizations total_reads_processed"
        " total_writes_processed acl_access_denied_auth acl_access_denied_cmd acl_access_denied_key"
        " acl_access_denied_channel io_threaded_reads_processed io_threaded_writes_processed"
        " reply_buffer_shrinks reply_buffer_expands total_eviction_exceeded_time total_active_defrag_time"
        " client_query_buffer_limit_disconnections client_output_buffer_limit_disconnections"
    ),
    "CPU": (
        "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread"
        " used_cpu_user_main_thread"
    ),
}
"""What it shows as counters."""

FOLLOWERS: Final = (
    "master_port master_last_io_seconds_ago master_sync_in_progress slave_repl_offset slave_priority"
    " slave_read_only"
)
"""Numbers that only a replica has."""

LABELS: Final = "role redis_version redis_mode os maxmemory_policy tcp_port run_id process_id master_replid"
"""What it takes for labels."""

STATUSES: Final = ("rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status")
"""``ok`` or ``err``."""

ABSENT: Final = {
    "hz": "no task of a node runs so many times a second",
    "configured_hz": "the same",
    "redis_build_id": "there are no builds: trikv_version and compiled say what runs",
    "client_longest_output_list": "Redis before 5; it has another name since",
    "client_biggest_input_buf": "Redis before 5; it has another name since",
    "aof_base_size": "the log is never rewritten, so there is no size to compare its size with",
    "min_slaves_good_slaves": "Redis shows it only if min-slaves-to-write is set; a majority is always asked",
    "cluster_stats_messages_sent": "in CLUSTER INFO, not in INFO",
    "cluster_stats_messages_received": "in CLUSTER INFO, not in INFO",
    "maxmemory_reservation": "of one vendor's cloud",
    "maxfragmentationmemory_reservation": "of one vendor's cloud",
    "server_threads": "KeyDB",
    "long_lock_waits": "KeyDB",
    "current_client_thread": "KeyDB",
    "tile38_num_objects": "Tile38, with all that begins so",
    "sentinel_masters": "Sentinel, with all that begins so",
    "availability_zone": "Valkey in a cloud",
    "valkey_version": "Valkey",
}
"""What it maps and trikv does not show: it would be a lie."""


def parse(text: bytes) -> dict[str, dict[str, str]]:
    """INFO's fields by the headings of their sections, as redis_exporter reads them."""
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in text.decode().split("\r\n"):
        if line.startswith("# "):
            assert line[2:] not in sections
            section = sections[line[2:]] = {}
        elif line:
            name, colon, value = line.partition(":")
            assert colon
            assert name not in section
            section[name] = value
    return sections


async def info(client: Client, *words: str) -> dict[str, dict[str, str]]:
    """INFO of a node."""
    return parse(await client.call("INFO", *words))


async def stats(client: Client) -> dict[str, int]:
    """The whole numbers of the section stats."""
    return {
        name: int(value) for name, value in (await info(client, "stats"))["Stats"].items() if "." not in value
    }


def check_exporter(sections: dict[str, dict[str, str]]) -> None:
    """Every field of the lists is there, at its place, and reads as a number."""
    for wanted in (GAUGES, COUNTERS):
        for heading, names in wanted.items():
            for name in names.split():
                value = sections[heading][name]
                assert float(value) >= -1 or name.endswith("frag_bytes") or name == "mem_fragmentation_bytes"
    found = {name: value for section in sections.values() for name, value in section.items()}
    assert all(name in found for name in LABELS.split())
    assert all(found[name] in ("ok", "err") for name in STATUSES)
    assert not [name for name in found if name in ABSENT or name.startswith(("tile38", "sentinel", "valkey"))]
    for name, value in sections["Commandstats"].items():
        assert name.startswith("cmdstat_")
        parts = [part.split("=") for part in value.split(",")]
        assert [part[0] for part in parts] == [
            "calls",
            "usec",
            "usec_per_call",
            "rejected_calls",
            "failed_calls",
        ]
        assert all(float(part[1]) >= 0 for part in parts)
    for name, value in sections["Errorstats"].items():
        assert name.startswith("errorstat_")
        assert int(value.removeprefix("count=")) > 0


def test_every_field_that_redis_exporter_maps() -> None:
    """On leader and follower, in the sections whose headings it knows; replicas with their addresses."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        clients = {number: await cluster.connect(number) for number in (1, 2, 3)}
        await clients[leader].call("SET", "a", 1)
        await clients[leader].call("NOPE")
        await cluster.converged()
        for number, client in clients.items():
            sections = await info(client, "everything")
            assert list(sections) == list(HEADINGS.values())
            check_exporter(sections)
            replication = sections["Replication"]
            if number == leader:
                others = sorted({1, 2, 3} - {leader})
                for place, other in enumerate(others):
                    slave = dict(part.split("=") for part in replication[f"slave{place}"].split(","))
                    assert (slave["ip"], slave["port"], slave["state"]) == (f"node{other}", "18080", "online")
                    assert int(slave["offset"]) == int(replication["master_repl_offset"])
                    assert int(slave["lag"]) in (0, 1)
            else:
                assert all(float(replication[name]) >= 0 for name in FOLLOWERS.split())
                assert (replication["master_host"], replication["master_port"]) == (f"node{leader}", "18080")
                assert replication["master_link_status"] == "up"
                assert int(replication["master_last_io_seconds_ago"]) in (0, 1)

    run_cluster(scenario)


def test_what_a_process_dropped_is_not_a_simulated_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """INFO tells what the host says of the node's log, not what became of the lines of whoever simulates."""
    monkeypatch.setattr("trikv.streams.lines_dropped", lambda: 7)

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1)
        await trio.sleep(1)
        sections = await info(await cluster.connect(1), "stats")
        assert sections["Stats"]["log_lines_dropped"] == "0"

    run_cluster(scenario)


def test_a_node_that_waits_for_the_others_is_counted_too() -> None:
    """Before there is a cluster, tools see a replica that holds nothing, and right counts of its clients."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1)
        await trio.sleep(1)
        client = await cluster.connect(1)
        assert isinstance(await client.call("SET", "a", 1), ErrorReply)
        assert await client.call("PING") == b"PONG"
        sections = await info(client, "all")
        assert sections["Raft"]["raft_role"] == "blank"
        assert sections["Replication"]["role"] == "slave"
        assert sections["Memory"]["used_memory"] == "0"
        assert int(sections["Stats"]["total_commands_processed"]) == 1
        assert sections["Clients"]["connected_clients"] == "1"
        assert sections["Commandstats"]["cmdstat_set"].endswith("rejected_calls=1,failed_calls=0")
        assert sections["Errorstats"] == {"errorstat_CLUSTERDOWN": "count=1"}

    run_cluster(scenario)


def test_commands_count_where_their_client_is() -> None:
    """The other nodes carry them out as well and count none; what expires is counted on every node."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        clients = [await cluster.connect(number) for number in (1, 2, 3)]
        await clients[0].call("SET", "a", 1)
        await clients[0].call("SET", "b", 1, "PX", 500)
        await clients[0].pipeline(*[("SET", f"k{number}", "v") for number in range(20)])
        await clients[0].pipeline(("GETEX", "a"), ("GET", "nope"), ("MGET", "a", "b"), ("INCR", "x", "y"))
        await clients[1].pipeline(("GET", "a"), ("GET", "nope"))
        await trio.sleep(2)
        first, second, third = [await stats(client) for client in clients]
        assert [one["keyspace_hits"] for one in (first, second, third)] == [3, 1, 0]
        assert [one["keyspace_misses"] for one in (first, second, third)] == [1, 1, 0]
        assert [one["total_commands_processed"] for one in (first, second, third)] == [25, 2, 0]
        assert [one["total_error_replies"] for one in (first, second, third)] == [1, 0, 0]
        assert [one["expired_keys"] for one in (first, second, third)] == [1, 1, 1]
        commands = (await info(clients[0], "commandstats"))["Commandstats"]
        assert commands["cmdstat_set"].startswith("calls=22,")
        assert commands["cmdstat_incr"].endswith("rejected_calls=1,failed_calls=0")

    run_cluster(scenario)


def test_bytes_connections_and_the_reset() -> None:
    """What a client sends and gets is counted; CONFIG RESETSTAT begins anew, and leaves what is no count."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(2)
        before = await stats(client)
        assert await client.call("ECHO", "x" * 5000) == b"x" * 5000
        after = await stats(client)
        assert after["total_net_input_bytes"] - before["total_net_input_bytes"] >= 5000
        assert after["total_net_output_bytes"] - before["total_net_output_bytes"] >= 5000 + 1000
        assert after["total_reads_processed"] - before["total_reads_processed"] == 2
        assert after["total_net_repl_input_bytes"] > 0 < after["total_net_repl_output_bytes"]
        await cluster.connect(2)
        await client.call("SET", "a", "x" * 1000)
        await client.call("DEL", "a")
        await client.call("GET", "a")
        await client.call("SAVE")
        filled = await info(client, "everything")
        assert int(filled["Stats"]["total_connections_received"]) >= 2
        assert filled["Persistence"]["rdb_saves"] == "1"
        assert await client.call("CONFIG", "RESETSTAT") == b"OK"
        sections = await info(client, "everything")
        counts = await stats(client)
        for name in ("keyspace_misses", "total_connections_received", "expired_keys", "total_error_replies"):
            assert counts[name] == 0, name
        assert counts["total_commands_processed"] == 2  # RESETSTAT itself and one INFO, as in Redis
        assert sections["Commandstats"] == {
            "cmdstat_config|resetstat": "calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0"
        }
        assert sections["Persistence"]["rdb_saves"] == "0"
        assert sections["Memory"]["used_memory_peak"] == filled["Memory"]["used_memory_peak"] != "0"
        assert int(sections["Memory"]["used_memory"]) == 0

    run_cluster(scenario)


def test_memory_persistence_and_keyspace() -> None:
    """The account in its parts, its peak, changes since the last snapshot, and the mean of lifetimes."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        client = await cluster.connect(leader)
        await client.call("SET", "a", "12345")
        await client.call("SET", "b", "12345", "EX", 100)
        await client.call("SET", "c", "12345", "EX", 300)
        sections = await info(client)
        assert sections["Persistence"]["rdb_changes_since_last_save"] == "3"
        keys = dict(part.split("=") for part in sections["Keyspace"]["db0"].split(","))
        assert (keys["keys"], keys["expires"]) == ("3", "2")
        assert 199_000 <= int(keys["avg_ttl"]) <= 200_000
        memory = {name: value for name, value in sections["Memory"].items() if value.isdigit()}
        assert int(memory["used_memory"]) == 3 * (136 + 6) + 2 * 136
        assert int(memory["used_memory_dataset"]) == 3 * 6
        assert int(memory["used_memory_overhead"]) == 3 * 136 + 2 * 136
        assert memory["used_memory_peak"] == memory["used_memory"]
        await client.call("PERSIST", "b")
        await client.call("SAVE")
        await client.call("DEL", "c")
        sections = await info(client)
        assert sections["Persistence"]["rdb_changes_since_last_save"] == "1"
        assert sections["Persistence"]["rdb_last_bgsave_status"] == "ok"
        assert int(sections["Persistence"]["rdb_last_bgsave_time_sec"]) >= 0
        assert sections["Keyspace"]["db0"] == "keys=2,expires=0,avg_ttl=0"
        assert sections["Memory"]["used_memory_peak"] == memory["used_memory"]
        await client.call("FLUSHALL")
        await until(lambda: cluster.parts(leader) is not None)
        assert (await info(client))["Memory"]["lazyfree_pending_objects"] == "0"
        assert (await info(client))["Memory"]["lazyfreed_objects"] == "2"

    run_cluster(scenario)


def test_rates_follow_the_load() -> None:
    """Operations and bytes a second of the last one or two seconds; nothing a while after it."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        await cluster.leader()
        client = await cluster.connect(1)
        for _ in range(40):
            await client.pipeline(*[("ECHO", "x" * 100)] * 5)
            await trio.sleep(0.1)
        busy = (await info(client, "stats"))["Stats"]
        assert 35 <= int(busy["instantaneous_ops_per_sec"]) <= 60
        assert 5 <= float(busy["instantaneous_input_kbps"]) <= 10
        assert 4 <= float(busy["instantaneous_output_kbps"]) <= 10
        await trio.sleep(5)
        idle = (await info(client, "stats"))["Stats"]
        assert int(idle["instantaneous_ops_per_sec"]) <= 1

    run_cluster(scenario)


def test_counts_go_on_with_an_installed_snapshot() -> None:
    """A node that was brought up by a snapshot has another machine, and keeps its counts."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        other = next(number for number in (1, 2, 3) if number != leader)
        client = await cluster.connect(other)
        for number in range(5):
            await client.call("SET", f"k{number}", "v")
        cluster.isolate(other)
        writer = await cluster.connect(leader)
        for number in range(40):
            await writer.call("SET", "large", "x" * 100_000 + str(number))
        await writer.call("SAVE")
        await trio.sleep(40)
        cluster.isolate(other, cut=False)
        await cluster.converged()
        sections = await info(client, "all")
        assert sections["Commandstats"]["cmdstat_set"].startswith("calls=5,")
        assert int((await info(writer, "stats"))["Stats"]["sync_full"]) >= 1
        await client.call("SET", "a", 1)
        assert (await info(client, "all"))["Commandstats"]["cmdstat_set"].startswith("calls=6,")

    run_cluster(scenario, log_tail_bytes=100_000, log_follower_bytes=200_000)
