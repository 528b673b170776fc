"""Strings: SET and GET in all their forms, and commands that read or change a part of a value."""

from collections.abc import Sequence

from trikv.machine.call import Call
from trikv.machine.commands.deadlines import Deadline, parse_deadline
from trikv.machine.database import Database
from trikv.machine.declaration import By, Cost, Told
from trikv.machine.errors import (
    NOT_INTEGER,
    OFFSET_RANGE,
    STRING_TOO_LONG,
    SYNTAX,
    WrongTypeError,
    wrong_arity,
)
from trikv.machine.grammar import Key
from trikv.machine.keyspec import Args, Found
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.table import CommandTable

COMMANDS = CommandTable()

_COPIES = Cost(copies_value=True)
"""A few bytes change a value of megabytes, and every replica copies it whole."""
_COPIED = "O(N), N being the length of the value, which is copied"
_ANSWERED = "O(N), N being the length of what is answered"
_EACH_KEY = "O(N), N being the number of keys named"
_UNITS = frozenset((b"EX", b"PX", b"EXAT", b"PXAT"))
_SET_OPTIONS = "[NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|KEEPTTL]"
_GETEX_OPTIONS = "[EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|PERSIST]"


def read_value(db: Database, key: bytes) -> bytes | None:
    """`Database.string` for commands that answer it: counted as a hit or a miss."""
    value, lookups = db.string(key), db.account.lookups
    if value is None:
        lookups.misses += 1
    else:
        lookups.hits += 1
    return value


def replace(db: Database, key: bytes, value: bytes) -> CommandError | None:
    """Store a new value under the deadline that a live `key` has."""
    entry = db.find(key)
    return db.store(key, value, entry.deadline if entry is not None else 0)


def _written_key(args: Args) -> Sequence[Found]:
    """The key of a SET, which is also read if the option GET asks for the old value."""
    reads = any(option.upper() == b"GET" for option in args[3:])
    return ((1, "RW access update" if reads else "OW update"),)


def _set_run(call: Call, commands: Sequence[Sequence[bytes]]) -> list[Reply]:
    return [OK] * call.db.set_run(commands)


@COMMANDS.command(
    "SET",
    by=By.LOG,
    group="string",
    denies_oom=True,
    options=_SET_OPTIONS,
    of_run=_set_run,
    finder=_written_key,
    told=Told("1.0.0", "RW access update variable_flags"),
)
def set_(db: Database, key: Key, value: bytes, *options: bytes) -> Reply:
    """Set a key to a value; without KEEPTTL an old deadline goes."""
    if not options:
        return db.store(key, value) or OK
    words, deadline = _parse_options(options, frozenset((b"NX", b"XX", b"GET", b"KEEPTTL")))
    if words is None or {b"NX", b"XX"} <= words or (b"KEEPTTL" in words and deadline is not None):
        return SYNTAX
    when = 0
    if deadline is not None:
        parsed = parse_deadline(deadline, db.account.now, "set")
        if isinstance(parsed, CommandError):
            return parsed
        when = parsed
    old = read_value(db, key) if b"GET" in words else None
    entry = db.find(key)
    if (b"NX" in words and entry is not None) or (b"XX" in words and entry is None):
        return old
    if b"KEEPTTL" in words and entry is not None:
        when = entry.deadline
    refused = _store_until(db, key, value, when)
    if refused is not None:
        return refused
    return old if b"GET" in words else OK


def _store_until(db: Database, key: bytes, value: bytes, when: int) -> CommandError | None:
    """`db.store`, except that a deadline that has already passed leaves the key absent."""
    if when and when <= db.account.now:
        refused = db.refusal(key, len(value))
        if refused is None:
            db.drop(key)
        return refused
    return db.store(key, value, when)


def _parse_options(
    options: Sequence[bytes], allowed: frozenset[bytes]
) -> tuple[frozenset[bytes] | None, Deadline | None]:
    """The plain words among `options`, and their deadline; None in place of the words: a syntax error."""
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


@COMMANDS.command(
    "SETNX",
    by=By.LOG,
    group="string",
    denies_oom=True,
    fast=True,
    told=Told("1.0.0", "OW insert", deprecated="2.6.12", instead="`SET` with the `NX` argument"),
)
def setnx(db: Database, key: Key, value: bytes) -> Reply:
    """Set a key only if it is absent; 1 if it was."""
    if db.find(key) is not None:
        return 0
    return db.store(key, value) or 1


