"""Ranges of sorted sets: by rank, by score, or by the members' own order where all have one score."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeAlias

import attrs

from trikv.machine.call import Steps
from trikv.machine.commands.elements import STEP_ELEMENTS, built, looked, short
from trikv.machine.commands.gathering import Row, gathered_into
from trikv.machine.commands.sorted_sets import LOG_N, Scored, more_bytes, removed
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_INTEGER, SYNTAX
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import parse_bound, parse_integer
from trikv.machine.replies import CommandError, Form, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.sorted_set import SortedSet

COMMANDS = CommandTable(COLLECTIONS)

_ANSWERED: Final = "O(log N + M), N being the number of members and M that of the answer"
_NOT_SCORES: Final = CommandError("ERR min or max is not a float")
_NOT_NAMES: Final = CommandError("ERR min or max not valid string range item")
_LIMIT_ALONE: Final = CommandError(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
)
_SCORES_BY_NAME: Final = CommandError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")

Ranks: TypeAlias = tuple[int, int]
"""The first, and the one behind the last."""
Find: TypeAlias = Callable[[SortedSet], Ranks]
"""The ranks that a range covers in a sorted set; the first may not be below the second if it is empty."""
Parse: TypeAlias = Callable[[bytes, bytes], "Find | CommandError"]
"""From the least and the greatest."""


# What a range covers.


def by_rank(start: bytes, stop: bytes) -> Find | CommandError:
    """Ranks from 0; negative ones count from the end."""
    first, last = parse_integer(start), parse_integer(stop)
    if first is None or last is None:
        return NOT_INTEGER

    def find(set_: SortedSet) -> Ranks:
        count = set_.count
        from_ = max(first + count, 0) if first < 0 else first
        return from_, min(last + count if last < 0 else last, count - 1) + 1

    return find


def _bound(text: bytes) -> tuple[float, bool] | None:
    """A score, and whether it is outside."""
    is_open = text.startswith(b"(")
    score = parse_bound(text[1:] if is_open else text)
    return None if score is None else (score, is_open)


def by_score(least: bytes, greatest: bytes) -> Find | CommandError:
    """Scores; one behind a parenthesis is outside of the range."""
    low, high = _bound(least), _bound(greatest)
    if low is None or high is None:
        return _NOT_SCORES

    def find(set_: SortedSet) -> Ranks:
        index = set_.index
        return index.rank_of_score(low[0], behind=low[1]), index.rank_of_score(high[0], behind=not high[1])

    return find


def by_name(least: bytes, greatest: bytes) -> Find | CommandError:
    """Members behind a bracket, or behind a parenthesis and outside; - comes before all, + behind them."""
    for text in (least, greatest):
        if text not in (b"-", b"+") and text[:1] not in (b"[", b"("):
            return _NOT_NAMES

    def place(set_: SortedSet, text: bytes, *, behind: bool) -> int:
        if text == b"-":
            return 0
        if text == b"+":
            return set_.count
        return set_.index.rank_of_member(text[1:], behind=behind)

    def find(set_: SortedSet) -> Ranks:
        return (
            place(set_, least, behind=least[:1] == b"("),
            place(set_, greatest, behind=greatest[:1] == b"["),
        )

    return find


@attrs.frozen
class _Range:
    """What a call asks for."""

    find: Find
    is_reverse: bool = False
    offset: int = 0
    """So many are left out at first."""
    most: int = -1
    """No more are answered; negative: all."""
    has_scores: bool = False

    def ranks(self, set_: SortedSet) -> Ranks:
        """What is answered of the set."""
        first, last = self.find(set_)
        if self.offset < 0 or last - first <= self.offset:
            return 0, 0
        most = last - first - self.offset if self.most < 0 else min(self.most, last - first - self.offset)
        if self.is_reverse:
            return last - self.offset - most, last - self.offset
        return first + self.offset, first + self.offset + most


def _limits(options: Sequence[bytes]) -> tuple[int, int] | CommandError:
    if len(options) < 2:
        return SYNTAX
    offset, most = parse_integer(options[0]), parse_integer(options[1])
    return NOT_INTEGER if offset is None or most is None else (offset, most)


_WORDS: Final = {b"BYSCORE": by_score, b"BYLEX": by_name}


def _asked(
    start: bytes,
    stop: bytes,
    options: Sequence[bytes],
    parse: Parse | None,
    *,
    is_reverse: bool = False,
    shows: bool = True,
) -> _Range | CommandError:
    """The range of a call. `parse`: how its ends are read; None if an option says so, as in ZRANGE."""
    limits: tuple[int, int] | None = None
    how, has_scores = parse or by_rank, False
    at = 0
    while at < len(options):
        word = options[at].upper()
        at += 1
        if word == b"WITHSCORES" and shows:
            has_scores = True
        elif word == b"LIMIT":
            found = _limits(options[at : at + 2])
            if isinstance(found, CommandError):
                return found
            limits = found
            at += 2
        elif parse is None and word == b"REV" and not is_reverse:
            is_reverse = True
        elif parse is None and word in _WORDS and how is by_rank:
            how = _WORDS[word]
        else:
            return SYNTAX
    if limits is not None and how is by_rank:
        if limits[1] != -1:  # as if it were not there, in Redis too
            return _LIMIT_ALONE
        limits = None
    if has_scores and how is by_name:
        return _SCORES_BY_NAME
    if is_reverse and how is not by_rank:
        start, stop = stop, start
    find = how(start, stop)
    if isinstance(find, CommandError):
        return find
    if is_reverse and how is by_rank:
        find = partial(_from_the_end, find)
    offset, most = limits or (0, -1)
    return _Range(find, is_reverse, offset, most, has_scores)


def _from_the_end(find: Find, set_: SortedSet) -> Ranks:
    """The same ranks, counted from the last member."""
    first, last = find(set_)
    return set_.count - last, set_.count - first


# Answering.


def _rows(set_: SortedSet, asked: _Range, ranks: Ranks) -> Iterator[list[Scored]]:
    return (set_.index.span_back if asked.is_reverse else set_.index.span)(*ranks)


def _scored(set_: SortedSet, asked: _Range, ranks: Ranks) -> Iterator[list[tuple[bytes, float]]]:
    return ([(member, score) for score, member in some] for some in _rows(set_, asked, ranks))


def _names(set_: SortedSet, asked: _Range, ranks: Ranks) -> Iterator[list[bytes]]:
    return ([member for _, member in some] for some in _rows(set_, asked, ranks))


def _answer(db: Database, key: bytes, asked: _Range | CommandError) -> Reply | LongRead:
    if isinstance(asked, CommandError):
        return asked
    set_ = looked(db, key, SortedSet)
    if set_ is None:
        return []
    first, last = asked.ranks(set_)
    return LongRead.of_values(
        db,
        {key: set_},
        partial(_scored if asked.has_scores else _names, set_, asked, (first, last)),
        size=last - first,
        count=last - first,
        form=Form.PAIRS if asked.has_scores else Form.ARRAY,
    )


@COMMANDS.command(
    "ZRANGE",
    by=By.READ,
    group="sorted-set",
    options="[BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    complexity=_ANSWERED,
    told=Told("1.2.0"),
)
def zrange(db: Database, key: Key, start: bytes, stop: bytes, *options: bytes) -> Reply | LongRead:
    """Members between two ranks, scores (`5`, `(5`, `inf`) or names (`[a`, `(a`, `-`, `+`), in order."""
    return _answer(db, key, _asked(start, stop, options, None))


@COMMANDS.command(
    "ZREVRANGE",
    by=By.READ,
    group="sorted-set",
    options="[WITHSCORES]",
    complexity=_ANSWERED,
    told=Told("1.2.0", deprecated="6.2.0", instead="`ZRANGE` with the `REV` argument"),
)
def zrevrange(db: Database, key: Key, start: bytes, stop: bytes, *options: bytes) -> Reply | LongRead:
    """Members between two ranks, the highest score first."""
    return _answer(db, key, _asked(start, stop, options, by_rank, is_reverse=True))


@COMMANDS.command(
    "ZRANGEBYSCORE",
    by=By.READ,
    group="sorted-set",
    options="[WITHSCORES] [LIMIT offset count]",
    complexity=_ANSWERED,
    told=Told("1.0.5", deprecated="6.2.0", instead="`ZRANGE` with the `BYSCORE` argument"),
)
def zrangebyscore(db: Database, key: Key, min_: bytes, max_: bytes, *options: bytes) -> Reply | LongRead:
    """Members whose scores are between two (`(5`: without 5, `inf`: no end), in order."""
    return _answer(db, key, _asked(min_, max_, options, by_score))


@COMMANDS.command(
    "ZREVRANGEBYSCORE",
    by=By.READ,
    group="sorted-set",
    options="[WITHSCORES] [LIMIT offset count]",
    complexity=_ANSWERED,
    told=Told("2.2.0", deprecated="6.2.0", instead="`ZRANGE` with the `REV` and `BYSCORE` arguments"),
)
def zrevrangebyscore(db: Database, key: Key, max_: bytes, min_: bytes, *options: bytes) -> Reply | LongRead:
    """Members whose scores are between two (`(5`: without 5, `inf`: no end), the highest first."""
    return _answer(db, key, _asked(max_, min_, options, by_score, is_reverse=True))


@COMMANDS.command(
    "ZRANGEBYLEX",
    by=By.READ,
    group="sorted-set",
    options="[LIMIT offset count]",
    complexity=_ANSWERED,
    told=Told("2.8.9", deprecated="6.2.0", instead="`ZRANGE` with the `BYLEX` argument"),
)
def zrangebylex(db: Database, key: Key, min_: bytes, max_: bytes, *options: bytes) -> Reply | LongRead:
    """Members between two names (`[a`: with a, `(a`: without, `-` and `+`: no end), if all have one score."""
    return _answer(db, key, _asked(min_, max_, options, by_name))


@COMMANDS.command(
    "ZREVRANGEBYLEX",
    by=By.READ,
    group="sorted-set",
    options="[LIMIT offset count]",
    complexity=_ANSWERED,
    told=Told("2.8.9", deprecated="6.2.0", instead="`ZRANGE` with the `REV` and `BYLEX` arguments"),
)
def zrevrangebylex(db: Database, key: Key, max_: bytes, min_: bytes, *options: bytes) -> Reply | LongRead:
    """Members between two names (`(a`: without a; `+` and `-`: no end) in reverse, if all have one score."""
    return _answer(db, key, _asked(max_, min_, options, by_name, is_reverse=True))


@COMMANDS.command(
    "ZRANGESTORE",
    by=By.LOG,
    group="sorted-set",
    denies_oom=True,
    grows_more=more_bytes,
    options="[BYSCORE|BYLEX] [REV] [LIMIT offset count]",
    complexity=_ANSWERED,
    told=Told("6.2.0", ("OW update", "RO access")),
)
def zrangestore(
    db: Database, dst: Key, src: Key, min_: bytes, max_: bytes, *options: bytes
) -> Reply | Steps[Reply]:
    """Keep what ZRANGE would answer under another key, and answer how many members that are."""
    asked = _asked(min_, max_, options, None, shows=False)
    if isinstance(asked, CommandError):
        return asked
    set_ = db.value(src, SortedSet)
    if set_ is None:
        db.drop(dst)
        return 0
    first, last = asked.ranks(set_)
    target = db.created(SortedSet)
    rows = _chunks(_scored(set_, asked, (first, last)))
    steps = built(db, dst, target, gathered_into(target, rows, None, last - first))
    return short(steps, last - first)


def _chunks(rows: Iterator[Row]) -> Iterator[Row]:
    """In slices, of members that come once each."""
    return (some[at : at + STEP_ELEMENTS] for some in rows for at in range(0, len(some), STEP_ELEMENTS))


# Counting and removing.


def _counted(db: Database, key: bytes, find: Find | CommandError) -> Reply:
    if isinstance(find, CommandError):
        return find
    set_ = looked(db, key, SortedSet)
    if set_ is None:
        return 0
    first, last = find(set_)
    return max(0, last - first)


@COMMANDS.command(
    "ZCOUNT", by=By.READ, group="sorted-set", fast=True, complexity=LOG_N, told=Told("2.0.0", "RO access")
)
def zcount(db: Database, key: Key, min_: bytes, max_: bytes) -> Reply:
    """How many members have scores between two."""
    return _counted(db, key, by_score(min_, max_))


@COMMANDS.command(
    "ZLEXCOUNT", by=By.READ, group="sorted-set", fast=True, complexity=LOG_N, told=Told("2.8.9", "RO access")
)
def zlexcount(db: Database, key: Key, min_: bytes, max_: bytes) -> Reply:
    """How many members are between two names, if all have one score."""
    return _counted(db, key, by_name(min_, max_))


def _removed(db: Database, key: bytes, find: Find | CommandError) -> Reply | Steps[Reply]:
    if isinstance(find, CommandError):
        return find
    set_ = db.value(key, SortedSet)
    if set_ is None:
        return 0
    first, last = find(set_)
    return short(removed(db, key, set_, first, last), last - first)


_REMOVED: Final = "O(M log N), N being the number of members and M that of those removed"


@COMMANDS.command(
    "ZREMRANGEBYRANK", by=By.LOG, group="sorted-set", complexity=_REMOVED, told=Told("2.0.0", "RW delete")
)
def zremrangebyrank(db: Database, key: Key, start: bytes, stop: bytes) -> Reply | Steps[Reply]:
    """Remove members between two ranks, and answer how many."""
    return _removed(db, key, by_rank(start, stop))


@COMMANDS.command(
    "ZREMRANGEBYSCORE", by=By.LOG, group="sorted-set", complexity=_REMOVED, told=Told("1.2.0", "RW delete")
)
def zremrangebyscore(db: Database, key: Key, min_: bytes, max_: bytes) -> Reply | Steps[Reply]:
    """Remove members whose scores are between two, and answer how many."""
    return _removed(db, key, by_score(min_, max_))


@COMMANDS.command(
    "ZREMRANGEBYLEX", by=By.LOG, group="sorted-set", complexity=_REMOVED, told=Told("2.8.9", "RW delete")
)
def zremrangebylex(db: Database, key: Key, min_: bytes, max_: bytes) -> Reply | Steps[Reply]:
    """Remove members between two names, if all have one score, and answer how many."""
    return _removed(db, key, by_name(min_, max_))
