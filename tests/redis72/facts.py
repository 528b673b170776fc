"""What Redis 7.2 says of its commands: the facts in ``commands.json``, and how they are read from a reply.

The file was recorded from a running redis-server 7.2.4 without modules, and from one in Sentinel's mode for
SENTINEL, by COMMAND and COMMAND DOCS. Nothing in it is typed by hand, and prose is left out (summaries,
complexities, notes). To record it again, with both running on ports of this machine::

    python -m tests.redis72.facts PORT SENTINEL_PORT

The same reading serves for trikv's replies, so that the two can be compared.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from tests.redis_server import RedisConnection

FILE: Final = Path(__file__).with_name("commands.json")

Names = frozenset[str]


@attrs.frozen
class Fact:
    """One command or subcommand, as COMMAND INFO and COMMAND DOCS tell it."""

    arity: int
    flags: Names
    keys: tuple[int, ...]
    """First, last, step."""
    acl: Names
    """Categories, each with its @."""
    tips: Names
    specs: tuple[str, ...]
    """Where its keys are: ``RO access; index 1; range -1 1 0`` is flags, begin_search and find_keys.

    ``index I`` begins at argument I, ``keyword W I`` behind the word W, looked for from argument I on.
    ``range L S M`` ends at L (from the beginning; negative: from the end) in steps of S; if M > 1, only the
    first M-th part of what is left are keys. ``keynum N F S``: how many stands at N, the first at F.
    """
    group: str
    since: str
    marks: Names
    """doc_flags: deprecated, syscmd."""


def _fact(row: dict[str, Any]) -> Fact:
    sets = {name: frozenset(row[name]) for name in ("flags", "acl", "tips", "marks")}
    return Fact(**(row | sets | {"keys": tuple(row["keys"]), "specs": tuple(row["specs"])}))


def load() -> dict[str, Fact]:
    """Every command by its name in upper case, ``CONFIG|SET`` for a subcommand."""
    return {name: _fact(row) for name, row in json.loads(FILE.read_text(encoding="utf-8")).items()}


def read(info: Sequence[Any], docs: Sequence[Any]) -> dict[str, Fact]:
    """The replies of COMMAND [INFO] and COMMAND DOCS in RESP2; what is no command (nil) is left out."""
    told = dict(_documented(docs))
    return {name: _read_one(row, told.get(name, {})) for name, row in _described(info)}


def containers(rows: Sequence[Any]) -> Iterator[str]:
    """The names of a COMMAND reply that list subcommands."""
    return (name for name, row in _described(rows) if row[9])


def _described(rows: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    for row in rows:
        if row is not None:
            yield _text(row[0]).upper(), row
            yield from _described(row[9])


def _documented(docs: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, row in _pairs(docs).items():
        told = _pairs(row)
        yield name.upper(), told
        yield from _documented(told.get("subcommands", ()))


def _read_one(row: Sequence[Any], told: dict[str, Any]) -> Fact:
    return Fact(
        arity=row[1],
        flags=_texts(row[2]),
        keys=tuple(row[3:6]),
        acl=_texts(row[6]),
        tips=_texts(row[7]),
        specs=tuple(_spec(_pairs(spec)) for spec in row[8]),
        group=_text(told.get("group", b"")),
        since=_text(told.get("since", b"")),
        marks=_texts(told.get("doc_flags", ())),
    )


def _spec(spec: dict[str, Any]) -> str:
    """One line, see `Fact.specs`."""
    places = []
    for part in ("begin_search", "find_keys"):
        place = _pairs(spec[part])
        numbers = _pairs(place["spec"]).values()
        places.append(" ".join([_text(place["type"]), *(_text(number) for number in numbers)]))
    flags = " ".join(_text(flag) for flag in spec["flags"])
    return "; ".join([flags, *places])


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    """RESP2 gives a map as keys and values in turn."""
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _texts(words: Sequence[Any]) -> Names:
    return frozenset(_text(word) for word in words)


def _text(word: Any) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)


def _asked(port: int) -> dict[str, Fact]:
    connection = RedisConnection(port)
    try:
        info, docs = connection.line("COMMAND"), connection.line("COMMAND DOCS")
    finally:
        connection.close()
    assert isinstance(info, list)
    assert isinstance(docs, list)
    return read(info, docs)


def _row(fact: Fact) -> dict[str, Any]:
    return attrs.asdict(
        fact, value_serializer=lambda _, __, it: sorted(it) if isinstance(it, frozenset) else it
    )


def record(port: int, sentinel_port: int) -> None:
    """Write ``commands.json``, a line a command."""
    sentinel = {name: fact for name, fact in _asked(sentinel_port).items() if fact.group == "sentinel"}
    facts = sorted({**_asked(port), **sentinel}.items())
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(_row(fact))}" for name, fact in facts)
    FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    record(*(int(port) for port in sys.argv[1:]))
