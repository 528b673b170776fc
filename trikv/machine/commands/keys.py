"""Keys, whatever they hold: existence, names, listing, moving, deleting."""

import re

from trikv.machine.call import Call
from trikv.machine.cut import Cut
from trikv.machine.database import Database
from trikv.machine.declaration import QUICK_US, By, Cost, Inside, Told
from trikv.machine.errors import INVALID_CURSOR, NO_SUCH_KEY, NOT_INTEGER, SYNTAX, text_of
from trikv.machine.glob import matcher, too_long
from trikv.machine.grammar import Key
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import parse_integer
from trikv.machine.picking import pick
from trikv.machine.replies import OK, CommandError, Reply, SimpleString
from trikv.machine.scanning import scan as page_of
from trikv.machine.stored import Stored, size_of
from trikv.machine.table import CommandTable
from trikv.machine.values.value import Value

COMMANDS = CommandTable()

SCAN_COUNT = 10
"""Redis' default."""
SCAN_COUNT_MAX = 1_000
"""COUNT is only a hint; no step examines more keys."""

_EACH_KEY = "O(N), N being the number of keys named"
_SUMMED = "request_policy:multi_shard response_policy:agg_sum"
_ALL_KEYS = Cost(10_000)
_MOVES = Cost(moves_value=True)
"""The cost of a KEYS inside a transaction, where it is one step."""
_SOME_KEYS = Cost(5_000)
"""The cost of a SCAN with the greatest COUNT."""
_CURSOR = re.compile(rb"(?:[+-]?[0-9]{1,20})?")
"""The numbers that C's strtoul accepts: an empty text is 0, and a minus wraps around."""
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
    return SimpleString(entry.value.type_name) if isinstance(entry.value, Value) else _STRING


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
    "KEYS",
    by=By.READ,
    group="keys",
    long=True,
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
        return LongRead(Cut.live_keys, None if db.deadlines else db.size)
    matches = matcher(pattern)
    return LongRead(lambda cut: ([*filter(matches, keys)] for keys in cut.live_keys()))


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
    if _CURSOR.fullmatch(cursor) is None or abs(position := int(cursor or b"0")) >= 1 << 64:
        return INVALID_CURSOR
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
    following, found = page_of(db, position % (1 << 64), count)
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
