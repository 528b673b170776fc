"""Keys, whatever they hold: existence, names, listing, moving, deleting."""

import re

import attrs

from trikv.machine.call import Call
from trikv.machine.commands.databases import database_number
from trikv.machine.cut import Cut
from trikv.machine.database import Database
from trikv.machine.declaration import QUICK_US, By, Container, Cost, Inside, Told
from trikv.machine.errors import INVALID_CURSOR, NO_SUCH_KEY, NOT_INTEGER, SYNTAX, text_of
from trikv.machine.features import COLLECTIONS
from trikv.machine.glob import matcher, too_long
from trikv.machine.grammar import Key
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import parse_integer
from trikv.machine.picking import pick
from trikv.machine.replies import OK, CommandError, Reply, SimpleString
from trikv.machine.scanning import scan as page_of
from trikv.machine.stored import AnyValue, Stored, size_of
from trikv.machine.table import CommandTable
from trikv.machine.values.value import Packed, Value, type_of

COMMANDS = CommandTable()

SCAN_COUNT = 10
"""Redis' default."""
SCAN_COUNT_MAX = 1_000
"""COUNT is only a hint; no step examines more keys."""

_EACH_KEY = "O(N), N being the number of keys named"
_SUMMED = "request_policy:multi_shard response_policy:agg_sum"
_MOVES = Cost(moves_value=True)
_ALL_KEYS = Cost(10_000)
"""The cost of a KEYS inside a transaction, where it is one step."""
_SOME_KEYS = Cost(5_000)
"""The cost of a SCAN with the greatest COUNT."""
_OF_OBJECT = Told("2.2.3", "RO", tips="nondeterministic_output")
_CURSOR = re.compile(rb"(?:[+-]?[0-9]{1,20})?")
"""The numbers that C's strtoul accepts: an empty text is 0, and a minus wraps around."""
SAME_OBJECT = CommandError("ERR source and destination objects are the same")
_NO_LFU = CommandError(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
    "Please note that when switching between policies at runtime LRU and LFU data will take some time "
    "to adjust."
)
EMBEDDED_BYTES_MAX = 44
"""Redis keeps a string of so many bytes together with its header."""
_STRING = SimpleString("string")
_NONE = SimpleString("none")


@COMMANDS.command(
    "EXISTS",
    by=By.READ,
    group="keys",
    fast=True,
    complexity=_EACH_KEY,
    told=Told("1.0.0", "RO", tips=_SUMMED),
)
def exists(db: Database, key: Key, *keys: Key) -> Reply:
    """How many of these keys exist."""
    return sum(db.look(each) is not None for each in (key, *keys))


@COMMANDS.command(
    "TOUCH", by=By.READ, group="keys", fast=True, complexity=_EACH_KEY, told=Told("3.2.1", "RO", tips=_SUMMED)
)
def touch(db: Database, key: Key, *keys: Key) -> Reply:
    """How many of these keys exist; without eviction there is no age to reset."""
    return sum(db.look(each) is not None for each in (key, *keys))


@COMMANDS.command("TYPE", by=By.READ, group="keys", fast=True, told=Told("1.0.0", "RO"))
def type_(db: Database, key: Key) -> Reply:
    """The type of a key's value, or none."""
    entry = db.look(key)
    if entry is None:
        return _NONE
    return _STRING if isinstance(entry.value, bytes) else SimpleString(type_of(entry.value).type_name)


@COMMANDS.command(
    "UNLINK",
    by=By.LOG,
    group="keys",
    fast=True,
    complexity=_EACH_KEY,
    told=Told("4.0.0", "RM delete", tips=_SUMMED),
)
@COMMANDS.command(
    "DEL",
    by=By.LOG,
    group="keys",
    aliases=("DELETE",),
    complexity=_EACH_KEY,
    told=Told("1.0.0", "RM delete", tips=_SUMMED),
)
def delete(db: Database, key: Key, *keys: Key) -> Reply:
    """Delete keys and answer how many there were."""
    return sum(db.drop(each) for each in (key, *keys))


@COMMANDS.command(
    "RENAME",
    by=By.LOG,
    group="keys",
    grows=True,
    cost=_MOVES,
    told=Told("1.0.0", ("RW access delete", "OW update")),
)
def rename(db: Database, key: Key, newkey: Key) -> Reply:
    """Give a key another name, replacing what had it."""
    entry = db.find(key)
    if entry is None:
        return NO_SUCH_KEY
    if key == newkey:
        return OK
    return _move(db, key, newkey, entry) or OK


