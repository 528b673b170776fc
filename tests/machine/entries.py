"""Entries of all kinds, drawn at random, and all that can be seen of a machine, to compare two of them."""

from typing import Any
from zlib import crc32

import attrs
from hypothesis import strategies as st

from tests.machine.driving import NOW, payload, words
from tests.machine.long_work import LONG
from tests.machine.values.commands import WITH_NUMBERS
from trikv.machine.batch import Bootstrap, Forgotten, Hello, Item, Submission, Transaction, Watch
from trikv.machine.database import BUCKET_SHIFT
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Outcome
from trikv.machine.stored import Held, stored
from trikv.machine.suspended import Suspended
from trikv.machine.values.value import Value

EVERYTHING = WITH_NUMBERS.merged_with(LONG)
"""All commands, some that are resumable, and values in parts."""

LINES = """
APPEND {k} {v} | CONFIG SET maxmemory {cap} | COUNT | DBSIZE | DECR {k} | DECRBY {k} {n} | DEL {k} {l}
DELETE {k} | EXISTS {k} {l} | EXPIRE {k} 1 {if} | EXPIREAT {k} {at_s} {if} | EXPIRETIME {k} | FLUSHDB
GET {k} | GETDEL {k} | GETEX {k} PX {ms} | GETEX {k} PERSIST | GETRANGE {k} 0 {n} | GETSET {k} {v} | INCR {k}
INCRBY {k} {n} | INCRBYFLOAT {k} 0.5 | KEYS * | MEMORY USAGE {k} | MGET {k} {l} | MSET {k} {v} {l} {v}
MSETNX {k} {v} {l} {v} | PERSIST {k} | PEXPIRE {k} {ms} {if} | PEXPIREAT {k} {at} {if} | PEXPIRETIME {k}
PSETEX {k} {ms} {v} | PTTL {k} | RANDOMKEY | RENAME {k} {l} | RENAMENX {k} {l} | SCAN {cursor} COUNT {n}
SELECT {db} | SET {k} {v} | SET {k} {v} | set {k} {v} PX {ms} | SET {k} {v} PXAT {at} GET | SETEX {k} 1 {v}
SETNX {k} {v} | SETRANGE {k} {n} {v} | STRLEN {k} | SUBSTR {k} 0 1 | TIME | TOUCH {k} {l} | TTL {k} | TYPE {k}
UNLINK {k} {l} | WATCH {k} | NOSUCH {k} | GET
NUM.ADD {k} {some} | NUM.ADD {k} {some} | NUM.ADD {l} {some} | NUM.REM {k} {some} | NUM.ALL {k} | NUM.ASK {k}
DEBUG WORK 2 {k} | WORK {k} {n} | DRAWN {k} {n} | NEST {k} {n} | HASTE {k} {n} | FAIL {k} early | REFUSE {k}
"""
RARE_LINES = "FLUSHALL | CLEAN"
"""After them little is left to go wrong."""


def _lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.strip().replace("\n", "|").split("|")]


def _crowd(keys: int) -> list[str]:
    """Keys of one bucket: what concerns one of them must not concern the others."""
    number = crc32(b"k0") >> BUCKET_SHIFT
    names = (f"k{each}" for each in range(1_000_000))
    found = (name for name in names if crc32(name.encode()) >> BUCKET_SHIFT == number)
    return [next(found) for _ in range(keys)]


