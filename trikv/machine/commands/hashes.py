"""Hashes: fields with values under one key."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from trikv.machine.call import Call
from trikv.machine.commands.element_runs import SET_FIELDS
from trikv.machine.commands.elements import (
    CURSOR_OPTIONS,
    STEP_ELEMENTS,
    Element,
    drawn,
    in_steps,
    looked,
    looked_at,
    names_of,
    page_of,
    parse_count,
    refusal,
)
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.draws import Draws
from trikv.machine.errors import NOT_INTEGER, OVERFLOW, wrong_arity
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.long_reads import LongRead, Rows
from trikv.machine.numerics import (
    INT64_MAX,
    INT64_MIN,
    add_floats,
    is_infinite,
    parse_double,
    parse_float,
    parse_integer,
)
from trikv.machine.replies import OK, CommandError, Form, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.hash import Behind, Hash, Timed, alive

COMMANDS = CommandTable(COLLECTIONS)
COMMANDS.add_value(Hash)

_EACH_FIELD: Final = "O(N), N being the number of fields named"
_ALL_FIELDS: Final = "O(N), N being the number of fields of the hash"
_TRIES: Final = 128
"""So many fields are drawn one by one until one is found that is not due."""
_PROBED_PARTS: Final = 64
"""After that so many parts are searched, which takes half a millisecond."""
_NOT_INTEGER: Final = CommandError("ERR hash value is not an integer")
_NOT_FLOAT: Final = CommandError("ERR hash value is not a float")
_NO_FLOAT: Final = CommandError("ERR value is not a valid float")
_INFINITE: Final = CommandError("ERR value is NaN or Infinity")
_NOT_FINITE: Final = CommandError("ERR increment would produce NaN or Infinity")


def put_fields(
    db: Database, key: bytes, pairs: Mapping[bytes, bytes], deadlines: Mapping[bytes, int] | None = None
) -> int | CommandError:
    """Give fields their values, and those in `deadlines` that deadline, the others none.

    Returns how many are new, or why none was set.
    """
    hash_ = db.value(key, Hash) or db.created(Hash)
    refused = refusal(db, key, hash_, pairs.keys(), pairs.values())
    if deadlines and refused is None and not hash_.is_small:
        size = sum(map(len, pairs)) + sum(map(len, pairs.values()))
        growth = hash_.growth(len(pairs), size) + hash_.growth_by_deadlines(len(deadlines))
        refused = db.account.refusal(growth)
    if refused is not None:
        return refused
    hash_ = db.changing(key, hash_)
    if hash_.deadlines is not None:
        db.note_expired(hash_.reap_among(pairs, db.account.now))
    behind: Mapping[bytes, Behind] = pairs
    if deadlines:
        behind = {f: Timed(value, deadlines[f]) if f in deadlines else value for f, value in pairs.items()}
    added = sum(hash_.put_each([*behind], [*behind.values()]))
    refused = db.changed(key, hash_)
    return added if refused is None else refused


def _replace(db: Database, key: bytes, field: bytes, value: bytes) -> CommandError | None:
    """Give a field another value; a deadline that it has stays."""
    hash_ = db.value(key, Hash)
    behind = None if hash_ is None else hash_.behind(field, db.account.now)
    deadlines = {field: behind.deadline} if isinstance(behind, Timed) else None
    put = put_fields(db, key, {field: value}, deadlines)
    return None if isinstance(put, int) else put


def _more_bytes(args: Sequence[bytes]) -> int:
    return Hash.growth_bound(len(args))


@COMMANDS.command(
    "HSET",
    by=By.LOG,
    of_run=SET_FIELDS,
    group="hash",
    denies_oom=True,
    fast=True,
    options="[field value ...]",
    grows_more=_more_bytes,
    grows_once=Hash.unpacked_bytes(),
    complexity=_EACH_FIELD,
    told=Told("2.0.0", "RW update"),
)
def hset(db: Database, key: Key, field: bytes, value: bytes, *more: bytes) -> Reply:
    """Set fields of a hash and answer how many are new."""
    if len(more) % 2:
        return wrong_arity("hset")
    pairs = {field: value}
    pairs.update(zip(more[::2], more[1::2], strict=True))
    return put_fields(db, key, pairs)


@COMMANDS.command(
    "HMSET",
    by=By.LOG,
    group="hash",
    denies_oom=True,
    fast=True,
    options="[field value ...]",
    grows_more=_more_bytes,
    grows_once=Hash.unpacked_bytes(),
    complexity=_EACH_FIELD,
    told=Told("2.0.0", "RW update", deprecated="4.0.0", instead="`HSET` with multiple field-value pairs"),
)
def hmset(db: Database, key: Key, field: bytes, value: bytes, *more: bytes) -> Reply:
    """Set fields of a hash."""
    if len(more) % 2:
        return wrong_arity("hmset")
    pairs = {field: value}
    pairs.update(zip(more[::2], more[1::2], strict=True))
    added = put_fields(db, key, pairs)
    return OK if isinstance(added, int) else added


@COMMANDS.command(
    "HSETNX",
    by=By.LOG,
    group="hash",
    denies_oom=True,
    fast=True,
    grows_more=_more_bytes,
    grows_once=Hash.unpacked_bytes(),
    told=Told("2.0.0", "RW insert"),
)
def hsetnx(db: Database, key: Key, field: bytes, value: bytes) -> Reply:
    """Set a field only if the hash has none of that name; 1 if it was set."""
    hash_ = db.value(key, Hash)
    if hash_ is not None and hash_.value_at(field, db.account.now) is not None:
        return 0
    return put_fields(db, key, {field: value})


@COMMANDS.command("HGET", by=By.READ, group="hash", fast=True, told=Told("2.0.0"))
def hget(db: Database, key: Key, field: bytes) -> Reply:
    """The value of a field."""
    hash_ = looked(db, key, Hash)
    return None if hash_ is None else hash_.value_at(field, db.account.now)


@COMMANDS.command("HMGET", by=By.READ, group="hash", fast=True, complexity=_EACH_FIELD, told=Told("2.0.0"))
def hmget(db: Database, key: Key, field: bytes, *fields: bytes) -> Reply:
    """The values of several fields."""
    hash_, now = looked(db, key, Hash), db.account.now
    return [None if hash_ is None else hash_.value_at(each, now) for each in (field, *fields)]


@COMMANDS.command(
    "HDEL", by=By.LOG, group="hash", fast=True, complexity=_EACH_FIELD, told=Told("2.0.0", "RW delete")
)
def hdel(db: Database, key: Key, field: bytes, *fields: bytes) -> Reply:
    """Delete fields and answer how many there were. A hash without fields goes."""
    hash_ = db.value(key, Hash)
    if hash_ is None:
        return 0
    now = db.account.now
    found = [each for each in dict.fromkeys((field, *fields)) if hash_.value_at(each, now) is not None]
    if found:
        hash_ = db.changing(key, hash_)
        for each in found:
            hash_.remove(each)
        db.changed(key, hash_)
    return len(found)


@COMMANDS.command("HLEN", by=By.READ, group="hash", fast=True, told=Told("2.0.0", "RO"))
def hlen(db: Database, key: Key) -> Reply:
    """How many fields a hash has."""
    hash_ = looked(db, key, Hash)
    return 0 if hash_ is None else hash_.count - hash_.due(db.account.now)


@COMMANDS.command("HEXISTS", by=By.READ, group="hash", fast=True, told=Told("2.0.0", "RO"))
def hexists(db: Database, key: Key, field: bytes) -> Reply:
    """1 if the hash has that field."""
    hash_ = looked(db, key, Hash)
    return int(hash_ is not None and hash_.value_at(field, db.account.now) is not None)


@COMMANDS.command("HSTRLEN", by=By.READ, group="hash", fast=True, told=Told("3.2.0", "RO"))
def hstrlen(db: Database, key: Key, field: bytes) -> Reply:
    """The length of a field's value in bytes."""
    hash_ = looked(db, key, Hash)
    return 0 if hash_ is None else len(hash_.value_at(field, db.account.now) or b"")