@COMMANDS.command(
    "SETEX",
    by=By.LOG,
    group="string",
    denies_oom=True,
    told=Told("2.0.0", "OW update", deprecated="2.6.12", instead="`SET` with the `EX` argument"),
)
def setex(db: Database, key: Key, seconds: bytes, value: bytes) -> Reply:
    """Set a key that expires after so many seconds."""
    return _set_for(db, key, value, Deadline(b"EX", seconds), "setex")


@COMMANDS.command(
    "PSETEX",
    by=By.LOG,
    group="string",
    denies_oom=True,
    told=Told("2.6.0", "OW update", deprecated="2.6.12", instead="`SET` with the `PX` argument"),
)
def psetex(db: Database, key: Key, milliseconds: bytes, value: bytes) -> Reply:
    """Set a key that expires after so many milliseconds."""
    return _set_for(db, key, value, Deadline(b"PX", milliseconds), "psetex")


def _set_for(db: Database, key: bytes, value: bytes, deadline: Deadline, name: str) -> Reply:
    when = parse_deadline(deadline, db.account.now, name)
    if isinstance(when, CommandError):
        return when
    return db.store(key, value, when) or OK


@COMMANDS.command(
    "GETSET",
    by=By.LOG,
    group="string",
    denies_oom=True,
    fast=True,
    told=Told("1.0.0", deprecated="6.2.0", instead="`SET` with the `!GET` argument"),
)
def getset(db: Database, key: Key, value: bytes) -> Reply:
    """Set a key and answer the value it had."""
    old = read_value(db, key)
    refused = db.store(key, value)
    return old if refused is None else refused


@COMMANDS.command("GET", by=By.READ, group="string", fast=True, of_key=Database.string, told=Told("1.0.0"))
def get(db: Database, key: Key) -> Reply:
    """The value of a key."""
    # `read_value`, without a call more: nothing is called as often.
    value, lookups = db.string(key), db.account.lookups
    if value is None:
        lookups.misses += 1
    else:
        lookups.hits += 1
    return value


@COMMANDS.command("GETDEL", by=By.LOG, group="string", fast=True, told=Told("6.2.0", "RW access delete"))
def getdel(db: Database, key: Key) -> Reply:
    """Answer the value of a key and delete it."""
    value = read_value(db, key)
    if value is not None:
        db.drop(key)
    return value


@COMMANDS.command(
    "GETEX", by=By.LOG, group="string", fast=True, options=_GETEX_OPTIONS, grows=True, told=Told("6.2.0")
)
def getex(db: Database, key: Key, *options: bytes) -> Reply:
    """Answer the value of a key and set or remove its deadline."""
    words, deadline = _parse_options(options, frozenset((b"PERSIST",)))
    if words is None or (words and deadline is not None):
        return SYNTAX
    value = read_value(db, key)
    entry = db.find(key)
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
    return value


@COMMANDS.command(
    "MGET",
    by=By.READ,
    group="string",
    fast=True,
    complexity=_EACH_KEY,
    told=Told("1.0.0", tips="request_policy:multi_shard"),
)
def mget(db: Database, key: Key, *keys: Key) -> Reply:
    """The values of several keys; none for one that is no string."""
    return [_read_string(db, each) for each in (key, *keys)]


def _read_string(db: Database, key: bytes) -> bytes | None:
    """`read_value`; None if the key holds another type."""
    try:
        return read_value(db, key)
    except WrongTypeError:
        db.account.lookups.hits += 1  # as Redis counts it
        return None


@COMMANDS.command(
    "MSET",
    by=By.LOG,
    group="string",
    denies_oom=True,
    options="[key value ...]",
    step=2,
    complexity=_EACH_KEY,
    told=Told("1.0.1", "OW update", tips="request_policy:multi_shard response_policy:all_succeeded"),
)
def mset(db: Database, key: Key, value: bytes, *more: Key) -> Reply:
    """Set several keys at once."""
    if len(more) % 2:
        return wrong_arity("mset")
    return _set_all(db, (key, value, *more)) or OK


