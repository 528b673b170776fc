"""Sorted sets: members with scores under one key, found by name, by score and by rank."""

from collections.abc import Callable, Iterator, Sequence
from math import isnan
from typing import Final

from trikv.machine.call import Call, Steps
from trikv.machine.commands.element_runs import SCORE_MEMBERS, taking
from trikv.machine.commands.elements import (
    CURSOR_OPTIONS,
    NO_KEYS,
    NOT_POSITIVE,
    changed_at_once,
    count_of,
    drawn,
    looked,
    looked_at,
    names_of,
    page_of,
    parse_count,
    refusal,
    short,
)
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_FLOAT, SYNTAX, wrong_arity
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.keyspec import Index, KeyNumber, KeySpec
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import double_text, parse_double, parse_integer
from trikv.machine.replies import NULL_ARRAY, CommandError, Form, Pairs, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.sorted_set import SortedSet

COMMANDS = CommandTable(COLLECTIONS)
COMMANDS.add_value(SortedSet)

LOG_N: Final = "O(log N), N being the number of members"
_EACH: Final = "O(M log N), N being the number of members and M that of those named"
_XX_AND_NX: Final = CommandError("ERR XX and NX options at the same time are not compatible")
_GT_LT_NX: Final = CommandError("ERR GT, LT, and/or NX options at the same time are not compatible")
_INCR_ONE: Final = CommandError("ERR INCR option supports a single increment-element pair")
_NAN: Final = CommandError("ERR resulting score is not a number (NaN)")
_ADD_WORDS: Final = frozenset({b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"})

Scored = tuple[float, bytes]
Spans = Callable[[SortedSet, int, int], Iterator[list[Scored]]]


def more_bytes(args: Sequence[bytes]) -> int:
    """For `Said.grows_more`: what members are charged besides their names."""
    return SortedSet.growth_bound(len(args))


# Adding.


class Adding:
    """What the options of a ZADD say."""

    def __init__(self, words: set[bytes]) -> None:
        self.only_new = b"NX" in words
        self.only_old = b"XX" in words
        self.only_greater = b"GT" in words
        self.only_less = b"LT" in words
        self.counts_changes = b"CH" in words
        self.adds = b"INCR" in words

    def problem(self, pairs: int) -> CommandError | None:
        """Why they contradict each other."""
        if self.only_new and self.only_old:
            return _XX_AND_NX
        if self.only_greater + self.only_less + self.only_new > 1:
            return _GT_LT_NX
        if self.adds and pairs > 1:
            return _INCR_ONE
        return None

    def score(self, old: float | None, given: float) -> float | None:
        """The score that a member gets which has `old`; None if it keeps what it has. NaN is an error."""
        if old is None:
            return None if self.only_old else given
        if self.only_new:
            return None
        score = old + given if self.adds else given
        if isnan(score):
            return score
        if (self.only_less and score >= old) or (self.only_greater and score <= old):
            return None
        return score


def added_scores(db: Database, key: bytes, adding: Adding, pairs: Sequence[Scored]) -> Reply:
    """Give members their scores: how many were added, or changed too; or with INCR the new score."""
    set_ = db.value(key, SortedSet) or db.created(SortedSet)
    changes: dict[bytes, float] = {}
    stored: dict[bytes, float | None] = {}
    added = updated = 0
    for given, member in pairs:
        if member not in stored:
            stored[member] = set_.get(member)
        old = changes.get(member, stored[member])
        score = adding.score(old, given)
        if score is None:
            continue
        if isnan(score):
            return _NAN
        if old is None:
            added += 1
        elif score != old:
            updated += 1
        if adding.adds or old is None or score != old:
            changes[member] = score
    if adding.adds and not changes:
        return None
    fresh = {member: score for member, score in changes.items() if stored[member] != score}
    if fresh:
        refused = refusal(db, key, set_, fresh)
        if refused is not None:
            return refused
        set_ = db.changing(key, set_)
        set_.put_each([*fresh], [*fresh.values()])
        refused = db.changed(key, set_)
        if refused is not None:
            return refused
    if adding.adds:
        return next(iter(changes.values()))
    return added + updated if adding.counts_changes else added


@COMMANDS.command(
    "ZADD",
    by=By.LOG,
    of_run=SCORE_MEMBERS,
    group="sorted-set",
    denies_oom=True,
    fast=True,
    grows_more=more_bytes,
    grows_once=SortedSet.unpacked_bytes(),
    options="[NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]",
    open_least=2,
    complexity=_EACH,
    told=Told("1.2.0", "RW update"),
)
def zadd(db: Database, key: Key, *args: bytes) -> Reply:
    """Add members with their scores to a sorted set, or change the scores of those that it has."""
    at, words = 0, set()
    while at < len(args) and args[at].upper() in _ADD_WORDS:
        words.add(args[at].upper())
        at += 1
    given = args[at:]
    if not given or len(given) % 2:
        return SYNTAX
    adding = Adding(words)
    problem = adding.problem(len(given) // 2)
    if problem is not None:
        return problem
    pairs: list[Scored] = []
    for text, member in zip(given[::2], given[1::2], strict=True):
        score = parse_double(text)
        if score is None:
            return NOT_FLOAT
        pairs.append((score, member))
    return added_scores(db, key, adding, pairs)


@COMMANDS.command(
    "ZINCRBY",
    by=By.LOG,
    group="sorted-set",
    denies_oom=True,
    fast=True,
    grows_more=more_bytes,
    grows_once=SortedSet.unpacked_bytes(),
    complexity=LOG_N,
    told=Told("1.2.0", "RW access update"),
)
def zincrby(db: Database, key: Key, increment: bytes, member: bytes) -> Reply:
    """Add to the score of a member, which begins at 0, and answer it."""
    given = parse_double(increment)
    if given is None:
        return NOT_FLOAT
    return added_scores(db, key, Adding({b"INCR"}), [(given, member)])


# Removing.


@COMMANDS.command(
    "ZREM", by=By.LOG, group="sorted-set", fast=True, complexity=_EACH, told=Told("1.2.0", "RW delete")
)
def zrem(db: Database, key: Key, member: bytes, *members: bytes) -> Reply:
    """Remove members from a sorted set and answer how many there were. One without members goes."""
    set_ = db.value(key, SortedSet)
    gone = [] if set_ is None else [each for each in dict.fromkeys((member, *members)) if each in set_]
    if set_ is None or not gone:
        return 0
    set_ = db.changing(key, set_)
    for each in gone:
        set_.remove(each)
    db.changed(key, set_)
    return len(gone)


def removed(db: Database, key: bytes, set_: SortedSet, first: int, last: int) -> Steps[Reply]:
    """Take out the members of ranks from `first` to before `last`, in slices; how many."""
    left = last - first
    if left <= 0:
        return 0
    if left == set_.count:
        db.drop(key)
        return left
    set_ = db.changing(key, set_)
    done = 0
    while done < left:
        if done:
            yield
        some = min(left - done, changed_at_once(set_, done))
        set_.cut(first, first + some)
        done += some
    db.changed(key, set_)
    return left


def _popped(
    db: Database, key: bytes, set_: SortedSet, wanted: int, *, is_max: bool
) -> Steps[list[tuple[Reply, Reply]]]:
    """Take out so many members from one end, in slices: members and scores, from that end on."""
    wanted = min(wanted, set_.count)
    first = set_.count - wanted if is_max else 0
    spans = set_.index.span_back if is_max else set_.index.span
    found: list[tuple[Reply, Reply]] = []
    for pairs in spans(first, first + wanted):
        found += [(member, score) for score, member in pairs]
        yield
    yield from removed(db, key, set_, first, first + wanted)
    return found


def _pop(db: Database, key: bytes, count: Sequence[bytes], *, is_max: bool) -> Reply | Steps[Reply]:
    if len(count) > 1:
        return SYNTAX
    wanted = parse_integer(count[0]) if count else 1
    if wanted is None or wanted < 0:
        return NOT_POSITIVE
    set_ = looked(db, key, SortedSet)
    if set_ is None or not wanted:
        return []
    return short(
        _shown(_popped(db, key, set_, wanted, is_max=is_max), flat=not count), min(wanted, set_.count)
    )


def _shown(steps: Steps[list[tuple[Reply, Reply]]], *, flat: bool) -> Steps[Reply]:
    """Members with scores as ZPOPMIN answers them: in RESP3 pairs, but one alone if no count was given."""
    found = yield from steps
    return list(found[0]) if flat else Pairs(found)


@COMMANDS.command(
    "ZPOPMIN",
    by=By.LOG,
    of_run=taking(is_max=False),
    group="sorted-set",
    fast=True,
    options="[count]",
    complexity=_EACH,
    told=Told("5.0.0", "RW access delete"),
)
def zpopmin(db: Database, key: Key, *count: bytes) -> Reply | Steps[Reply]:
    """Take the members with the lowest scores out and answer them with their scores."""
    return _pop(db, key, count, is_max=False)


@COMMANDS.command(
    "ZPOPMAX",
    by=By.LOG,
    of_run=taking(is_max=True),
    group="sorted-set",
    fast=True,
    options="[count]",
    complexity=_EACH,
    told=Told("5.0.0", "RW access delete"),
)
def zpopmax(db: Database, key: Key, *count: bytes) -> Reply | Steps[Reply]:
    """Take the members with the highest scores out and answer them with their scores."""
    return _pop(db, key, count, is_max=True)


@COMMANDS.command(
    "ZMPOP",
    by=By.LOG,
    group="sorted-set",
    options="key [key ...] <MIN|MAX> [COUNT count]",
    open_least=2,
    specs=(KeySpec(Index(1), KeyNumber(), "RW access delete"),),
    complexity="O(K) + O(M log N), K being the number of keys, N that of members and M that of those popped",
    told=Told("7.0.0"),
)
def zmpop(db: Database, numkeys: bytes, *rest: bytes) -> Reply | Steps[Reply]:
    """Take members out of the first of these sorted sets that has any, and answer its key and them."""
    number = parse_integer(numkeys)
    if number is None or number <= 0:
        return NO_KEYS
    side = rest[number].upper() if number < len(rest) else b""
    if side not in (b"MIN", b"MAX"):
        return SYNTAX
    wanted = count_of(rest[number + 1 :])
    if isinstance(wanted, CommandError):
        return wanted
    for key in rest[:number]:
        set_ = looked(db, key, SortedSet)
        if set_ is not None:
            steps = _named(key, _popped(db, key, set_, wanted, is_max=side == b"MAX"))
            return short(steps, min(wanted, set_.count))
    return NULL_ARRAY


def _named(key: bytes, steps: Steps[list[tuple[Reply, Reply]]]) -> Steps[Reply]:
    """The key, and an array of pairs in RESP2 too."""
    return [key, [list(pair) for pair in (yield from steps)]]


# Looking.


@COMMANDS.command("ZCARD", by=By.READ, group="sorted-set", fast=True, told=Told("1.2.0", "RO"))
def zcard(db: Database, key: Key) -> Reply:
    """How many members a sorted set has."""
    set_ = looked(db, key, SortedSet)
    return 0 if set_ is None else set_.count


@COMMANDS.command("ZSCORE", by=By.READ, group="sorted-set", fast=True, told=Told("1.2.0"))
def zscore(db: Database, key: Key, member: bytes) -> Reply:
    """The score of a member."""
    set_ = looked(db, key, SortedSet)
    score: float | None = None if set_ is None else set_.get(member)
    return score


@COMMANDS.command(
    "ZMSCORE",
    by=By.READ,
    group="sorted-set",
    fast=True,
    complexity="O(N), N being the number of members named",
    told=Told("6.2.0"),
)
def zmscore(db: Database, key: Key, member: bytes, *members: bytes) -> Reply:
    """The scores of several members."""
    set_ = looked(db, key, SortedSet)
    return [None if set_ is None else set_.get(each) for each in (member, *members)]


def _ranked(db: Database, key: bytes, member: bytes, options: Sequence[bytes], *, reverse: bool) -> Reply:
    if len(options) > 1:
        return wrong_arity("zrevrank" if reverse else "zrank")
    if options and options[0].upper() != b"WITHSCORE":
        return SYNTAX
    set_ = looked(db, key, SortedSet)
    score = None if set_ is None else set_.get(member)
    if set_ is None or score is None:
        return NULL_ARRAY if options else None
    rank = set_.index.rank(score, member)
    rank = set_.count - 1 - rank if reverse else rank
    return [rank, score] if options else rank


@COMMANDS.command(
    "ZRANK",
    by=By.READ,
    group="sorted-set",
    fast=True,
    options="[WITHSCORE]",
    complexity=LOG_N,
    told=Told("2.0.0"),
)
def zrank(db: Database, key: Key, member: bytes, *options: bytes) -> Reply:
    """How many members have a lower score; WITHSCORE answers the score, too."""
    return _ranked(db, key, member, options, reverse=False)


@COMMANDS.command(
    "ZREVRANK",
    by=By.READ,
    group="sorted-set",
    fast=True,
    options="[WITHSCORE]",
    complexity=LOG_N,
    told=Told("2.0.0"),
)
def zrevrank(db: Database, key: Key, member: bytes, *options: bytes) -> Reply:
    """How many members have a higher score; WITHSCORE answers the score, too."""
    return _ranked(db, key, member, options, reverse=True)


@COMMANDS.command(
    "ZSCAN",
    by=By.READ,
    group="sorted-set",
    options=CURSOR_OPTIONS,
    complexity="O(1) for one call, O(N) for all of a sorted set of N members",
    told=Told("2.8.0", tips="nondeterministic_output"),
)
def zscan(db: Database, key: Key, cursor: bytes, *options: bytes) -> Reply:
    """List members with their scores a few at a time, from cursor 0 on until the one answered is 0."""
    page = page_of(db, key, SortedSet, cursor, options)
    if isinstance(page, CommandError):
        return page
    following, found = page
    return [following, [each for member, score in found for each in (member, double_text(score))]]


@COMMANDS.command(
    "ZRANDMEMBER",
    by=By.READ,
    group="sorted-set",
    options="[count [WITHSCORES]]",
    complexity="O(N), N being the absolute value of count",
    told=Told("6.2.0", tips="nondeterministic_output"),
)
def zrandmember(call: Call, key: Key, *options: bytes) -> Reply | LongRead:
    """Some member, or count different ones; with a negative count one may come several times."""
    db, draws = call.db, call.draws
    if not options:
        set_ = looked(db, key, SortedSet)
        return None if set_ is None else set_.drawn(draws)[0]
    has_scores = len(options) > 1
    wanted = parse_count(options[0], options[1:], b"WITHSCORES")
    if isinstance(wanted, CommandError):
        return wanted
    set_ = looked(db, key, SortedSet)
    if set_ is None or not wanted:
        return []
    rows = drawn(set_, wanted, draws)
    count = min(wanted, set_.count) if wanted > 0 else -wanted
    return LongRead.of_values(
        db,
        {key: set_},
        rows if has_scores else lambda: names_of(rows()),
        size=looked_at(set_, wanted),
        count=count,
        form=Form.PAIRS if has_scores else Form.ARRAY,
    )
