"""The contents of all databases of a machine, read without its code, and what must be true of them."""

from collections.abc import Iterator

from trikv.machine.database import Database
from trikv.machine.machine import Machine
from trikv.machine.stored import stored
from trikv.notation import counted
from trikv.sim.checkers.meanings import charge
from trikv.sim.checkers.state import Contents

REAPED_MAX = 200
"""Most due keys that one entry reaps. Due keys may be left only if there were that many."""


def contents_of(machine: Machine) -> Contents:
    """All keys of all databases with their values and deadlines. Due keys are included."""
    return {
        (number, key): (value, deadline)
        for number, database in enumerate(machine.space.databases)
        for key, value, deadline in _entries(database)
    }


def problems_of(machine: Machine, contents: Contents) -> Iterator[tuple[str, str]]:
    """What is wrong with `contents`: for each problem the class of a failure, and a text."""
    charged = {database.number: 0 for database in machine.space.databases}
    deadlines: dict[int, list[tuple[int, bytes]]] = {number: [] for number in charged}
    for (number, key), (value, deadline) in contents.items():
        charged[number] += charge(key, value, deadline)
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
        size = sum(1 for held, _ in contents if held == number)
        if database.size != size:
            yield "account", f"database {number} says {counted(database.size, 'key')} and has {size}"
    due = [key for (key, (_, deadline)) in contents.items() if 0 < deadline <= machine.now_ms]
    if due and len(due) < REAPED_MAX:
        yield "deadlines", f"these were due before {machine.now_ms} and are there: {due}"


def _entries(database: Database) -> Iterator[tuple[bytes, bytes, int]]:
    for bucket in database.buckets:
        for key, held in bucket.items():
            entry = stored(held)
            assert isinstance(entry.value, bytes), "commands make strings only"
            yield key, entry.value, entry.deadline
