"""Sets: strings under one key, each once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
from operator import not_
from typing import Final

from trikv.machine.call import Call, Steps
from trikv.machine.commands.element_runs import ADD_MEMBERS, TAKE_MEMBERS
from trikv.machine.commands.elements import (
    CURSOR_OPTIONS,
    NEGATIVE_LIMIT,
    NO_KEYS,
    STEP_ELEMENTS,
    STEP_FIRST,
    built,
    changed_at_once,
    counted,
    drawn,
    in_chunks,
    in_steps,
    looked,
    looked_at,
    names_of,
    page_of,
    parse_count,
    refusal,
    short,
)
from trikv.machine.commands.several import opened, with_target
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.draws import Draws
from trikv.machine.errors import SYNTAX
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.keyspec import Index, KeyNumber, KeySpec, Range
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import CommandError, Form, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.set import Set

COMMANDS = CommandTable(COLLECTIONS)
COMMANDS.add_value(Set)

_EACH: Final = "O(N), N being the number of members named"
_ALL: Final = "O(N), N being the number of members of the set"
_PAGE: Final = "O(1) for one call, O(N) for all of a set of N members"
_MANY_SETS: Final = "O(N), N being the number of members of all given sets"
_SMALLEST: Final = "O(N * M), N being the size of the smallest set and M the number of sets"
_OUT_OF_RANGE: Final = CommandError("ERR value is out of range, must be positive")
_TOO_MANY_KEYS: Final = CommandError("ERR Number of keys can't be greater than number of args")
_FEW_SETS: Final = 8
"""A union of no more looks for each member in the sets before, and needs no memory."""


def _more_bytes(args: Sequence[bytes]) -> int:
    return Set.growth_bound(len(args))


@COMMANDS.command(
    "SADD",
    by=By.LOG,
    of_run=ADD_MEMBERS,
    group="set",
    denies_oom=True,
    fast=True,
    grows_more=_more_bytes,
    grows_once=Set.unpacked_bytes(),
    complexity=_EACH,
    told=Told("1.0.0", "RW insert"),
)
def sadd(db: Database, key: Key, member: bytes, *members: bytes) -> Reply:
    """Add members to a set and answer how many are new."""
    set_ = db.value(key, Set) or db.created(Set)
    names = list(dict.fromkeys((member, *members)))
    fresh = list(compress(names, map(not_, set_.has_each(names))))
    if not fresh:
        return 0
    refused = refusal(db, key, set_, fresh)
    if refused is not None:
        return refused
    set_ = db.changing(key, set_)
    set_.put_each(fresh)
    return db.changed(key, set_) or len(fresh)


@COMMANDS.command(
    "SREM", by=By.LOG, group="set", fast=True, complexity=_EACH, told=Told("1.0.0", "RW delete")
)
def srem(db: Database, key: Key, member: bytes, *members: bytes) -> Reply:
    """Remove members from a set and answer how many there were. A set without members goes."""
    set_ = db.value(key, Set)
    gone = [] if set_ is None else [each for each in dict.fromkeys((member, *members)) if each in set_]
    if set_ is None or not gone:
        return 0
    set_ = db.changing(key, set_)
    for each in gone:
        set_.remove(each)
    db.changed(key, set_)
    return len(gone)


@COMMANDS.command("SCARD", by=By.READ, group="set", fast=True, told=Told("1.0.0", "RO"))
def scard(db: Database, key: Key) -> Reply:
    """How many members a set has."""
    set_ = looked(db, key, Set)
    return 0 if set_ is None else set_.count


@COMMANDS.command("SISMEMBER", by=By.READ, group="set", fast=True, told=Told("1.0.0", "RO"))
def sismember(db: Database, key: Key, member: bytes) -> Reply:
    """1 if the set has that member."""
    set_ = looked(db, key, Set)
    return int(set_ is not None and member in set_)


@COMMANDS.command(
    "SMISMEMBER", by=By.READ, group="set", fast=True, complexity=_EACH, told=Told("6.2.0", "RO access")
)
def smismember(db: Database, key: Key, member: bytes, *members: bytes) -> Reply:
    """For each of these 1 if the set has it, else 0."""
    set_ = looked(db, key, Set)
    return [int(set_ is not None and each in set_) for each in (member, *members)]


@COMMANDS.command(
    "SMEMBERS",
    by=By.READ,
    group="set",
    complexity=_ALL,
    told=Told("1.0.0", tips="nondeterministic_output_order"),
)
def smembers(db: Database, key: Key) -> Reply | LongRead:
    """All members of a set."""
    set_ = looked(db, key, Set)
    return () if set_ is None else counted(db, key, set_, Form.SET, lambda: names_of(in_steps(set_)))


@COMMANDS.command(
    "SSCAN",
    by=By.READ,
    group="set",
    options=CURSOR_OPTIONS,
    complexity=_PAGE,
    told=Told("2.8.0", tips="nondeterministic_output"),
)
def sscan(db: Database, key: Key, cursor: bytes, *options: bytes) -> Reply:
    """List members a few at a time, from cursor 0 on until the one answered is 0."""
    page = page_of(db, key, Set, cursor, options)
    if isinstance(page, CommandError):
        return page
    following, found = page
    return [following, [member for member, _ in found]]


@COMMANDS.command(
    "SRANDMEMBER",
    by=By.READ,
    group="set",
    options="[count]",
    complexity="O(N), N being the absolute value of count",
    told=Told("1.0.0", tips="nondeterministic_output"),
)
def srandmember(call: Call, key: Key, *count: bytes) -> Reply | LongRead:
    """Some member of a set, or count different ones; with a negative count one may come several times."""
    if len(count) > 1:
        return SYNTAX
    db, draws = call.db, call.draws
    if not count:
        set_ = looked(db, key, Set)
        return None if set_ is None else set_.drawn(draws)[0]
    wanted = parse_count(count[0])
    if isinstance(wanted, CommandError):
        return wanted
    set_ = looked(db, key, Set)
    if set_ is None or not wanted:
        return []
    rows = drawn(set_, wanted, draws)
    shown = min(wanted, set_.count) if wanted > 0 else -wanted
    return LongRead.of_values(
        db, {key: set_}, lambda: names_of(rows()), size=looked_at(set_, wanted), count=shown
    )


@COMMANDS.command(
    "SPOP",
    by=By.LOG,
    of_run=TAKE_MEMBERS,
    group="set",
    fast=True,
    options="[count]",
    complexity="O(N), N being count",
    told=Told("1.0.0", "RW access delete", tips="nondeterministic_output"),
)
def spop(call: Call, key: Key, *count: bytes) -> Reply | Steps[Reply]:
    """Take some members out of a set and answer them."""
    if len(count) > 1:
        return SYNTAX
    wanted = parse_integer(count[0]) if count else 1
    if wanted is None or wanted < 0:
        return _OUT_OF_RANGE
    db = call.db
    set_ = looked(db, key, Set)
    if set_ is None or not wanted:
        return () if count else None
    if wanted > STEP_FIRST:
        return _pop_many(db, key, set_, wanted, call.draws)
    if wanted >= set_.count:
        gone = [member for part in set_.parts for member in part]
        db.drop(key)
    else:
        set_ = db.changing(key, set_)
        gone = [set_.pop(call.draws) for _ in range(wanted)]
        db.changed(key, set_)
    return tuple(gone) if count else gone[0]


def _pop_many(db: Database, key: bytes, set_: Set, wanted: int, draws: Draws) -> Steps[Reply]:
    """`spop` of many members in slices."""
    gone: list[Reply] = []
    if wanted >= set_.count:
        for members in names_of(in_steps(set_)):
            gone += members
            yield
        db.drop(key)
        return tuple(gone)
    set_ = db.changing(key, set_)
    while len(gone) < wanted:
        some = min(wanted - len(gone), changed_at_once(set_, len(gone)))
        gone += [set_.pop(draws) for _ in range(some)]
        yield
    db.changed(key, set_)
    return tuple(gone)


@COMMANDS.command(
    "SMOVE",
    by=By.LOG,
    group="set",
    fast=True,
    grows=True,
    grows_more=_more_bytes,
    grows_once=Set.unpacked_bytes(),
    told=Told("1.0.0", ("RW access delete", "RW insert")),
)
def smove(db: Database, source: Key, destination: Key, member: bytes) -> Reply:
    """Move a member from one set to another; 1 if the first had it."""
    one = db.value(source, Set)
    if one is None:
        return 0
    other = db.value(destination, Set)
    if member not in one:
        return 0
    if source == destination:
        return 1
    if other is None or member not in other:
        other = other or db.created(Set)
        refused = refusal(db, destination, other, (member,), is_spared=True)
        if refused is not None:
            return refused
        other = db.changing(destination, other)
        other.put(member, None)
        refused = db.changed(destination, other, is_spared=True)
        if refused is not None:
            return refused
    one = db.changing(source, one)
    one.remove(member)
    db.changed(source, one)
    return 1


# Several sets.


def _sets(keys: Sequence[bytes], found: Mapping[bytes, Set | None]) -> list[Set | None]:
    """The set of the first key, and those of the others, each once."""
    return [found[keys[0]], *[found[key] for key in dict.fromkeys(keys[1:])]]


def _members(set_: Set, each: int) -> Iterator[Sequence[bytes]]:
    """All members in steps, for each of which so many sets are looked at."""
    return in_chunks(names_of(in_steps(set_)), max(1, STEP_ELEMENTS // max(each, 1)))


def _intersection(sets: Sequence[Set | None]) -> Iterator[list[bytes]]:
    """Members of the smallest that all others have."""
    there = sorted((one for one in sets if one is not None), key=lambda one: one.count)
    if len(there) < len(sets):
        return
    smallest, *others = there
    for members in _members(smallest, len(others)):
        left = list(members)
        for other in others:
            left = list(compress(left, other.has_each(left)))
        yield left


def _union(sets: Sequence[Set | None]) -> Iterator[Sequence[bytes]]:
    """Members of each: one that several have comes several times, so they are put into a set."""
    for one in dict.fromkeys(sets):
        if one is not None:
            yield from _members(one, 1)


def _few_united(sets: Sequence[Set | None]) -> Iterator[Sequence[bytes]]:
    """Members of each that none before it has."""
    for number, one in enumerate(sets):
        yield from _difference((one, *sets[:number]))


def _united(target: Set, sets: Sequence[Set | None]) -> Iterator[Sequence[bytes]]:
    """Members that any has, each once: `target` is filled before the first is shown, by the first pass."""
    if not target.count:
        for _ in _put(target, _union(sets)):
            yield []
    yield from names_of(in_steps(target))


def _difference(sets: Sequence[Set | None]) -> Iterator[list[bytes]]:
    """Members of the first that no other has."""
    first, *others = sets
    there = [one for one in others if one is not None]
    if first is not None:
        for members in _members(first, len(there)):
            left = list(members)
            for other in there:
                left = list(compress(left, map(not_, other.has_each(left))))
            yield left


Algebra = Callable[[Sequence[Set | None]], Iterator[Sequence[bytes]]]


def _looked_at(sets: Sequence[Set | None], each: int) -> int:
    """About how many members have to be looked for, in so many sets each."""
    return sum(one.count for one in sets if one is not None) * each


def _answer(
    db: Database, keys: Sequence[bytes], algebra: Algebra, form: Form = Form.SET
) -> LongRead | CommandError:
    found = opened(keys, partial(db.value, kind=Set))
    if isinstance(found, CommandError):
        return found
    sets, lookups = _sets(keys, found), db.account.lookups
    hits = sum(found[key] is not None for key in keys)
    lookups.hits += hits
    lookups.misses += len(keys) - hits
    over, each = {key: one for key, one in found.items() if one is not None}, len(sets)
    if algebra is _union and each <= _FEW_SETS:
        algebra = _few_united
    elif algebra is _union:
        target = db.created(Set)
        over, algebra, each = with_target(over, target), partial(_united, target), 1
    return LongRead.of_values(db, over, partial(algebra, sets), size=_looked_at(sets, each), form=form)


def _store(db: Database, destination: bytes, keys: Sequence[bytes], algebra: Algebra) -> Reply | Steps[Reply]:
    """Put what comes of those sets under `destination`."""
    found = opened(keys, partial(db.value, kind=Set))
    if isinstance(found, CommandError):
        return found
    sets, target = _sets(keys, found), db.created(Set)
    if algebra is _union:
        target.expect(max((one.count for one in sets if one is not None), default=0))
    steps = built(db, destination, target, _put(target, algebra(sets)))
    return short(steps, _looked_at(sets, 1 if algebra is _union else len(sets)))


def _put(target: Set, rows: Iterator[Sequence[bytes]]) -> Iterator[None]:
    for members in rows:
        target.put_each(list(members))
        yield


@COMMANDS.command(
    "SINTER",
    by=By.READ,
    group="set",
    complexity=_SMALLEST,
    told=Told("1.0.0", tips="nondeterministic_output_order"),
)
def sinter(db: Database, key: Key, *keys: Key) -> Reply | LongRead:
    """The members that all of these sets have."""
    return _answer(db, (key, *keys), _intersection)


@COMMANDS.command(
    "SUNION",
    by=By.READ,
    group="set",
    complexity=_MANY_SETS,
    told=Told("1.0.0", tips="nondeterministic_output_order"),
)
def sunion(db: Database, key: Key, *keys: Key) -> Reply | LongRead:
    """The members that any of these sets has."""
    return _answer(db, (key, *keys), _union)


@COMMANDS.command(
    "SDIFF",
    by=By.READ,
    group="set",
    complexity=_MANY_SETS,
    told=Told("1.0.0", tips="nondeterministic_output_order"),
)
def sdiff(db: Database, key: Key, *keys: Key) -> Reply | LongRead:
    """The members of the first set that no other has."""
    return _answer(db, (key, *keys), _difference)


_STORES: Final = ("OW update", "RO access")


@COMMANDS.command(
    "SINTERSTORE",
    by=By.LOG,
    group="set",
    denies_oom=True,
    specs=(KeySpec(Index(1), Range(), "RW update"), KeySpec(Index(2), Range(-1), _STORES[1])),
    complexity=_SMALLEST,
    told=Told("1.0.0"),
)
def sinterstore(db: Database, destination: Key, key: Key, *keys: Key) -> Reply | Steps[Reply]:
    """Keep the members that all of these sets have, and answer how many."""
    return _store(db, destination, (key, *keys), _intersection)


@COMMANDS.command(
    "SUNIONSTORE",
    by=By.LOG,
    group="set",
    denies_oom=True,
    specs=(KeySpec(Index(1), Range(), _STORES[0]), KeySpec(Index(2), Range(-1), _STORES[1])),
    complexity=_MANY_SETS,
    told=Told("1.0.0"),
)
def sunionstore(db: Database, destination: Key, key: Key, *keys: Key) -> Reply | Steps[Reply]:
    """Keep the members that any of these sets has, and answer how many."""
    return _store(db, destination, (key, *keys), _union)


@COMMANDS.command(
    "SDIFFSTORE",
    by=By.LOG,
    group="set",
    denies_oom=True,
    specs=(KeySpec(Index(1), Range(), _STORES[0]), KeySpec(Index(2), Range(-1), _STORES[1])),
    complexity=_MANY_SETS,
    told=Told("1.0.0"),
)
def sdiffstore(db: Database, destination: Key, key: Key, *keys: Key) -> Reply | Steps[Reply]:
    """Keep the members of the first set that no other has, and answer how many."""
    return _store(db, destination, (key, *keys), _difference)


@COMMANDS.command(
    "SINTERCARD",
    by=By.READ,
    group="set",
    options="key [key ...] [LIMIT limit]",
    open_least=1,
    specs=(KeySpec(Index(1), KeyNumber(), "RO access"),),
    complexity=_SMALLEST,
    told=Told("7.0.0"),
)
def sintercard(db: Database, numkeys: bytes, *rest: bytes) -> Reply | LongRead:
    """How many members all of these sets have; it counts up to a limit, if one is given."""
    number = parse_integer(numkeys)
    if number is None or number <= 0:
        return NO_KEYS
    if number > len(rest):
        return _TOO_MANY_KEYS
    keys, options = rest[:number], rest[number:]
    limit = 0
    for at in range(0, len(options), 2):
        if options[at].upper() != b"LIMIT" or at + 1 == len(options):
            return SYNTAX
        wanted = parse_integer(options[at + 1])
        if wanted is None or wanted < 0:
            return NEGATIVE_LIMIT
        limit = wanted
    return _answer(db, keys, partial(_limited, limit), Form.NUMBER)


def _limited(limit: int, sets: Sequence[Set | None]) -> Iterator[list[bytes]]:
    """Of the intersection no more than `limit` members, all if that is 0."""
    left = limit
    for members in _intersection(sets):
        if limit and len(members) >= left:
            yield members[:left]
            return
        left -= len(members)
        yield members
