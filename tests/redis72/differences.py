"""Where COMMAND INFO and COMMAND DOCS tell another thing than Redis 7.2 does, of commands that both have.

Each difference is a line: the command and what differs, what trikv tells, a bar, what Redis tells. Those
that are meant are in `RIGHT`, with the reason. All others are to be mended and stand in ``to_mend.txt`` until
they are. A line that is no longer true has to go, and a difference without a line fails the test.
``TRIKV_REWRITE=1 pytest tests/redis72`` takes away the lines that have to go; it never adds one.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from tests.redis72.facts import Fact

FILE: Final = Path(__file__).with_name("to_mend.txt")

RIGHT: Final[dict[str, str]] = {}
"""There is none."""

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


def to_mend() -> list[str]:
    """The lines of the file."""
    return FILE.read_text(encoding="utf-8").splitlines()


def take_away(mended: set[str]) -> None:
    """Write the file without those lines."""
    FILE.write_text("".join(f"{line}\n" for line in to_mend() if line not in mended), encoding="utf-8")


def _shown(value: Any) -> str:
    if isinstance(value, frozenset):
        return " ".join(sorted(value)) or "none"
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value)
    return str(value)
