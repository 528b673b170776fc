"""INFO's sections about data, disk and cluster: each figure is that of its record, in Redis' notation."""

import pytest

from tests.front.records import (
    MEMBERS,
    host_record,
    machine_record,
    member_figures,
    raft_record,
    snapshotter_record,
    writer_record,
)
from trikv.front.connections import Connections
from trikv.front.counters import Counters
from trikv.front.figures import ApplierStatistics, MemberFigures, PasswordStatistics, ReadStatistics
from trikv.front.info import of_member
from trikv.front.runtime_settings import RuntimeSettings
from trikv.raft.roles import Role
from trikv.raft.statistics import FollowerStatistics

FOLLOWERS = (
    FollowerStatistics(peer=1, match=9, silent_ms=120),
    FollowerStatistics(peer=3, match=2, silent_ms=3_500),
    FollowerStatistics(peer=4, match=0, silent_ms=-1),
)


def replication(member: MemberFigures) -> dict[str, object]:
    """The section, by field."""
    return dict(of_member.replication(member))


def test_memory_shares_the_account_out() -> None:
    """What is charged besides keys and values is overhead; log, window and links wait."""
    connections = Connections(
        RuntimeSettings(timeout_s=0, typed_timeout_s=0, maxclients=1, requirepass="")
    ).statistics()
    fields = dict(of_member.memory(member_figures(), host_record(), Counters(), connections))
    assert (fields["used_memory"], fields["used_memory_human"]) == (1536, "1.50K")
    assert (fields["used_memory_overhead"], fields["used_memory_dataset"]) == (736, 800)
    assert (fields["used_memory_peak_perc"], fields["used_memory_dataset_perc"]) == ("50.00%", "52.08%")
    assert (fields["used_memory_rss"], fields["used_memory_rss_peak"]) == (20 << 20, 30 << 20)
    assert (fields["mem_fragmentation_ratio"], fields["mem_fragmentation_bytes"]) == (
        "13653.33",
        (20 << 20) - 1536,
    )
    assert (fields["maxmemory"], fields["maxmemory_human"]) == (3072, "3.00K")
    assert (fields["mem_clients_slaves"], fields["mem_aof_buffer"]) == (2, 17)
    assert (fields["mem_log_bytes"], fields["mem_total_replication_buffers"]) == (100, 102)
    assert fields["mem_buffer_bytes"] == 3 + 2


def test_persistence_before_the_first_snapshot_and_after_a_failed_one() -> None:
    """-1 for what has not happened; seconds; a disk without room shows as a failed write."""
    fields = dict(of_member.persistence(member_figures(), Counters()))
    assert (fields["rdb_last_bgsave_time_sec"], fields["rdb_current_bgsave_time_sec"]) == (-1, -1)
    assert (fields["rdb_last_bgsave_status"], fields["aof_last_write_status"]) == ("ok", "ok")
    assert (fields["rdb_last_save_time"], fields["rdb_changes_since_last_save"]) == (1234, 10)
    assert (fields["aof_pending_bio_fsync"], fields["aof_buffer_length"]) == (1, 17)
    assert (fields["wal_segments"], fields["wal_sync_ms_mean"], fields["wal_sync_ms_max"]) == (1, "2.25", 5)
    busy = snapshotter_record(
        is_walking=True,
        last_failed=True,
        last_ms=2_900,
        running_ms=1_100,
        changes_at_newest=4,
        newest_index=6,
    )
    later = member_figures(
        lambda: raft_record(durable_index=9), snapshotter=busy, writer=writer_record(has_room=False)
    )
    fields = dict(of_member.persistence(later, Counters()))
    assert (fields["rdb_last_bgsave_time_sec"], fields["rdb_current_bgsave_time_sec"]) == (2, 1)
    assert (fields["rdb_last_bgsave_status"], fields["aof_last_write_status"]) == ("err", "err")
    assert (fields["rdb_bgsave_in_progress"], fields["rdb_changes_since_last_save"]) == (1, 6)
    assert (fields["aof_pending_bio_fsync"], fields["snapshot_index"]) == (0, 6)


