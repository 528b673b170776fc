"""The format of INFO: headings, fields, numbers for people, and the choice of sections."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

Fields: TypeAlias = Iterable[tuple[str, object]]
Sections: TypeAlias = Mapping[str, Callable[[], Fields]]
"""By their names in lower case. Functions, so that no part is asked for figures of a section not shown."""

HEADINGS: Final = {
    "server": "Server",
    "clients": "Clients",
    "memory": "Memory",
    "persistence": "Persistence",
    "stats": "Stats",
    "replication": "Replication",
    "raft": "Raft",
    "cpu": "CPU",
    "modules": "Modules",
    "commandstats": "Commandstats",
    "errorstats": "Errorstats",
    "latencystats": "Latencystats",
    "cluster": "Cluster",
    "keyspace": "Keyspace",
}
"""All sections in Redis' order, trikv's own after replication, with the spelling of their first lines."""
DEFAULT: Final = frozenset(HEADINGS) - {"commandstats", "latencystats"}
"""The sections of INFO without arguments."""
_KIB: Final = 1024


def chosen(names: Sequence[str]) -> frozenset[str]:
    """The sections that these arguments of INFO ask for, in lower case; unknown ones are left out."""
    wanted = set(names)
    if {"all", "everything"} & wanted:
        return frozenset(HEADINGS)
    if not wanted or "default" in wanted:
        wanted |= DEFAULT
    return frozenset(wanted & HEADINGS.keys())


def info_text(sections: Sections, names: Sequence[str]) -> str:
    """INFO's text for these arguments, from the `sections` that the node has. Lines end in CRLF."""
    wanted = chosen(names)
    return "\r\n".join(
        section_text(name, sections[name]()) for name in HEADINGS if name in wanted and name in sections
    )


def section_text(name: str, fields: Fields) -> str:
    """One section with its heading."""
    return "".join([f"# {HEADINGS[name]}\r\n", *(f"{field}:{value}\r\n" for field, value in fields)])


def human(count: int) -> str:
    """Bytes as Redis shows them: ``1.50M``."""
    if count < _KIB:
        return f"{count}B"
    size = float(count)
    for unit in "KMG":
        size /= _KIB
        if size < _KIB:
            return f"{size:.2f}{unit}"
    return f"{size / _KIB:.2f}T"


def kib(count: float) -> str:
    """Bytes as KiB with two decimals."""
    return f"{count / _KIB:.2f}"


def ratio(count: int, of: int) -> float:
    """`count` divided by `of`; 0 if `of` is 0."""
    return count / of if of else 0.0
