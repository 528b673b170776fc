"""Records of a made-up node: what its parts would say of themselves."""

from collections.abc import Callable
from typing import Any

from trikv.front.figures import (
    ApplierStatistics,
    HostStatistics,
    Leadership,
    LinksStatistics,
    LinkStatistics,
    LogTimeStatistics,
    MemberFigures,
    NodeFigures,
    OutflowStatistics,
    PasswordStatistics,
    ProposalStatistics,
    ReadStatistics,
    SnapshotterStatistics,
    WriterStatistics,
)
from trikv.machine.statistics import DatabaseStatistics, MachineStatistics
from trikv.raft.roles import Role
from trikv.raft.statistics import RaftStatistics
from trikv.raft.types import Member
from trikv.storage.statistics import WalStatistics

MEMBERS = tuple(Member(number, bytes([number]) * 16, number != 3, "") for number in (1, 2, 3))
"""The third has no vote."""


def host_record(**changes: Any) -> HostStatistics:
    """A process."""
    fields: dict[str, Any] = {
        "system": "Linux 6.1 x86_64",
        "memory_bytes": 8 << 30,
        "compiled": True,
        "process_id": 77,
        "boot_ms": 90_061_500,
        "wall_ms": 1_700_000_000_000,
        "uptime_ms": 90_000_999,
        "resident_bytes": 20 << 20,
        "resident_peak_bytes": 30 << 20,
        "user_s": 1.5,
        "system_s": 0.25,
        "children_user_s": 0.0,
        "children_system_s": 0.0,
        "main_thread_user_s": 1.0,
        "main_thread_system_s": 0.125,
        "lines_dropped": 3,
    }
    return HostStatistics(**fields | changes)


def raft_record(**changes: Any) -> RaftStatistics:
    """A follower that knows no leader, unless changed."""
    fields: dict[str, Any] = {
        "role": Role.FOLLOWER,
        "leader": None,
        "leader_silent_ms": 1_999,
        "term": 4,
        "first_index": 3,
        "last_index": 9,
        "durable_index": 8,
        "commit": 8,
        "log_bytes": 100,
        "undurable_bytes": 17,
        "has_lease": False,
        "members": MEMBERS,
        "followers": (),
        "clock_deviation_ms": 12,
    }
    return RaftStatistics(**fields | changes)


def machine_record(**changes: Any) -> MachineStatistics:
    """Three keys, one of them with a deadline."""
    fields: dict[str, Any] = {
        "used_bytes": 1536,
        "overhead_bytes": 736,
        "cap_bytes": 3072,
        "keys": 3,
        "deadlines": 1,
        "due": 1,
        "pending_keys": 0,
        "changes": 10,
        "feature_level": 2,
        "poison_count": 0,
        "databases": (
            DatabaseStatistics(number=0, keys=2, deadlines=1, mean_ttl_ms=700),
            DatabaseStatistics(number=5, keys=1, deadlines=0, mean_ttl_ms=0),
        ),
    }
    return MachineStatistics(**fields | changes)


def snapshotter_record(**changes: Any) -> SnapshotterStatistics:
    """No snapshot was ever taken, unless changed."""
    fields: dict[str, Any] = {
        "is_walking": False,
        "is_receiving": False,
        "newest_index": 0,
        "newest_bytes": 0,
        "newest_saved_ms": 1_234_567,
        "changes_at_newest": 0,
        "keys_loaded": 0,
        "taken": 0,
        "sent": 0,
        "last_failed": False,
        "last_ms": None,
        "running_ms": None,
    }
    return SnapshotterStatistics(**fields | changes)


def writer_record(**changes: Any) -> WriterStatistics:
    """A log of one segment, on a disk with room."""
    log = WalStatistics(batches=4, entries=9, syncs=6, bytes_written=800, segments=1, log_bytes=700)
    fields: dict[str, Any] = {"batches": 4, "sync_ms_total": 9, "sync_ms_max": 5, "has_room": True}
    return WriterStatistics(log=log, **fields | changes)


def member_figures(raft: Callable[[], RaftStatistics] = raft_record, **changes: Any) -> MemberFigures:
    """Node 2 of three; `changes`: the records of other parts."""
    peers = {1: LinkStatistics(address="one:18080", is_up=True), 3: LinkStatistics(address="", is_up=False)}
    records: dict[str, Any] = {
        "applier": ApplierStatistics(
            index=7, memory_peak_bytes=3072, inside_ms=None, machine=machine_record()
        ),
        "links": LinksStatistics(queued_bytes=2, peers=peers),
        "proposals": ProposalStatistics(waiting=1, window_bytes=3, indeterminate=6),
        "reads": ReadStatistics(waiting=5, by_lease=False),
        "snapshotter": snapshotter_record(),
        "writer": writer_record(),
        "log_time": LogTimeStatistics(now_ms=1_000_000),
        "password": PasswordStatistics(is_missing=False, heard=True, differing=()),
    }
    asked = {name: lambda record=record: record for name, record in (records | changes).items()}
    applier: Callable[[], ApplierStatistics] = asked["applier"]
    return MemberFigures(
        disk=b"\xdd" * 16,
        cluster=b"\xcc" * 16,
        log_tail_bytes=4096,
        leadership=lambda: Leadership(
            leads=raft().leads, leader=raft().leader, applied_index=applier().index
        ),
        cap_bytes=lambda: applier().machine.cap_bytes,
        feature_level=lambda: applier().machine.feature_level,
        raft=raft,
        **asked,
    )


def node_figures(node_id: int, member: MemberFigures | None = None) -> NodeFigures:
    """A node that started at 999,999 ms of the wall clock."""
    return NodeFigures(
        node_id=node_id,
        started_ms=999_999,
        host=host_record,
        run_id="dd" * 16,
        outflows=lambda: OutflowStatistics(long_reads=0, kept_bytes=0),
        tcp_port="8080",
        member=member,
    )