KEYS = [*_crowd(4), "a", "b"]


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A command."""
    rare = draw(st.integers(0, 60)) == 0
    line = draw(st.sampled_from(_lines_of(RARE_LINES if rare else LINES)))
    at_ms = NOW + draw(st.integers(-10, 3000))
    fields = {
        "k": draw(st.sampled_from(KEYS)),
        "l": draw(st.sampled_from(KEYS)),
        "v": draw(st.sampled_from(["1", "22", "x" * 30, "y" * 5000])),
        "n": draw(st.integers(0, 12)),
        "ms": draw(st.integers(1, 900)),
        "at": at_ms,
        "at_s": at_ms // 1000 + 1,
        "if": draw(st.sampled_from(["", "", "NX", "XX", "GT", "LT"])),
        "cap": draw(st.sampled_from([0, 0, 900, 3_000, 12_000])),
        "cursor": draw(st.sampled_from([0, 1 << 31])),
        "db": draw(st.sampled_from([0, 0, 5])),
        "some": " ".join(map(str, draw(st.lists(st.integers(-40, 40), min_size=1, max_size=30)))),
    }
    return line.format_map(fields)


@attrs.frozen
class Entry:
    """One entry; `applied` gives it the index that comes next."""

    after_ms: int = 0
    items: tuple[Item, ...] = ()
    members: tuple[int, ...] | None = None
    skipped: bool = False
    seed: int = 0


@st.composite
def submissions(draw: st.DrawFn, sequence: int) -> Submission:
    """Commands of node 1, perhaps with a transaction among them."""
    commands = tuple(map(words, draw(st.lists(lines(), min_size=1, max_size=7))))
    transactions: tuple[Transaction, ...] = ()
    if draw(st.booleans()):
        start = draw(st.integers(0, len(commands) - 1))
        count = draw(st.integers(1, len(commands) - start))
        key = draw(st.sampled_from(KEYS)).encode()
        watches = (Watch(draw(st.sampled_from([0, 5, 16])), key, draw(st.integers(0, 3))),)
        transactions = (Transaction(start, count, watches if draw(st.integers(0, 3)) == 0 else ()),)
    db = draw(st.sampled_from([0, 0, 0, 5, 99]))
    return Submission(1, 2, sequence, db, commands, transactions)


@st.composite
def histories(draw: st.DrawFn, entries_max: int) -> list[Entry]:
    """Entries in order, whose submissions have sequences that are mostly the next ones."""
    history, sequence = [], 1
    for _ in range(draw(st.integers(1, entries_max))):
        kind = draw(st.sampled_from(["items"] * 8 + ["members", "skipped"]))
        if kind == "members":
            history.append(Entry(members=draw(st.sampled_from([(1, 2), (1, 2, 3), (1, 3)]))))
            continue
        if kind == "skipped":
            history.append(Entry(skipped=True))
            continue
        items: list[Item] = []
        for what in draw(st.lists(st.sampled_from("ssssssfghb"), max_size=3)):
            if what == "s":
                items.append(draw(submissions(sequence)))
                sequence += 1
            elif what == "f":
                items.append(Forgotten(1, 2, sequence))
                sequence += 1
            elif what == "g":  # used before, or beyond a gap
                items.append(draw(submissions(sequence + draw(st.sampled_from([-1, 1])))))
            elif what == "h":
                items.append(Hello(draw(st.sampled_from([2, 3])), draw(st.sampled_from([b"one", b"two"]))))
            else:
                items.append(Bootstrap(draw(st.sampled_from([0, 5_000])), 3))
        after_ms = draw(st.sampled_from([0, 0, 5, 300, 1_100]))
        history.append(Entry(after_ms, tuple(items), seed=draw(st.integers(0, 2**64 - 1))))
    return history


def applied(machine: Machine, entry: Entry, at_ms: int) -> list[Outcome]:
    """What comes of it behind all that `machine` has applied, slice by slice."""
    index = machine.index + 1
    if entry.members is not None:
        machine.apply_membership(index, entry.members)
        return []
    if entry.skipped:
        machine.skip(index)
        return []
    begun = machine.apply(index, payload(at_ms, *entry.items, seed=entry.seed), origin=1)
    while isinstance(begun, Suspended):
        begun = begun.resume(lambda: True) or begun
    return begun.outcomes


def contents(machine: Machine) -> list[Any]:
    """All keys with what they hold, read from the buckets themselves, with their place in their order."""
    return [
        (db.number, number, [(key, meant(one)) for key, one in bucket.items()])
        for db in machine.space.databases
        if db.size
        for number, bucket in enumerate(db.buckets)
        if bucket
    ]


def meant(one: Held) -> Any:
    """Version, deadline and value; of a value in parts every element, and what it is charged."""
    entry = stored(one)
    value = entry.value
    if not isinstance(value, Value):
        return entry
    parts = [value.elements(part) for part in value.parts]
    return entry.version, entry.deadline, value.shape(), value.charge, value.charged, parts


def numbers(machine: Machine) -> dict[str, Any]:
    """Everything else that decides what an entry does, and what is told of the whole."""
    account = machine.space.account
    told = machine.statistics(NOW + 10_000)
    assert machine.recount() == machine.used_memory == account.used
    return {
        "settings": machine.settings(),
        "account": (account.used, account.is_over, account.shares.copy(), account.soonest, account.limit),
        "sizes": [db.size for db in machine.space.databases],
        "deadlines": [list(db.deadlines) for db in machine.space.databases],
        "next": machine.next_deadline_ms(),
        "told": attrs.evolve(told, pending_keys=0, poison_count=0),
    }
