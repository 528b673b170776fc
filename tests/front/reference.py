"""Writes the generated part of ``docs/COMMANDS.md`` from the command table: nothing is typed twice."""

from collections.abc import Iterable

from tests.redis72.reference import section
from trikv.front.dispatch import Mode, Plan

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

_WHERE = {
    Mode.WRITE: "log",
    Mode.READ: "read",
    Mode.LOCAL: "node",
    Mode.IMMEDIATE: "node",
    Mode.BARRIER: "node",
    Mode.ACTION: "action",
}
_WHERE_OF_SPECIAL = {
    "EXEC": "log, or read where nothing in it writes",
    "WATCH": "read",
    "SELECT": "node",
    "CONFIG|SET": "log for maxmemory, else node",
}
_TITLES = {
    "string": "Strings and counters",
    "keys": "Keys",
    "expiry": "Expiry",
    "transactions": "Transactions",
    "connection": "Connection",
    "server": "Server",
}


def generated(plans: Iterable[Plan]) -> str:
    """The tables, one a group, and what of Redis there is: up to the hand-written part."""
    plans = sorted(plans, key=lambda plan: plan.command.name)
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        groups.setdefault(plan.command.group, []).append(plan)
    order = [*_TITLES, *sorted(set(groups) - set(_TITLES))]
    tables = "".join(_section(group, groups[group]) for group in order if group in groups)
    return _INTRODUCTION + tables + section({plan.command.name for plan in plans})


def _section(group: str, plans: list[Plan]) -> str:
    rows = "".join(
        f"| `{plan.command.usage.replace('|', chr(92) + '|')}` | {plan.command.summary} | {_where(plan)} |\n"
        for plan in plans
    )
    title = _TITLES.get(group, group.capitalize())
    return f"## {title}\n\n| usage | what it does | where |\n|---|---|---|\n{rows}\n"


def _where(plan: Plan) -> str:
    if plan.mode is Mode.SPECIAL:
        return _WHERE_OF_SPECIAL[plan.command.name]
    return _WHERE[plan.mode]
