"""Keys, whatever they hold: existence, names, listing, moving, deleting."""

import re
from zlib import crc32

from trikv.machine.account import Stored
from trikv.machine.database import Database
from trikv.machine.errors import INVALID_CURSOR, NO_SUCH_KEY, NOT_INTEGER, OOM, SYNTAX
from trikv.machine.glob import matcher, too_long
from trikv.machine.keyspace import Keyspace
from trikv.machine.memory import charge
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, CommandError, Reply, SimpleString
from trikv.machine.table import CommandTable, Key, Kind

COMMANDS = CommandTable()

KEYS_MAX = 50_000
"""KEYS refuses a larger database: it would hold up the node for longer than a heartbeat may wait."""
SCAN_COUNT = 10
"""Redis' default."""
SCAN_COUNT_MAX = 2_000
"""COUNT is a hint; no step looks at more."""

_CURSOR = re.compile(rb"(?:[+-]?[0-9]{1,20})?")
"""What C's strtoul takes: nothing is 0, and a minus wraps."""
_STRING = SimpleString("string")
_NONE = SimpleString("none")


@COMMANDS.command("EXISTS", kind=Kind.READ, group="keys", fast=True)
def exists(db: Database, key: Key, *keys: Key) -> Reply:
    """How many of these keys exist."""
    return sum(db.look(each) is not None for each in (key, *keys))


@COMMANDS.command("TOUCH", kind=Kind.READ, group="keys", fast=True)
def touch(db: Database, key: Key, *keys: Key) -> Reply:
    """How many of these keys exist; without eviction there is no age to reset."""
    return sum(db.look(each) is not None for each in (key, *keys))


@COMMANDS.command("TYPE", kind=Kind.READ, group="keys", fast=True)
def type_(db: Database, key: Key) -> Reply:
    """The type of a key's value, or none."""
    return _NONE if db.look(key) is None else _STRING


@COMMANDS.command("DELETE", kind=Kind.WRITE, group="keys")
@COMMANDS.command("UNLINK", kind=Kind.WRITE, group="keys", fast=True)
@COMMANDS.command("DEL", kind=Kind.WRITE, group="keys")
def delete(db: Database, key: Key, *keys: Key) -> Reply:
    """Delete keys and answer how many there were."""
    return sum(db.drop(each) for each in (key, *keys))


@COMMANDS.command("RENAME", kind=Kind.WRITE, group="keys", grows=True)
def rename(db: Database, key: Key, newkey: Key) -> Reply:
    """Give a key another name, replacing what had it."""
    entry = db.find(key)
    if entry is None:
        return NO_SUCH_KEY
    if key == newkey:
        return OK
    return _move(db, key, newkey, entry) or OK


@COMMANDS.command("RENAMENX", kind=Kind.WRITE, group="keys", fast=True, grows=True)
def renamenx(db: Database, key: Key, newkey: Key) -> Reply:
    """Give a key another name unless that is taken; 1 if it was free."""
    entry = db.find(key)
    if entry is None:
        return NO_SUCH_KEY
    if db.find(newkey) is not None:
        return 0
    return _move(db, key, newkey, entry) or 1


def _move(db: Database, key: bytes, newkey: bytes, entry: Stored) -> CommandError | None:
    value_bytes = len(entry.value)
    growth = db.growth(newkey, value_bytes, entry.deadline) - charge(len(key), value_bytes, entry.deadline)
    refused = db.refusal(newkey, value_bytes)
    if refused is None and not db.account.has_spare_room(growth):
        refused = OOM
    if refused is None:
        db.drop(key)
        db.drop(newkey)
        db.put_unchecked(newkey, entry.value, entry.deadline)
    return refused


@COMMANDS.command("KEYS", kind=Kind.READ, group="keys")
def keys_(db: Database, pattern: bytes) -> Reply:
    """All keys that match a pattern such as user:*; for large databases use SCAN."""
    if db.size > KEYS_MAX:
        return CommandError(f"ERR KEYS looks at {KEYS_MAX} keys at most and there are {db.size}: use SCAN")
    refused = too_long(len(pattern))
    if refused is not None:
        return refused
    matches = matcher(pattern)
    return [*filter(matches, db.live_keys())]


@COMMANDS.command("SCAN", kind=Kind.READ, group="keys", options="[MATCH pattern] [COUNT count] [TYPE type]")
def scan(db: Database, cursor: bytes, *options: bytes) -> Reply:
    """List keys a few at a time: start at cursor 0, go on at the one answered until that is 0."""
    if _CURSOR.fullmatch(cursor) is None or abs(position := int(cursor or b"0")) >= 1 << 64:
        return INVALID_CURSOR
    count, pattern, wanted = SCAN_COUNT, b"*", b"string"
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
            wanted = argument[0].lower()
        else:
            return SYNTAX
    refused = too_long(len(pattern))
    if refused is not None:
        return refused
    following, found = db.scan(position % (1 << 64), count)
    matches = matcher(pattern)
    shown: list[Reply] = [
        key for key in found if wanted == b"string" and db.find(key) is not None and matches(key)
    ]
    return [b"%d" % following, shown]


@COMMANDS.command("RANDOMKEY", kind=Kind.READ, group="keys")
def randomkey(space: Keyspace) -> Reply:
    """Some key; the same one until a write, time or the place in a pipeline changes the draw."""
    seed = b"%d %d %d" % (space.account.changes, space.shown_ms, space.position)
    return space.current.pick(crc32(seed))


@COMMANDS.command("WATCH", kind=Kind.READ, group="transactions", fast=True)
def watch(db: Database, key: Key, *keys: Key) -> Reply:
    """Let the next EXEC do nothing if one of these keys is changed before it."""
    # The machine answers versions, 0 where absent; the node keeps them for EXEC (PROTOCOL 23).
    entries = [db.find(each) for each in (key, *keys)]
    return [0 if entry is None else entry.version for entry in entries]


@COMMANDS.command("MEMORY|USAGE", kind=Kind.READ, group="server", options="[SAMPLES count]")
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
    entry = db.find(key)
    return None if entry is None else charge(len(key), len(entry.value), entry.deadline)
