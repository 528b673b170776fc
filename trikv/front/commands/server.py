"""Commands about this node: INFO, ROLE, LASTSAVE, and the help on OBJECT."""

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS, help_of
from trikv.front.info.sections import sections_of
from trikv.front.info.text import info_text
from trikv.machine.declaration import TEXT_US, By, Cost, Told
from trikv.machine.errors import text_of
from trikv.machine.replies import CommandError, Reply, Verbatim
from trikv.system_text import to_bytes

_NOT_A_CLUSTER = CommandError("ERR This instance has cluster support disabled")


@COMMANDS.command(
    "INFO",
    by=By.NODE,
    group="server",
    options="[section ...]",
    cost=Cost(TEXT_US, connection_us=2),
    told=Told(
        "1.0.0",
        categories="dangerous",
        tips="nondeterministic_output request_policy:all_shards response_policy:special",
    ),
)
def info(caller: Caller, *sections: bytes) -> Reply:
    """Show figures of this node and its cluster."""
    wanted = [text_of(section).lower() for section in sections]
    service = caller.service
    found = sections_of(service.figures, service.counters, caller.connections)
    return Verbatim(to_bytes(info_text(found, wanted)))


@COMMANDS.command(
    "LASTSAVE",
    by=By.NODE,
    group="server",
    fast=True,
    told=Told("1.0.0", categories="admin dangerous", tips="nondeterministic_output"),
)
def lastsave(caller: Caller) -> Reply:
    """Tell when the state of the newest snapshot was saved, or this node started, in Unix seconds."""
    figures = caller.service.figures
    member = figures.member
    saved_ms = figures.started_ms if member is None else member.snapshotter().newest_saved_ms
    return saved_ms // 1000


@COMMANDS.command(
    "ROLE",
    by=By.NODE,
    group="server",
    fast=True,
    told=Told("2.8.12", flags="noscript loading stale fast", categories="admin dangerous"),
)
def role(caller: Caller) -> Reply:
    """Tell whether this node leads, in Redis' words."""
    told = caller.service.figures.leadership()
    if told is None:
        return [b"slave", b"", 0, b"connect", 0]
    if told.leads:
        return [b"master", told.applied_index, []]
    if told.leader is None:
        return [b"slave", b"", 0, b"connect", told.applied_index]
    return [b"slave", b"node%d" % told.leader, 0, b"connected", told.applied_index]


@COMMANDS.command(
    "READONLY",
    by=By.NODE,
    group="server",
    fast=True,
    aliases=("READWRITE",),
    told=Told("3.0.0", categories="connection", group="cluster"),
)
def readonly(_caller: Caller) -> Reply:
    """Refused: this is no Redis Cluster."""
    return _NOT_A_CLUSTER


@COMMANDS.command("OBJECT|HELP", by=By.NODE, group="keys", told=Told("6.2.0"))
def object_help(caller: Caller) -> Reply:
    """Show the subcommands of OBJECT."""
    return help_of(caller, "OBJECT")
