"""The contents of all databases of a machine, read without its code, and what must be true of them."""

from collections.abc import Iterator
from typing import Any

import msgspec

from trikv.machine.database import Database
from trikv.machine.keyspace import FIELD_KEYS
from trikv.machine.machine import Machine
from trikv.machine.stored import AnyValue, stored
from trikv.machine.values.hash import Timed
from trikv.machine.values.score_index import ScoreIndex
from trikv.machine.values.value import Packed, type_of
from trikv.machine.values.value import Value as InParts
from trikv.notation import counted
from trikv.sim.checkers.meanings import charge
from trikv.sim.checkers.state import Contents
from trikv.sim.checkers.values import Collection, Fields, Plain, Scores, Value
from trikv.sim.history import Key

REAPED_MAX = 200
"""Most due keys that one entry reaps, a due field counting for `FIELD_KEYS` of them.

Due keys and fields may be left only if there were that many.
"""


def contents_of(machine: Machine) -> Contents:
    """All keys of all databases with their values and deadlines. Due keys are included."""
    return {
        (number, key): (_meant(value), deadline)
        for number, database in enumerate(machine.space.databases)
        for key, value, deadline in _entries(database)
    }


def problems_of(machine: Machine, contents: Contents) -> Iterator[tuple[str, str]]:
    """What is wrong with `contents`: for each problem the class of a failure, and a text."""
    charged = {database.number: 0 for database in machine.space.databases}
    deadlines: dict[int, list[tuple[int, bytes]]] = {number: [] for number in charged}
    has_parts = any(isinstance(value, Collection) and value.is_large for value, _ in contents.values())
    parts = _parts_of(machine) if has_parts else {}
    for (number, key), (value, deadline) in contents.items():
        charged[number] += charge(key, value, deadline, parts.get((number, key), 0))
        if deadline:
            deadlines[number].append((deadline, key))
    total = sum(charged.values())
    if not machine.used_memory == machine.recount() == total:
        yield (
            "account",
            f"{counted(machine.used_memory, 'byte')}, recounted {machine.recount()}, its keys make {total}",
        )
    for database in machine.space.databases:
        number = database.number
        share = machine.space.account.shares[number]
        if share != charged[number]:
            yield (
                "account",
                f"database {number} has {counted(share, 'byte')}, its keys make {charged[number]}",
            )
        if list(database.deadlines) != sorted(deadlines[number]):
            yield (
                "deadlines",
                f"database {number} has {list(database.deadlines)} for {sorted(deadlines[number])}",
            )
        yield from _problems_with_fields(database, contents)
        size = sum(1 for held, _ in contents if held == number)
        if database.size != size:
            yield "account", f"database {number} says {counted(database.size, 'key')} and has {size}"
    keys, fields = _due_in(contents, machine.now_ms)
    if 0 < len(keys) + FIELD_KEYS * len(fields) < REAPED_MAX:
        yield "deadlines", f"these were due before {machine.now_ms} and are there: {[*keys, *fields]}"


def _due_in(contents: Contents, now_ms: int) -> tuple[list[Key], list[tuple[Key, bytes]]]:
    """The keys that are due, and the due fields of the others: a key takes its fields along."""
    keys: list[Key] = []
    fields: list[tuple[Key, bytes]] = []
    for key, (value, deadline) in contents.items():
        if 0 < deadline <= now_ms:
            keys.append(key)
        elif isinstance(value, Collection):
            fields += [(key, field) for field, due in value.deadlines if due <= now_ms]
    return keys, fields


def _problems_with_fields(database: Database, contents: Contents) -> Iterator[tuple[str, str]]:
    """What is wrong with the indexes of fields that have deadlines: that of each hash, and the database's."""
    earliest = []
    for key, value, _ in _entries(database):
        meant, _ = contents[database.number, key]
        if isinstance(meant, bytes):
            continue
        expected = sorted((due, field) for field, due in meant.deadlines)
        found = _pairs_in(value.deadlines) if isinstance(value, InParts) and value.deadlines else []
        if found != expected:
            yield "deadlines", f"the hash {key!r} of database {database.number} has {found} for {expected}"
        if expected:
            earliest.append((expected[0][0], key))
    if list(database.field_deadlines) != sorted(earliest):
        yield (
            "deadlines",
            f"database {database.number} has {list(database.field_deadlines)} for fields: {sorted(earliest)}",
        )


def _pairs_in(index: ScoreIndex) -> list[tuple[float, bytes]]:
    """The deadlines and fields in an index, in its order."""
    chunks = zip(index.scores, index.members, strict=True)
    return [pair for scores, fields in chunks for pair in zip(scores, fields, strict=True)]


def _entries(database: Database) -> Iterator[tuple[bytes, AnyValue, int]]:
    for bucket in database.buckets:
        if bucket:  # nearly all are empty
            for key, held in bucket.items():
                entry = stored(held)
                yield key, entry.value, entry.deadline


def _parts_of(machine: Machine) -> dict[Key, int]:
    """How many parts each value has that is in parts."""
    return {
        (number, key): len(value.parts)
        for number, database in enumerate(machine.space.databases)
        for key, value, _ in _entries(database)
        if isinstance(value, InParts)
    }


_PACKED: dict[str, Any] = {
    "hash": dict[bytes, bytes],
    "list": list[bytes],
    "set": list[bytes],
    "zset": list[tuple[float, bytes]],
}
"""What the bytes of a packed value are."""


def _meant(value: AnyValue) -> Value:
    """A value as the model has it: its elements, and whether it is in parts."""
    if isinstance(value, bytes):
        return value
    kind = type_of(value).type_name
    parts = [_unpacked(kind, value.body)] if isinstance(value, Packed) else value.parts
    return Collection.of(plain_of(kind, parts), is_large=isinstance(value, InParts))


def _unpacked(kind: str, body: bytes) -> Any:
    found = msgspec.msgpack.decode(body, type=_PACKED[kind])
    return {member: score for score, member in found} if kind == "zset" else found


def plain_of(kind: str, parts: list[Any]) -> Plain:
    """The elements in all parts. A part of a list may be sealed: the MessagePack of its strings."""
    match kind:
        case "list":
            strings = [_unpacked(kind, part) if isinstance(part, bytes) else part for part in parts]
            return [element for part in strings for element in part]
        case "set":
            return {member for part in parts for member in part}
        case "hash":
            fields = Fields()
            for field, behind in (pair for part in parts for pair in part.items()):
                if isinstance(behind, Timed):
                    fields.put(field, behind.value, behind.deadline)
                else:
                    fields.put(field, behind)
            return fields
        case _:
            return Scores({member: score for part in parts for member, score in part.items()})
