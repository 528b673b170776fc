"""MEMSTATS, and what MEMORY tells of this node. The account is the same at all nodes, the process is not."""

from collections.abc import Iterator
from typing import Final

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS, help_of
from trikv.front.figures import MemberFigures
from trikv.front.info.text import ratio
from trikv.machine.declaration import TEXT_US, By, Cost, Told
from trikv.machine.replies import OK, Reply, Verbatim
from trikv.notation import counted

_WALKS: Final = Cost(TEXT_US, connection_us=1)
_TOLD: Final = Told(
    "4.0.0", flags="", tips="nondeterministic_output request_policy:all_shards response_policy:special"
)
_LITTLE_BYTES: Final = 5 << 20
"""Below this MEMORY DOCTOR judges nothing, as in Redis: a process takes more than that by itself."""
_SPARE_BYTES: Final = 512 << 20
"""What a process may take besides its keys and values before that is worth a word: code, log and buffers."""
_BUFFERS_BYTES: Final = 64 << 20


@COMMANDS.command("MEMSTATS", by=By.NODE, group="server", cost=Cost(TEXT_US, connection_us=1))
def memstats(caller: Caller) -> Reply:
    """Show memory: used, cap, keys, process, log, buffers."""
    figures, connections = caller.service.figures, caller.connections.statistics()
    member = figures.member
    used = cap = keys = log = 0
    buffers = connections.input.total + connections.output_bytes
    if member is not None:
        machine = member.applier().machine
        used, cap, keys, log = machine.used_bytes, machine.cap_bytes, machine.keys, member.raft().log_bytes
        buffers += member.proposals().window_bytes + member.links().queued_bytes
    rows = (
        ("used", f"{_readable(used)}  {counted(used, 'byte')} of keys and values"),
        ("cap", f"{_readable(cap)} ({used * 100 / cap:.1f} % used)" if cap else "none"),
        ("keys", f"{keys}"),
        ("process", f"{_readable(figures.host().resident_bytes)}  resident"),
        ("log", f"{_readable(log)}  entries held in memory"),
        ("buffers", f"{_readable(buffers)}  requests, proposals and replies waiting"),
    )
    return Verbatim("".join(f"{name + ':':<9}{value}\r\n" for name, value in rows).encode())


def _readable(count: int) -> str:
    """``12.3 MiB``."""
    value = float(count)
    unit, *larger = "B", "KiB", "MiB", "GiB"
    while larger and value >= 1024:
        value /= 1024
        unit = larger.pop(0)
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


@COMMANDS.command("MEMORY|STATS", by=By.NODE, group="server", cost=_WALKS, told=_TOLD)
def memory_stats(caller: Caller) -> Reply:
    """Show the figures of INFO memory under the names that Redis gives them here."""
    used = overhead = keys = peak = log = undurable = queued = 0
    member = caller.service.figures.member
    if member is not None:
        applier, raft = member.applier(), member.raft()
        used, overhead, keys = (
            applier.machine.used_bytes,
            applier.machine.overhead_bytes,
            applier.machine.keys,
        )
        peak, log, undurable = applier.memory_peak_bytes, raft.log_bytes, raft.undurable_bytes
        queued = member.links().queued_bytes
    resident = caller.service.figures.host().resident_bytes
    return {
        b"peak.allocated": peak,
        b"total.allocated": used,
        b"startup.allocated": 0,
        b"replication.backlog": log,
        b"clients.slaves": queued,
        b"clients.normal": caller.connections.statistics().buffer_bytes,
        b"cluster.links": 0,
        b"aof.buffer": undurable,
        b"lua.caches": 0,
        b"functions.caches": 0,
        b"overhead.total": overhead,
        b"keys.count": keys,
        b"keys.bytes-per-key": used // keys if keys else 0,
        b"dataset.bytes": used - overhead,
        b"dataset.percentage": ratio(used - overhead, used) * 100,
        b"peak.percentage": ratio(used, peak) * 100,
        b"allocator.allocated": used,
        b"allocator.active": resident,
        b"allocator.resident": resident,
        b"allocator-fragmentation.ratio": ratio(resident, used),
        b"allocator-fragmentation.bytes": resident - used,
        b"allocator-rss.ratio": 1.0,
        b"allocator-rss.bytes": 0,
        b"rss-overhead.ratio": 1.0,
        b"rss-overhead.bytes": 0,
        b"fragmentation": ratio(resident, used),
        b"fragmentation.bytes": resident - used,
    }


@COMMANDS.command("MEMORY|DOCTOR", by=By.NODE, group="server", cost=_WALKS, told=_TOLD)
def memory_doctor(caller: Caller) -> Reply:
    """Say what about this node's memory is out of the ordinary."""
    member = caller.service.figures.member
    if member is None:
        return _lines(["This node has not joined its cluster yet: it holds no keys."])
    if member.applier().machine.used_bytes < _LITTLE_BYTES:
        return _lines(["This node holds hardly anything: there is nothing to judge yet."])
    return _lines(list(_findings(caller, member)) or ["Nothing is out of the ordinary."])


def _findings(caller: Caller, member: MemberFigures) -> Iterator[str]:
    applier, connections = member.applier(), caller.connections.statistics()
    machine, peak, log = applier.machine, applier.memory_peak_bytes, member.raft().log_bytes
    used, cap, resident = machine.used_bytes, machine.cap_bytes, caller.service.figures.host().resident_bytes
    buffers = connections.input.total + connections.output_bytes + member.links().queued_bytes
    if not cap:
        yield "There is no maxmemory: only the machines' own memory bounds what clients store."
    elif used > cap * 9 // 10:
        yield f"{used * 100 // cap} % of maxmemory is taken: writes that grow the data will soon be refused."
    if peak > used * 3 // 2:
        yield f"Keys and values have taken up to {_readable(peak)}: the process may keep memory from then."
    if resident > used * 5 // 2 and resident - used > _SPARE_BYTES:
        yield f"The process takes {_readable(resident)} for {_readable(used)} of keys and values."
    if log > _SPARE_BYTES:
        yield f"The log takes {_readable(log)}: a follower is behind, or a snapshot is due (INFO raft)."
    if buffers > _BUFFERS_BYTES:
        yield f"Requests and replies that wait take {_readable(buffers)}: CLIENT LIST tells whose they are."


def _lines(lines: list[str]) -> Reply:
    return Verbatim("".join(f"{line}\r\n" for line in lines).encode())


@COMMANDS.command(
    "MEMORY|PURGE",
    by=By.NODE,
    group="server",
    told=Told("4.0.0", flags="", tips="request_policy:all_shards response_policy:all_succeeded"),
)
def memory_purge(_caller: Caller) -> Reply:
    """Accepted, and nothing is done: Python's allocator gives memory back by itself."""
    return OK


@COMMANDS.command("MEMORY|MALLOC-STATS", by=By.NODE, group="server", told=_TOLD)
def memory_malloc_stats(_caller: Caller) -> Reply:
    """Answer that the allocator keeps no figures."""
    return b"Stats not supported for the current allocator"


@COMMANDS.command("MEMORY|HELP", by=By.NODE, group="server", told=Told("4.0.0"))
def memory_help(caller: Caller) -> Reply:
    """Show the subcommands of MEMORY."""
    return help_of(caller, "MEMORY")