@COMMANDS.command(
    "RENAMENX",
    by=By.LOG,
    group="keys",
    fast=True,
    grows=True,
    cost=_MOVES,
    told=Told("1.0.0", ("RW access delete", "OW insert")),
)
def renamenx(db: Database, key: Key, newkey: Key) -> Reply:
    """Give a key another name unless that is taken; 1 if it was free."""
    entry = db.find(key)
    if entry is None:
        return NO_SUCH_KEY
    if db.find(newkey) is not None:
        return 0
    return _move(db, key, newkey, entry) or 1


def _move(db: Database, key: bytes, newkey: bytes, entry: Stored) -> CommandError | None:
    value_bytes = size_of(entry.value)
    growth = db.growth(newkey, value_bytes, entry.deadline) - db.charged(key)
    refused = db.refusal(newkey, 0) or db.account.refusal(growth, is_spared=True)
    if refused is None:
        db.drop(key)
        db.drop(newkey)
        db.put_unchecked(newkey, entry.value, entry.deadline)
    return refused


@COMMANDS.command(
    "COPY",
    by=By.LOG,
    level=COLLECTIONS,
    group="keys",
    denies_oom=True,
    options="[DB destination-db] [REPLACE]",
    cost=_MOVES,
    complexity="O(1), and O(N) for a string of N bytes",
    told=Told("6.2.0", ("RO access", "OW update")),
)
def copy(call: Call, source: Key, destination: Key, *options: bytes) -> Reply:
    """Give another key the same value and deadline; 1, or 0 if the source is absent or the other taken."""
    target, replaces, at = call.db, False, 0
    while at < len(options):
        word = options[at].upper()
        if word == b"REPLACE":
            replaces = True
        elif word == b"DB" and at + 1 < len(options):
            at += 1
            found = _database(call, options[at])
            if isinstance(found, CommandError):
                return found
            target = found
        else:
            return SYNTAX
        at += 1
    db = call.db
    if target is db and source == destination:
        return SAME_OBJECT
    entry = db.find(source)
    if entry is None or (target.find(destination) is not None and not replaces):
        return 0
    value = entry.value
    growth = target.growth(destination, size_of(value), entry.deadline)
    refused = target.refusal(destination, 0) or target.account.refusal(growth)
    if refused is not None:
        return refused
    if isinstance(value, Value):
        value = db.twin(source, value)
    target.drop(destination)
    target.put_unchecked(destination, value, entry.deadline)
    return 1


def _database(call: Call, number: bytes) -> Database | CommandError:
    place = database_number(number)
    return place if isinstance(place, CommandError) else call.space.databases[place]


@COMMANDS.command(
    "MOVE",
    by=By.LOG,
    level=COLLECTIONS,
    group="keys",
    fast=True,
    grows=True,
    cost=_MOVES,
    told=Told("1.0.0", "RW access update"),
)
def move(call: Call, key: Key, db: bytes) -> Reply:
    """Give a key to another database; 1, or 0 if it is absent or the name is taken there."""
    target = _database(call, db)
    if isinstance(target, CommandError):
        return target
    if target is call.db:
        return SAME_OBJECT
    entry = call.db.find(key)
    if entry is None or target.find(key) is not None:
        return 0
    call.db.drop(key)
    target.put_unchecked(key, entry.value, entry.deadline)
    return 1


@COMMANDS.command("OBJECT|ENCODING", by=By.READ, group="keys", told=_OF_OBJECT)
def object_encoding(db: Database, key: Key) -> Reply:
    """How Redis would keep the value of a key."""
    entry = db.look(key)
    return None if entry is None else encoding_of(db, entry.value).encode()


@COMMANDS.command("OBJECT|REFCOUNT", by=By.READ, group="keys", told=_OF_OBJECT)
def object_refcount(db: Database, key: Key) -> Reply:
    """1 for every key: no value is counted."""
    return None if db.look(key) is None else 1


@COMMANDS.command("OBJECT|IDLETIME", by=By.READ, group="keys", told=_OF_OBJECT)
def object_idletime(db: Database, key: Key) -> Reply:
    """0 for every key: without eviction nobody counts how long a key was not used."""
    return None if db.look(key) is None else 0


@COMMANDS.command("OBJECT|FREQ", by=By.READ, group="keys", told=attrs.evolve(_OF_OBJECT, since="4.0.0"))
def object_freq(db: Database, key: Key) -> Reply:
    """How often a key is used, which only an LFU policy counts."""
    return None if db.look(key) is None else _NO_LFU


COMMANDS.add_container(
    Container("OBJECT", "Tells how the value of a key is kept: subcommands.", "keys", "2.2.3")
)