@COMMANDS.command(
    "HINCRBY",
    by=By.LOG,
    group="hash",
    denies_oom=True,
    fast=True,
    grows_more=_more_bytes,
    grows_once=Hash.unpacked_bytes(),
    told=Told("2.0.0", "RW access update"),
)
def hincrby(db: Database, key: Key, field: bytes, increment: bytes) -> Reply:
    """Add to the number in a field and answer it."""
    difference = parse_integer(increment)
    if difference is None:
        return NOT_INTEGER
    hash_ = db.value(key, Hash)
    old = None if hash_ is None else hash_.value_at(field, db.account.now)
    number = 0 if old is None else parse_integer(old)
    if number is None:
        return _NOT_INTEGER
    total = number + difference
    if not INT64_MIN <= total <= INT64_MAX:
        return OVERFLOW
    return _replace(db, key, field, b"%d" % total) or total


@COMMANDS.command(
    "HINCRBYFLOAT",
    by=By.LOG,
    group="hash",
    denies_oom=True,
    fast=True,
    grows_more=_more_bytes,
    grows_once=Hash.unpacked_bytes(),
    told=Told("2.6.0", "RW access update"),
)
def hincrbyfloat(db: Database, key: Key, field: bytes, increment: bytes) -> Reply:
    """Add to the decimal number in a field and answer it."""
    difference = parse_float(increment)
    if difference is None:
        return _NO_FLOAT if parse_double(increment) is None else _INFINITE
    hash_ = db.value(key, Hash)
    old = None if hash_ is None else hash_.value_at(field, db.account.now)
    number = parse_float(b"0" if old is None else old)
    if number is None:
        return _NOT_FINITE if old is not None and is_infinite(old) else _NOT_FLOAT
    total = add_floats(number, difference)
    if total is None:
        return _NOT_FINITE
    return _replace(db, key, field, total) or total


