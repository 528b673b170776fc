"""Where COMMAND INFO and COMMAND DOCS tell another thing than Redis 7.2 does, of commands that both have.

A difference is a line: the command and what differs, what trikv tells, a bar, what Redis tells.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs

from tests.redis72.facts import Fact

_FIELDS: Final = tuple(field.name for field in attrs.fields(Fact))


def between(ours: dict[str, Fact], redis: dict[str, Fact]) -> Iterator[str]:
    """The lines, of commands in both.

    What trikv tells of no command at all is one line, with a star for the name.
    """
    common = sorted(ours.keys() & redis.keys())
    for field in _FIELDS:
        if not any(getattr(fact, field) for fact in ours.values()):
            yield f"* {field}: nothing of any command |"
            continue
        for name in common:
            mine, theirs = (getattr(facts[name], field) for facts in (ours, redis))
            if mine != theirs:
                yield f"{name} {field}: {_shown(mine)} | {_shown(theirs)}"


def of_containers(answered: Iterable[str], known: dict[str, Fact], listing: set[str]) -> Iterator[str]:
    """The lines on containers: all that are there, what COMMAND INFO tells of, whose parts COMMAND lists."""
    for name in sorted(answered):
        if name not in known:
            yield f"{name} entry: none | a container"
        if name not in listing:
            yield f"{name} subcommands: not listed | listed"


def _shown(value: Any) -> str:
    if isinstance(value, frozenset):
        return " ".join(sorted(value)) or "none"
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value)
    return str(value)
