"""Lists: elements that are found, put and taken out at any place."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from trikv.machine.call import Steps
from trikv.machine.commands.elements import (
    NOT_SYMMETRIC,
    looked,
    refusal,
    short,
)
from trikv.machine.commands.lists import UNPACKED_BYTES, more_bytes
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NO_SUCH_KEY, NOT_INTEGER, SYNTAX
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import INT64_MAX, INT64_MIN, parse_integer
from trikv.machine.replies import OK, CommandError, Form, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.list import List

COMMANDS = CommandTable(COLLECTIONS)

_BETWEEN: Final = "O(N), N being the number of elements that it looks at"
_INDEX_RANGE: Final = CommandError("ERR index out of range")
_ZERO_RANK: Final = CommandError(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list"
)
_NEGATIVE_COUNT: Final = CommandError("ERR COUNT can't be negative")
_NEGATIVE_MAXLEN: Final = CommandError("ERR MAXLEN can't be negative")
_PARTS_A_STEP: Final = 64
"""Parts that one step looks through for an element."""


@COMMANDS.command("LLEN", by=By.READ, group="list", fast=True, told=Told("1.0.0", "RO"))
def llen(db: Database, key: Key) -> Reply:
    """The length of a list."""
    list_ = looked(db, key, List)
    return 0 if list_ is None else list_.count


@COMMANDS.command(
    "LINDEX",
    by=By.READ,
    group="list",
    complexity="O(log N), N being the length of the list",
    told=Told("1.0.0"),
)
def lindex(db: Database, key: Key, index: bytes) -> Reply:
    """The element at a place, from 0; negative places count from the end."""
    list_ = looked(db, key, List)
    place = parse_integer(index)
    if list_ is None:
        return None
    if place is None:
        return NOT_INTEGER
    place += list_.count if place < 0 else 0
    return list_.at(place) if 0 <= place < list_.count else None


@COMMANDS.command(
    "LSET",
    by=By.LOG,
    group="list",
    denies_oom=True,
    grows_more=more_bytes,
    grows_once=UNPACKED_BYTES,
    complexity="O(log N), N being the length of the list",
    told=Told("1.0.0", "RW update"),
)
def lset(db: Database, key: Key, index: bytes, element: bytes) -> Reply:
    """Put another element at a place."""
    list_ = db.value(key, List)
    if list_ is None:
        return NO_SUCH_KEY
    place = parse_integer(index)
    if place is None:
        return NOT_INTEGER
    place += list_.count if place < 0 else 0
    if not 0 <= place < list_.count:
        return _INDEX_RANGE
    refused = refusal(db, key, list_, (element,))
    if refused is not None:
        return refused
    list_ = db.changing(key, list_)
    list_.replace(place, element)
    return db.changed(key, list_) or OK


def _bounds(start: int, stop: int, count: int) -> tuple[int, int]:
    """The places that a range covers, from the first to behind the last."""
    first = max(start + count, 0) if start < 0 else start
    last = min(stop + count if stop < 0 else stop, count - 1) + 1
    return (first, last) if first < last else (0, 0)


@COMMANDS.command(
    "LRANGE",
    by=By.READ,
    group="list",
    complexity="O(log N + M), N being the length of the list and M that of the answer",
    told=Told("1.0.0"),
)
def lrange(db: Database, key: Key, start: bytes, stop: bytes) -> Reply | LongRead:
    """The elements from one place to another, both included; negative places count from the end."""
    first, last = parse_integer(start), parse_integer(stop)
    if first is None or last is None:
        return NOT_INTEGER
    list_ = looked(db, key, List)
    if list_ is None:
        return []
    bounds = _bounds(first, last, list_.count)
    count = bounds[1] - bounds[0]
    return LongRead.of_values(db, {key: list_}, partial(list_.span, *bounds), size=count, count=count)


@COMMANDS.command(
    "LTRIM",
    by=By.LOG,
    group="list",
    complexity="O(N), N being the number of parts",
    told=Told("1.0.0", "RW delete"),
)
def ltrim(db: Database, key: Key, start: bytes, stop: bytes) -> Reply:
    """Keep only the elements from one place to another."""
    first, last = parse_integer(start), parse_integer(stop)
    if first is None or last is None:
        return NOT_INTEGER
    list_ = db.value(key, List)
    if list_ is None:
        return OK
    bounds = _bounds(first, last, list_.count)
    if bounds[0] == bounds[1]:
        db.drop(key)
    elif bounds != (0, list_.count):
        list_ = db.changing(key, list_)
        db.account.discarded.add_parts(list_.keep(*bounds))
        db.changed(key, list_)
    return OK


@COMMANDS.command(
    "LINSERT",
    by=By.LOG,
    group="list",
    denies_oom=True,
    grows_more=more_bytes,
    grows_once=UNPACKED_BYTES,
    choices={"where": "<BEFORE|AFTER>"},
    complexity=_BETWEEN,
    told=Told("2.2.0", "RW insert"),
)
def linsert(db: Database, key: Key, where: bytes, pivot: bytes, element: bytes) -> Reply | Steps[Reply]:
    """Put an element before or behind the first that equals another; the length then, -1 if there is none."""
    side = where.upper()
    if side not in (b"BEFORE", b"AFTER"):
        return SYNTAX
    list_ = db.value(key, List)
    if list_ is None:
        return 0
    refused = refusal(db, key, list_, (element,))
    if refused is not None:
        return refused
    return short(_insert(db, key, list_, pivot, element, side), list_.count)


def _insert(db: Database, key: bytes, list_: List, pivot: bytes, element: bytes, side: bytes) -> Steps[Reply]:
    at = -1
    for looked_at, indexes in enumerate(list_.found(pivot, backwards=False, most=list_.count), 1):
        if indexes:
            at = indexes[0]
            break
        if not looked_at % _PARTS_A_STEP:
            yield
    if at < 0:
        return -1
    list_ = db.changing(key, list_)
    if side == b"BEFORE":
        list_.insert(at, element)
    elif at + 1 < list_.count:
        list_.insert(at + 1, element)
    else:
        list_.push_right((element,))
    return db.changed(key, list_) or list_.count


@COMMANDS.command("LREM", by=By.LOG, group="list", complexity=_BETWEEN, told=Told("1.0.0", "RW delete"))
def lrem(db: Database, key: Key, count: bytes, element: bytes) -> Reply | Steps[Reply]:
    """Remove the first elements that equal this one, with a negative count the last, with 0 all; how many."""
    wanted = parse_integer(count)
    if wanted is None:
        return NOT_INTEGER
    list_ = db.value(key, List)
    return 0 if list_ is None else short(_remove(db, key, list_, wanted, element), list_.count)


def _remove(db: Database, key: bytes, list_: List, wanted: int, element: bytes) -> Steps[Reply]:
    for looked_at, indexes in enumerate(list_.found(element, backwards=wanted < 0, most=list_.count), 1):
        if indexes:
            break
        if not looked_at % _PARTS_A_STEP:
            yield
    else:
        return 0  # nothing is changed, and no cut's part is copied
    list_ = db.changing(key, list_)
    gone = 0
    for looked_at, some in enumerate(list_.remove_each(element, wanted), 1):
        gone += some
        if not looked_at % _PARTS_A_STEP:
            yield
    db.changed(key, list_)
    return gone


@COMMANDS.command(
    "LPOS",
    by=By.READ,
    group="list",
    options="[RANK rank] [COUNT num-matches] [MAXLEN len]",
    complexity=_BETWEEN,
    told=Told("6.0.6"),
)
def lpos(db: Database, key: Key, element: bytes, *options: bytes) -> Reply | LongRead:
    """The place of the first element that equals this one, or the places of several."""
    rank, count, most = 1, -1, 0
    for at in range(0, len(options), 2):
        word, number = options[at].upper(), parse_integer(options[at + 1]) if at + 1 < len(options) else None
        if at + 1 == len(options) or word not in (b"RANK", b"COUNT", b"MAXLEN"):
            return SYNTAX
        if word == b"RANK":
            if number is None:
                return NOT_INTEGER
            if number == INT64_MIN:
                return NOT_SYMMETRIC
            if not number:
                return _ZERO_RANK
            rank = number
        elif word == b"COUNT":
            if number is None or number < 0:
                return _NEGATIVE_COUNT
            count = number
        else:
            if number is None or number < 0:
                return _NEGATIVE_MAXLEN
            most = number
    list_ = looked(db, key, List)
    if list_ is None:
        return None if count < 0 else []
    rows = partial(_places, list_, element, rank, 1 if count < 0 else count or INT64_MAX, most or list_.count)
    form = Form.FIRST if count < 0 else Form.ARRAY
    return LongRead.of_values(db, {key: list_}, rows, size=min(most or list_.count, list_.count), form=form)


def _places(list_: List, element: bytes, rank: int, count: int, most: int) -> Iterator[list[int]]:
    """Up to `count` places, from match number `rank` on, among the first `most` elements looked at."""
    skip = abs(rank) - 1
    for indexes in list_.found(element, backwards=rank < 0, most=most):
        seen = [at for at in indexes if (at if rank > 0 else list_.count - 1 - at) < most]
        rows = seen[skip : skip + count]
        skip = max(skip - len(seen), 0)
        count -= len(rows)
        yield rows
        if not count:
            return
