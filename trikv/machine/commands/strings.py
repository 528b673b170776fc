"""Strings: SET and GET in all their forms, and what looks at or changes a part of a value."""

from collections.abc import Sequence

from trikv.machine.commands.deadlines import Deadline, parse_deadline
from trikv.machine.database import Database
from trikv.machine.errors import NOT_INTEGER, OFFSET_RANGE, OOM, STRING_TOO_LONG, SYNTAX, wrong_arity
from trikv.machine.memory import VALUE_BYTES_MAX
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.table import CommandTable, Key, Kind

COMMANDS = CommandTable()

_UNITS = frozenset((b"EX", b"PX", b"EXAT", b"PXAT"))
_SET_OPTIONS = "[NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|KEEPTTL]"
_GETEX_OPTIONS = "[EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|PERSIST]"


def value_of(db: Database, key: bytes) -> bytes | None:
    """The live value, None where the key is absent."""
    entry = db.find(key)
    return None if entry is None else entry.value


def read_value(db: Database, key: bytes) -> bytes | None:
    """`value_of` for commands that answer it: they count as having looked for it."""
    entry = db.look(key)
    return None if entry is None else entry.value


def replace(db: Database, key: bytes, value: bytes) -> CommandError | None:
    """Store a new value under the deadline that a live `key` has."""
    entry = db.find(key)
    return db.store(key, value, entry.deadline if entry is not None else 0)


@COMMANDS.command(
    "SET",
    kind=Kind.WRITE,
    group="string",
    denies_oom=True,
    options=_SET_OPTIONS,
    of_two=Database.store_plain,
    of_run=Database.set_run,
)
def set_(db: Database, key: Key, value: bytes, *options: bytes) -> Reply:
    """Set a key to a value; without KEEPTTL an old deadline goes."""
    words, deadline = _parse_options(options, frozenset((b"NX", b"XX", b"GET", b"KEEPTTL")))
    if words is None or {b"NX", b"XX"} <= words or (b"KEEPTTL" in words and deadline is not None):
        return SYNTAX
    when = 0
    if deadline is not None:
        parsed = parse_deadline(deadline, db.account.now, "set")
        if isinstance(parsed, CommandError):
            return parsed
        when = parsed
    entry = db.look(key) if b"GET" in words else db.find(key)
    old = None if entry is None else entry.value
    if (b"NX" in words and entry is not None) or (b"XX" in words and entry is None):
        return old if b"GET" in words else None
    if b"KEEPTTL" in words and entry is not None:
        when = entry.deadline
    refused = _store_until(db, key, value, when)
    if refused is not None:
        return refused
    return old if b"GET" in words else OK


def _store_until(db: Database, key: bytes, value: bytes, when: int) -> CommandError | None:
    """`db.store`, where a deadline that has passed already leaves the key absent."""
    if when and when <= db.account.now:
        refused = db.refusal(key, len(value))
        if refused is None:
            db.drop(key)
        return refused
    return db.store(key, value, when)


def _parse_options(
    options: Sequence[bytes], allowed: frozenset[bytes]
) -> tuple[frozenset[bytes] | None, Deadline | None]:
    """The plain words among `options`, and the deadline they give; no words at all: a syntax error."""
    words: set[bytes] = set()
    deadline: Deadline | None = None
    remaining = iter(options)
    for option in remaining:
        word = option.upper()
        if word in allowed:
            words.add(word)
        elif word in _UNITS and (deadline is None or deadline.unit == word):
            amount = next(remaining, None)
            if amount is None:
                return None, None
            deadline = Deadline(word, amount)
        else:
            return None, None
    return frozenset(words), deadline


@COMMANDS.command("SETNX", kind=Kind.WRITE, group="string", denies_oom=True, fast=True)
def setnx(db: Database, key: Key, value: bytes) -> Reply:
    """Set a key only if it is absent; 1 if it was."""
    if db.find(key) is not None:
        return 0
    return db.store(key, value) or 1


@COMMANDS.command("SETEX", kind=Kind.WRITE, group="string", denies_oom=True)
def setex(db: Database, key: Key, seconds: bytes, value: bytes) -> Reply:
    """Set a key that expires after so many seconds."""
    return _set_for(db, key, value, Deadline(b"EX", seconds), "setex")


@COMMANDS.command("PSETEX", kind=Kind.WRITE, group="string", denies_oom=True)
def psetex(db: Database, key: Key, milliseconds: bytes, value: bytes) -> Reply:
    """Set a key that expires after so many milliseconds."""
    return _set_for(db, key, value, Deadline(b"PX", milliseconds), "psetex")


def _set_for(db: Database, key: bytes, value: bytes, deadline: Deadline, name: str) -> Reply:
    when = parse_deadline(deadline, db.account.now, name)
    if isinstance(when, CommandError):
        return when
    return db.store(key, value, when) or OK


@COMMANDS.command("GETSET", kind=Kind.WRITE, group="string", denies_oom=True, fast=True)
def getset(db: Database, key: Key, value: bytes) -> Reply:
    """Set a key and answer the value it had."""
    old = read_value(db, key)
    refused = db.store(key, value)
    return old if refused is None else refused


