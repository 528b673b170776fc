"""What comes of several sorted sets, or of sets, each of whose members has the score 1."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
from math import isnan
from operator import not_
from typing import Final, TypeAlias

import attrs

from trikv.machine.call import Steps
from trikv.machine.commands.elements import (
    NEGATIVE_LIMIT,
    STEP_ELEMENTS,
    built,
    in_chunks,
    in_steps,
    names_of,
    short,
)
from trikv.machine.commands.gathering import Join, Row, gathered_into
from trikv.machine.commands.several import opened, with_target
from trikv.machine.commands.sorted_sets import more_bytes
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_INTEGER, SYNTAX, WrongTypeError
from trikv.machine.features import COLLECTIONS
from trikv.machine.keyspec import Index, KeyNumber, KeySpec, Range
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import INT64_MAX, parse_double, parse_integer
from trikv.machine.replies import CommandError, Form, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.members import Members
from trikv.machine.values.set import Set
from trikv.machine.values.sorted_set import SortedSet

COMMANDS = CommandTable(COLLECTIONS)

_ALGEBRA: Final = "O(N log N), N being the number of members of all given sets"
_NOT_WEIGHT: Final = CommandError("ERR weight value is not a float")


def _sum(one: float, other: float) -> float:
    total = one + other
    return 0.0 if isnan(total) else total  # infinities of either sign, as in Redis


_JOINS: Final[dict[bytes, Join]] = {b"SUM": _sum, b"MIN": min, b"MAX": max}


@attrs.frozen
class _Asked:
    """What a call asks for."""

    over: Mapping[bytes, Members]
    """The sets that are there, by their keys."""
    sets: Sequence[Members | None]
    """All, in their order."""
    weights: Sequence[float]
    join: Join = _sum
    has_scores: bool = False
    limit: int = INT64_MAX


def _asked(
    db: Database, name: str, numkeys: bytes, rest: Sequence[bytes], words: frozenset[bytes]
) -> _Asked | CommandError:
    """Read the arguments behind the destination; `words`: the options that this command has.

    Raises WrongTypeError.
    """
    number = parse_integer(numkeys)
    if number is None:
        return NOT_INTEGER
    if number < 1:
        return CommandError(f"ERR at least 1 input key is needed for '{name}' command")
    if number > len(rest):
        return SYNTAX
    keys, options = rest[:number], rest[number:]
    found = opened(keys, partial(_given, db))
    if isinstance(found, CommandError):
        return found
    weights: Sequence[float] = (1.0,) * number
    join: Join = _sum
    has_scores, limit, at = False, INT64_MAX, 0
    while at < len(options):
        word = options[at].upper()
        at += 1
        if word not in words:
            return SYNTAX
        if word == b"WEIGHTS" and at + number <= len(options):
            given = [parse_double(text) for text in options[at : at + number]]
            weights = [weight for weight in given if weight is not None]
            if len(weights) < number:
                return _NOT_WEIGHT
            at += number
        elif word == b"AGGREGATE" and at < len(options) and options[at].upper() in _JOINS:
            join = _JOINS[options[at].upper()]
            at += 1
        elif word == b"LIMIT" and at < len(options):
            most = parse_integer(options[at])
            if most is None or most < 0:
                return NEGATIVE_LIMIT
            limit = most or INT64_MAX
            at += 1
        elif word == b"WITHSCORES":
            has_scores = True
        else:
            return SYNTAX
    over = {key: one for key, one in found.items() if one is not None}
    return _Asked(over, [found[key] for key in keys], weights, join, has_scores, limit)


def _given(db: Database, key: bytes) -> Members | None:
    """The set of either type; None if it is not there. Raises WrongTypeError."""
    try:
        return db.value(key, SortedSet)
    except WrongTypeError:
        return db.value(key, Set)


def _product(score: float | None, weight: float) -> float:
    """The score of a member, or 1 for one of a set, times its weight; NaN for none of an infinity."""
    return (1.0 if score is None else score) * weight


def _score(score: float | None, weight: float) -> float:
    """`_product`, but 0 for NaN.

    Redis leaves NaN as it is where it joins the others of an intersection: a sum with it is 0, a minimum or
    maximum that of the rest.
    """
    weighed = _product(score, weight)
    return 0.0 if isnan(weighed) else weighed


def _weighed(one: Members, weight: float, each: int) -> Iterator[list[tuple[bytes, float]]]:
    """All members with their scores in steps, for each of which so many other sets are looked at."""
    is_as_it_is = weight == 1.0 and isinstance(one, SortedSet)  # nearly always
    for some in in_chunks(in_steps(one), max(1, STEP_ELEMENTS // max(1, each))):
        yield [*some] if is_as_it_is else [(member, _score(score, weight)) for member, score in some]


_ABSENT: Final = object()
Algebra: TypeAlias = Callable[[_Asked], Iterator[Row]]


def _by_size(asked: _Asked) -> list[tuple[Members, float]]:
    """Those that are there with their weights, the smallest first.

    In this order scores are joined, as in Redis: the sum of doubles depends on it.
    """
    there = [(one, weight) for one, weight in zip(asked.sets, asked.weights, strict=True) if one is not None]
    return sorted(there, key=lambda pair: pair[0].count)


def _union(asked: _Asked) -> Iterator[Row]:
    """Members of each: one that several have comes several times, and its scores are to be joined."""
    for one, weight in _by_size(asked):
        yield from _weighed(one, weight, 1)


def _intersection(asked: _Asked) -> Iterator[Row]:
    """Members of the smallest that all others have.

    A step looks into one of them: a key may be named thousands of times, each with its weight.
    """
    there = _by_size(asked)
    if len(there) < len(asked.sets):
        return
    (smallest, own_weight), *others = there
    for some in _weighed(smallest, own_weight, 1):
        found = some
        for other, weight in others:
            scores = other.get_each([member for member, _ in found], _ABSENT)
            found = [
                (member, asked.join(score, _product(own, weight)))
                for (member, score), own in zip(found, scores, strict=True)
                if own is not _ABSENT
            ]
            if not found:
                break
            yield []
        yield found


def _difference(asked: _Asked) -> Iterator[Row]:
    """Members of the first that no other has."""
    first, *others = asked.sets
    there = [one for one in dict.fromkeys(others) if one is not None]
    if first is not None:
        for some in _weighed(first, 1.0, len(there)):
            found = some
            for other in there:
                are_there = other.has_each([member for member, _ in found])
                found = list(compress(found, map(not_, are_there)))
            yield found


_OF_JOIN: Final = frozenset({b"WEIGHTS", b"AGGREGATE"})
_SHOWS: Final = frozenset({b"WITHSCORES"})
_LIMITS: Final = frozenset({b"LIMIT"})
_NOTHING: Final[frozenset[bytes]] = frozenset()


def _looked_at(asked: _Asked, algebra: Algebra) -> int:
    """About how many members have to be looked for."""
    each = 1 if algebra is _union else len(asked.sets)
    return sum(one.count for one in asked.sets if one is not None) * each


def _gathered(target: SortedSet, algebra: Algebra, asked: _Asked) -> Iterator[None]:
    """Fill `target` with what comes of the sets, in steps."""
    if algebra is not _union:
        return gathered_into(target, algebra(asked), None)
    least = max((one.count for one in asked.over.values()), default=0)
    return gathered_into(target, _union(asked), asked.join, least)


def _store(
    db: Database, destination: bytes, asked: _Asked | CommandError, algebra: Algebra
) -> Reply | Steps[Reply]:
    if isinstance(asked, CommandError):
        return asked
    target = db.created(SortedSet)
    steps = built(db, destination, target, _gathered(target, algebra, asked))
    return short(steps, _looked_at(asked, algebra))


def _answer(db: Database, asked: _Asked | CommandError, algebra: Algebra) -> Reply | Steps[Reply] | LongRead:
    """The members in the order of their scores: they have to be collected before the first can be shown."""
    if isinstance(asked, CommandError):
        return asked
    target = db.created(SortedSet)
    fill = _gathered(target, algebra, asked)
    return LongRead.of_values(
        db,
        with_target(asked.over, target),
        partial(_in_order, target, fill, asked),
        size=_looked_at(asked, algebra),
        form=Form.PAIRS if asked.has_scores else Form.ARRAY,
    )


def _in_order(target: SortedSet, fill: Iterator[None], asked: _Asked) -> Iterator[list[object]]:
    """The members of `target`, which is filled before the first of them is shown: by the first pass only."""
    for _ in fill:
        yield []
    for some in target.index.span(0, target.count):
        yield [(member, score) if asked.has_scores else member for score, member in some]


_STORES: Final = (
    KeySpec(Index(1), Range(), "OW update"),
    KeySpec(Index(2), KeyNumber(), "RO access"),
)
_READS: Final = (KeySpec(Index(1), KeyNumber(), "RO access"),)
_JOIN_OPTIONS: Final = "key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>]"


@COMMANDS.command(
    "ZUNIONSTORE",
    by=By.LOG,
    group="sorted-set",
    denies_oom=True,
    grows_more=more_bytes,
    options=_JOIN_OPTIONS,
    open_least=1,
    specs=_STORES,
    complexity=_ALGEBRA,
    told=Told("2.0.0"),
)
def zunionstore(db: Database, destination: bytes, numkeys: bytes, *rest: bytes) -> Reply | Steps[Reply]:
    """Keep the members that any of these has, with their scores joined, and answer how many."""
    return _store(db, destination, _asked(db, "zunionstore", numkeys, rest, _OF_JOIN), _union)


@COMMANDS.command(
    "ZINTERSTORE",
    by=By.LOG,
    group="sorted-set",
    denies_oom=True,
    grows_more=more_bytes,
    options=_JOIN_OPTIONS,
    open_least=1,
    specs=_STORES,
    complexity=_ALGEBRA,
    told=Told("2.0.0"),
)
def zinterstore(db: Database, destination: bytes, numkeys: bytes, *rest: bytes) -> Reply | Steps[Reply]:
    """Keep the members that all of these have, with their scores joined, and answer how many."""
    return _store(db, destination, _asked(db, "zinterstore", numkeys, rest, _OF_JOIN), _intersection)


@COMMANDS.command(
    "ZDIFFSTORE",
    by=By.LOG,
    group="sorted-set",
    denies_oom=True,
    grows_more=more_bytes,
    options="key [key ...]",
    open_least=1,
    specs=_STORES,
    complexity=_ALGEBRA,
    told=Told("6.2.0"),
)
def zdiffstore(db: Database, destination: bytes, numkeys: bytes, *rest: bytes) -> Reply | Steps[Reply]:
    """Keep the members of the first that no other has, and answer how many."""
    return _store(db, destination, _asked(db, "zdiffstore", numkeys, rest, _NOTHING), _difference)


@COMMANDS.command(
    "ZUNION",
    by=By.READ,
    group="sorted-set",
    options=f"{_JOIN_OPTIONS} [WITHSCORES]",
    open_least=1,
    specs=_READS,
    complexity=_ALGEBRA,
    told=Told("6.2.0"),
)
def zunion(db: Database, numkeys: bytes, *rest: bytes) -> Reply | Steps[Reply] | LongRead:
    """The members that any of these has, in the order of their joined scores."""
    return _answer(db, _asked(db, "zunion", numkeys, rest, _OF_JOIN | _SHOWS), _union)


@COMMANDS.command(
    "ZINTER",
    by=By.READ,
    group="sorted-set",
    options=f"{_JOIN_OPTIONS} [WITHSCORES]",
    open_least=1,
    specs=_READS,
    complexity=_ALGEBRA,
    told=Told("6.2.0"),
)
def zinter(db: Database, numkeys: bytes, *rest: bytes) -> Reply | Steps[Reply] | LongRead:
    """The members that all of these have, in the order of their joined scores."""
    return _answer(db, _asked(db, "zinter", numkeys, rest, _OF_JOIN | _SHOWS), _intersection)


@COMMANDS.command(
    "ZDIFF",
    by=By.READ,
    group="sorted-set",
    options="key [key ...] [WITHSCORES]",
    open_least=1,
    specs=_READS,
    complexity=_ALGEBRA,
    told=Told("6.2.0"),
)
def zdiff(db: Database, numkeys: bytes, *rest: bytes) -> Reply | Steps[Reply] | LongRead:
    """The members of the first that no other has, in the order of their scores."""
    return _answer(db, _asked(db, "zdiff", numkeys, rest, _SHOWS), _difference)


@COMMANDS.command(
    "ZINTERCARD",
    by=By.READ,
    group="sorted-set",
    options="key [key ...] [LIMIT limit]",
    open_least=1,
    specs=_READS,
    complexity="O(N * K), N being the size of the smallest and K the number of keys",
    told=Told("7.0.0"),
)
def zintercard(db: Database, numkeys: bytes, *rest: bytes) -> Reply | LongRead:
    """How many members all of these have; it counts up to a limit, if one is given."""
    asked = _asked(db, "zintercard", numkeys, rest, _LIMITS)
    if isinstance(asked, CommandError):
        return asked
    return LongRead.of_values(
        db, asked.over, partial(_up_to, asked), size=_looked_at(asked, _intersection), form=Form.NUMBER
    )


def _up_to(asked: _Asked) -> Iterator[Sequence[bytes]]:
    """Up to so many members of the smallest that all others have."""
    left = asked.limit
    there = [one for one, _ in _by_size(asked)]
    if len(there) < len(asked.sets):
        return
    smallest, *others = dict.fromkeys(there)
    for some in in_chunks(names_of(in_steps(smallest)), max(1, STEP_ELEMENTS // max(1, len(others)))):
        found = list(some)
        for other in others:
            found = list(compress(found, other.has_each(found)))
        yield found[:left]
        left -= len(found)
        if left <= 0:
            return