def _live_steps(hash_: Hash, now: int) -> Iterator[list[tuple[bytes, bytes]]]:
    """The fields that are not due, with their values, a part at a step."""
    if hash_.deadlines is None:
        return in_steps(hash_)
    return (alive(part.items(), now) for part in hash_.parts)


def _whole(
    db: Database,
    key: bytes,
    hash_: Hash,
    form: Form,
    rows: Callable[[Iterator[list[tuple[bytes, bytes]]]], Rows],
) -> LongRead:
    """A long read of all fields of the hash of `key`. `rows` makes the rows of some fields at a time."""
    now, count = db.account.now, hash_.count
    if hash_.deadlines is not None:
        count -= hash_.due(now)
    made = lambda: rows(_live_steps(hash_, now))  # noqa: E731
    return LongRead.of_values(db, {key: hash_}, made, size=hash_.count, count=count, form=form)


@COMMANDS.command(
    "HGETALL",
    by=By.READ,
    group="hash",
    complexity=_ALL_FIELDS,
    told=Told("2.0.0", tips="nondeterministic_output_order"),
)
def hgetall(db: Database, key: Key) -> Reply | LongRead:
    """All fields of a hash with their values."""
    hash_ = looked(db, key, Hash)
    return {} if hash_ is None else _whole(db, key, hash_, Form.MAP, iter)


@COMMANDS.command(
    "HKEYS",
    by=By.READ,
    group="hash",
    complexity=_ALL_FIELDS,
    told=Told("2.0.0", tips="nondeterministic_output_order"),
)
def hkeys(db: Database, key: Key) -> Reply | LongRead:
    """All fields of a hash."""
    hash_ = looked(db, key, Hash)
    return [] if hash_ is None else _whole(db, key, hash_, Form.ARRAY, names_of)


@COMMANDS.command(
    "HVALS",
    by=By.READ,
    group="hash",
    complexity=_ALL_FIELDS,
    told=Told("2.0.0", tips="nondeterministic_output_order"),
)
def hvals(db: Database, key: Key) -> Reply | LongRead:
    """The values of all fields of a hash."""
    hash_ = looked(db, key, Hash)
    return [] if hash_ is None else _whole(db, key, hash_, Form.ARRAY, _values_of)


def _values_of(rows: Iterator[list[tuple[bytes, bytes]]]) -> Rows:
    return ([value for _, value in some] for some in rows)