def encoding_of(db: Database, value: AnyValue) -> str:
    """The name that Redis would answer, at its default thresholds."""
    if isinstance(value, Packed):
        value = type_of(value).opened(value.body, db.account.epoch, db.account.secret)
    if isinstance(value, Value):
        return value.encoding_name
    if parse_integer(value) is not None:
        return "int"
    return "embstr" if len(value) <= EMBEDDED_BYTES_MAX else "raw"


@COMMANDS.command(
    "KEYS",
    by=By.READ,
    group="keys",
    cost=_ALL_KEYS,
    complexity="O(N), N being the number of keys in the database",
    told=Told(
        "1.0.0", categories="dangerous", tips="request_policy:all_shards nondeterministic_output_order"
    ),
)
def keys_(db: Database, pattern: bytes) -> LongRead | CommandError:
    """All keys that match a pattern such as user:*."""
    refused = too_long(len(pattern))
    if refused is not None:
        return refused
    if pattern == b"*":
        return LongRead.of_keys(db, Cut.live_keys, None if db.deadlines else db.size)
    matches = matcher(pattern)
    return LongRead.of_keys(db, lambda cut: ([*filter(matches, keys)] for keys in cut.live_keys()))


def cursor_of(text: bytes) -> int | CommandError:
    """The position that a cursor names, of 64 bits. A NUL ends it."""
    text = text.partition(b"\0")[0]
    if _CURSOR.fullmatch(text) is None or abs(position := int(text or b"0")) >= 1 << 64:
        return INVALID_CURSOR
    return position % (1 << 64)


@COMMANDS.command(
    "SCAN",
    by=By.READ,
    group="keys",
    options="[MATCH pattern] [COUNT count] [TYPE type]",
    cost=_SOME_KEYS,
    complexity="O(1) for one call, O(N) for all of a database of N keys",
    told=Told("2.8.0", tips="nondeterministic_output request_policy:special response_policy:special"),
)
def scan(db: Database, cursor: bytes, *options: bytes) -> Reply:
    """List keys a few at a time: start at cursor 0, go on at the one answered until that is 0."""
    position = cursor_of(cursor)
    if isinstance(position, CommandError):
        return position
    count, pattern = SCAN_COUNT, b"*"
    wanted: str | None = None
    for place in range(0, len(options), 2):
        word, argument = options[place].upper(), options[place + 1 : place + 2]
        if word == b"COUNT" and argument:
            number = parse_integer(argument[0])
            if number is None:
                return NOT_INTEGER
            if number < 1:
                return SYNTAX
            count = min(number, SCAN_COUNT_MAX)
        elif word == b"MATCH" and argument:
            pattern = argument[0]
        elif word == b"TYPE" and argument:
            wanted = text_of(argument[0].lower())
        else:
            return SYNTAX
    refused = too_long(len(pattern))
    if refused is not None:
        return refused
    following, found = page_of(db, position, count)
    shown = db.live(found)
    if wanted is not None:
        shown = [key for key in shown if db.type_name(key) == wanted]
    return [b"%d" % following, [*filter(matcher(pattern), shown)]]


@COMMANDS.command(
    "RANDOMKEY",
    by=By.READ,
    group="keys",
    told=Told("1.0.0", tips="request_policy:all_shards response_policy:special nondeterministic_output"),
)
def randomkey(call: Call) -> Reply:
    """Some key, another one at each call; each is as likely as any other."""
    return pick(call.db, call.draws)


@COMMANDS.command(
    "WATCH",
    by=By.READ,
    group="transactions",
    fast=True,
    inside=Inside.ACTS,
    cost=Cost(QUICK_US),
    complexity=_EACH_KEY,
    told=Told("2.2.0", "RO", flags="noscript loading stale fast allow_busy"),
)
def watch(db: Database, key: Key, *keys: Key) -> Reply:
    """Let the next EXEC do nothing if one of these keys is changed before it."""
    # The machine answers versions, 0 for an absent key; the node keeps them for EXEC (PROTOCOL 23).
    entries = [db.find(each) for each in (key, *keys)]
    return [0 if entry is None else entry.version for entry in entries]


@COMMANDS.command(
    "MEMORY|USAGE", by=By.READ, group="server", options="[SAMPLES count]", told=Told("4.0.0", "RO")
)
def memory_usage(db: Database, key: Key, *options: bytes) -> Reply:
    """The bytes that the memory account charges for a key."""
    if options:
        if len(options) != 2 or options[0].upper() != b"SAMPLES":
            return SYNTAX
        samples = parse_integer(options[1])
        if samples is None:
            return NOT_INTEGER
        if samples < 0:
            return SYNTAX
    return None if db.find(key) is None else db.charged(key)