@COMMANDS.command("GET", kind=Kind.READ, group="string", fast=True, of_key=value_of)
def get(db: Database, key: Key) -> Reply:
    """The value of a key."""
    entry = db.look(key)
    return None if entry is None else entry.value


@COMMANDS.command("GETDEL", kind=Kind.WRITE, group="string", fast=True)
def getdel(db: Database, key: Key) -> Reply:
    """Answer the value of a key and delete it."""
    value = read_value(db, key)
    if value is not None:
        db.drop(key)
    return value


@COMMANDS.command("GETEX", kind=Kind.WRITE, group="string", fast=True, options=_GETEX_OPTIONS, grows=True)
def getex(db: Database, key: Key, *options: bytes) -> Reply:
    """Answer the value of a key and set or remove its deadline."""
    words, deadline = _parse_options(options, frozenset((b"PERSIST",)))
    if words is None or (words and deadline is not None):
        return SYNTAX
    entry = db.look(key)
    if entry is None:
        return None
    if deadline is not None:
        when = parse_deadline(deadline, db.account.now, "getex")
        if isinstance(when, CommandError):
            return when
        if when <= db.account.now:
            db.drop(key)
        else:
            refused = db.expire_at(key, entry, when)
            if refused is not None:
                return refused
    elif words and entry.deadline:
        db.put_unchecked(key, entry.value)
    return entry.value


@COMMANDS.command("MGET", kind=Kind.READ, group="string", fast=True)
def mget(db: Database, key: Key, *keys: Key) -> Reply:
    """The values of several keys."""
    return [read_value(db, each) for each in (key, *keys)]


@COMMANDS.command("MSET", kind=Kind.WRITE, group="string", denies_oom=True, options="[key value ...]", step=2)
def mset(db: Database, key: Key, value: bytes, *more: Key) -> Reply:
    """Set several keys at once."""
    if len(more) % 2:
        return wrong_arity("mset")
    return _set_all(db, (key, value, *more)) or OK


@COMMANDS.command(
    "MSETNX", kind=Kind.WRITE, group="string", denies_oom=True, options="[key value ...]", step=2
)
def msetnx(db: Database, key: Key, value: bytes, *more: Key) -> Reply:
    """Set several keys at once, or none where one is there already; 1 if they were set."""
    if len(more) % 2:
        return wrong_arity("msetnx")
    pairs = (key, value, *more)
    if any(db.find(each) is not None for each in pairs[::2]):
        return 0
    return _set_all(db, pairs) or 1


def _set_all(db: Database, flat: Sequence[bytes]) -> CommandError | None:
    """Store all pairs or, if one cannot be stored or all together have no room, none."""
    pairs = dict(zip(flat[::2], flat[1::2], strict=True))
    for key, value in pairs.items():
        refused = db.refusal(key, len(value))
        if refused is not None:
            return refused
    if not db.account.has_room(sum(db.growth(key, len(value), 0) for key, value in pairs.items())):
        return OOM
    for key, value in pairs.items():
        db.put_unchecked(key, value)
    return None


@COMMANDS.command("APPEND", kind=Kind.WRITE, group="string", denies_oom=True, fast=True)
def append(db: Database, key: Key, value: bytes) -> Reply:
    """Append to the value of a key and answer its new length."""
    old = value_of(db, key)
    value = value if old is None else old + value
    return replace(db, key, value) or len(value)


@COMMANDS.command("STRLEN", kind=Kind.READ, group="string", fast=True)
def strlen(db: Database, key: Key) -> Reply:
    """The length of a value in bytes."""
    return len(read_value(db, key) or b"")


@COMMANDS.command("SUBSTR", kind=Kind.READ, group="string")
@COMMANDS.command("GETRANGE", kind=Kind.READ, group="string")
def getrange(db: Database, key: Key, start: bytes, end: bytes) -> Reply:
    """The bytes of a value from start to end, both included; negative counts from the end."""
    first, last = parse_integer(start), parse_integer(end)
    if first is None or last is None:
        return NOT_INTEGER
    value = read_value(db, key) or b""
    if first < 0 and last < 0 and first > last:
        return b""
    if first < 0:
        first = max(first + len(value), 0)
    if last < 0:
        last = max(last + len(value), 0)
    return value[first : last + 1]


def _offset_bytes(args: Sequence[bytes]) -> int:
    """SETRANGE may fill up to its offset with zeros."""
    return min(max(parse_integer(args[2]) or 0, 0), VALUE_BYTES_MAX)


@COMMANDS.command("SETRANGE", kind=Kind.WRITE, group="string", denies_oom=True, grows_more=_offset_bytes)
def setrange(db: Database, key: Key, offset: bytes, value: bytes) -> Reply:
    """Overwrite a part of a value, filling it up with zero bytes, and answer its new length."""
    start = parse_integer(offset)
    if start is None:
        return NOT_INTEGER
    if start < 0:
        return OFFSET_RANGE
    old = value_of(db, key) or b""
    if not value:
        return len(old)
    if start + len(value) > VALUE_BYTES_MAX:
        return STRING_TOO_LONG
    # Joined in one go: of a value of megabytes each copy takes milliseconds, at every replica.
    parts = memoryview(old)
    before, after = parts[:start], parts[start + len(value) :]
    changed = b"".join((before, bytes(start - len(before)), value, after))
    return replace(db, key, changed) or len(changed)
