"""Entries of all kinds, drawn at random, and all that can be seen of a machine, to compare two of them."""

from typing import Any
from zlib import crc32

import attrs
import msgspec
from hypothesis import strategies as st

from tests.machine.driving import NOW, payload, words
from tests.machine.long_work import LONG
from tests.machine.values.commands import WITH_NUMBERS
from trikv.machine.batch import Bootstrap, Forgotten, Hello, Item, Submission, Transaction, Watch
from trikv.machine.database import BUCKET_SHIFT
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied, Outcome
from trikv.machine.replies import Reply, Streamed
from trikv.machine.stored import Held, stored
from trikv.machine.suspended import Suspended
from trikv.machine.values.value import Value

EVERYTHING = WITH_NUMBERS.merged_with(LONG)
"""All commands, some that are resumable, and values in parts."""

LINES = """
APPEND {k} {v} | CONFIG SET maxmemory {cap} | COUNT | DBSIZE | DECR {k} | DECRBY {k} {n} | DEL {k} {l}
DELETE {k} | EXISTS {k} {l} | EXPIRE {k} 1 {if} | EXPIREAT {k} {at_s} {if} | EXPIRETIME {k} | FLUSHDB
GET {k} | GETDEL {k} | GETEX {k} PX {ms} | GETEX {k} PERSIST | GETRANGE {k} 0 {n} | GETSET {k} {v}
INCR {k} | INCRBY {k} {n} | INCRBYFLOAT {k} 0.5 | KEYS * | MEMORY USAGE {k} | MGET {k} {l}
MSET {k} {v} {l} {v} | MSETNX {k} {v} {l} {v} | PERSIST {k} | PEXPIRE {k} {ms} {if}
PEXPIREAT {k} {at} {if} | PEXPIRETIME {k} | PSETEX {k} {ms} {v} | PTTL {k} | RANDOMKEY | RENAME {k} {l}
RENAMENX {k} {l} | SCAN {cursor} COUNT {n} | SELECT {db} | SET {k} {v} | SET {k} {v} | set {k} {v} PX {ms}
SET {k} {v} PXAT {at} GET | SETEX {k} 1 {v} | SETNX {k} {v} | SETRANGE {k} {n} {v} | STRLEN {k}
SUBSTR {k} 0 1 | TIME | TOUCH {k} {l} | TTL {k} | TYPE {k} | UNLINK {k} {l} | WATCH {k} | NOSUCH {k} | GET
NUM.ADD {k} {some} | NUM.ADD {k} {some} | NUM.ADD {l} {some} | NUM.REM {k} {some} | NUM.ALL {k}
NUM.ASK {k} | BITCOUNT {k} | BITFIELD {k} SET u8 {n} 200 INCRBY i5 3 1 | BITFIELD_RO {k} GET u8 0
BITOP XOR {k} {k} {l} | BITPOS {k} 1 | COPY {k} {l} | COPY {k} {l} REPLACE | COPY {k} {l} DB {db} REPLACE
GETBIT {k} {n} | LCS {k} {l} LEN | MOVE {k} {db} | OBJECT ENCODING {k} | OBJECT FREQ {k}
OBJECT IDLETIME {k} | OBJECT REFCOUNT {k} | SETBIT {k} {n} 1 | HDEL {k} {m} {o} | HEXISTS {k} {m}
HGET {k} {m} | HGETALL {k} | HINCRBY {k} {m} {n} | HINCRBYFLOAT {k} {m} 0.5 | HKEYS {k} | HLEN {k}
HMGET {k} {m} {o} | HMSET {k} {m} {v} | HRANDFIELD {k} {n} WITHVALUES | HSCAN {k} 0 COUNT {n}
HSET {k} {m} {v} | HSET {k} {m} {v} {o} {v} | HSET {k} {m} 1 {o} 2 | HSETNX {k} {m} {v} | HSTRLEN {k} {m}
HVALS {k} | LINDEX {k} {n} | LINSERT {k} AFTER {m} {v} | LLEN {k} | LMOVE {k} {l} LEFT RIGHT
LMPOP 2 {k} {l} LEFT COUNT {n} | LPOP {k} | LPOP {k} {n} | LPOS {k} {m} COUNT 0 | LPUSH {k} {m} {v} {o}
LPUSHX {k} {v} | LRANGE {k} 0 {n} | LREM {k} 0 {m} | LSET {k} {n} {v} | LTRIM {k} 1 {n} | RPOP {k}
RPOPLPUSH {k} {l} | RPUSH {k} {m} {v} {m} | RPUSHX {k} {m} | SADD {k} {m} {o} {v} | SADD {k} {m} | SCARD {k}
SDIFF {k} {l} | SDIFFSTORE {k} {k} {l} | SINTER {k} {l} | SINTERCARD 2 {k} {l} | SINTERSTORE {k} {l} {k}
SISMEMBER {k} {m} | SMEMBERS {k} | SMISMEMBER {k} {m} {o} | SMOVE {k} {l} {m} | SPOP {k} | SPOP {k} {n}
SRANDMEMBER {k} {n} | SREM {k} {m} {o} | SSCAN {k} 0 | SUNION {k} {l} | SUNIONSTORE {k} {k} {l}
ZADD {k} {n} {m} 1.5 {o} | ZADD {k} CH {n} {v} inf {m} | ZCARD {k} | ZCOUNT {k} 1 {n} | ZDIFF 2 {k} {l}
ZDIFFSTORE {k} 2 {k} {l} | ZINCRBY {k} {n} {m} | ZINTER 2 {k} {l} | ZINTERCARD 2 {k} {l}
ZINTERSTORE {k} 2 {k} {l} | ZLEXCOUNT {k} - + | ZMPOP 2 {k} {l} MIN | ZMSCORE {k} {m} {o} | ZPOPMAX {k}
ZPOPMIN {k} {n} | ZRANDMEMBER {k} {n} | ZRANGE {k} 0 {n} WITHSCORES | ZRANGEBYLEX {k} - +
ZRANGEBYSCORE {k} 1 {n} | ZRANGESTORE {k} {l} 0 {n} | ZRANK {k} {m} | ZREM {k} {m} {o}
ZREMRANGEBYLEX {k} [a (c | ZREMRANGEBYRANK {k} 0 {n} | ZREMRANGEBYSCORE {k} 1 {n} | ZREVRANGE {k} 0 {n}
ZREVRANGEBYLEX {k} + - | ZREVRANGEBYSCORE {k} {n} 0 | ZREVRANK {k} {m} | ZSCAN {k} 0 | ZSCORE {k} {m}
ZUNION 2 {k} {l} | ZUNIONSTORE {k} 2 {k} {l} WEIGHTS 2 -1 | DEBUG WORK 2 {k} | WORK {k} {n} | DRAWN {k} {n}
NEST {k} {n} | HASTE {k} {n} | FAIL {k} early | REFUSE {k} | HEXPIRE {k} 1 {if} FIELDS 2 {m} {o}
HPEXPIRE {k} {ms} {if} FIELDS 2 {m} {o} | HEXPIREAT {k} {at_s} FIELDS 1 {m} | HPEXPIREAT {k} {at} FIELDS 1 {m}
HTTL {k} FIELDS 1 {m} | HPTTL {k} FIELDS 2 {m} {o} | HEXPIRETIME {k} FIELDS 1 {m}
HPEXPIRETIME {k} FIELDS 1 {m} | HPERSIST {k} FIELDS 2 {m} {o} | HGETDEL {k} FIELDS 2 {m} {o}
HGETEX {k} PX {ms} FIELDS 2 {m} {o} | HGETEX {k} PERSIST FIELDS 1 {m} | HSETEX {k} PX {ms} FIELDS 1 {m} 1
HSETEX {k} PX {ms} FIELDS 2 {m} {v} {o} 1 | HSETEX {k} FNX KEEPTTL FIELDS 1 {m} {v}
HSETEX {k} PXAT {at} FIELDS 1 {m} {v}
GEOADD {k} 13.4 38.1 {m} 15.1 37.5 {o} | GEOADD {k} 14 37.9 {m} | GEODIST {k} {m} {o} | GEOHASH {k} {m}
GEOPOS {k} {m} {o} | GEORADIUS {k} 15 37 400 km STORE {l} | GEORADIUS_RO {k} 15 37 400 km ASC
GEORADIUSBYMEMBER {k} {m} 400 km STOREDIST {l} | GEORADIUSBYMEMBER_RO {k} {m} 400 km
GEOSEARCH {k} FROMLONLAT 15 37 BYBOX 900 900 km DESC | GEOSEARCHSTORE {l} {k} FROMMEMBER {m} BYRADIUS 400 km
PFADD {k} {m} {v} | PFCOUNT {k} {l} | PFMERGE {k} {l} | PFDEBUG TODENSE {k} | PFSELFTEST | SORT {k} ALPHA
SORT {k} BY {l}* ALPHA STORE {l} | SORT_RO {k} BY nosort
"""
RARE_LINES = "FLUSHALL | CLEAN | SWAPDB 0 {db}"
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
        "m": draw(st.sampled_from(["a", "b", "c", "d1", "7"])),
        "o": draw(st.sampled_from(["a", "c", "e", "8"])),
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
    return [_taken(outcome) for outcome in begun.outcomes]


def _taken(outcome: Outcome) -> Outcome:
    """With the rows of long reads in their place: two of these objects are never equal."""
    if not isinstance(outcome, Applied):
        return outcome
    replies = [_rows(reply) if isinstance(reply, Streamed) else reply for reply in outcome.replies]
    return msgspec.structs.replace(outcome, replies=replies)


def _rows(streamed: Streamed) -> Reply:
    rows: list[Any] = []
    while not streamed.is_over:
        rows += streamed.step()
    assert streamed.error is None
    return [streamed.count, *rows]


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
    assert value.indexed == value.soonest
    deadlines = [] if value.deadlines is None else list(value.deadlines.span(0, sum(value.deadlines.counts)))
    charges = value.charge, value.charged
    return entry.version, entry.deadline, value.shape(), *charges, value.soonest, deadlines, parts


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
        "deadlines in values": [list(db.field_deadlines) for db in machine.space.databases],
        "next": machine.next_deadline_ms(),
        "told": attrs.evolve(told, pending_keys=0, poison_count=0),
    }