def test_a_leader_shows_every_follower() -> None:
    """With its address and how far it is behind; one that is not configured has no address and is offline."""
    fields = replication(member_figures(lambda: raft_record(role=Role.LEADER, leader=2, followers=FOLLOWERS)))
    assert (fields["role"], fields["connected_slaves"]) == ("master", 1)
    assert fields["slave0"] == "ip=one,port=18080,state=online,offset=9,lag=0,id=1,behind=0"
    assert fields["slave1"] == "ip=,port=0,state=offline,offset=2,lag=3,id=3,behind=7"
    assert fields["slave2"] == "ip=,port=0,state=offline,offset=0,lag=0,id=4,behind=9"
    assert (fields["master_replid"], fields["repl_backlog_size"]) == ("cc" * 16, 4096)


@pytest.mark.parametrize(
    ("leader", "shown"),
    [(1, ("one", 18080, "up", 1)), (3, ("", 0, "down", -1)), (None, ("", 0, "down", -1))],
    ids=["linked", "not linked", "none"],
)
def test_a_follower_shows_its_leader(leader: int | None, shown: tuple[str, int, str, int]) -> None:
    """Where it is, and for how long it has been silent; that is unknown without a link."""
    fields = replication(member_figures(lambda: raft_record(leader=leader)))
    names = ("master_host", "master_port", "master_link_status", "master_last_io_seconds_ago")
    assert (fields["role"], tuple(fields[name] for name in names)) == ("slave", shown)
    assert (fields["slave_repl_offset"], fields["connected_slaves"]) == (7, 0)


def test_what_redis_has_no_word_for() -> None:
    """Members with their votes, the wait of writes and reads; a candidate in its first round is one, too."""
    fields = dict(of_member.raft_section(2, member_figures()))
    assert (fields["raft_role"], fields["raft_leader_id"]) == ("follower", -1)
    assert fields["raft_members"] == "1:voter,2:voter,3:learner"
    assert (fields["raft_num_nodes"], fields["raft_num_voting_nodes"]) == (len(MEMBERS), 2)
    assert (fields["raft_reads"], fields["raft_has_lease"]) == ("linearizable", 0)
    assert (fields["proposals_waiting"], fields["reads_waiting"], fields["proposals_indeterminate"]) == (
        1,
        5,
        6,
    )
    poisoned = ApplierStatistics(
        index=7, memory_peak_bytes=0, inside_ms=None, machine=machine_record(poison_count=2)
    )
    lease = member_figures(
        lambda: raft_record(role=Role.PRECANDIDATE, leader=3, has_lease=True),
        reads=ReadStatistics(waiting=0, by_lease=True),
        applier=poisoned,
    )
    fields = dict(of_member.raft_section(2, lease))
    assert (fields["raft_role"], fields["raft_leader_id"], fields["commands_poisoned"]) == ("candidate", 3, 2)
    assert (fields["raft_reads"], fields["raft_has_lease"]) == ("lease", 1)


@pytest.mark.parametrize(
    ("is_missing", "heard", "differing", "text"),
    [
        (False, False, (), "unknown"),
        (False, True, (), "same"),
        (False, True, (2,), "differs:2"),
        (True, True, (2, 3), "missing:2,3"),
    ],
)
def test_the_password_of_the_peers(
    *, is_missing: bool, heard: bool, differing: tuple[int, ...], text: str
) -> None:
    """One word, and the peers that it is about."""
    assert (
        of_member.password_text(PasswordStatistics(is_missing=is_missing, heard=heard, differing=differing))
        == text
    )


def test_databases_that_hold_keys() -> None:
    """In Redis' words, in order."""
    assert list(of_member.keyspace(member_figures())) == [
        ("db0", "keys=2,expires=1,avg_ttl=700"),
        ("db5", "keys=1,expires=0,avg_ttl=0"),
    ]
