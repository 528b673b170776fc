"""Expiry: commands that set, remove and show deadlines, all in log time (PROTOCOL 20, 21)."""

from collections.abc import Sequence

from trikv.machine.call import Call
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_INTEGER, invalid_expire, last_text_of
from trikv.machine.grammar import Key
from trikv.machine.numerics import INT64_MAX, INT64_MIN, parse_integer
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable

COMMANDS = CommandTable()

_CONDITIONS = frozenset((b"NX", b"XX", b"GT", b"LT"))
_NX_ALONE = CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
_GT_OR_LT = CommandError("ERR GT and LT options at the same time are not compatible")
_ABSENT = -2
_NO_DEADLINE = -1


def _expire(db: Database, key: bytes, amount: bytes, options: Sequence[bytes], name: str) -> Reply:
    """The four EXPIRE commands: `name` begins with p for milliseconds, and ends in at for absolute times."""
    conditions = _conditions(options)
    if isinstance(conditions, CommandError):
        return conditions
    when = parse_integer(amount)
    if when is None:
        return NOT_INTEGER
    if not name.startswith("p"):
        when *= 1000
    if not INT64_MIN <= when <= INT64_MAX:
        return invalid_expire(name)
    if not name.endswith("at"):
        when += db.account.now
    if when > INT64_MAX:
        return invalid_expire(name)
    entry = db.find(key)
    if entry is None or not _allowed(entry.deadline, when, conditions):
        return 0
    if when <= db.account.now:
        db.drop(key)
        return 1
    return db.expire_at(key, entry, when) or 1


def _conditions(options: Sequence[bytes]) -> frozenset[bytes] | CommandError:
    words = frozenset(option.upper() for option in options)
    for option in options:
        if option.upper() not in _CONDITIONS:
            return CommandError(f"ERR Unsupported option {last_text_of(option)}")
    if b"NX" in words and len(words) > 1:
        return _NX_ALONE
    if {b"GT", b"LT"} <= words:
        return _GT_OR_LT
    return words


def _allowed(current: int, when: int, conditions: frozenset[bytes]) -> bool:
    """Whether Redis' NX, XX, GT and LT allow it; no deadline counts as one infinitely far away."""
    if not conditions:
        return True
    refused = (
        (b"NX" in conditions and current != 0)
        or (b"XX" in conditions and current == 0)
        or (b"GT" in conditions and (current == 0 or when <= current))
        or (b"LT" in conditions and current != 0 and when >= current)
    )
    return not refused


_OPTIONS = "[NX|XX|GT|LT]"


@COMMANDS.command(
    "EXPIRE",
    by=By.LOG,
    group="expiry",
    fast=True,
    options=_OPTIONS,
    grows=True,
    told=Told("1.0.0", "RW update"),
)
def expire(db: Database, key: Key, seconds: bytes, *options: bytes) -> Reply:
    """Let a key expire after so many seconds."""
    return _expire(db, key, seconds, options, "expire")


@COMMANDS.command(
    "PEXPIRE",
    by=By.LOG,
    group="expiry",
    fast=True,
    options=_OPTIONS,
    grows=True,
    told=Told("2.6.0", "RW update"),
)
def pexpire(db: Database, key: Key, milliseconds: bytes, *options: bytes) -> Reply:
    """Let a key expire after so many milliseconds."""
    return _expire(db, key, milliseconds, options, "pexpire")


@COMMANDS.command(
    "EXPIREAT",
    by=By.LOG,
    group="expiry",
    fast=True,
    options=_OPTIONS,
    grows=True,
    told=Told("1.2.0", "RW update"),
)
def expireat(db: Database, key: Key, unix_seconds: bytes, *options: bytes) -> Reply:
    """Let a key expire at a time, in seconds since 1970."""
    return _expire(db, key, unix_seconds, options, "expireat")


@COMMANDS.command(
    "PEXPIREAT",
    by=By.LOG,
    group="expiry",
    fast=True,
    options=_OPTIONS,
    grows=True,
    told=Told("2.6.0", "RW update"),
)
def pexpireat(db: Database, key: Key, unix_milliseconds: bytes, *options: bytes) -> Reply:
    """Let a key expire at a time, in milliseconds since 1970."""
    return _expire(db, key, unix_milliseconds, options, "pexpireat")


@COMMANDS.command("PERSIST", by=By.LOG, group="expiry", fast=True, told=Told("2.2.0", "RW update"))
def persist(db: Database, key: Key) -> Reply:
    """Remove the deadline of a key; 1 if it had one."""
    entry = db.find(key)
    if entry is None or not entry.deadline:
        return 0
    db.put_unchecked(key, entry.value)
    return 1


def _remaining_ms(call: Call, key: bytes) -> int:
    """At least 1 for a live key, even if the leader's clock is past its deadline (PROTOCOL 21)."""
    entry = call.db.look(key)
    if entry is None:
        return _ABSENT
    return max(entry.deadline - call.shown_ms, 1) if entry.deadline else _NO_DEADLINE


@COMMANDS.command(
    "TTL",
    by=By.READ,
    group="expiry",
    fast=True,
    told=Told("1.0.0", "RO access", tips="nondeterministic_output"),
)
def ttl(call: Call, key: Key) -> Reply:
    """Seconds until a key expires; -1: never, -2: no such key."""
    remaining = _remaining_ms(call, key)
    return remaining if remaining < 0 else (remaining + 500) // 1000


@COMMANDS.command(
    "PTTL",
    by=By.READ,
    group="expiry",
    fast=True,
    told=Told("2.6.0", "RO access", tips="nondeterministic_output"),
)
def pttl(call: Call, key: Key) -> Reply:
    """Milliseconds until a key expires; -1: never, -2: no such key."""
    return _remaining_ms(call, key)


def _deadline_ms(db: Database, key: bytes) -> int:
    entry = db.look(key)
    if entry is None:
        return _ABSENT
    return entry.deadline or _NO_DEADLINE


@COMMANDS.command("EXPIRETIME", by=By.READ, group="expiry", fast=True, told=Told("7.0.0"))
def expiretime(db: Database, key: Key) -> Reply:
    """When a key expires, in seconds since 1970; -1: never, -2: no such key."""
    deadline = _deadline_ms(db, key)
    return deadline if deadline < 0 else (deadline + 500) // 1000


@COMMANDS.command("PEXPIRETIME", by=By.READ, group="expiry", fast=True, told=Told("7.0.0"))
def pexpiretime(db: Database, key: Key) -> Reply:
    """When a key expires, in milliseconds since 1970; -1: never, -2: no such key."""
    return _deadline_ms(db, key)


@COMMANDS.command(
    "TIME",
    by=By.READ,
    group="server",
    fast=True,
    told=Told("2.6.0", flags="loading stale fast", tips="nondeterministic_output"),
)
def time(call: Call) -> Reply:
    """The log's time: seconds since 1970, and microseconds."""
    return [b"%d" % (call.shown_ms // 1000), b"%d" % (call.shown_ms % 1000 * 1000)]
