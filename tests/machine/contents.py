"""What a machine holds, as clients see it: without versions, shapes and forms."""

from typing import Any, TypeAlias

from trikv.machine.machine import Machine
from trikv.machine.stored import stored
from trikv.machine.values.hash import Hash
from trikv.machine.values.list import List
from trikv.machine.values.set import Set
from trikv.machine.values.sorted_set import SortedSet
from trikv.machine.values.value import Packed, Value, type_of

Contents: TypeAlias = dict[tuple[int, bytes], tuple[Any, int]]
"""By database and key, the value and its deadline."""


def contents(machine: Machine) -> Contents:
    """All keys that are there, due or not."""
    return {
        (db.number, key): (plain(entry.value), entry.deadline)
        for db in machine.space.databases
        if db.size
        for bucket in db.buckets
        for key, entry in ((key, stored(one)) for key, one in bucket.items())
    }


def plain(value: bytes | Packed | Value) -> Any:
    """A string as it is; a hash or a sorted set as a dict, a set as one, a list as one."""
    if isinstance(value, bytes):
        return value
    one = type_of(value).opened(value.body, 0, b"") if isinstance(value, Packed) else value
    match one:
        case Hash() | SortedSet():
            return {member: belonging for part in one.parts for member, belonging in part.items()}
        case Set():
            return {member for part in one.parts for member in part}
        case List():
            return [element for some in one.span(0, one.count) for element in some]
        case _:
            raise AssertionError(one.type_name)