@COMMANDS.command(
    "MSETNX",
    by=By.LOG,
    group="string",
    denies_oom=True,
    options="[key value ...]",
    step=2,
    complexity=_EACH_KEY,
    told=Told("1.0.1", "OW insert"),
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
    """Store all pairs; or none, if one cannot be stored or there is no room for all together."""
    pairs = dict(zip(flat[::2], flat[1::2], strict=True))
    account = db.account
    if sum(map(len, flat)) > KEY_BYTES_MAX:  # or none of them is too long
        for key, value in pairs.items():
            refused = db.refusal(key, len(value))
            if refused is not None:
                return refused
    if account.refusal(account.charges.growth_bound(flat, len(pairs))) is None:
        # There is room for more than that: they may go the quick way of SETs, which can stop anywhere.
        sets = tuple([(b"SET", key, value) for key, value in pairs.items()])
        left = sets[db.set_run(sets) :]
    else:
        refused = account.refusal(sum(db.growth(key, len(value), 0) for key, value in pairs.items()))
        if refused is not None:
            return refused
        left = tuple([(b"SET", key, value) for key, value in pairs.items()])
    for _, key, value in left:
        db.put_unchecked(key, value)
    return None


@COMMANDS.command(
    "APPEND",
    by=By.LOG,
    group="string",
    denies_oom=True,
    fast=True,
    cost=_COPIES,
    complexity=_COPIED,
    told=Told("2.0.0", "RW insert"),
)
def append(db: Database, key: Key, value: bytes) -> Reply:
    """Append to the value of a key and answer its new length."""
    old = db.string(key)
    value = value if old is None else old + value
    db.account.copied_bytes += len(value)
    return replace(db, key, value) or len(value)


@COMMANDS.command("STRLEN", by=By.READ, group="string", fast=True, told=Told("2.2.0", "RO"))
def strlen(db: Database, key: Key) -> Reply:
    """The length of a value in bytes."""
    return len(read_value(db, key) or b"")


def _range(start: int, end: int, size: int) -> tuple[int, int]:
    """Where GETRANGE begins, and behind which byte it ends, in a value of `size` bytes."""
    if start < 0 and end < 0 and start > end:
        return 0, 0
    first = start if start >= 0 else max(start + size, 0)
    last = end if end >= 0 else max(end + size, 0)
    return first, min(last + 1, size)


def _range_bytes(args: Sequence[bytes], size: int) -> int:
    """What GETRANGE copies at most of a value of up to `size` bytes: of a shorter one it may be more."""
    start, end = parse_integer(args[2]) or 0, parse_integer(args[3]) or 0
    if start >= 0:
        copied = (end if end >= 0 else end + size) - start + 1
    else:
        copied = end - start + 1 if end < 0 else min(-start, end + 1)
    return max(min(copied, size), 0)


_COPIES_RANGE = Cost(copied_bytes=_range_bytes)


@COMMANDS.command(
    "SUBSTR",
    by=By.READ,
    group="string",
    cost=_COPIES_RANGE,
    complexity=_ANSWERED,
    told=Told("1.0.0", deprecated="2.0.0", instead="`GETRANGE`"),
)
@COMMANDS.command(
    "GETRANGE", by=By.READ, group="string", cost=_COPIES_RANGE, complexity=_ANSWERED, told=Told("2.4.0")
)
def getrange(db: Database, key: Key, start: bytes, end: bytes) -> Reply:
    """The bytes of a value from start to end, both included; negative counts from the end."""
    first, last = parse_integer(start), parse_integer(end)
    if first is None or last is None:
        return NOT_INTEGER
    value = read_value(db, key) or b""
    first, behind = _range(first, last, len(value))
    answer = value[first:behind]
    db.account.copied_bytes += len(answer)
    return answer


def _offset_bytes(args: Sequence[bytes]) -> int:
    """SETRANGE may fill up to its offset with zeros."""
    return min(max(parse_integer(args[2]) or 0, 0), VALUE_BYTES_MAX)


@COMMANDS.command(
    "SETRANGE",
    by=By.LOG,
    group="string",
    denies_oom=True,
    grows_more=_offset_bytes,
    cost=_COPIES,
    complexity=_COPIED,
    told=Told("2.2.0", "RW update"),
)
def setrange(db: Database, key: Key, offset: bytes, value: bytes) -> Reply:
    """Overwrite a part of a value, filling it up with zero bytes, and answer its new length."""
    start = parse_integer(offset)
    if start is None:
        return NOT_INTEGER
    if start < 0:
        return OFFSET_RANGE
    old = db.string(key) or b""
    if not value:
        return len(old)
    if start + len(value) > VALUE_BYTES_MAX:
        return STRING_TOO_LONG
    # Joined in one go, because each copy of a value of megabytes takes milliseconds, at every replica.
    parts = memoryview(old)
    before, after = parts[:start], parts[start + len(value) :]
    changed = b"".join((before, bytes(start - len(before)), value, after))
    db.account.copied_bytes += len(changed)
    return replace(db, key, changed) or len(changed)
