"""Writes the generated part of ``docs/COMMANDS.md`` from the command table: nothing is typed twice."""

from collections.abc import Iterable

from tests.redis72.reference import section
from trikv.front.decisions import Treatment
from trikv.machine.declaration import Command

HAND_WRITTEN = "## Differences from Redis 7.0.15"
"""From this heading on the file is written by hand."""

_INTRODUCTION = """\
# Commands

Every command can be typed (telnet, `trikv cli`) or sent by a Redis client, in upper or lower case. The tables
are written from the command table of the code (`TRIKV_REWRITE=1 pytest tests/front/test_reference.py`);
the differences from Redis below them are written by hand.

*Where* says who answers: **log**: every replica, at its place in the log, durable on a majority first;
**read**: this node, after a round that makes sure nothing newer is missed; **node**: this node by itself, at
its place among the replies; **action**: this node, which may take a while; what is behind it in a pipeline
waits.

"""

_DEPENDS = {
    "CONFIG|SET": "log for maxmemory, else node",
    "DEBUG": "log for WORK, read for OBJECT, action for SLEEP, else node",
    "EXEC": "log, or read where nothing in it writes",
}
"""Who answers those of which the call decides: their treatment does not say it in words."""

_TITLES = {
    "string": "Strings and counters",
    "bitmap": "Bits",
    "hash": "Hashes",
    "list": "Lists",
    "set": "Sets",
    "sorted-set": "Sorted sets",
    "hyperloglog": "HyperLogLogs",
    "geo": "Places",
    "sorting": "Sorting",
    "keys": "Keys",
    "expiry": "Expiry",
    "transactions": "Transactions",
    "connection": "Connection",
    "server": "Server",
}


def generated(commands: Iterable[Command]) -> str:
    """The tables, one a group, and what of Redis there is: up to the hand-written part."""
    commands = sorted(commands, key=lambda command: command.name)
    groups: dict[str, list[Command]] = {}
    for command in commands:
        groups.setdefault(command.group, []).append(command)
    order = [*_TITLES, *sorted(set(groups) - set(_TITLES))]
    tables = "".join(_section(group, groups[group]) for group in order if group in groups)
    return _INTRODUCTION + tables + section({command.name for command in commands})


def _section(group: str, commands: list[Command]) -> str:
    rows = "".join(
        f"| `{command.usage.replace('|', chr(92) + '|')}` | {command.summary} | {where(command)} |\n"
        for command in commands
    )
    title = _TITLES.get(group, group.capitalize())
    return f"## {title}\n\n| usage | what it does | where |\n|---|---|---|\n{rows}\n"


def where(command: Command) -> str:
    """Who answers it, as the introduction explains."""
    if command.name not in _DEPENDS:
        return command.by.value
    assert isinstance(command.treatment, Treatment), (
        f"{command.name} goes the usual way: its declaration tells"
    )
    return _DEPENDS[command.name]
