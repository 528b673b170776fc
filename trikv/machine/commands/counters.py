"""Counters: numbers kept as text in a string, changed by a difference."""

from collections.abc import Sequence

from trikv.machine.commands.strings import replace
from trikv.machine.database import Database
from trikv.machine.declaration import By, Run, Told
from trikv.machine.errors import NOT_FLOAT, NOT_INTEGER, OVERFLOW
from trikv.machine.grammar import Key
from trikv.machine.numerics import (
    FLOAT_DIGITS_MAX,
    INT64_MAX,
    INT64_MIN,
    add_floats,
    is_infinite,
    parse_float,
    parse_integer,
)
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable

COMMANDS = CommandTable()

_DECREMENT_OVERFLOW = CommandError("ERR decrement would overflow")
_NOT_FINITE = CommandError("ERR increment would produce NaN or Infinity")


def _add(db: Database, key: bytes, difference: int) -> Reply:
    value, deadline = db.string_until(key)
    number = 0 if value is None else parse_integer(value)
    if number is None:
        return NOT_INTEGER
    total = number + difference
    if not INT64_MIN <= total <= INT64_MAX:
        return OVERFLOW
    refused = db.store(key, b"%d" % total, deadline)
    return total if refused is None else refused


def _adding(difference: int) -> Run:
    return lambda call, commands: call.db.add_run(commands, difference)


@COMMANDS.command(
    "INCR",
    by=By.LOG,
    of_run=_adding(1),
    group="string",
    denies_oom=True,
    fast=True,
    told=Told("1.0.0"),
)
def incr(db: Database, key: Key) -> Reply:
    """Add 1 to a number and answer it."""
    return _add(db, key, 1)


@COMMANDS.command(
    "DECR",
    by=By.LOG,
    of_run=_adding(-1),
    group="string",
    denies_oom=True,
    fast=True,
    told=Told("1.0.0"),
)
def decr(db: Database, key: Key) -> Reply:
    """Take 1 from a number and answer it."""
    return _add(db, key, -1)


@COMMANDS.command("INCRBY", by=By.LOG, group="string", denies_oom=True, fast=True, told=Told("1.0.0"))
def incrby(db: Database, key: Key, increment: bytes) -> Reply:
    """Add to a number and answer it."""
    difference = parse_integer(increment)
    return NOT_INTEGER if difference is None else _add(db, key, difference)


@COMMANDS.command("DECRBY", by=By.LOG, group="string", denies_oom=True, fast=True, told=Told("1.0.0"))
def decrby(db: Database, key: Key, decrement: bytes) -> Reply:
    """Take from a number and answer it."""
    difference = parse_integer(decrement)
    if difference is None:
        return NOT_INTEGER
    if difference == INT64_MIN:
        return _DECREMENT_OVERFLOW
    return _add(db, key, -difference)


def _digits(_args: Sequence[bytes]) -> int:
    """The text of a sum may be far longer than what was added (1e4000)."""
    return FLOAT_DIGITS_MAX


@COMMANDS.command(
    "INCRBYFLOAT",
    by=By.LOG,
    group="string",
    denies_oom=True,
    fast=True,
    grows_more=_digits,
    told=Told("2.6.0"),
)
def incrbyfloat(db: Database, key: Key, increment: bytes) -> Reply:
    """Add a decimal fraction to a number and answer it."""
    old = db.string(key)
    texts = (b"0" if old is None else old, increment)
    number, difference = map(parse_float, texts)
    if number is None or difference is None:
        are_read = all(parse_float(text) is not None or is_infinite(text) for text in texts)
        return _NOT_FINITE if are_read else NOT_FLOAT
    total = add_floats(number, difference)
    if total is None:
        return _NOT_FINITE
    return replace(db, key, total) or total