def _drawn_name(hash_: Hash, draws: Draws, now: int) -> bytes | None:
    """Some field that is not due, each as likely as any other; None if none is found.

    If nearly all fields are due, and were not reaped yet, it is looked for in some parts, and then not each
    is as likely. A step must not go over all of a large hash.
    """
    due = hash_.due(now)
    for _ in range(_TRIES if due else 1):
        field, behind = hash_.drawn(draws)
        if not due or alive([(field, behind)], now):
            return field
    first, parts = draws.below(len(hash_.parts)), len(hash_.parts)
    for place in range(first, first + min(parts, _PROBED_PARTS)):
        live = alive(hash_.parts[place % parts].items(), now)
        if live:
            return live[draws.below(len(live))][0]
    return None


def _drawn(
    hash_: Hash, wanted: int, live: int, draws: Draws, now: int
) -> Callable[[], Iterator[list[Element]]]:
    """As `drawn`, of the fields that are not due, of which there are `live`."""
    if live == hash_.count:
        rows = drawn(hash_, wanted, draws)
        return rows if hash_.deadlines is None else lambda: (alive(some, now) for some in rows())
    if wanted < 0:
        return partial(_drawn_again, hash_, -wanted, draws, now)
    if wanted >= live:
        return partial(_live_steps, hash_, now)
    return partial(_drawn_once, hash_, wanted, live, draws, now)


def _drawn_again(hash_: Hash, count: int, draws: Draws, now: int) -> Iterator[list[Element]]:
    """`count` fields that are not due, in steps. Their names are collected before."""
    names: list[bytes] = []
    for some in _live_steps(hash_, now):
        names += [name for name, _ in some]
        yield []
    for begun in range(0, count, STEP_ELEMENTS):
        some_names = [names[draws.below(len(names))] for _ in range(min(STEP_ELEMENTS, count - begun))]
        yield [(name, hash_.value_at(name, now)) for name in some_names]


def _drawn_once(hash_: Hash, count: int, left: int, draws: Draws, now: int) -> Iterator[list[Element]]:
    """`count` different fields out of the `left` that are not due, by algorithm S as in `drawn_once`."""
    for elements in _live_steps(hash_, now):
        some = []
        for element in elements:
            if draws.below(left) < count:
                some.append(element)
                count -= 1
            left -= 1
        yield some


@COMMANDS.command(
    "HRANDFIELD",
    by=By.READ,
    group="hash",
    options="[count [WITHVALUES]]",
    complexity="O(N), N being the absolute value of count",
    told=Told("6.2.0", tips="nondeterministic_output"),
)
def hrandfield(call: Call, key: Key, *options: bytes) -> Reply | LongRead:
    """Some field, or count different ones; with a negative count one may come several times."""
    db, draws = call.db, call.draws
    if not options:
        hash_ = looked(db, key, Hash)
        return None if hash_ is None else _drawn_name(hash_, draws, db.account.now)
    has_values = len(options) > 1
    wanted = parse_count(options[0], options[1:], b"WITHVALUES")
    if isinstance(wanted, CommandError):
        return wanted
    hash_ = looked(db, key, Hash)
    now = db.account.now
    live = 0 if hash_ is None else hash_.count - hash_.due(now)
    if hash_ is None or not live or not wanted:
        return []
    rows = _drawn(hash_, wanted, live, draws, now)
    count = min(wanted, live) if wanted > 0 else -wanted
    return LongRead.of_values(
        db,
        {key: hash_},
        rows if has_values else lambda: names_of(rows()),
        size=looked_at(hash_, wanted) if live == hash_.count else max(count, hash_.count),
        count=count,
        form=Form.PAIRS if has_values else Form.ARRAY,
    )


@COMMANDS.command(
    "HSCAN",
    by=By.READ,
    group="hash",
    options=CURSOR_OPTIONS,
    complexity="O(1) for one call, O(N) for all of a hash of N fields",
    told=Told("2.8.0", tips="nondeterministic_output"),
)
def hscan(db: Database, key: Key, cursor: bytes, *options: bytes) -> Reply:
    """List fields with their values a few at a time, from cursor 0 on until the one answered is 0."""
    page = page_of(db, key, Hash, cursor, options)
    if isinstance(page, CommandError):
        return page
    following, found = page
    return [following, [each for pair in alive(found, db.account.now) for each in pair]]
