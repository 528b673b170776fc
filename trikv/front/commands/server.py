"""Commands about this node: INFO, MEMSTATS, ROLE, LASTSAVE, COMMAND, and the help on MEMORY."""

from collections.abc import Iterable

from trikv.front.commands.table import LOCAL, help_of
from trikv.front.info.sections import sections_of
from trikv.front.info.text import info_text
from trikv.front.turn import Caller
from trikv.machine.errors import text_of
from trikv.machine.replies import CommandError, Reply, SimpleString, Verbatim
from trikv.machine.table import Command, Kind
from trikv.notation import counted
from trikv.system_text import to_bytes

_NAMES_MAX = 1024
"""Of one COMMAND INFO: to describe so many takes some 20 ms."""
_NOT_A_CLUSTER = CommandError("ERR This instance has cluster support disabled")


@LOCAL.command("INFO", kind=Kind.LOCAL, group="server", options="[section ...]")
def info(caller: Caller, *sections: bytes) -> Reply:
    """Show figures of this node and its cluster."""
    wanted = [text_of(section).lower() for section in sections]
    service = caller.service
    found = sections_of(service.figures, service.statistics, caller.connections)
    return Verbatim(to_bytes(info_text(found, wanted)))


@LOCAL.command("MEMSTATS", kind=Kind.LOCAL, group="server")
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
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


@LOCAL.command("LASTSAVE", kind=Kind.LOCAL, group="server", fast=True)
def lastsave(caller: Caller) -> Reply:
    """Tell when the state of the newest snapshot was saved, or this node started, in Unix seconds."""
    figures = caller.service.figures
    member = figures.member
    saved_ms = figures.started_ms if member is None else member.snapshotter().newest_saved_ms
    return saved_ms // 1000


@LOCAL.command("ROLE", kind=Kind.LOCAL, group="server", fast=True)
def role(caller: Caller) -> Reply:
    """Tell whether this node leads, in Redis' words."""
    member = caller.service.figures.member
    if member is None:
        return [b"slave", b"", 0, b"connect", 0]
    raft, applied_index = member.raft(), member.applier().index
    if raft.leads:
        return [b"master", applied_index, []]
    if raft.leader is None:
        return [b"slave", b"", 0, b"connect", applied_index]
    return [b"slave", b"node%d" % raft.leader, 0, b"connected", applied_index]


@LOCAL.command("READONLY", kind=Kind.LOCAL, group="server", fast=True)
@LOCAL.command("READWRITE", kind=Kind.LOCAL, group="server", fast=True)
def readonly(_caller: Caller) -> Reply:
    """Refused: this is no Redis Cluster."""
    return _NOT_A_CLUSTER


@LOCAL.command("DEBUG", kind=Kind.LOCAL, group="server", options="subcommand ...")
def debug(_caller: Caller, *_words: bytes) -> Reply:
    """Refused: nothing may reach into the machine past the log."""
    return CommandError("ERR DEBUG command not allowed.")


@LOCAL.command("COMMAND", kind=Kind.LOCAL, group="server")
def command(caller: Caller) -> Reply:
    """Describe every command, for client libraries."""
    return [_entry(one) for one in _commands(caller)]


@LOCAL.command("COMMAND|COUNT", kind=Kind.LOCAL, group="server")
def command_count(caller: Caller) -> Reply:
    """Tell how many commands there are."""
    return sum(1 for _ in _commands(caller))


@LOCAL.command("COMMAND|LIST", kind=Kind.LOCAL, group="server")
def command_list(caller: Caller) -> Reply:
    """Name every command."""
    return [one.name.lower().encode() for one in _commands(caller)]


@LOCAL.command("COMMAND|INFO", kind=Kind.LOCAL, group="server", options="[command ...]")
def command_info(caller: Caller, *names: bytes) -> Reply:
    """Describe some commands."""
    if not names:
        return [_entry(one) for one in _commands(caller)]
    if len(names) > _NAMES_MAX:
        return CommandError(f"ERR {len(names)} names: at most {_NAMES_MAX}")
    found = [caller.plans.table.get(text_of(name)) for name in names]
    return [None if one is None else _entry(one) for one in found]


@LOCAL.command("COMMAND|DOCS", kind=Kind.LOCAL, group="server", options="[command ...]")
def command_docs(caller: Caller, *names: bytes) -> Reply:
    """Explain commands, for redis-cli's hints."""
    table = caller.plans.table
    chosen: Iterable[Command | None] = [table.get(text_of(name)) for name in names] or _commands(caller)
    return {
        one.name.lower().encode(): {b"summary": one.summary.encode(), b"group": one.group.encode()}
        for one in chosen
        if one is not None
    }


@LOCAL.command("COMMAND|HELP", kind=Kind.LOCAL, group="server")
def command_help(caller: Caller) -> Reply:
    """Show the subcommands of COMMAND."""
    return help_of(caller, "COMMAND")


@LOCAL.command("MEMORY|HELP", kind=Kind.LOCAL, group="server")
def memory_help(caller: Caller) -> Reply:
    """Show the subcommands of MEMORY."""
    return help_of(caller, "MEMORY")


def _commands(caller: Caller) -> Iterable[Command]:
    return (plan.command for plan in caller.plans if "|" not in plan.command.name)


def _entry(one: Command) -> Reply:
    """Redis 7.0's ten fields; the last four, about subcommands and tips, are empty."""
    keys = one.keys
    flags = tuple(SimpleString(flag) for flag in one.flags)
    return [
        one.name.lower().encode(),
        one.arity,
        flags,
        keys.first,
        keys.last,
        keys.step,
        (SimpleString(f"@{one.group}"),),
        (),
        (),
        [],
    ]
